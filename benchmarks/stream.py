"""A stream of more than a gigabyte trains in less than one; and what streaming costs beside rows in memory.

``python -m benchmarks.stream [memory | speed] [--repeats 3]``. Rows are 256 float32 numbers and a label, in 16 files
that are written first, or made as they are read. Every case is a training in a process of its own.

Memory: a whole training with all rows, once. It is looked at ten times a second while the process and its workers run:
resident memory added up, which counts a page that several share once for each, and in proportion, which counts it once.
Speed: an epoch of an eighth of the rows, the cases in turn, by the clock and in seconds of all processors, which other
work on the machine changes little.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
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
    "rows in memory": ("memory", 0, 0),
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


def made_rows(shards: int) -> Any:
    """A dataset as PyTorch's documentation writes one: every row is made when it is asked for."""
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    class Made(IterableDataset[Any]):
        def __len__(self) -> int:
            return shards * SHARD_ROWS

        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            first, step = (info.id, info.num_workers) if info else (0, 1)
            generator = torch.Generator().manual_seed(first)
            for _ in range(first, len(self), step):
                inputs = torch.randn(FEATURES, generator=generator)
                yield inputs, int((5 + 2.5 * inputs[0] + inputs[1]).clip(0, CLASSES - 1))

    return Made()


def task_of(case: str, folder: str, shards: int) -> tuple[Any, Any]:
    """A task with so many files' rows, and the recipe that reads them as the case says."""
    import surefoot as sf

    kind, workers, buffer = CASES[case]
    inputs, labels = shard_of(10_000)
    validation = (inputs[:2000].copy(), labels[:2000].copy())
    names = [f"{folder}/{number}" for number in range(shards)]
    if kind == "memory":
        pairs = [read(name) for name in names]
        data: Any = tuple(np.concatenate([pair[part] for pair in pairs]) for part in range(2))
    else:
        data = sf.Shards(names, read, rows=SHARD_ROWS) if kind == "files" else made_rows(shards)
    task = sf.Task(build, data, validation=validation, loss="cross_entropy", epochs=1)
    sections = {"shuffle_buffer": buffer, "workers": workers} if kind != "memory" else {}
    return task, sf.Recipe(batch={"size": 256}, data=sections)


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def train(case: str, folder: str, what: str) -> None:
    """A case; what it took, as a line of JSON."""
    import surefoot as sf
    from surefoot.engine import TorchFactory

    if what == "memory":
        result = sf.fit(*task_of(case, folder, SHARDS))
        print(json.dumps({"rows": result.cost.samples, "accuracy": result.metrics["validation_accuracy"]}))
        return
    task, recipe = task_of(case, folder, SHARDS // 8)
    factory = TorchFactory(task)
    run = factory.create(recipe.complete(factory.num_rows), seed=0)
    began, used = time.perf_counter(), processor_seconds()
    told = run.advance(factory.num_rows, should_stop=lambda: False)
    seconds = time.perf_counter() - began
    run.release()
    print(json.dumps({"clock": told.samples / seconds, "processors": told.samples / (processor_seconds() - used)}))


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


def measured(case: str, folder: str, what: str) -> dict[str, float]:
    """A case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stream", what, "--case", case, "--folder", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peaks = [0.0, 0.0]

    def watch() -> None:
        while process.poll() is None:
            with contextlib.suppress(OSError):  # one of them has just ended
                peaks[:] = map(max, zip(peaks, resident(process.pid), strict=True))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch if what == "memory" else lambda: None)
    watcher.start()
    said, _ = process.communicate()
    watcher.join()
    return {"resident": peaks[0], "proportional": peaks[1], **json.loads(said)}


def show_memory(folder: str) -> bool:
    """Print the table of memory; whether all streams stay below what is asked."""
    print("| a training on | rows | resident, GiB | in proportion, GiB | accuracy |\n|---|---|---|---|---|")
    is_reached = True
    for case in list(CASES)[1:]:
        found = measured(case, folder, "memory")
        is_reached &= found["proportional"] < MOST
        about = f"| {case} | {found['rows']:,.0f} | {found['resident']:.2f} | {found['proportional']:.2f} "
        print(f"{about}| {found['accuracy']:.3f} |", flush=True)
    print(
        f"\nAsked: less than {MOST:g} GiB in all, a shared page counted once: {'reached' if is_reached else 'missed'}\n"
    )
    return is_reached


def show_speed(folder: str, repeats: int) -> None:
    """Print the table of speed."""
    rounds = [{case: measured(case, folder, "speed") for case in CASES} for _ in range(repeats)]
    print("| an epoch of | samples/s | least to most | samples per processor second | beside memory |")
    print("|---|---|---|---|---|")
    base = next(iter(CASES))
    for case in CASES:
        clock, processors = ([found[case][name] for found in rounds] for name in ("clock", "processors"))
        share = statistics.median(found[case]["processors"] / found[base]["processors"] for found in rounds)
        about = f"| {case} | {statistics.median(clock):,.0f} | {min(clock):,.0f} to {max(clock):,.0f} "
        print(f"{about}| {statistics.median(processors):,.0f} | {share:.2f} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", choices=("memory", "speed", "both"), default="both")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case")
    parser.add_argument("--folder")
    given = parser.parse_args()
    if given.case:
        train(given.case, given.folder, given.what)
        return 0
    is_reached = True
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SHARDS if given.what != "speed" else SHARDS // 8):
            inputs, labels = shard_of(number)
            np.save(f"{folder}/{number}.inputs.npy", inputs)
            np.save(f"{folder}/{number}.labels.npy", labels)
        size = SHARDS * SHARD_ROWS * FEATURES * 4 / GIGABYTE
        print(f"{SHARDS * SHARD_ROWS:,} rows of {FEATURES} float32 numbers, {size:.2f} GiB\n")
        if given.what != "speed":
            is_reached = show_memory(folder)
        if given.what != "memory":
            show_speed(folder, given.repeats)
    return not is_reached


if __name__ == "__main__":
    sys.exit(main())
