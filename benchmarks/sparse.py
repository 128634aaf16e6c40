"""Sparse rows against the same rows with their zeros: seconds a step and memory.

``python -m benchmarks.sparse [--repeats 5]``. 4,000 rows of 50,000 columns with 30 values each, a first layer of 64
units, batches of 128. Every case is a training of 60 steps in a process of its own, on one thread; the cases take
turns. Its memory is the most that is resident, beyond what is before the rows are made.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

ROWS, COLUMNS, VALUES, HIDDEN, BATCH, STEPS = 4_000, 50_000, 30, 64, 128, 60
CASES = ("dense, nn.Linear", "sparse, nn.Linear", "sparse, sf.SparseLinear")


def rows() -> tuple[Any, Any]:
    import scipy.sparse

    generator = np.random.default_rng(0)
    columns = generator.integers(COLUMNS, size=ROWS * VALUES)
    ends = np.arange(0, ROWS * VALUES + 1, VALUES)
    values = generator.random(ROWS * VALUES, dtype=np.float32)
    return scipy.sparse.csr_array((values, columns, ends), shape=(ROWS, COLUMNS)), columns[::VALUES] % 2


def build_dense() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(COLUMNS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))


def build_sparse() -> Any:
    from torch import nn

    import surefoot as sf

    return nn.Sequential(sf.SparseLinear(COLUMNS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))


def most_resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train(case: str) -> None:
    """A run's steps, after a few to warm up; a line of JSON."""
    import torch

    import surefoot as sf
    from surefoot.engine import TorchFactory

    torch.set_num_threads(1)
    before = most_resident()
    matrix, labels = rows()
    inputs = matrix.toarray() if case.startswith("dense") else matrix
    del matrix
    task = sf.Task(build_sparse if "Sparse" in case else build_dense, (inputs, labels), validation=0.1, epochs=10)
    factory = TorchFactory(task)
    run = factory.create(sf.Recipe(batch={"size": BATCH}).complete(factory.num_rows), seed=0)
    run.advance(10 * BATCH, should_stop=lambda: False)
    started = time.perf_counter()
    told = run.advance(STEPS * BATCH, should_stop=lambda: False)
    seconds = (time.perf_counter() - started) / told.steps
    print(json.dumps({"ms": 1e3 * seconds, "MiB": most_resident() - before, "loss": told.loss}))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case")
    given = parser.parse_args()
    if given.case:
        train(given.case)
        return 0
    command = [sys.executable, "-m", "benchmarks.sparse", "--case"]
    rounds = [
        {case: json.loads(subprocess.run([*command, case], capture_output=True, check=True).stdout) for case in CASES}
        for _ in range(given.repeats)
    ]
    names = "rows and first layer", "ms a step", "least to most", "beside dense", "MiB", "training loss"
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for case in CASES:
        times = [found[case]["ms"] for found in rounds]
        share = statistics.median(found[case]["ms"] / found[CASES[0]]["ms"] for found in rounds)
        memory = statistics.median(found[case]["MiB"] for found in rounds)
        about = f"| {case} | {statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} | {share:.2f} "
        print(f"{about}| {memory:,.0f} | {rounds[0][case]['loss']:.6f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
