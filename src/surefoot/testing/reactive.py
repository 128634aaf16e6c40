"""What every reactive schedule must do."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

__all__ = ["check_reactive"]


def check_reactive(schedule: Any, values: Sequence[float], *, spacing: float = 1.0) -> None:
    """Check that a reactive schedule is a pure function of its state and of what it is shown.

    Args:
        schedule: ``init() -> state`` and ``update(state, value, position=...) -> (state, decision)``, with states that
            have ``to_dict`` and ``from_dict``.
        values: what it is shown, one value a look; enough of them for it to react.
        spacing: how far apart the looks are, in the unit of the positions.

    Raises:
        AssertionError: the schedule breaks a rule, which the message names.
    """
    state, whole = schedule.init(), []
    for look, value in enumerate(values):
        before = state
        state, decision = schedule.update(before, value, position=look * spacing)
        assert schedule.update(before, value, position=look * spacing) == (state, decision), (
            "the same state and value must give the same answer, and leave the state as it was"
        )
        assert 0.0 <= decision.multiplier <= 1.0, "a multiplier must lie in [0, 1]"
        assert decision.multiplier == state.multiplier, "the decision must be what the state remembers"
        assert decision.reason, "a decision must say why"
        whole.append(decision)
    assert any(decision.action != "keep" for decision in whole), "a check needs values that make the schedule react"
    _check_resume(schedule, values, whole, spacing)
    state, decision = schedule.update(schedule.init(), math.nan, position=0.0)
    assert decision.action == "keep", "not-a-number must be no improvement, and no reason to act at the first look"


def _check_resume(schedule: Any, values: Sequence[float], whole: Sequence[Any], spacing: float) -> None:
    """Every look is followed by a stop: the state goes through JSON and comes back."""
    state = schedule.init()
    for look, value in enumerate(values):
        text = json.dumps(state.to_dict(), allow_nan=False)
        restored = type(state).from_dict(json.loads(text))
        assert restored == state, "a state must survive JSON"
        state, decision = schedule.update(restored, value, position=look * spacing)
        assert decision == whole[look], "a resumed training must decide as the uninterrupted one"
