"""Measured policies: conformance, rest on a stationary stream, and the closed forms of their papers."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.batching import (
    CABS,
    Goodput,
    GradientDiversity,
    HalfCosine,
    InnerProductTest,
    Limits,
    Measured,
    MeasuredState,
    NoiseEstimate,
    NoiseSample,
    NoiseScale,
    NormTest,
    Observation,
    PlateauGrowth,
    PlateauState,
    Situation,
    StepTime,
    adascale_gain,
    efficiency,
    fit_step_time,
    goodput,
)
from surefoot.testing import check_batch_policy, simulated_noise

STEP_TIME = StepTime(overhead=0.01, per_row=0.001)
READINGS = [
    NoiseScale(share=1.0),
    NormTest(),
    InnerProductTest(theta=0.1, nu=1.0),
    CABS(),
    GradientDiversity(),
    HalfCosine(),
    Goodput(STEP_TIME),
]
ROWS = 50_000


def train(policy, noise_scale=400.0, *, steps, size=32, num_rows=ROWS, directions=100, seed=0):
    """The steps at which the batch changed, and to what."""
    looks = simulated_noise(lambda _step: noise_scale, seed=seed, directions=directions)
    state, changes = policy.init(), []
    for step in range(steps):
        observed = Observation(size, num_rows, next(looks)(size), loss=1.0, learning_rate=0.5)
        state, decision = policy.update(state, observed)
        if decision.batch_size is not None:
            size = decision.batch_size
            changes.append((step, size))
    return changes


def settle(policy, *, noise=400.0, signal=1.0, size=32, num_rows=10**9, steps=400):
    """Where a noiseless stream brings the batch."""
    state = policy.init()
    for _ in range(steps):
        sample = NoiseSample(noise, signal, size, along=noise / 10)
        state, decision = policy.update(state, Observation(size, num_rows, sample, loss=2.0, learning_rate=0.5))
        size = decision.batch_size or size
    return size


def free(reading):
    """A policy that follows its reading to the letter."""
    return Measured(reading, Limits(hysteresis=1.0, growth=1e6, share_of_rows=1.0), pause=0.0, min_looks=2)


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: type(reading).__name__)
def test_conformance(reading):
    check_batch_policy(Measured(reading))
    check_batch_policy(Measured(reading, Limits(smallest=8, largest=200, multiple=8)))


def test_plateau_growth_conforms():
    check_batch_policy(PlateauGrowth())
    check_batch_policy(PlateauGrowth(patience=0, cooldown=2))


@pytest.mark.parametrize("directions", [10, 100])
@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: type(reading).__name__)
def test_at_most_two_changes_in_10_000_steps_once_settled(reading, directions):
    changes = train(Measured(reading), steps=10_000, directions=directions)
    assert sum(step > 1_000 for step, _ in changes) <= 2
    assert len(changes) >= 1 or directions == 10 or isinstance(reading, InnerProductTest)


def test_it_follows_a_noise_scale_that_rises():
    looks = simulated_noise(lambda step: 50.0 * 20 ** (step / 4_000))
    policy, size, sizes = Measured(NoiseScale(share=1.0)), 32, []
    state = policy.init()
    for _ in range(4_000):
        state, decision = policy.update(state, Observation(size, ROWS, next(looks)(size)))
        size = decision.batch_size or size
        sizes.append(size)
    assert sizes == sorted(sizes)
    assert 500 <= size <= 1_000


@pytest.mark.parametrize("theta", [0.3, 0.5, 0.9])
def test_the_norm_test_rests_at_its_fixed_point(theta):
    assert settle(free(NormTest(theta))) == pytest.approx(400.0 * (1 - theta**2) / theta**2, abs=1.5)


def test_one_norm_test_grows_at_most_by_one_over_theta_squared():
    estimate = NoiseEstimate(1e12, 1e-9, None, 0.0, math.inf, 100.0)
    assert NormTest(0.3)(estimate, Situation(32, ROWS)) == pytest.approx(32 / 0.09)
    # at θ = 0.3 the fixed point is 10.1 B_s and the largest single growth 11-fold
    assert settle(free(NormTest(0.3))) / 400.0 == pytest.approx(10.1, abs=0.1)


def test_the_norm_test_never_shrinks_and_the_noise_scale_does():
    assert settle(free(NormTest(0.5)), size=5_000) == 5_000
    assert settle(free(NoiseScale(share=1.0)), size=5_000) == 400


def test_the_inner_product_test_counts_noise_along_the_gradient_only():
    estimate = NoiseEstimate(400.0, 1.0, 40.0, 300.0, 500.0, 100.0)
    here = Situation(32, ROWS)
    along_only = NoiseEstimate(40.0, 1.0 + 360.0 / 32, None, 0.0, 100.0, 100.0)
    wide = InnerProductTest(theta=0.5, nu=1e6)
    assert wide(estimate, here) == pytest.approx(NormTest(0.5)(along_only, here))
    assert wide(estimate, here) < NormTest(0.5)(estimate, here)
    assert math.isnan(wide(estimate._replace(along=None), here))


@given(st.floats(1.0, 1e6), st.floats(1e-3, 1e3), st.integers(1, 4096), st.floats(0.1, 64.0))
def test_pollux_efficiency_is_adascale_gain_over_the_factor(noise_scale, signal, batch_size, factor):
    del signal
    gain = adascale_gain(factor, noise_scale=noise_scale, batch_size=batch_size)
    new = factor * batch_size
    assert gain / factor == pytest.approx(efficiency(new, noise_scale=noise_scale, reference=batch_size))
    # and the ratio of McCandlish's best rates, ε_max/(1 + B_s/B)
    assert gain == pytest.approx((1 + noise_scale / batch_size) / (1 + noise_scale / new))


@given(st.floats(1.0, 1e5), st.floats(1e-4, 1e2), st.floats(1e-4, 10.0), st.floats(0.01, 10.0))
def test_cabs_is_rate_times_variance_over_loss(noise, signal, rate, loss):
    estimate = NoiseEstimate(noise, signal, None, 0.0, math.inf, 100.0)
    here = Situation(32, ROWS, loss, rate)
    assert CABS()(estimate, here) == pytest.approx(rate * noise / loss)
    assert CABS()(estimate, here) == pytest.approx(rate * estimate.noise_scale * signal / loss)
    assert math.isnan(CABS(loss_floor=loss)(estimate, here))


def test_cabs_settles_at_its_closed_form():
    assert settle(free(CABS())) == 0.5 * 400 / 2.0


def test_gradient_diversity_is_that_of_the_rows():
    """δ · n · Σ‖g_i‖²/‖Σ g_i‖² over all n rows, counted out."""
    rows = np.random.default_rng(0).standard_normal((200, 10)) + 0.3
    signal, noise = float((rows.mean(axis=0) ** 2).sum()), float(rows.var(axis=0).sum())
    published = 0.1 * 200 * (rows**2).sum() / (rows.sum(axis=0) ** 2).sum()
    estimate = NoiseEstimate(noise, signal, None, 0.0, math.inf, 100.0)
    assert GradientDiversity(delta=0.1)(estimate, Situation(32, 200)) == pytest.approx(published)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9])
def test_half_cosine_gives_the_batch_whose_halves_agree_so_well(gamma):
    size = settle(free(HalfCosine(gamma)))
    random, directions = np.random.default_rng(0), 2_000
    halves = random.standard_normal((2, 200, directions)) * math.sqrt(400.0 / directions / (size / 2))
    halves[:, :, 0] += 1.0
    cosines = (
        (halves[0] * halves[1]).sum(axis=1) / np.linalg.norm(halves[0], axis=1) / np.linalg.norm(halves[1], axis=1)
    )
    assert cosines.mean() == pytest.approx(gamma, abs=0.02)


def test_goodput_meets_overhead_and_noise_half_way():
    """On one device the best batch is √(B_s · α/β); the grid is spaced by 5 %."""
    assert settle(free(Goodput(STEP_TIME))) == pytest.approx(math.sqrt(400.0 * 10.0), rel=0.05)


@given(st.floats(1.0, 1e5), st.integers(1, 8), st.floats(1.0, 10.0))
def test_goodput_is_the_best_of_all_batches(noise_scale, num_ranks, overlap):
    step_time = StepTime(0.01, 0.001, network=0.02, per_rank=0.001, overlap=overlap)
    estimate = NoiseEstimate(noise_scale, 1.0, None, 0.0, math.inf, 100.0)
    wanted = Goodput(step_time, num_ranks=num_ranks, largest=4096)(estimate, Situation(32, ROWS))
    best = max(
        goodput(size, noise_scale=noise_scale, step_time=step_time, num_ranks=num_ranks)
        for size in range(num_ranks, 4097, 7)
    )
    assert goodput(wanted, noise_scale=noise_scale, step_time=step_time, num_ranks=num_ranks) >= 0.998 * best


@settings(max_examples=20)
@given(st.floats(1e-4, 0.1), st.floats(1e-6, 1e-2), st.floats(1e-4, 0.1), st.floats(1e-5, 1e-2), st.floats(1.0, 10.0))
def test_a_step_time_is_found_again_from_its_own_times(overhead, per_row, network, per_rank, overlap):
    true = StepTime(overhead, per_row, network, per_rank, overlap)
    grid = [(size * ranks, ranks) for ranks in (1, 2, 4, 8) for size in (8, 32, 128, 512)]
    seconds = [true.seconds(size, num_ranks=ranks) for size, ranks in grid]
    fitted = fit_step_time([size for size, _ in grid], seconds, num_ranks=[ranks for _, ranks in grid])
    assert fitted.error < 0.02
    assert 1.0 <= fitted.overlap <= 10.0


@given(
    st.floats(0.0, 1e9) | st.just(math.inf),
    st.integers(1, 5_000),
    st.integers(1, 5_000),
    st.integers(1, 64),
    st.floats(1.0, 4.0),
    st.floats(1.1, 8.0),
    st.sampled_from([1, 8]),
)
def test_limits_hold_whatever_is_wanted(wanted, current, rows, smallest, hysteresis, growth, multiple):
    limits = Limits(smallest=smallest, hysteresis=hysteresis, growth=growth, multiple=multiple)
    current = min(current, rows)
    cap = limits.cap(rows)
    assert 1 <= cap <= rows
    size = limits.decide(wanted, current=current, num_rows=rows)
    if size is None:
        return
    assert min(smallest, cap) <= size <= cap or size % multiple == 0
    assert size <= max(cap, 1)
    assert size == cap or size % multiple == 0
    assert size <= math.ceil(current * growth) or current < smallest or size == multiple
    assert size != current


@given(st.floats(1.0, 1e6), st.integers(1, 10**6))
def test_a_batch_that_was_chosen_is_left_alone(wanted, rows):
    limits = Limits()
    chosen = limits.clamp(wanted, num_rows=rows)
    assert limits.decide(wanted, current=chosen, num_rows=rows) is None


def test_growth_is_held_to_its_largest_factor_and_pauses():
    changes = train(Measured(NoiseScale(share=1.0), Limits(growth=1.5), memory=3_200.0, pause=0.5), 1e4, steps=300)
    sizes = [32, *(size for _, size in changes)]
    assert all(after <= math.ceil(1.5 * before) for before, after in itertools.pairwise(sizes))
    waits = [(later - earlier) * size for (earlier, size), (later, _) in itertools.pairwise(changes)]
    assert all(wait >= 0.5 * 3_200.0 for wait in waits)


def test_no_growth_past_the_rows_or_the_memory():
    assert settle(Measured(NoiseScale(), Limits(share_of_rows=1.0)), noise=1e9, num_rows=100) == 100
    assert settle(Measured(NoiseScale()), noise=1e9, num_rows=1_000) == 100
    assert settle(Measured(NoiseScale(), Limits(largest=64)), noise=1e9) == 64


def test_a_batch_above_a_lowered_cap_comes_down_even_for_a_rule_that_only_grows():
    assert settle(Measured(NormTest(), Limits(largest=64)), size=100) == 64


def test_pure_noise_is_answered_by_the_lower_end_of_the_interval():
    """Two looks on average below zero: the ratio is infinite, the batch still moves with caution."""
    changes = train(Measured(NoiseScale(share=1.0), Limits(share_of_rows=1.0)), 1e7, steps=500, size=8, num_rows=10**6)
    assert all(size <= 10**6 for _, size in changes)
    assert all(isinstance(size, int) for _, size in changes)


def test_a_state_survives_json():
    policy = Measured(NoiseScale())
    state = policy.init()
    looks = simulated_noise(lambda _step: 400.0)
    for _ in range(30):
        state, _ = policy.update(state, Observation(32, ROWS, next(looks)(32)))
    assert MeasuredState.from_json(json.loads(json.dumps(state.to_json()))) == state
    empty = PlateauGrowth().init()
    assert PlateauState.from_json(json.loads(json.dumps(empty.to_json(), allow_nan=False))) == empty


def test_plateau_growth_acts_where_pytorch_cuts():
    """A metric that never moves, patience 2: looks 3, 6, 9; with a cooldown of 2: looks 3, 8. Run beside PyTorch."""
    torch = pytest.importorskip("torch")
    for cooldown in (0, 2):
        policy = PlateauGrowth(patience=2, cooldown=cooldown)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, cooldown=cooldown)
        state, size, ours, cuts = policy.init(), 2, [], []
        for look, metric in enumerate([1.0] * 10 + [0.5, 0.50001, 0.6, math.nan, 0.7, 0.4] + [0.4] * 8):
            before = optimizer.param_groups[0]["lr"]
            theirs.step(metric)
            if optimizer.param_groups[0]["lr"] < before:
                cuts.append(look)
            state, decision = policy.update(state, Observation(size, 10**9, metric=metric))
            if decision.batch_size is not None:
                size = decision.batch_size
                ours.append(look)
        assert ours == cuts
        assert ours[:2] == ([3, 6] if cooldown == 0 else [3, 8])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseScale(share=0), "share must be a finite number above 0, not 0"),
        (lambda: NormTest(1.0), "theta must lie strictly between 0 and 1, not 1.0: at 1 the test never fires"),
        (lambda: InnerProductTest(nu=-1), "nu must be a finite number above 0, not -1"),
        (lambda: CABS(loss_floor=math.nan), "loss_floor must be a finite number, not nan"),
        (lambda: GradientDiversity(delta=0), "delta must be a finite number above 0"),
        (lambda: HalfCosine(1.5), "gamma must lie strictly between 0 and 1, not 1.5: it is a cosine"),
        (lambda: Goodput(0.1), "step_time must be a StepTime, not 0.1; fit one"),
        (lambda: Limits(hysteresis=0.5), "hysteresis must be a factor of at least 1, not 0.5"),
        (lambda: Limits(growth=1.0), "growth must be a finite number above 1, not 1.0"),
        (lambda: Limits(share_of_rows=0), r"share_of_rows must lie in \(0, 1\], not 0"),
        (lambda: Limits(smallest=8, largest=4), "largest must be a whole number of at least 8, not 4"),
        (lambda: Measured(NoiseScale(), pause=-1), "pause must be a finite share of the memory of at least 0, not -1"),
        (lambda: Measured(NoiseScale(), min_looks=1), "min_looks must be a whole number of at least 2, not 1"),
        (lambda: Measured("noise_scale"), "reading must be a function of an estimate"),
        (lambda: PlateauGrowth(factor=1), "factor must be a finite number above 1, not 1"),
        (lambda: fit_step_time([32, 32], [0.1, 0.1]), "batch_sizes must hold at least two that differ"),
        (lambda: fit_step_time([32, 64], [0.1, 0.0]), "seconds must be finite numbers above 0"),
    ],
)
def test_bad_input_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
