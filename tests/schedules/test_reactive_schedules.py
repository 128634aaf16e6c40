"""The one meaning of patience, and the way up again."""

from __future__ import annotations

import math

import pytest

from surefoot import schedules as s


def looks(schedule: object, values: list[float]) -> list[tuple[str, float]]:
    state, found = schedule.init(), []
    for look, value in enumerate(values):
        state, decision = schedule.update(state, value, position=look)
        found.append((decision.action, round(decision.multiplier, 6)))
    return found


def cuts(schedule: object, values: list[float]) -> list[int]:
    return [look for look, (action, _) in enumerate(looks(schedule, values)) if action == "cut"]


@pytest.mark.parametrize(("patience", "cooldown", "expected"), [
    (2, 0, [2, 4, 6, 8]),
    (2, 2, [2, 6, 10]),
    (1, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (3, 0, [3, 6, 9]),  # what PyTorch does with a patience of 2
])  # fmt: skip
def test_a_value_that_never_improves_is_cut_at_these_looks(patience: int, cooldown: int, expected: list[int]) -> None:
    plateau = s.plateau(factor=0.5, patience=patience, cooldown=cooldown)
    assert [look for look in cuts(plateau, [1.0] * 11) if look <= max(expected)] == expected


def test_an_improvement_must_exceed_the_threshold() -> None:
    plateau = s.plateau(patience=2, threshold=0.1)
    assert cuts(plateau, [1.0, 0.95, 0.91, 0.89]) == [2]
    assert cuts(plateau, [1.0, 0.89, 0.8, 0.7]) == []
    assert cuts(s.plateau(patience=2, threshold=0.0), [1.0, 0.999, 0.998, 0.997]) == []
    assert cuts(s.plateau(patience=2, mode="max"), [0.5, 0.6, 0.7, 0.8, 0.8, 0.8]) == [5]


def test_not_a_number_is_no_improvement_at_any_look() -> None:
    plateau = s.plateau(patience=2)
    assert cuts(plateau, [math.nan] * 5) == [2, 4]
    assert cuts(plateau, [1.0, math.nan, 0.5, 0.4]) == []
    assert cuts(plateau, [1.0, -math.inf, 1.0]) == [2]


def test_the_floor_is_reached_and_nothing_goes_below() -> None:
    found = looks(s.plateau(factor=0.1, patience=1, floor=0.05), [1.0] * 6)
    assert [multiplier for _, multiplier in found] == [1.0, 0.1, 0.05, 0.05, 0.05, 0.05]
    assert [action for action, _ in found] == ["keep", "cut", "cut", "keep", "keep", "keep"]


def test_a_floor_that_cuts_reach_is_reached_in_spite_of_rounding() -> None:
    assert cuts(s.plateau(factor=0.1, patience=1, floor=0.01), [1.0] * 6) == [1, 2]


def test_shares_add_up_to_a_patience_in_spite_of_rounding() -> None:
    plateau = s.plateau(patience=0.3)
    state = plateau.init()
    for look in range(4):
        state, _ = plateau.update(state, 1.0, position=0.1 * look)
    assert state.num_cuts == 1


def test_looks_may_come_at_any_distance() -> None:
    plateau = s.plateau(patience=10)
    state = plateau.init()
    for position, action in ((0, "keep"), (9.9, "keep"), (35, "cut"), (44, "keep"), (45, "cut")):
        state, decision = plateau.update(state, 1.0, position=position)
        assert decision.action == action, position


def test_reduce_then_raise_falls_climbs_and_falls_again() -> None:
    schedule = s.reduce_then_raise(
        s.plateau(factor=0.1, patience=2, floor=0.01), peak=0.16, raise_length=4, num_raises=1
    )
    found = looks(schedule, [1.0] * 30)
    multipliers = [multiplier for _, multiplier in found]
    assert multipliers[:7] == [1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.01]
    assert multipliers[6:11] == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16])
    assert [action for action, _ in found[6:11]] == ["raise"] * 5
    assert multipliers[-1] == 0.01  # one raise was allowed; the floor is the end
    assert max(multipliers[11:]) == 0.16


def test_after_a_raise_progress_is_measured_anew() -> None:
    """The new basin starts worse than the best ever; falling there counts as progress."""
    schedule = s.reduce_then_raise(s.plateau(factor=0.1, patience=2, floor=0.1), peak=0.5, raise_length=1)
    values = [1.0] * 6 + [5.0, 4.0, 3.0, 2.0, 1.5]
    found = looks(schedule, values)
    assert found[4][0] == "raise"
    assert [action for action, _ in found[6:]] == ["keep"] * 5


def test_a_decision_says_why() -> None:
    plateau = s.plateau(patience=2)
    state = plateau.init()
    reasons = []
    for look, value in enumerate([0.5, 0.6, 0.7]):
        state, decision = plateau.update(state, value, position=look)
        reasons.append(decision.reason)
    assert reasons == ["0.5; the best is 0.5", "0.6; the best is 0.5", "no better than 0.5 for 2"]
