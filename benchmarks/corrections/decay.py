"""What a falling rate does: past its end, at its end, and when it is raised again."""

from __future__ import annotations

from typing import Any

import numpy as np

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["noise_floor", "past_the_end"]

SEEDS = range(5)
RATE, PLANNED = 0.2, 400
EPOCHS, BATCH, LINE_RATE = 200, 16, 0.05
PARTS = (slice(100, 120), slice(190, 200))  # of the epochs
SCHEDULES = {
    "constant": sf.schedules.constant(),
    "constant, then a tenth from half way on": sf.schedules.multistep((0.5,), factor=0.1),
    "linear to zero": sf.schedules.linear(),
}


def _descent(rate_of: Any, *, steps: int, seed: int) -> list[float]:
    """Squared distances from the bottom of ½‖θ‖² in ten dimensions, with gradients of unit noise."""
    generator = np.random.default_rng(seed)
    point = np.ones(10)
    found = []
    for step in range(steps):
        point = point - rate_of(step) * (point + generator.normal(size=10))
        found.append(float(point @ point))
    return found


def past_the_end() -> str:
    """The linear decay of the books, carried on past its S, against one that stops at 0."""

    def written(step: int) -> float:
        return RATE * (1 - step / PLANNED)

    def stopped(step: int) -> float:
        return max(0.0, written(step))

    rows = []
    for share in (1.0, 1.5, 2.0):
        steps = int(share * PLANNED)
        ends = [[_descent(rate, steps=steps, seed=seed)[-1] for seed in SEEDS] for rate in (written, stopped)]
        rows.append([f"{share:g} S", f"{written(steps - 1):.3f}", *(spread(end, ".3g") for end in ends)])
    return markdown(["steps", "rate there", "‖θ‖², formula as printed", "‖θ‖², held at 0 past S"], rows)


def noise_floor() -> str:
    """Constant, constant then lowered, and lowered then raised, on the quadratic and on a table."""
    middle, end = PLANNED, 2 * PLANNED
    plans = {
        "constant": lambda _: RATE,
        "a tenth of it from half way on": lambda step: RATE if step < middle else RATE / 10,
        "a tenth, then raised again": lambda step: RATE / 10 if middle // 2 <= step < end - 100 else RATE,
    }
    rows = []
    for name, plan in plans.items():
        curves = [_descent(plan, steps=end, seed=seed) for seed in SEEDS]
        before = [float(np.mean(curve[end - 200 : end - 100])) for curve in curves]
        last = [float(np.mean(curve[end - 80 :])) for curve in curves]
        rows.append([name, spread(before), spread(last)])
    floor = 10 * RATE / (2 - RATE), 10 * (RATE / 10) / (2 - RATE / 10)
    text = markdown(["rate", "mean ‖θ‖², steps 600 to 700", "steps 720 to 800"], rows)
    return f"{text}\n\nBy the formula 10η/(2 − η): {floor[0]:.3f} and {floor[1]:.3f}.\n\n{_on_diabetes()}"


def _on_diabetes() -> str:
    """A line through the diabetes data, whose least training loss is known: how far above it a training ends."""
    found, targets = (np.asarray(part, dtype=float) for part in tasks.builtin("diabetes").train)
    inputs, targets = np.column_stack([found, np.ones(len(found))]), targets.reshape(-1)
    least = float(np.mean((inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0] - targets) ** 2))
    rows = []
    for name, schedule in SCHEDULES.items():
        curves = [_epochs(inputs, targets, schedule, seed=seed) for seed in SEEDS]
        rows.append(
            [name, *(spread([float(np.mean(curve[part])) - least for curve in curves], ".4f") for part in PARTS)]
        )
    header = ["a line through diabetes, rate", "above the least training loss, epochs 101 to 120", "epochs 191 to 200"]
    return markdown(header, rows)


def _epochs(inputs: Any, targets: Any, schedule: Any, *, seed: int) -> list[float]:
    """The training loss after each epoch of descent in batches of 16."""
    generator = np.random.default_rng(seed)
    weights = np.zeros(inputs.shape[1])
    found = []
    for epoch in range(EPOCHS):
        order = generator.permutation(len(targets))
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            rate = LINE_RATE * schedule((epoch + at / len(order)) / EPOCHS)
            weights -= rate * 2 * inputs[rows].T @ (inputs[rows] @ weights - targets[rows]) / len(rows)
        found.append(float(np.mean((inputs @ weights - targets) ** 2)))
    return found
