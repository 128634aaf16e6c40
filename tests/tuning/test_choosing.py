"""The choosing: promotes, repels, forecasts; the order of the runs and the unit of the loss do not matter."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.tuning.choosing import RUNGS, Decision, Progress, choose, expected_end

GRID = np.linspace(0.0, 1.0, 21)[:, None]


def run_at(*point: float, share: float = RUNGS[0], value: float = 1.0) -> Progress:
    return Progress(np.array(point), (share,), (value,))


def search(count: int, *, seed: int = 0) -> list[Progress]:
    """Runs of two coordinates with a bowl's values, some paused higher up, some diverged on one side."""
    stream = np.random.default_rng(seed)
    runs = []
    for _ in range(count):
        point = stream.random(2)
        num_looks = int(stream.integers(1, 5))
        bowl = float(np.sum((point - 0.4) ** 2))
        values = [bowl + 0.1 * (4 - look) for look in range(num_looks)]
        if point[1] > 0.8:
            values[-1] = math.nan
        runs.append(Progress(point, RUNGS[:num_looks], tuple(values)))
    return runs


def test_of_three_at_the_first_rung_one_goes_on() -> None:
    """Jamieson and Talwalkar 2016 with eta 3: the best third."""
    runs = [run_at(0.1, value=1.0), run_at(0.5, value=0.2), run_at(0.9, value=0.8)]
    assert choose(runs, fresh=GRID) == Decision(run=1, fresh=None, share=RUNGS[1])
    runs[1] = Progress(runs[1].point, RUNGS[:2], (0.2, 0.1))
    decision = choose(runs, fresh=GRID)
    assert decision is not None
    assert decision.run is None
    assert decision.share == RUNGS[0]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 15), st.integers(0, 500))
def test_the_order_of_the_runs_does_not_matter(count: int, seed: int) -> None:
    runs = search(count, seed=seed)
    order = np.random.default_rng(seed + 1).permutation(count)
    fresh = np.random.default_rng(seed).random((20, 2))
    first, second = choose(runs, fresh=fresh), choose([runs[index] for index in order], fresh=fresh)
    assert first is not None
    assert second is not None
    assert (first.fresh, first.share) == (second.fresh, second.share)
    assert first.run is None or first.run == order[second.run]
    assert first == choose(runs, fresh=fresh)


def test_the_unit_of_the_loss_does_not_matter() -> None:
    runs = search(14)
    fresh = np.random.default_rng(0).random((30, 2))
    moved = [replace(run, values=tuple(8.0 * value - 3.0 for value in run.values)) for run in runs]
    assert choose(runs, fresh=fresh) == choose(moved, fresh=fresh)
    plain, other = expected_end(runs, 0), expected_end(moved, 0)
    assert [8.0 * value - 3.0 for value in vars(plain).values()] == pytest.approx(list(vars(other).values()))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
def test_a_diverged_run_repels(bad: float) -> None:
    low = [run_at(point, value=1.0 - point) for point in (0.0, 0.2, 0.4)]
    runs = [*low, *(run_at(point, value=bad) for point in (0.6, 0.8, 1.0))]
    runs[2] = Progress(runs[2].point, RUNGS, (0.6, 0.6, 0.6, 0.6))
    runs[1] = Progress(runs[1].point, RUNGS[:2], (0.8, 0.8))
    chosen = choose(runs, fresh=GRID[9:])
    assert chosen is not None
    assert chosen.fresh is not None
    assert GRID[9:][chosen.fresh][0] <= 0.5


def test_a_diverged_run_never_goes_on() -> None:
    lost = [run_at(point, value=math.nan) for point in (0.1, 0.5, 0.9)]
    assert choose(lost, fresh=np.empty((0, 1))) is None
    decision = choose([*lost, run_at(0.7)], fresh=np.empty((0, 1)))
    assert decision == Decision(run=3, fresh=None, share=RUNGS[1])
    assert math.isnan(expected_end(lost, 0).value)


def test_little_is_enough() -> None:
    assert choose([], fresh=GRID) == Decision(None, 0, RUNGS[0])
    assert choose([], fresh=np.empty((0, 1))) is None
    assert choose([run_at(0.5, value=math.nan)], fresh=GRID) is not None
    begun = Progress(np.array([0.5]), (), ())
    assert choose([begun], fresh=np.empty((0, 1))) == Decision(0, None, RUNGS[0])
    same = [run_at(0.5, value=1.0)] * 7
    assert choose(same, fresh=GRID) is not None
    assert expected_end(same, 0).low <= expected_end(same, 0).value <= expected_end(same, 0).high <= 1.0


def test_a_search_comes_to_its_end() -> None:
    """Everything that may go on does, rung by rung, and then there is nothing left."""
    runs = [run_at(point, value=1.0 + point) for point in (0.2, 0.6)]
    for _ in range(6):
        decision = choose(runs, fresh=np.empty((0, 1)))
        assert decision is not None
        assert decision.run is not None
        run = runs[decision.run]
        runs[decision.run] = replace(run, shares=(*run.shares, decision.share), values=(*run.values, run.lowest))
    assert choose(runs, fresh=np.empty((0, 1))) is None


def test_an_end_is_certain_at_the_end_and_learned_from_others() -> None:
    falls = [Progress(np.array([0.1 * number]), RUNGS, (1.0, 0.8, 0.6, 0.4)) for number in range(8)]
    flat = [replace(run, values=(1.0, 1.0, 1.0, 1.0)) for run in falls[1:]]
    paused = Progress(np.array([0.35]), RUNGS[:2], (1.0, 0.8))
    assert vars(expected_end(falls, 2)) == {"value": 0.4, "low": 0.4, "high": 0.4}
    after_falls = expected_end([*falls, paused], 8)
    after_flat = expected_end([falls[0], *flat, paused], 8)
    assert after_falls.low < after_falls.value < after_flat.value <= 0.8
    assert after_falls.value == pytest.approx(0.4, abs=0.15)


def test_ten_thousand_runs_are_not_too_many() -> None:
    stream = np.random.default_rng(0)
    runs = [run_at(*point, value=float(np.sum(point))) for point in stream.random((10_000, 8))]
    decision = choose(runs, fresh=stream.random((200, 8)))
    assert decision is not None
    assert decision.run is not None
    assert runs[decision.run].lowest < np.median([run.lowest for run in runs])
