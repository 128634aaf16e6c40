"""Does what was killed end as if it had not been?

Run with: python -m benchmarks.kills [tune | workers | fit] [kills]

``tune`` kills a study 20 times at random instants, ``workers`` kills a worker of one five times and a main process that
has workers five times more, ``fit`` kills trainings of five recipes six times each; without a name, all of them. Every
command runs in a process of its own, writes a checkpoint every 50 ms, is killed with SIGKILL after a random share of an
undisturbed one's time, and is resumed (a killed worker's study goes on by itself). The weights must then be those of
the undisturbed one, byte for byte, and so must everything in result.json but the seconds, the recipe included.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCRIPT = """
from surefoot import cli
from surefoot.protocols import search
search.CHECKPOINT_SECONDS = 0.05
cli.main()
"""
EPOCHS = "300"
TUNE = ["tune", "digits", "--epochs", "40"]
RECIPES: dict[str, dict[str, Any]] = {
    "adamw, cosine, dropout": {"model.dropout": 0.2},
    "sgd, plateau, early stopping": {
        "optimizer.name": "sgd",
        "schedule.name": "plateau",
        "schedule.patience": 0.05,
        "stopping.patience": 0.4,
    },
    "batch by the noise scale": {
        "batch.policy": "noise_scale",
        "batch.look_every": 4,
        "batch.deviations": 0.5,
        "model.dropout": 0.1,
    },
    "rmsprop, growth instead of decay": {"optimizer.name": "rmsprop", "batch.policy": "growth_replaces_decay"},
    "nadamw, one cycle, random batches, micro-batches": {
        "optimizer.name": "nadamw",
        "schedule.name": "one_cycle",
        "batch.policy": "random",
        "batch.micro_batch": 24,
        "model.dropout": 0.2,
    },
}


Outcome = tuple[bytes, dict[str, Any]]


def fit_of(changes: dict[str, Any]) -> list[str]:
    changed = [f"--set={key}={value}" for key, value in changes.items()]
    return ["fit", "digits", "--epochs", EPOCHS, *changed]


def start(directory: Path, arguments: list[str], *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, *arguments, "--out", "out", *more]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def outcome(directory: Path) -> Outcome:
    found = json.loads((directory / "out" / "result.json").read_text())
    found["cost"].pop("seconds")
    return (directory / "out" / "model.safetensors").read_bytes(), found


def undisturbed(arguments: list[str]) -> tuple[float, Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = start(Path(folder), arguments)
        said = process.communicate()[1].decode()
        assert process.returncode == 0, said[-500:]
        return time.perf_counter() - began, outcome(Path(folder))


def killed(arguments: list[str], after: float) -> tuple[Outcome, int]:
    """What a killed and resumed command came to, and how many runs had a checkpoint or a record to go on from."""
    with tempfile.TemporaryDirectory() as folder:
        place, process = Path(folder), start(Path(folder), arguments)
        time.sleep(after)
        process.kill()
        process.communicate()
        kept = len({path.parents[1] for path in place.glob("out/runs/*/checkpoint/checkpoint.safetensors")})
        kept += len(list(place.glob("out/runs/*/record.json")))
        if not (place / "out" / "result.json").exists():
            more = ("--resume",) if (place / "out" / "study.db").exists() else ("--overwrite",)
            again = start(place, arguments, *more)
            said = again.communicate()[1].decode()
            assert again.returncode == 0, f"killed after {after:.2f} s, {more}: {said[-500:]}"
        return outcome(place), kept


def worker_killed(arguments: list[str], draws: random.Random) -> Outcome:
    """What a study came to of which a worker was killed at a random instant of its work."""
    with tempfile.TemporaryDirectory() as folder:
        place, process = Path(folder), start(Path(folder), arguments)
        while not list(place.glob("out/runs/*/checkpoint/*")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draws.uniform(0.0, 1.0))
        workers = workers_of(process.pid)
        if workers:
            os.kill(draws.choice(workers), signal.SIGKILL)
        said = process.communicate()[1].decode()
        assert process.returncode == 0, said[-500:]
        assert not workers_of(process.pid), "a worker is left"
        return outcome(place)


def workers_of(pid: int) -> list[int]:
    listing = subprocess.run(["/bin/ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()[1:]]
    return [int(row[0]) for row in rows if row[1] == str(pid) and "tuning.worker" in row[2]]


def compared(name: str, arguments: list[str], count: int, draws: random.Random) -> tuple[int, int]:
    """How many of so many killed commands ended as the undisturbed one."""
    seconds, whole = undisturbed(arguments)
    hits = resumed = 0
    for _ in range(count):
        found, kept = killed(arguments, draws.uniform(0.2, 1.0) * seconds)
        hits += found == whole
        resumed += kept > 0
    print(f"{name:<50}{hits} of {count} as if nothing had happened; {resumed} had something to go on from", flush=True)
    return hits, count


def kill_workers(count: int, draws: random.Random) -> tuple[int, int]:
    arguments = [*TUNE, "--workers", "2"]
    whole = undisturbed(arguments)[1]  # in one process runs are stacked, which changes the last digits
    hits = sum(worker_killed(arguments, draws) == whole for _ in range(count))
    print(f"{'tune, one of two workers killed':<50}{hits} of {count} as if nothing had happened", flush=True)
    more = compared("tune with two workers, the main process killed", arguments, count, draws)
    return hits + more[0], count + more[1]


def main() -> int:
    wanted = [name for name in sys.argv[1:] if not name.isdigit()] or ["tune", "workers", "fit"]
    count = next((int(number) for number in sys.argv[1:] if number.isdigit()), None)
    draws, totals = random.Random(0), []
    if "tune" in wanted:
        totals.append(compared("tune", TUNE, count or 20, draws))
    if "workers" in wanted:
        totals.append(kill_workers(count or 5, draws))
    if "fit" in wanted:
        totals += [compared(name, fit_of(changes), count or 6, draws) for name, changes in RECIPES.items()]
    same, total = (sum(column) for column in zip(*totals, strict=True))
    print(f"{same} of {total} the same to the byte")
    return 0 if same == total else 1


if __name__ == "__main__":
    sys.exit(main())
