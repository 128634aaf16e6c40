"""A stream of more than a gigabyte trains in less than one: peak memory and samples a second.

``python -m benchmarks.stream [--repeats 3]``. Every case is a training of one epoch in a process of its own; the cases
take turns. Memory is looked at ten times a second while the process and its workers run: resident memory added up,
which counts the pages they share once for each, and the proportional share, which counts them once in all. Rows are 256
float32 numbers and a label, from 16 files that are written first, or made as they are read; the same rows in memory are
an eighth as many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHARDS, SHARD_ROWS, FEATURES, CLASSES = 16, 66_000, 256, 10
GIGABYTE = 2**30
MOST = 1.0  # gigabytes, for a stream and its workers
CASES = {
    "rows in memory (an eighth of them)": ("memory", 0, 0),
    "files of arrays": ("files", 0, 4096),
    "files of arrays, 2 workers": ("files", 2, 4096),
    "rows made one by one": ("rows", 0, 4096),
    "rows made one by one, 2 workers": ("rows", 2, 4096),
}


def shard_of(number: int) -> tuple[Any, Any]:
    """The rows of a file: two numbers decide the label."""
    generator = np.random.default_rng(number)
    inputs = generator.standard_normal((SHARD_ROWS, FEATURES), dtype=np.float32)
    labels = np.clip(5 + 2.5 * inputs[:, 0] + inputs[:, 1], 0, CLASSES - 1).astype(np.int64)
    return inputs, labels


def read(stem: str) -> tuple[Any, Any]:
    return np.load(f"{stem}.inputs.npy", mmap_mode="r"), np.load(f"{stem}.labels.npy", mmap_mode="r")


def build() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def made_rows() -> Any:
    """A dataset as PyTorch's documentation writes one: every row is made when it is asked for."""
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    class Made(IterableDataset[Any]):
        def __len__(self) -> int:
            return SHARDS * SHARD_ROWS

        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            first, step = (info.id, info.num_workers) if info else (0, 1)
            generator = torch.Generator().manual_seed(first)
            for _ in range(first, len(self), step):
                inputs = torch.randn(FEATURES, generator=generator)
                yield inputs, int((5 + 2.5 * inputs[0] + inputs[1]).clip(0, CLASSES - 1))

    return Made()


def train(case: str, folder: str) -> None:
    """One epoch; what it took, as a line of JSON."""
    import surefoot as sf

    kind, workers, buffer = CASES[case]
    inputs, labels = shard_of(10_000)
    validation = (inputs[:2000].copy(), labels[:2000].copy())
    del inputs, labels
    if kind == "memory":
        pairs = [read(f"{folder}/{number}") for number in range(SHARDS // 8)]
        data: Any = tuple(np.concatenate([pair[part] for pair in pairs]) for part in range(2))
    elif kind == "files":
        data = sf.Shards([f"{folder}/{number}" for number in range(SHARDS)], read, rows=SHARD_ROWS)
    else:
        data = made_rows()
    task = sf.Task(build, data, validation=validation, loss="cross_entropy", epochs=1)
    sections = {"shuffle_buffer": buffer, "workers": workers} if kind != "memory" else {}
    started = time.perf_counter()
    result = sf.fit(task, sf.Recipe(batch={"size": 256}, data=sections))
    seconds = time.perf_counter() - started
    print(json.dumps({"samples": result.cost.samples, "seconds": seconds, **result.metrics}))


def resident(process: int) -> tuple[float, float]:
    """Gigabytes of a process and its children: resident, and in proportion."""
    found = [0.0, 0.0]
    children = [
        int(text) for path in Path(f"/proc/{process}/task").glob("*/children") for text in path.read_text().split()
    ]
    for number in (process, *children):
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            name, *values = line.split()
            if name in {"Rss:", "Pss:"}:
                found[name == "Pss:"] += int(values[0]) * 1024 / GIGABYTE
    return found[0], found[1]


def measured(case: str, folder: str) -> dict[str, float]:
    """A case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stream", "--case", case, "--folder", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peaks = [0.0, 0.0]

    def watch() -> None:
        while process.poll() is None:
            with contextlib.suppress(OSError):  # one of them has just ended
                peaks[:] = map(max, zip(peaks, resident(process.pid), strict=True))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate()
    watcher.join()
    found = json.loads(said)
    return {
        "rate": found["samples"] / found["seconds"],
        "rows": found["samples"],
        "resident": peaks[0],
        "proportional": peaks[1],
        "accuracy": found["validation_accuracy"],
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case")
    parser.add_argument("--folder")
    given = parser.parse_args()
    if given.case:
        train(given.case, given.folder)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SHARDS):
            inputs, labels = shard_of(number)
            np.save(f"{folder}/{number}.inputs.npy", inputs)
            np.save(f"{folder}/{number}.labels.npy", labels)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / GIGABYTE
        print(f"{SHARDS * SHARD_ROWS:,} rows of {FEATURES} float32 numbers: {size:.2f} GiB")
        rounds = [{case: measured(case, folder) for case in CASES} for _ in range(given.repeats)]
    missed = False
    names = "one epoch of", "rows", "samples/s", "least to most", "beside memory", "resident, GiB", "in proportion, GiB"
    print(f"\n| {' | '.join(names)} | accuracy |\n|{'---|' * (len(names) + 1)}")
    base = [found["rows in memory (an eighth of them)"]["rate"] for found in rounds]
    for case in CASES:
        rates = [found[case]["rate"] for found in rounds]
        worst = [max(found[case][name] for found in rounds) for name in ("resident", "proportional")]
        share = statistics.median(rate / one for rate, one in zip(rates, base, strict=True))
        missed |= CASES[case][0] != "memory" and worst[0] >= MOST
        about = f"| {case} | {rounds[0][case]['rows']:,.0f} | {statistics.median(rates):,.0f} "
        about += f"| {min(rates):,.0f} to {max(rates):,.0f} | {share:.2f} | {worst[0]:.2f} | {worst[1]:.2f} "
        print(f"{about}| {rounds[0][case]['accuracy']:.3f} |")
    print(f"\nAsked: less than {MOST:g} GiB resident in all: {'missed' if missed else 'reached'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
