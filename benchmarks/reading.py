"""What reading a log costs: peak memory beside the size of the file, and seconds.

    python -m benchmarks.reading [MEGABYTES]

Writes a log of every kind of about that size (default 20), some of them made to cost much, has ``sf.diagnose`` read
each in a process of its own, and prints how much its peak resident memory (Linux) grew, over the file's size; asked:
at most 10.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.big_logs import database, journal, losses, mlflow, varint, weights_and_biases

ASKED = 10.0
# An import costs the same whatever is read: the growth is counted from a reading of five rows of the same kind.
READ = r"""
import re, sys, time
import surefoot as sf
from surefoot.errors import SurefootError
def read(path):
    try:
        said = sf.diagnose(path)[0].verdict
    except SurefootError as error:
        said = str(error)[-60:]
    with open("/proc/self/status") as status:  # what getrusage says begins with the parent's peak
        return said, int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
_, before = read(sys.argv[1])
start = time.perf_counter()
said, after = read(sys.argv[2])
print(after - before, f"{time.perf_counter() - start:.1f}", said, sep="\t")
"""


def table(rows: int) -> bytes:
    lines = (f"{row},{train:.6f},{validation:.6f}" for row, train, validation in losses(rows))
    return "\n".join(["step,train_loss,val_loss", *lines]).encode()


def short_cells(rows: int) -> bytes:
    return b"loss\n" + b"1\n2\n" * (rows * 12)


def blanks_of_pandas(rows: int) -> bytes:
    return b"loss\n" + b"1\nnan\n" * (rows * 8)


def two_runs(rows: int) -> bytes:
    return b"run,loss\n" + b"a,1\nb,2\na,3\nb,1\n" * (rows * 4)


def many_columns(rows: int) -> bytes:
    names = ",".join(f"c{column}" for column in range(rows * 2))
    return f"loss,{names}\n1,{names}\n".encode()


def json_lines(rows: int) -> bytes:
    keys = ("step", "train_loss", "val_loss")
    return b"\n".join(json.dumps(dict(zip(keys, row, strict=True))).encode() for row in losses(rows))


def new_names(rows: int) -> bytes:
    return b"\n".join(b'{"loss": 1, "a%d": 1}' % row for row in range(rows))


def trainer_state(rows: int) -> bytes:
    names = ("step", "loss", "grad_norm")
    history = [{"epoch": row[0] / 100, **dict(zip(names, row, strict=True))} for row in losses(rows)]
    return json.dumps({"best_metric": None, "log_history": history}, indent=2).encode()


def columns(rows: int) -> bytes:
    _, train, validation = zip(*losses(rows), strict=True)
    return json.dumps({"loss": train, "val_loss": validation}).encode()


def short_numbers(rows: int) -> bytes:
    return b'{"loss": [' + b"1,2," * (rows * 12) + b"1]}"


def empty_lists(rows: int) -> bytes:
    return b'{"loss": [1, 2, 1], "other": [' + b"[],{}," * (rows * 8) + b"1]}"


def long_object(rows: int) -> bytes:
    return b'[{"loss": 1,' + b",".join(b'"%d":1' % row for row in range(rows * 4)) + b"}]"


def deep(rows: int) -> bytes:
    return b'{"loss": [3, 2, 1], "deep": ' + b"[" * (rows * 20)


def accents(rows: int) -> bytes:
    return '{"name": "👣", "loss": ['.encode() + b"0.12345," * (rows * 5) + b"1]}"


def events(rows: int) -> bytes:
    """Records as TensorBoard frames them: a step, and a summary of one value with its tag."""
    found = []
    for step, train, validation in losses(rows):
        for tag, value in ((b"Loss/train", train), (b"Loss/test", validation)):
            one = b"\x0a" + bytes([len(tag)]) + tag + b"\x15" + struct.pack("<f", value)
            summary = b"\x0a" + bytes([len(one)]) + one
            event = b"\x10" + varint(step) + b"\x2a" + bytes([len(summary)]) + summary
            found.append(struct.pack("<QI", len(event), 0) + event + bytes(4))
    return b"".join(found)


def claims_much(rows: int) -> bytes:
    return events(rows) + struct.pack("<QI", 2**32, 0)


KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "CSV": ("a.csv", table),
    "CSV, cells of one digit": ("a.csv", short_cells),
    "CSV, every second cell not-a-number": ("a.csv", blanks_of_pandas),
    "CSV, rows of two runs": ("a.csv", two_runs),
    "CSV, as many columns as bytes": ("a.csv", many_columns),
    "JSON lines": ("a.jsonl", json_lines),
    "JSON lines, a new name in each": ("a.jsonl", new_names),
    "trainer_state.json": ("trainer_state.json", trainer_state),
    "JSON, lists of numbers": ("a.json", columns),
    "JSON, numbers of one digit": ("a.json", short_numbers),
    "JSON, empty lists": ("a.json", empty_lists),
    "JSON, one long object": ("a.json", long_object),
    "JSON, millions of layers": ("a.json", deep),
    "JSON, one wide letter": ("a.json", accents),
    "Optuna's database": ("study.db", database),
    "Optuna's journal": ("journal.log", journal),
    "a run of Weights & Biases": ("run.wandb", weights_and_biases),
    "MLflow's database": ("mlflow.db", mlflow),
    "TensorBoard events": ("events.out.tfevents.0", events),
    "TensorBoard events, 4 GiB claimed": ("events.out.tfevents.0", claims_much),
}


def measure(name: str, make: Callable[[int], bytes], folder: Path, size: int) -> tuple[int, float, float, str]:
    """Bytes of the file, memory over them, seconds, the first verdict."""
    rows = int(1000 * size / len(make(1000)))
    small, large = folder / "small" / name, folder / "large" / name
    for path, content in ((small, make(5)), (large, make(rows))):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    del content
    done = subprocess.run(
        [sys.executable, "-c", READ, str(small), str(large)], capture_output=True, text=True, check=True
    )
    grown, seconds, said = done.stdout.strip().split("\t")
    return large.stat().st_size, 1024 * int(grown) / large.stat().st_size, float(seconds), said


def main(size: int) -> None:
    print(f"| log | MB | memory / file (asked: at most {ASKED:g}) | seconds | said |\n|---|---|---|---|---|")
    for kind, (name, make) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            length, ratio, seconds, said = measure(name, make, Path(folder), size)
        print(f"| {kind} | {length / 1e6:.1f} | {ratio:.1f} | {seconds:.1f} | {said} |", flush=True)


if __name__ == "__main__":
    main(int(1e6 * float(sys.argv[1] if len(sys.argv) > 1 else 20)))
