"""Schedules: conformance, properties, and PyTorch's own as oracles."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from surefoot import schedules
from surefoot.testing import check_schedule

horizons = st.floats(0.1, 1e7)
floors = st.floats(0.0, 1.0)
DECAYS = [
    schedules.linear(),
    schedules.linear(floor=0.1),
    schedules.polynomial(power=3.0, floor=0.2),
    schedules.exponential(last=0.05),
    schedules.cosine(floor=0.01),
]


@pytest.mark.parametrize("schedule", [schedules.constant(), *DECAYS, schedules.warmup(schedules.cosine(), length=0.1)])
def test_conformance(schedule: Any) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize("schedule", DECAYS)
def test_decays_fall_and_end_at_their_floor(schedule: Any) -> None:
    values = schedule(np.linspace(-1, 3, 500))
    assert (np.diff(values) <= 1e-15).all()
    assert schedule(0.0) == 1.0
    assert schedule(1.0) == schedule(50.0) == pytest.approx(getattr(schedule, "floor", getattr(schedule, "last", None)))


@given(horizons, floors, st.floats(0.0, 1.0))
def test_positions_and_horizon_share_a_unit(horizon: float, floor: float, share: float) -> None:
    for kind in (schedules.linear, schedules.cosine, schedules.polynomial):
        in_samples = kind(horizon=horizon, floor=floor)(share * horizon)
        assert in_samples == pytest.approx(kind(floor=floor)(share), abs=1e-9)


@given(st.floats(0.01, 0.9), floors)
def test_warmup_meets_its_schedule_without_a_jump(length: float, floor: float) -> None:
    schedule = schedules.from_recipe("cosine", warmup=length, arguments={"floor": floor})
    before, after = schedule(length * (1 - 1e-9)), schedule(length * (1 + 1e-9))
    assert before == pytest.approx(after, abs=1e-6)
    assert schedule(length) == 1.0
    assert schedule(1.0) == pytest.approx(floor)
    assert schedule(0.0) == 0.0 == schedule(-3.0)


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_torch_agrees(steps: int) -> None:
    def torch_values(make: Any) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that no optimizer step was taken
            scheduler = make(optimizer)
            values = []
            for _ in range(steps + 1):
                values.append(scheduler.get_last_lr()[0])
                scheduler.step()
        return values

    def ours(schedule: Any) -> list[float]:
        return [schedule(float(step)) for step in range(steps + 1)]

    lr_scheduler = torch.optim.lr_scheduler
    cosine = torch_values(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=0.1))
    assert ours(schedules.cosine(horizon=steps, floor=0.1)) == pytest.approx(cosine, abs=1e-9)
    linear = torch_values(lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.2, total_iters=steps))
    assert ours(schedules.linear(horizon=steps, floor=0.2)) == pytest.approx(linear, abs=1e-9)
    power = torch_values(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, total_iters=steps, power=2.0))
    assert ours(schedules.polynomial(horizon=steps, power=2.0)) == pytest.approx(power, abs=1e-9)
    falling = torch_values(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=0.01 ** (1 / steps)))
    assert ours(schedules.exponential(horizon=steps, last=0.01)) == pytest.approx(falling, abs=1e-9)


def test_mean_multiplier_of_a_cosine_with_warmup() -> None:
    # Half of the rise and half of the fall: (W + (1 - W)) / 2.
    assert schedules.mean_multiplier(schedules.from_recipe("cosine", warmup=0.2)) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: schedules.linear(horizon=0),
        lambda: schedules.cosine(horizon=math.inf),
        lambda: schedules.cosine(floor=-0.1),
        lambda: schedules.polynomial(power=0),
        lambda: schedules.exponential(last=0),
        lambda: schedules.warmup(schedules.cosine(), length=0),
        lambda: schedules.warmup("cosine"),
    ],
)
def test_constructors_validate(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()
