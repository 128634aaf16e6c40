"""The picture of every schedule, over a training from 0 to 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from svg import BLUE, ORANGE, Axis, Line, Panel, chart

from surefoot import schedules

__all__ = ["pictures"]

# the end itself is no place for a step: a cut there would only be a spike
_POINTS = np.append(np.linspace(0.0, 1.0, 2000, endpoint=False), 1.0 - 1e-9)
_X = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0), "share of the training")


def pictures() -> dict[str, str]:
    """SVG by the name of the file; what was set differs from the defaults where they would hide the form."""
    linear, cosine = schedules.linear(horizon=0.5, floor=0.4), schedules.cosine(horizon=0.5)
    drawn = {
        "constant": [schedules.constant()],
        "linear": [schedules.linear(), schedules.linear(floor=0.1)],
        "polynomial": [schedules.polynomial(power=2.0), schedules.polynomial(power=0.5)],
        "exponential": [schedules.exponential(), schedules.exponential(last=0.1)],
        "step": [schedules.step(every=0.25, factor=0.5)],
        "multistep": [schedules.multistep(factor=0.3)],
        "inverse_time": [schedules.inverse_time(delta=9.0)],
        "inverse_sqrt": [schedules.warmup(schedules.inverse_sqrt(timescale=0.1), length=0.1)],
        "power": [schedules.power(delta=9.0, power=1.0), schedules.power(delta=9.0, power=3.0)],
        "cosine": [schedules.cosine(), schedules.cosine(floor=0.1)],
        "cosine_restarts": [schedules.cosine_restarts(peak_factor=0.8)],
        "triangular": [schedules.triangular()],
        "triangular2": [schedules.triangular(mode="triangular2")],
        "exp_range": [schedules.triangular(mode="exp_range")],
        "warmup_stable_decay": [schedules.warmup_stable_decay()],
        "trapezoid": [schedules.warmup_stable_decay(warmup_length=0.2, cooldown_length=0.2, cooldown="linear")],
        "warmup": [schedules.warmup(schedules.cosine(horizon=0.9), length=0.1)],
        "sequence": [schedules.sequence([linear, cosine], boundaries=[0.5])],
    }
    found = {name: chart([_multiplier([kind(_POINTS) for kind in kinds])]) for name, kinds in drawn.items()}
    found["one_cycle"] = _one_cycle()
    found["plateau"] = _reactive(schedules.plateau(factor=0.3, patience=0.1))
    found["reduce_then_raise"] = _reactive(schedules.reduce_then_raise())
    return found


def _multiplier(curves: list[Any], *, shows_x: bool = True) -> Panel:
    """One curve, and behind it in dashes the same schedule with another setting."""
    lines = [Line(_POINTS.tolist(), curve.tolist(), style="dashes", colour=ORANGE) for curve in curves[1:]]
    lines.append(Line(_POINTS.tolist(), np.asarray(curves[0]).tolist()))
    return Panel(_X, Axis(0.0, 1.0, (0.0, 0.5, 1.0), "multiplier"), lines, shows_x=shows_x)


def _one_cycle() -> str:
    cycle = schedules.one_cycle()
    momentum = Line(_POINTS.tolist(), cycle.momentum(_POINTS).tolist(), ORANGE)
    below = Panel(_X, Axis(0.8, 1.0, (0.8, 0.9, 1.0), "momentum"), [momentum], height=60)
    return chart([_multiplier([cycle(_POINTS)], shows_x=False), below])


def _reactive(schedule: Any) -> str:
    """On an imagined training, as ``surefoot schedule`` imagines one.

    Its loss falls to a level that follows the rate, at a speed that follows the rate's root: what the noise of
    stochastic descent does, without the noise.
    """
    state, loss = schedule.init(), 2.0
    losses, multipliers = [], []
    for position in _POINTS.tolist():
        loss += 400.0 / len(_POINTS) * state.multiplier**0.5 * (0.1 + 0.5 * state.multiplier - loss)
        state, _ = schedule.update(state, loss, position=position)
        losses.append(loss)
        multipliers.append(state.multiplier)
    below = Panel(_X, Axis(0.0, 2.0, (0.0, 1.0, 2.0), "loss"), [Line(_POINTS.tolist(), losses, BLUE)], height=60)
    return chart([_multiplier([np.array(multipliers)], shows_x=False), below])
