"""Short trainings: how rates are tried, and what their ends say."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
from surefoot.curves.ends import horizon_factor, read_ends
from surefoot.engine import TorchFactory
from surefoot.errors import RequestError
from surefoot.probes import short_trainings
from surefoot.probes.short_trainings import MOST_TRAININGS, Looks, multiplier

Make = Callable[..., Any]


class Bowl:
    """Ends lowest at the peak rate ``best``, whatever the number of steps; leaves above ``cliff``."""

    def __init__(self, best: float, cliff: float = math.inf) -> None:
        self.best, self.cliff = best, cliff
        self.peak, self.steps, self.stepped = 0.0, 0, 0

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        self.peak, self.steps = 0.0, 0
        yield

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        self.peak, self.steps, self.stepped = max(self.peak, learning_rate), self.steps + 1, self.stepped + 1
        return math.nan if learning_rate > self.cliff else 1.0

    def fixed_loss(self, num_rows: int) -> float:
        gap = math.log10(max(self.peak, 1e-12) / self.best) ** 2 if self.peak else 0.0
        return 4.0 - (2.0 - min(gap, 1.9)) * min(1.0, self.steps / 32)


def tried(run: Any, *, center: float = 0.1, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"batch_size": 4, "num_steps": 32, "horizon": 32.0, **changes}
    return short_trainings(run, center=center, **arguments)


@given(st.floats(-3.0, 1.0))
def test_the_search_goes_to_the_better_side_and_ends(exponent: float) -> None:
    run = Bowl(best=10.0**exponent)
    found = tried(run)
    assert 3 <= len(found.rates) <= MOST_TRAININGS
    assert found.samples == 4 * run.stepped == 4 * 32 * len(found.rates)
    assert list(found.rates) == sorted(found.rates)
    assert found.value is not None
    assert found.rates[0] / 2 <= found.value <= 2 * found.rates[-1]
    if -2.0 <= exponent <= -0.3:  # within what four rates can enclose
        assert found.value == pytest.approx(10.0**exponent, rel=0.5)


def test_a_longer_training_wants_a_lower_rate() -> None:
    short, long = tried(Bowl(best=0.1)), tried(Bowl(best=0.1), horizon=3200.0)
    assert long.value / short.value == pytest.approx(0.01**0.32)
    assert horizon_factor(0.01) == pytest.approx(0.229, abs=1e-3)


def test_a_rate_that_leaves_is_neither_chosen_nor_paid_for_in_full() -> None:
    run = Bowl(best=0.1, cliff=0.05)
    found = tried(run)
    assert found.value is not None
    assert found.value <= 0.05
    assert len(found.curves[-1]) < len(found.curves[0])
    assert run.stepped < 32 * len(found.rates)


def test_nothing_holds() -> None:
    found = tried(Bowl(best=0.1, cliff=0.0))
    assert found.value is None
    assert found.reason.startswith("the loss left at every rate, down to 0.00")


def test_no_peak_above_the_highest() -> None:
    found = tried(Bowl(best=10.0), highest=0.1)
    assert max(found.rates) <= 0.1


def test_stopped_trainings_say_nothing() -> None:
    asked = iter(range(10_000))
    found = tried(Bowl(best=0.1), should_stop=lambda: next(asked) > 40)
    assert found.value is None
    assert found.reason == "stopped before they ended"


def test_what_is_measured_in_between_sees_the_first_one_s_weights() -> None:
    run = Bowl(best=0.1)
    seen = []
    tried(run, after_first=lambda: seen.append(run.steps))
    assert seen == [32]


def test_nothing_is_measured_at_weights_that_left() -> None:
    run = Bowl(best=0.01, cliff=0.02)
    seen = []
    found = tried(run, after_first=lambda: seen.append(run.peak))
    assert len(seen) == 1
    assert seen[0] <= 0.02
    assert math.isnan(found.ends[-1])


def test_ends_without_an_answer() -> None:
    assert read_ends([0.1, 1.0], [[1.0] * 16, [1.0] * 16], share=0.1).value is None  # flat
    assert read_ends([0.1], [[1.0] * 16], share=0.1).value is None
    assert read_ends([], [], share=0.1).value is None


def test_a_loss_that_turns_up_at_its_end_has_still_come_a_long_way() -> None:
    curves = [[4.0, 3.0, 2.0, *([end] * 9), *([end + 0.1] * 4)] for end in (1.5, 1.0, 1.4)]
    found = read_ends([0.01, 0.1, 1.0], curves, share=1.0)
    assert found.value == pytest.approx(0.1, rel=0.5)


def test_multipliers_come_to_their_end() -> None:
    values = [multiplier(step, 40) for step in range(40)]
    assert max(values) <= 1.0
    assert values.index(max(values)) <= 4
    assert 0.0 < values[-1] < 0.02


def test_it_needs_a_rate_per_step() -> None:
    with pytest.raises(RequestError, match="not supported by object"):
        tried(object())


def test_real_runs_are_as_before_and_see_the_same_batches(make_task: Make) -> None:
    factory = TorchFactory(make_task(rows=200))
    recipe = sf.Recipe(batch={"size": 8}, model={"dropout": 0.3, "norm": True}).complete(factory.num_rows)
    run, untouched = factory.create(recipe, seed=0), factory.create(recipe, seed=0)
    looks: Looks = {}
    arguments: dict[str, Any] = {"batch_size": 8, "num_steps": 24, "horizon": 100.0}
    found = short_trainings(run, center=0.03, looks=looks, **arguments)
    assert found.value is not None, found.reason
    assert set(looks) == set(found.rates)
    again = short_trainings(run, center=0.03, **arguments, looks={})
    assert again.curves == found.curves
    for one in (run, untouched):
        one.advance(one.horizon, should_stop=lambda: False)
    assert run.evaluate("validation") == untouched.evaluate("validation")
