"""Does a training that was killed end as one that was not? Thirty kills at random instants, over five recipes.

Run with: python -m benchmarks.kills [kills a recipe]

Every training runs in a process of its own, writes a checkpoint every 50 ms, is killed with SIGKILL after a random
share of an undisturbed training's time, and is resumed. The weights must then be those of the undisturbed one, byte
for byte,
and so must everything in result.json but the seconds.
"""

from __future__ import annotations

import json
import random
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


def start(directory: Path, changes: dict[str, Any], *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, "fit", "digits", "--epochs", EPOCHS, "--out", "out", *more]
    for key, value in changes.items():
        command += ["--set", f"{key}={value}"]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def outcome(directory: Path) -> tuple[bytes, dict[str, Any]]:
    found = json.loads((directory / "out" / "result.json").read_text())
    found["cost"].pop("seconds")
    return (directory / "out" / "model.safetensors").read_bytes(), found


def undisturbed(changes: dict[str, Any]) -> tuple[float, tuple[bytes, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = start(Path(folder), changes)
        process.communicate()
        assert process.returncode == 0
        return time.perf_counter() - began, outcome(Path(folder))


def killed(changes: dict[str, Any], after: float) -> tuple[tuple[bytes, dict[str, Any]], bool]:
    """What a killed and resumed training came to, and whether there was a checkpoint to go on from."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(Path(folder), changes)
        time.sleep(after)
        process.kill()
        process.communicate()
        had_checkpoint = bool(list(Path(folder).glob("out/runs/*/checkpoint/checkpoint.safetensors")))
        is_done = (Path(folder) / "out" / "result.json").exists()
        more = () if is_done or not (Path(folder) / "out").exists() else ("--resume",)
        if not is_done:
            again = start(Path(folder), changes, *more)
            said = again.communicate()[1].decode()
            assert again.returncode == 0, f"killed after {after:.2f} s, {more}: {said[-500:]}"
        return outcome(Path(folder)), had_checkpoint


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    draws = random.Random(0)
    same = total = from_checkpoint = 0
    for name, changes in RECIPES.items():
        seconds, whole = undisturbed(changes)
        hits = 0
        for _ in range(count):
            found, had_checkpoint = killed(changes, draws.uniform(0.2, 1.0) * seconds)
            hits += found == whole
            from_checkpoint += had_checkpoint
        print(f"{name:<50}{hits} of {count} as if nothing had happened", flush=True)
        same, total = same + hits, total + count
    print(f"{same} of {total} the same to the byte; {from_checkpoint} of them went on from a checkpoint")
    return 0 if same == total else 1


if __name__ == "__main__":
    sys.exit(main())
