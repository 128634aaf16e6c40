"""What moves on another device, with another model, and later in a training."""

from __future__ import annotations

import time
from statistics import fmean

from benchmarks.corrections.batches import noise_scales
from benchmarks.questions.drawing import BLUE, GREY, ORANGE, Drawing, panels
from surefoot import tasks

__all__ = ["what_moves"]

LEVELS = (1.5, 1.0, 0.5, 0.2, 0.1, 0.05)
WIDTHS = (32, 128, 512)
SIZES = (1, 4, 16, 64, 256, 1024)
REPEATS = 15


def what_moves() -> Drawing:
    """Seconds a row by batch, for two widths; the noise scale as the loss falls, for three."""
    figure, (left, right) = panels(2, height=2.5)
    said = []
    for width, color in zip((32, 512), (BLUE, ORANGE), strict=True):
        micro = [_microseconds(width, size) for size in SIZES]
        left.plot(SIZES, micro, "o-", color=color, ms=3, label=f"{width} units a layer")
        said.append(f"{width} units: {dict(zip(SIZES, (round(each, 1) for each in micro), strict=True))} µs a row")
    left.set(xscale="log", yscale="log", xlabel="batch size", ylabel="µs a row (CPU)", title="this device, by model")
    left.legend()
    for width, color in zip(WIDTHS, (BLUE, GREY, ORANGE), strict=True):
        found = [noise_scales(width, LEVELS, seed=seed)[0] for seed in range(3)]
        scales = [fmean(each[level] for each in found) for level in LEVELS]
        right.plot(LEVELS, scales, "o-", color=color, ms=3, label=f"{width} units")
        said.append(f"{width}: noise scale {[round(scale) for scale in scales]}")
    right.set(xscale="log", yscale="log", xlabel="training loss", ylabel="noise scale, rows", title="as the loss falls")
    right.invert_xaxis()
    right.legend()
    return Drawing(figure, "; ".join(said))


def _microseconds(width: int, size: int) -> float:
    """Of a training step, a row: processor time, the shortest of several."""
    import torch
    from torch import nn

    network = tasks.builtin("digits").model(hidden=width)
    optimizer = torch.optim.AdamW(network.parameters())
    rows, labels = torch.randn(size, 64), torch.randint(10, (size,))
    found = []
    for _ in range(REPEATS):
        begin = time.process_time()
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(rows), labels).backward()
        optimizer.step()
        found.append(time.process_time() - begin)
    return 1e6 * min(found) / size
