"""From measurements to one rate, one batch size and the table between them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.batching import NoiseSample
from surefoot.probes import read_noise
from surefoot.probes.frontier import frontier, suggest_batch
from surefoot.probes.suggestion import (
    Witness,
    at_batch,
    batch_factor,
    from_range_test,
    from_short_trainings,
    highest_rate,
    prior,
    suggest_rate,
)
from surefoot.recipe import Optimizer
from surefoot.records import Capacity, CapacityPoint, NoiseReading, Suggestion

RATES = st.floats(1e-6, 10.0)
ERRORS = st.floats(0.1, 1.0)


@given(st.lists(st.builds(Witness, RATES, ERRORS, st.just("x")), min_size=1, max_size=4))
def test_a_suggestion_lies_between_its_witnesses_and_is_a_decade_wide_at_most(witnesses: list[Witness]) -> None:
    found = suggest_rate(*witnesses)
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    rates = [witness.rate for witness in witnesses]
    assert min(rates) * (1 - 1e-9) <= found.value <= max(rates) * (1 + 1e-9)
    assert 0.0 < math.log10(found.high / found.low) <= 1.0 + 1e-9


def test_the_surer_witness_counts_for_more() -> None:
    found = suggest_rate(Witness(0.01, 0.1, "sure"), Witness(1.0, 1.0, "unsure")).value
    assert found == pytest.approx(10 ** (-2 + 2 / 101))


def test_longer_short_trainings_are_surer() -> None:
    assert from_short_trainings(0.1, samples=3000).error < from_short_trainings(0.1, samples=300).error
    assert from_range_test(0.1).rate == 0.1


def test_priors_know_momentum_and_batch() -> None:
    heavy = Optimizer(name="sgd", momentum=0.9).complete()
    plain = Optimizer(name="sgd", momentum=0.0, nesterov=False).complete()
    assert prior(plain, batch_size=16).rate == pytest.approx(10 * prior(heavy, batch_size=16).rate)
    adam = Optimizer(name="adamw").complete()
    assert prior(adam, batch_size=64).rate == pytest.approx(2 * prior(adam, batch_size=16).rate)
    found = Optimizer(name="prodigy").complete()
    assert prior(found, batch_size=64).rate == found.learning_rate  # finds its own


def test_rates_follow_the_batch_up_to_the_noise() -> None:
    assert batch_factor("sgd", batch_size=8, new_batch_size=32, noise_scale=None) == 4.0
    assert batch_factor("adamw", batch_size=8, new_batch_size=32, noise_scale=None) == 2.0
    assert batch_factor("adagrad", batch_size=8, new_batch_size=32, noise_scale=None) == 1.0
    little = batch_factor("sgd", batch_size=8, new_batch_size=512, noise_scale=4.0)
    assert little == pytest.approx((1 + 16 / 8) / (1 + 16 / 512))
    assert batch_factor("sgd", batch_size=32, new_batch_size=8, noise_scale=None) == 0.25


def test_another_batch_moves_the_whole_interval_and_stops_at_the_limit() -> None:
    small = Suggestion(low=0.01, value=0.02, high=0.04, reason="said")
    large = at_batch(small, "sgd", measured_at=8, batch_size=32)
    assert (large.low, large.value, large.high) == pytest.approx((0.04, 0.08, 0.16))
    held = at_batch(small, "sgd", measured_at=8, batch_size=32, limit=0.05)
    assert held.value == pytest.approx(0.05)
    assert "unstable" in held.reason
    assert at_batch(Suggestion(reason="no"), "sgd", measured_at=8, batch_size=32).value is None
    assert highest_rate(edge=0.1, curvature_limit=3.0, ratio=4.0) == 0.75
    assert highest_rate(edge=0.1, curvature_limit=None, ratio=16.0) == pytest.approx(0.4)
    assert highest_rate(edge=None, curvature_limit=None, ratio=16.0) is None


def reading(value: float | None) -> NoiseReading:
    return NoiseReading(samples_seen=0, value=value, looks=8, samples=128)


def room(**changes: Any) -> Capacity:
    """0.1 s of overhead and 1 ms a row, run at 16, 64 and 256 rows."""
    sizes = (16, 64, 256)
    points = tuple(CapacityPoint(batch_size=size, seconds=0.1 + 1e-3 * size, steps=3) for size in sizes)
    arguments = {"points": points, "overhead": 0.1, "per_row": 1e-3, "knee": 256, "largest": 256, **changes}
    return Capacity(samples=100, seconds=1.0, **arguments)


def table(scale: float | None, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "optimizer": "sgd",
        "batch_size": 64,
        "learning_rate": Suggestion(low=0.01, value=0.03, high=0.1),
        "samples": 10_000,
        **changes,
    }
    return frontier([reading(None), reading(scale)], arguments.pop("capacity", room()), **arguments)


def test_the_frontier_trades_samples_against_steps() -> None:
    small, middle, large = table(100.0)
    assert middle.samples == pytest.approx(10_000)
    assert large.samples / middle.samples == pytest.approx((100 + 256) / (100 + 64))
    assert small.steps > middle.steps > large.steps
    assert small.samples < middle.samples < large.samples
    assert middle.seconds == pytest.approx(middle.steps * 0.164)
    assert middle.learning_rate == pytest.approx(0.03)
    assert small.learning_rate < middle.learning_rate < large.learning_rate
    assert table(100.0, highest=0.03)[-1].learning_rate == pytest.approx(0.03)


def test_noise_decides_the_batch() -> None:
    noisy, still = table(1e5), table(4.0)
    assert suggest_batch(noisy, room()).value == 256
    assert suggest_batch(still, room()).value == 16


def test_without_a_noise_scale_the_knee_is_left() -> None:
    assert table(None) == ()
    assert suggest_batch((), room()).value == 256
    nothing = suggest_batch((), None)
    assert nothing.value is None
    assert nothing.reason


def test_the_noise_scale_with_its_interval() -> None:
    looks = [NoiseSample(noise=90.0 + 2 * index, signal=1.0 + 0.01 * (-1) ** index, samples=16) for index in range(11)]
    found = read_noise(looks, samples_seen=5)
    assert found.value == pytest.approx(100.0, rel=0.02)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.samples == 176
    drowned = read_noise([NoiseSample(100.0, (-1.0) ** index, 16) for index in range(8)], samples_seen=0)
    assert drowned.value is None
    assert "cannot be told" in drowned.reason
    assert "too few" in read_noise(looks[:2], samples_seen=0).reason
