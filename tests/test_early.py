"""Reading early curves at constant rates, on quadratics whose answer is known and on whatever else may come."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.curves import EarlyReading, read_early

RATES = tuple(np.geomspace(1e-3, 10, 17).tolist())
CURVATURES = np.geomspace(0.05, 1.0, 20)


def descents(
    rates: tuple[float, ...] = RATES,
    *,
    num_steps: int = 200,
    noise: float = 0.0,
    batch_noise: float = 0.0,
    seed: int = 0,
    shared: bool = True,
) -> list[list[float]]:
    """½ Σ λθ² from θ = 1 by steps with gradient noise, the loss read with the noise of its batch; λ is at most 1."""
    curves = []
    for index, rate in enumerate(rates):
        random = np.random.default_rng(seed if shared else seed + 1000 * index)
        weights, losses = np.ones(len(CURVATURES)), []
        for _ in range(num_steps):
            with np.errstate(all="ignore"):
                losses.append(0.5 * float(CURVATURES @ weights**2) + batch_noise * random.normal())
                weights = weights - rate * (CURVATURES * weights + noise * random.normal(size=len(weights)))
        curves.append(losses)
    return curves


def statuses(reading: EarlyReading) -> list[str]:
    return [look.status for look in reading.looks]


def test_curvature_alone_gives_the_stability_limit_whatever_the_horizon() -> None:
    """Rates from 2 on diverge; the rate below stays right for a training a thousand times as long."""
    for horizon in (200, 2e5):
        reading = read_early(RATES, descents(), horizon=horizon)
        assert reading.value == pytest.approx(10**0.25)
        assert reading.diverged_above == pytest.approx(10 ** (2 / 4))
        assert "curvature limits it" in reading.reason
    assert statuses(reading)[-5:] == ["falling"] * 2 + ["diverged"] * 3


def test_noise_lowers_the_rate_with_the_horizon() -> None:
    """The exponent of Bjorck et al. 2024: a thousand times the steps, 1000^-0.32 = 0.11 of the rate."""
    curves = descents(noise=0.3, num_steps=400)
    short, long = (read_early(RATES, curves, horizon=steps) for steps in (400, 400_000))
    assert short.value is not None
    assert long.value is not None
    assert long.value == pytest.approx(short.value * 1000**-0.32)
    assert long.low == pytest.approx(short.value * 1000**-0.5)
    assert long.high <= short.high
    assert "1e+03 times as long" in long.reason


def test_an_unknown_horizon_is_twenty_times_the_look() -> None:
    curves = descents(noise=0.3, num_steps=400)
    reading = read_early(RATES, curves)
    assert reading == read_early(RATES, curves, horizon=20 * 400)
    assert reading.value < read_early(RATES, curves, horizon=19 * 400).value


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_near_the_best_of_the_whole_training(seed: int) -> None:
    """Constant rates for 4,000 steps after a look of 200: the expected loss at the end is worked out, not sampled."""
    noise, horizon = 0.2, 4000
    curves = descents(noise=noise, batch_noise=0.05, seed=seed)
    rate = read_early(RATES, curves, horizon=horizon).value
    assert rate is not None

    def expected(rate: float) -> float:
        kept = (1 - rate * CURVATURES) ** 2
        return float(0.5 * CURVATURES @ (kept**horizon + (rate * noise) ** 2 * (1 - kept**horizon) / (1 - kept)))

    early = min(RATES[:13], key=lambda rate: float(np.mean(curves[RATES.index(rate)][-50:])))
    best = min(expected(other) for other in RATES[:13])
    assert expected(rate) - best < 0.5 * (expected(early) - best)


def test_batches_in_common_cancel() -> None:
    """With noise twenty times the differences, only rates that saw the same batches can be told apart."""
    rates = (0.1, 0.3, 0.9)
    shared = read_early(rates, descents(rates, batch_noise=2.0, num_steps=80), horizon=80)
    assert "tied" not in shared.reason
    assert shared.value == pytest.approx(0.9)
    tied = [
        read_early(rates, descents(rates, batch_noise=2.0, num_steps=80, shared=False, seed=seed), horizon=80)
        for seed in range(20)
    ]
    assert sum(reading.value is None or "tied" in reading.reason for reading in tied) >= 15


def test_ties_lean_below_the_lowest_loss() -> None:
    late = np.zeros(40)
    late[:10] = np.linspace(4, 1, 10)
    ripple = 0.1 * (-1.0) ** np.arange(40)
    curves = [np.linspace(4, 3.5, 40), late, late + ripple - 0.01]
    reading = read_early([0.01, 0.1, 1.0], [curve.tolist() for curve in curves], horizon=40)
    assert "tied with rates down to 0.1" in reading.reason
    assert reading.value == pytest.approx(math.sqrt(0.1))


@pytest.mark.parametrize("seed", range(5))
def test_three_rates_and_twenty_losses_are_enough(seed: int) -> None:
    rates = (0.03, 0.3, 3.0)
    reading = read_early(rates, descents(rates, num_steps=20, noise=0.05, batch_noise=0.1, seed=seed), horizon=20)
    assert reading.value == pytest.approx(0.3)
    assert reading.diverged_above == 3.0
    assert reading.low < 0.3 < reading.high < 3.0


def test_what_failed_bounds_the_choice() -> None:
    falling, faster = np.linspace(3, 2, 40), np.linspace(3, 1, 40)
    rebound = np.concatenate([np.linspace(3, 0.5, 20), np.linspace(0.5, 2.9, 20)])
    away = np.linspace(3, 9, 40)
    curves = [falling, faster, rebound, faster, away]
    reading = read_early([1.0, 2.0, 4.0, 8.0, 16.0], [curve.tolist() for curve in curves], horizon=40)
    assert statuses(reading) == ["falling", "falling", "rising", "falling", "diverged"]
    assert reading.diverged_above == 4.0
    assert reading.value == 2.0
    assert reading.high <= 4.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_curve_that_is_not_finite_or_was_ended_has_diverged(bad: float) -> None:
    curves = descents((0.1, 0.5, 1.0))
    for lost in ([*curves[2][:-1], bad], curves[2][:100], []):
        reading = read_early([0.1, 0.5, 1.0], [*curves[:2], lost], horizon=200)
        assert statuses(reading)[-1] == "diverged"
        assert reading.value == 0.5


def test_ends_of_the_grid_are_told() -> None:
    below = read_early(RATES[:8], descents(RATES[:8]), horizon=200)
    assert below.value is not None
    assert "no faster rate was tried" in below.reason
    above = read_early((1.0, 3.0), descents((1.0, 3.0)), horizon=200)
    assert above.value == 1.0
    assert "no slower rate was tried" in above.reason


def test_flat_curves_say_nothing() -> None:
    silent = []
    for seed in range(200):
        curves = 2.3 + 0.1 * np.random.default_rng(seed).normal(size=(5, 40))
        silent.append(read_early(RATES[:5], curves.tolist()).value is None)
    assert np.mean(silent) >= 0.9
    still = read_early(RATES[:3], [[2.3] * 40] * 3)
    assert (still.value, still.reason) == (None, "the loss never fell by more than its own noise")


def test_rates_that_all_fail_are_told() -> None:
    curves = [[1.0 + step * step for step in range(30)]] * 3
    reading = read_early([1.0, 2.0, 3.0], curves)
    assert reading.value is None
    assert reading.reason == "every rate failed, down to 1: try slower ones"
    assert read_early([1.0, 2.0], [[math.nan] * 30] * 2).reason == reading.reason


@pytest.mark.parametrize(
    ("rates", "curves", "horizon", "words"),
    [
        ([0.1], [[1.0] * 20], None, "one rate alone"),
        ([], [], None, "one rate alone"),
        ([0.1, 0.2], [[1.0] * 20], None, "do not go together"),
        ([0.1, 0.1], [[1.0] * 20] * 2, None, "no two alike"),
        ([0.1, -0.2], [[1.0] * 20] * 2, None, "positive"),
        ([0.1, math.nan], [[1.0] * 20] * 2, None, "finite"),
        ([0.1, 0.2], [[1.0] * 11, []], None, "11 steps are too few"),
        ([0.1, 0.2], [[1.0] * 20] * 2, 0.0, "horizon"),
    ],
)
def test_bad_input_gives_a_reason(rates, curves, horizon, words) -> None:
    reading = read_early(rates, curves, horizon=horizon)
    assert (reading.low, reading.value, reading.high) == (None, None, None)
    assert words in reading.reason


@given(st.randoms(use_true_random=False), st.sampled_from([1e-3, 1.0, 1e3]), st.sampled_from([-5.0, 0.0, 40.0]))
def test_order_scale_and_offset_do_not_matter(random, scale: float, offset: float) -> None:
    curves = descents(noise=0.1, batch_noise=0.02, num_steps=40)
    order = list(range(len(RATES)))
    random.shuffle(order)
    changed = [(scale * (np.array(curves[index]) + offset)).tolist() for index in order]
    reading, expected = read_early([RATES[index] for index in order], changed), read_early(RATES, curves)
    assert (reading.low, reading.value, reading.high) == pytest.approx((expected.low, expected.value, expected.high))
    assert statuses(reading) == statuses(expected)


LOSSES = st.lists(st.floats() | st.floats(-3, 3), max_size=30)


@given(st.lists(LOSSES, min_size=2, max_size=6), st.none() | st.floats(1, 1e9))
def test_whatever_comes_the_band_is_in_order(curves: list[list[float]], horizon: float | None) -> None:
    reading = read_early(RATES[: len(curves)], curves, horizon=horizon)
    if reading.value is None:
        assert reading.reason
        assert (reading.low, reading.high) == (None, None)
        return
    assert 0 < reading.low <= reading.value <= reading.high
    assert reading.value <= RATES[len(curves) - 1]
    assert reading.diverged_above is None or reading.high < reading.diverged_above
    assert any(look.status == "falling" for look in reading.looks)
