"""The pictures of docs/batching.md: every policy over a training, and what the measured readings want.

Run with: python -m benchmarks.policy_pictures
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from surefoot import batching, schedules

FOLDER = Path(__file__).parents[1] / "docs" / "pictures" / "batching"
NUM_ROWS = 5_000
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
LIMIT_BYTES = 30_000


def policies() -> dict[str, tuple[Any, str]]:
    """Every policy over positions that has a shape to show, and what it was given."""
    cosine = schedules.cosine()
    return {
        "fixed": (batching.Fixed(128), "size=128"),
        "random": (batching.Random(64, sizes=(16, 32, 64, 128)), "sizes=[16, 32, 64, 128]"),
        "step_ramp": (batching.StepRamp(32), "size=32, factor=2, every=0.25"),
        "linear_ramp": (batching.LinearRamp(32, last=256), "size=32, last=256"),
        "geometric_ramp": (batching.GeometricRamp(32, last=256), "size=32, last=256"),
        "ada_batch": (batching.AdaBatch(16), "size=16, factor=2, every=0.2"),
        "growth_replaces_decay": (batching.GrowthReplacesDecay(32, schedule=cosine), "size=32, a cosine"),
    }


def decays() -> dict[str, Callable[[float], float]]:
    """The rate that a fixed batch would have had, for the policies that move the rate too."""
    return {
        "ada_batch": lambda position: 0.375 ** np.floor(position / 0.2 + 1e-9),
        "growth_replaces_decay": schedules.cosine(),
    }


def draw_policy(name: str, policy: Any, arguments: str) -> Figure:
    """The batch over a training; below it the rate, where the policy moves that too."""
    decay = decays().get(name)
    figure = Figure(figsize=(4.0, 3.2 if decay else 2.1), dpi=100, layout="constrained")
    panels = figure.subplots(2 if decay else 1, sharex=True, squeeze=False)[:, 0]
    # the end itself is no place for a step: a cut there would only be a spike
    positions = np.linspace(0.0, 1.0, 60 if name == "random" else 1000, endpoint=False)
    sizes = [policy(position, num_rows=NUM_ROWS) for position in positions.tolist()]
    panels[0].plot(positions, sizes, "." if name == "random" else "-", color=BLUE, linewidth=1.8)
    panels[0].set_ylabel("batch")
    if decay:
        rates = [policy.rate(position, num_rows=NUM_ROWS) for position in positions.tolist()]
        panels[1].plot(positions, rates, color=ORANGE, linewidth=1.8, label="rate")
        panels[1].plot(positions, [decay(p) for p in positions.tolist()], ":", color=GREY, label="at a fixed batch")
        panels[1].set_ylabel("multiplier")
        panels[1].legend(fontsize=8, frameon=False)
    for axes in panels:
        axes.set_ylim(bottom=0.0)
        axes.margins(x=0.01)
        axes.grid(alpha=0.3)
    panels[-1].set_xlabel("share of the training")
    figure.suptitle(f"{name} ({arguments})", fontsize=10)
    return figure


Reading = tuple[str, Any, Callable[[Any], Any]]


def readings() -> list[Reading]:
    """Each reading with what it was given, and its closed form in the noise scale."""
    time = batching.StepTime(overhead=0.01, per_row=1e-4)
    return [
        ("norm test, θ = 0.5", batching.NormTest(0.5), lambda scale: scale * (1 - 0.25) / 0.25),
        ("inner product, θ = 0.5", batching.InnerProductTest(0.5), lambda scale: scale * (0.5 / 0.25 - 1)),
        ("noise scale, share = 0.5", batching.NoiseScale(0.5), lambda scale: 0.5 * scale),
        ("diversity, δ = 0.2", batching.GradientDiversity(0.2), lambda scale: 0.2 * (1 + scale)),
        ("half cosine, γ = 0.05", batching.HalfCosine(0.05), lambda scale: 2 * scale * 0.05 / 0.95),
        ("CABS, η‖G‖²/F = 0.03", batching.CABS(), lambda scale: 0.03 * scale),
        ("goodput, α/β = 100 rows", batching.Goodput(time), lambda scale: np.sqrt(100 * scale)),
    ]


def rest(reading: Any, noise_scale: float) -> float:
    """Where the code's answer no longer moves the batch, with ‖G‖² = 1 and half of S along the gradient."""
    estimate = batching.NoiseEstimate(noise_scale, 1.0, noise_scale / 2, noise_scale, noise_scale, 1e6)
    size = noise_scale
    for _ in range(500):
        situation = batching.Situation(size, 10**9, loss=1.0, learning_rate=0.03)
        size = reading(estimate, situation)
    return size


def draw_readings() -> Figure:
    """The wanted batch against the noise scale: lines are the closed forms, dots what the code comes to rest at."""
    figure = Figure(figsize=(5.6, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    scales = np.geomspace(10.0, 1e5, 200)
    colours = (BLUE, ORANGE, "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
    for (label, reading, formula), colour in zip(readings(), colours, strict=True):
        axes.plot(scales, formula(scales), color=colour, linewidth=1.5, label=label)
        dots = np.geomspace(30.0, 3e4, 4)
        found = np.array([rest(reading, scale) for scale in dots.tolist()])
        spacing = 0.05 if isinstance(reading, batching.Goodput) else 1e-6  # it looks at sizes 5 % apart
        assert np.allclose(found, formula(dots), rtol=spacing), label
        axes.plot(dots, found, "o", color=colour, markersize=3.5)
    axes.set(xscale="log", yscale="log", xlabel="noise scale S/‖G‖², samples", ylabel="wanted batch, samples")
    axes.set_ylim(bottom=1.0)
    axes.margins(x=0.01)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7.5, frameon=False, loc="upper left")
    return figure


def write(figure: Figure, path: Path) -> int:
    """Write a small picture and say how many bytes it has: few colours are enough for lines."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    drawn.seek(0)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(64).save(path, optimize=True)
    return path.stat().st_size


def main() -> int:
    """Draw them all; 1 when one is too large for a page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    figures = {name: draw_policy(name, policy, text) for name, (policy, text) in policies().items()}
    figures["readings"] = draw_readings()
    sizes = {name: write(figure, FOLDER / f"{name}.png") for name, figure in figures.items()}
    for name, size in sizes.items():
        print(f"{name:<24}{size:>8,} bytes")
    return 1 if max(sizes.values()) > LIMIT_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
