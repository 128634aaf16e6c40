from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.batching import NoiseSample, NoiseState, NoiseStream
from surefoot.testing import simulated_noise

samples = st.builds(
    NoiseSample,
    noise=st.floats(-100.0, 1e4),
    signal=st.floats(-10.0, 10.0),
    samples=st.integers(1, 64),
    along=st.none() | st.floats(0.0, 100.0),
)


def follow(stream, looks, state=None):
    state = stream.init() if state is None else state
    for look in looks:
        state = stream.update(state, look)
    return state


def test_the_ratio_of_means_and_not_the_mean_of_ratios():
    """True value 400 at batches of 32: single ratios average to nonsense, the stream does not."""
    looks = simulated_noise(lambda _step: 400.0, directions=100)
    seen = [next(looks)(32) for _ in range(3000)]
    stream = NoiseStream(memory=1e6)
    estimate = stream.estimate(follow(stream, seen))
    assert estimate.noise_scale == pytest.approx(400.0, rel=0.04)
    mean_of_ratios = sum(look.noise / look.signal for look in seen) / len(seen)
    assert abs(mean_of_ratios - 400.0) > 100.0
    assert any(look.signal <= 0 for look in seen)


def test_the_first_look_is_not_shrunk_towards_zero():
    stream = NoiseStream(memory=1e5)
    estimate = stream.estimate(follow(stream, [NoiseSample(400.0, 1.0, 32)] * 2))
    assert (estimate.noise, estimate.signal) == pytest.approx((400.0, 1.0))


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30))
def test_the_memory_is_counted_in_samples(sizes):
    stream = NoiseStream(memory=10_000.0)
    state = follow(stream, [NoiseSample(4.0, 1.0, size) for size in sizes])
    assert state.weight == pytest.approx(1.0 - math.exp(-sum(sizes) / 10_000.0))
    assert state.samples == sum(sizes)


@given(st.lists(samples, max_size=12), st.lists(samples, max_size=12))
def test_a_state_survives_json_and_goes_on_as_if_nothing_had_been(first, second):
    stream = NoiseStream(memory=500.0)
    middle = follow(stream, first)
    revived = NoiseState.from_json(json.loads(json.dumps(middle.to_json(), allow_nan=False)))
    assert follow(stream, second, revived) == follow(stream, second, middle) == follow(stream, [*first, *second])


@given(st.lists(samples, min_size=2, max_size=40))
def test_an_estimate_is_never_nan_and_its_interval_is_in_order(looks):
    stream = NoiseStream(memory=500.0)
    estimate = stream.estimate(follow(stream, looks))
    assert estimate is None or (
        estimate.noise >= 0.0
        and not math.isnan(estimate.noise_scale)
        and 0.0 <= estimate.low <= estimate.high
        and estimate.looks > 1.0
    )


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_look_that_is_not_finite_is_skipped_and_counted(broken):
    stream = NoiseStream(memory=1000.0)
    before = follow(stream, [NoiseSample(4.0, 1.0, 32)] * 3)
    after = stream.update(before, NoiseSample(broken, 1.0, 32))
    assert after.skipped == 1
    assert stream.estimate(after) == stream.estimate(before)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """z = 2 is 95 %; 200 streams of 100 looks."""
    stream, held = NoiseStream(memory=1e6, deviations=2.0), 0
    for seed in range(200):
        looks = simulated_noise(lambda _step: 400.0, seed=seed, directions=50)
        estimate = stream.estimate(follow(stream, [next(looks)(64) for _ in range(100)]))
        held += estimate.low <= 400.0 <= estimate.high
    assert 180 <= held <= 198


def test_a_gradient_that_is_only_noise_has_no_upper_bound():
    looks = simulated_noise(lambda _step: 1e7, directions=50)
    stream = NoiseStream(memory=1e6)
    estimate = stream.estimate(follow(stream, [next(looks)(8) for _ in range(200)]))
    assert estimate.high == math.inf
    assert 0.0 < estimate.low < math.inf


def test_a_mean_signal_below_zero_gives_an_infinite_noise_scale():
    stream = NoiseStream(memory=1e6)
    estimate = stream.estimate(
        follow(stream, [NoiseSample(100.0, -1.0, 8), NoiseSample(110.0, 0.5, 8), NoiseSample(90.0, -0.4, 8)])
    )
    assert estimate.noise_scale == math.inf
    assert estimate.high == math.inf


@settings(max_examples=30)
@given(st.floats(1.0, 1e4), st.floats(0.01, 100.0))
def test_the_noise_scale_does_not_depend_on_the_unit_of_the_loss(noise_scale, unit):
    stream = NoiseStream(memory=500.0)
    looks = [NoiseSample(noise_scale * wobble, 2.0 - wobble, 16) for wobble in (0.9, 1.0, 1.15, 0.95)]
    plain = stream.estimate(follow(stream, looks))
    scaled = stream.estimate(
        follow(stream, [NoiseSample(look.noise * unit, look.signal * unit, look.samples) for look in looks])
    )
    assert (scaled.noise_scale, scaled.low, scaled.high) == pytest.approx((plain.noise_scale, plain.low, plain.high))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory": 0.0}, "memory must be a finite number above 0, not 0.0: it is a length in samples"),
        ({"memory": 10.0, "deviations": -1.0}, "deviations must be a finite number above 0"),
        ({"memory": 10.0, "least_looks": 0}, "least_looks must be a whole number of at least 1, not 0"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NoiseStream(**arguments)
