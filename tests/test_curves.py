"""Smoothing without lag and reading a range test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.curves import read_sweep, zero_lag
from surefoot.curves.sweep import has_blown_up

RATES = np.geomspace(1e-5, 10, 60)


def sweep(
    *, edge: float = 0.1, start: float = 2.3, fall: float = 1.5, noise: float = 0.05, seed: int = 0
) -> list[float]:
    """A range test as they look: flat, a slope, a minimum at ``edge``, a cliff."""
    slope = fall / (1 + (edge / 5 / RATES) ** 1.5)
    cliff = fall * (RATES / edge / 2) ** 2
    return (start - slope + cliff + noise * np.random.default_rng(seed).normal(size=len(RATES))).tolist()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 0.95))
def test_smoothing_stays_between_the_extremes(values: list[float], memory: float) -> None:
    smoothed = zero_lag(np.array(values), memory=memory)
    assert smoothed.min() >= min(values) - 1e-6
    assert smoothed.max() <= max(values) + 1e-6


def test_smoothing_does_not_lag() -> None:
    step = np.concatenate([np.zeros(50), np.ones(50)])
    crossing = int(np.argmax(zero_lag(step, memory=0.9) >= 0.5))
    assert abs(crossing - 50) <= 1


@pytest.mark.parametrize("edge", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("start", [2.3, 0.0, -5.0, 1e-6])
def test_the_band_holds_a_quarter_of_the_minimum(edge: float, start: float) -> None:
    for seed in range(5):
        reading = read_sweep(RATES, sweep(edge=edge, start=start, seed=seed))
        assert reading.low is not None
        assert reading.high is not None
        truth = RATES[np.argmin(sweep(edge=edge, start=start, noise=0.0))] / 10**0.6
        assert reading.low <= truth <= reading.high


def test_the_scale_of_the_loss_does_not_matter() -> None:
    losses = np.array(sweep())
    assert read_sweep(RATES, losses).value == read_sweep(RATES, 1e-3 * losses).value


def test_a_flat_curve_says_nothing() -> None:
    noise = np.random.default_rng(0).normal(size=(200, len(RATES)))
    silent = [read_sweep(RATES, 2.3 + 0.1 * row).value is None for row in noise]
    assert np.mean(silent) >= 0.8
    assert read_sweep(RATES, [2.3] * len(RATES)).reason == "the loss never fell by more than its own noise"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_curve_is_cut_where_it_stops_being_a_number(bad: float) -> None:
    losses = sweep(edge=0.01)
    reading = read_sweep(RATES[:33], [*losses[:32], bad])
    assert reading.diverged_above == RATES[32]
    assert reading.value is not None
    at_once = read_sweep(RATES[:1], [bad])
    assert at_once.value is None
    assert at_once.reason == "the loss was not finite at once"


def test_too_few_points_say_nothing() -> None:
    assert "only 3 steps" in read_sweep(RATES[:3], [1.0, 0.9, 0.8]).reason


def test_one_bad_batch_is_not_the_end() -> None:
    losses = sweep(noise=0.3)[:30]
    losses[20] += 1.5
    assert not any(has_blown_up(losses[: end + 1]) for end in range(len(losses)))
    assert has_blown_up([*losses, 50.0, 50.0, 50.0])
