"""What holds for every schedule whatever its arguments."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_members import Member, anything, falling

from surefoot import schedules as s

few = settings(max_examples=40, deadline=None, derandomize=True)
batches = st.lists(st.integers(1, 90), min_size=3, max_size=8)
cooldowns = st.sampled_from(["linear", "cosine", "one_minus_sqrt"])


@few
@given(anything(), st.lists(st.floats(-1.0, 3.0), min_size=1, max_size=20))
def test_every_multiplier_is_a_share_of_the_base_rate(member: Member, shares: list[float]) -> None:
    multipliers = member.schedule(np.array(shares) * member.horizon)
    assert ((multipliers >= 0.0) & (multipliers <= 1.0)).all()


@few
@given(falling())
def test_a_decay_never_rises_and_starts_at_one(member: Member) -> None:
    multipliers = member.schedule(np.linspace(-0.1, 1.3, 500) * member.horizon)
    assert (np.diff(multipliers) <= 1e-15).all()
    assert member.schedule(0.0) == member.schedule(-member.horizon) == 1.0


@few
@given(
    st.floats(1e-3, 1e9),
    st.floats(0.0, 1.0),
    st.floats(0.1, 9.0),
    cooldowns,
)
def test_a_schedule_with_a_horizon_ends_on_its_floor_and_stays(
    horizon: float, floor: float, power: float, cooldown: str
) -> None:
    for schedule in (
        s.linear(horizon, floor=floor),
        s.cosine(horizon, floor=floor),
        s.polynomial(horizon, power=power, floor=floor),
        s.cosine_restarts(horizon, floor=floor, growth=1.0 + power / 9.0),
        s.triangular(horizon, floor=floor),
        s.warmup_stable_decay(horizon, cooldown=cooldown, floor=floor),  # type: ignore[arg-type] # drawn from the three
    ):
        assert schedule(horizon) == schedule(7.0 * horizon) == floor
    assert s.exponential(horizon, last=0.01)(horizon) == 0.01
    assert s.one_cycle(horizon, last=0.001)(horizon) == 0.001


@few
@given(anything(), st.integers(1, 99))
def test_chunks_and_resumes_do_not_matter(member: Member, cut: int) -> None:
    clock = np.linspace(0.0, 1.2, 100) * member.horizon
    whole = member.schedule(clock)
    assert np.array_equal(np.concatenate([member.schedule(clock[:cut]), member.schedule(clock[cut:])]), whole)
    assert member.schedule(clock[cut:])[0] == whole[cut]  # resumed there
    assert math.isclose(member.schedule(float(clock[cut])), whole[cut], rel_tol=1e-12, abs_tol=1e-15)


@few
@given(falling(), st.floats(0.01, 0.9), st.sampled_from(["linear", "exponential"]), st.floats(1e-4, 1.0))
def test_a_warmup_rises_to_where_the_schedule_starts_and_meets_it(
    member: Member, share: float, shape: str, start: float
) -> None:
    length = share * member.horizon
    warmed = s.warmup(member.schedule, length=length, shape=shape, start=start)  # type: ignore[arg-type] # one of two
    rise = warmed(np.linspace(0.0, 1.0, 50) * length)
    assert (np.diff(rise) >= 0).all()
    assert math.isclose(warmed(0.0), start, rel_tol=1e-12)
    assert warmed(length) == 1.0
    assert math.isclose(warmed(length * (1 - 1e-9)), 1.0, rel_tol=1e-6)
    assert warmed(length + 0.3 * member.horizon) == member.schedule(length + 0.3 * member.horizon - length)


@few
@given(
    st.floats(1e-2, 1e8),
    st.floats(0.01, 0.4),
    st.floats(0.01, 0.4),
    st.sampled_from(["linear", "cosine", "one_minus_sqrt"]),
)
def test_a_cooldown_only_falls_and_never_jumps_up_to_its_floor(
    horizon: float, warmup: float, cooldown: float, shape: str
) -> None:
    schedule = s.warmup_stable_decay(
        horizon, warmup_length=warmup * horizon, cooldown_length=cooldown * horizon, cooldown=shape, floor=0.1  # type: ignore[arg-type] # one of three
    )  # fmt: skip
    tail = schedule(np.linspace(warmup + 1e-6, 1.5, 400) * horizon)
    assert (np.diff(tail) <= 0).all() and tail[-1] == 0.1
    middle = (warmup + (1.0 - cooldown)) / 2.0
    assert schedule(middle * horizon) == 1.0


@few
@given(st.integers(1, 5), st.floats(1.0, 3.0), st.floats(1.0, 1e6))
def test_restarts_fill_the_horizon_with_growing_cycles(num_cycles: int, growth: float, horizon: float) -> None:
    schedule = s.cosine_restarts(horizon, num_cycles=num_cycles, growth=growth)
    multipliers = schedule(np.linspace(0.0, 1.0, 20_001) * horizon)
    (restarts,) = np.nonzero(np.diff(multipliers) > 0.5)
    assert len(restarts) == num_cycles - 1
    lengths = np.diff([0, *restarts.tolist(), 20_000])
    assert np.allclose(lengths[1:] / lengths[:-1], growth, rtol=0.05)


@few
@given(anything(), batches, batches)
def test_the_multiplier_at_a_sample_count_does_not_depend_on_the_batches_that_led_there(
    member: Member, sizes: list[int], other_sizes: list[int]
) -> None:
    unit = member.horizon / 1000  # a training of a thousand samples

    def walk(batches: list[int]) -> dict[int, float]:
        seen, found = 0, {}
        while seen < 1000:
            found[seen] = member.schedule(seen * unit)
            seen += batches[len(found) % len(batches)]
        return found

    one, other = walk(sizes), walk(other_sizes)
    assert all(one[seen] == other[seen] for seen in one.keys() & other.keys())


@few
@given(
    st.lists(st.one_of(st.floats(-2.0, 2.0), st.just(math.nan), st.just(math.inf)), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(0, 4),
    st.floats(0.1, 0.9),
)
def test_a_reactive_schedule_stays_in_bounds_and_resumes_anywhere(
    values: list[float], patience: int, cooldown: int, factor: float
) -> None:
    plateau = s.plateau(patience=patience, cooldown=cooldown, factor=factor, floor=0.01)
    for schedule in (plateau, s.reduce_then_raise(plateau, raise_length=3, num_raises=2)):
        state = schedule.init()
        for look, value in enumerate(values):
            state = type(state).from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))
            previous = state.multiplier
            state, decision = schedule.update(state, value, position=look)
            assert 0.01 <= state.multiplier <= 1.0
            assert (state.multiplier < previous) == (decision.action == "cut")
            if schedule is plateau:
                assert state.multiplier <= previous


@few
@given(st.integers(1, 6), st.integers(0, 5), st.floats(0.1, 1000.0))
def test_patience_is_a_distance_so_the_unit_and_the_spacing_of_looks_do_not_matter(
    patience: int, cooldown: int, unit: float
) -> None:
    coarse = s.plateau(patience=patience, cooldown=cooldown, factor=0.5)
    scaled = s.plateau(patience=patience * unit, cooldown=cooldown * unit, factor=0.5)
    assert _cuts(coarse, [float(look) for look in range(40)]) == _cuts(scaled, [look * unit for look in range(40)])


def _cuts(plateau: s.plateau, positions: list[float]) -> list[int]:
    state, cuts = plateau.init(), []
    for look, position in enumerate(positions):
        state, decision = plateau.update(state, 1.0, position=position)
        if decision.action == "cut":
            cuts.append(look)
    return cuts
