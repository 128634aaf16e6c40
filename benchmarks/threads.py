"""One CPU thread against two for small dense networks: microseconds a step, interleaved."""

from __future__ import annotations

import statistics
import time

import torch
from torch.nn import functional

from surefoot.tasks.models import mlp

SIZES = ((64, 64, 32), (64, 128, 32), (784, 128, 64), (784, 512, 128), (784, 1024, 256))
REPEATS, STEPS = 8, 50


def main() -> None:
    """Print a line a size: inputs, hidden units, batch, parameters times batch, and both medians."""
    for inputs, hidden, batch_size in SIZES:
        model = mlp(inputs=inputs, outputs=10, hidden=hidden)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        rows, labels = torch.randn(batch_size, inputs), torch.randint(10, (batch_size,))
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(REPEATS):
            for threads in seconds:
                torch.set_num_threads(threads)
                started = time.perf_counter()
                for _ in range(STEPS):
                    optimizer.zero_grad()
                    functional.cross_entropy(model(rows), labels).backward()
                    optimizer.step()
                seconds[threads].append((time.perf_counter() - started) / STEPS)
        work = batch_size * sum(parameter.numel() for parameter in model.parameters())
        one, two = (1e6 * statistics.median(seconds[threads]) for threads in (1, 2))
        print(f"{inputs:>4} {hidden:>5} {batch_size:>4}  {work:.1e}  {one:8.0f} us on one, {two:8.0f} us on two")


if __name__ == "__main__":
    main()
