"""A schedule as a few lines of Python: what a person would write without Surefoot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot import schedules
from surefoot.recipe import Schedule

__all__ = ["schedule_code"]

_OWN = '''\
def multiplier(position):
    """The learning rate's multiplier; position runs from 0 to 1 over the training."""
{rising}{clock}    return {formula}
'''
_IMPORTED = """\
# position runs from 0 to 1 over the training; too long to spell out here
multiplier = schedules.from_recipe(
    {name!r},
    warmup={warmup!r},
    warmup_shape={warmup_shape!r},
    warmup_start={warmup_start!r},
    arguments={arguments!r},
)
"""
# Two clocks: the share of the schedule's horizon that has passed, and the position counted from its beginning.
_SHARE = "    t = min((position - {begin!r}) / {horizon!r}, 1.0)\n"
_SINCE = "    s = position - {begin!r}\n"
# The clock and the formula of each kind, from its arguments. A kind that is not here is imported.
_KINDS: dict[type[Any], tuple[str, str]] = {
    schedules.linear: (_SHARE, "{floor} + (1 - {floor}) * (1 - t)"),
    schedules.polynomial: (_SHARE, "{floor} + (1 - {floor}) * (1 - t) ** {power}"),
    schedules.exponential: (_SHARE, "{last} ** t"),
    schedules.cosine: (_SHARE, "{floor} + (1 - {floor}) * (1 + math.cos(math.pi * t)) / 2"),
    schedules.step: (_SINCE, "max({factor} ** int(s / {every!r} + 1e-12), {floor})"),
    schedules.multistep: (_SINCE, "max({factor} ** sum(s >= mark for mark in {milestones!r}), {floor})"),
    schedules.inverse_time: (_SINCE, "max(1 / (1 + {delta} * s), {floor})"),
    schedules.inverse_sqrt: (_SINCE, "max(1 / math.sqrt(1 + s / {timescale!r}), {floor})"),
    schedules.power: (_SINCE, "max((1 / math.sqrt(1 + {delta} * s)) ** {power}, {floor})"),
}
_COOLDOWN = "    t = min(max(1 - ({end!r} - position) / {length!r}, 0.0), 1.0)\n"
_FALLS = {"linear": "(1 - t)", "cosine": "(1 + math.cos(math.pi * t)) / 2", "one_minus_sqrt": "(1 - math.sqrt(t))"}


def schedule_code(section: Mapping[str, Any]) -> tuple[str, str]:
    """What to import from Surefoot, or "", and the lines that define ``multiplier(position)``; they may need ``math``.

    Args:
        section: a recipe's ``[schedule]`` section.

    >>> imports, lines = schedule_code({"name": "linear", "warmup": 0.1, "floor": 0.2})
    >>> print(lines)
    def multiplier(position):
        \"\"\"The learning rate's multiplier; position runs from 0 to 1 over the training.\"\"\"
        if position < 0.1:
            return position / 0.1
        t = min((position - 0.1) / 0.9, 1.0)
        return 0.2 + (1 - 0.2) * (1 - t)
    <BLANKLINE>
    """
    settings = Schedule(**section)
    built = settings.build()
    rising, begin = "", 0.0
    if isinstance(built, schedules.warmup):
        rising, begin, built = _rising(built), built.length, built.after
    found = _clock_and_formula(built, begin)
    if found is None:
        given = settings.model_dump(include={"name", "warmup", "warmup_shape", "warmup_start"})
        return "from surefoot import schedules\n", _IMPORTED.format(**given, arguments=settings.model_extra or {})
    return "", _OWN.format(rising=rising, clock=found[0], formula=found[1])


def _clock_and_formula(schedule: Any, begin: float) -> tuple[str, str] | None:
    """The two last lines, None where there is no short way to say it."""
    if schedule == schedules.constant():
        return "", "1.0"
    if isinstance(schedule, schedules.warmup_stable_decay):
        length = schedule.horizon / 5 if schedule.cooldown_length is None else schedule.cooldown_length
        clock = _COOLDOWN.format(end=begin + schedule.horizon, length=length)
        return clock, f"{schedule.floor} + (1 - {schedule.floor}) * {_FALLS[schedule.cooldown]}"
    if type(schedule) not in _KINDS:
        return None
    clock, formula = _KINDS[type(schedule)]
    arguments = vars(schedule)
    return clock.format(begin=begin, **arguments), formula.format(**arguments)


def _rising(warmup: Any) -> str:
    """The warmup's lines."""
    start = warmup.start
    if warmup.shape == "exponential":
        risen = f"{0.01 if start is None else start} ** (1 - position / {warmup.length!r})"
    elif start:
        risen = f"{start} + (1 - {start}) * position / {warmup.length!r}"
    else:
        risen = f"position / {warmup.length!r}"
    return f"    if position < {warmup.length!r}:\n        return {risen}\n"
