"""The picture of every batch policy over a training of 5,000 rows, and of what the measured readings want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from svg import COLOURS, GREY, ORANGE, Axis, Line, Panel, chart

from surefoot import batching, schedules

__all__ = ["pictures", "readings", "rest"]

NUM_ROWS = 5_000
_X = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0), "share of the training")


def pictures() -> dict[str, str]:
    """SVG by the name of the file."""
    return {name: _policy(name, policy) for name, policy in policies().items()} | {"readings": _readings()}


def policies() -> dict[str, Any]:
    """Every policy over positions that has a shape to show."""
    return {
        "fixed": batching.Fixed(128),
        "random": batching.Random(64, sizes=(16, 32, 64, 128)),
        "step_ramp": batching.StepRamp(32),
        "linear_ramp": batching.LinearRamp(32, last=256),
        "geometric_ramp": batching.GeometricRamp(32, last=256),
        "ada_batch": batching.AdaBatch(16),
        "growth_replaces_decay": batching.GrowthReplacesDecay(32, schedule=schedules.cosine()),
    }


def decays() -> dict[str, Callable[[float], float]]:
    """The rate that a fixed batch would have had, for the policies that move the rate too."""
    return {
        "ada_batch": lambda position: 0.375 ** np.floor(position / 0.2 + 1e-9),
        "growth_replaces_decay": schedules.cosine(),
    }


def _policy(name: str, policy: Any) -> str:
    """The batch over a training; below it the rate, where the policy moves that too."""
    # the end itself is no place for a step: a cut there would only be a spike
    positions = np.linspace(0.0, 1.0, 60 if name == "random" else 1000, endpoint=False).tolist()
    sizes = [policy(position, num_rows=NUM_ROWS) for position in positions]
    top = 2 ** int(np.ceil(np.log2(max(sizes) / 1.05)))
    batch = Axis(0.0, top, (0.0, top / 2, top), "batch")
    decay = decays().get(name)
    line = Line(positions, sizes, style="dots" if name == "random" else "line")
    panels = [Panel(_X, batch, [line], shows_x=decay is None)]
    if decay:
        rates = [policy.rate(position, num_rows=NUM_ROWS) for position in positions]
        fixed = Line(positions, [float(decay(p)) for p in positions], GREY, "dashes", "of a fixed batch")
        axis = Axis(0.0, 1.0, (0.0, 0.5, 1.0), "rate")
        panels.append(Panel(_X, axis, [fixed, Line(positions, rates, ORANGE)], 80, "bottom left"))
    return chart(panels)


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


def _readings() -> str:
    """The wanted batch against the noise scale: lines are the closed forms, dots what the code comes to rest at."""
    ends, dots = [10.0, 1e5], np.geomspace(30.0, 3e4, 4)
    curve = np.geomspace(*ends, 60)
    lines = []
    for (label, reading, formula), colour in zip(readings(), COLOURS, strict=True):
        found = [rest(reading, scale) for scale in dots.tolist()]
        lines += [
            Line(curve.tolist(), formula(curve).tolist(), colour, label=label),
            Line(dots.tolist(), found, colour, "dots"),
        ]
    x = Axis(*ends, [10.0, 100.0, 1e3, 1e4, 1e5], "noise scale S/‖G‖², samples", is_log=True)
    y = Axis(0.3, 3e5, [1.0, 100.0, 1e4], "wanted batch, samples", is_log=True)
    return chart([Panel(x, y, lines, height=260, legend="top left")], width=560)
