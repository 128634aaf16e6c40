"""What ``surefoot schedule`` does: draw a schedule before any training, or say which there are."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from surefoot import schedules
from surefoot.cli.drawing import Curve, draw, write_picture
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe, parse_value

__all__ = ["listing", "shown"]

_NUM_POINTS = 2001
_LATER = "reacts to the objective; what it did in a run is in the run's record"


def shown(name: str, changes: Sequence[str], *, plot: Path | None) -> str:
    """The schedule as text: a drawing, some values, the section of a recipe that gives it; with ``plot``, a picture.

    Args:
        name: as in a recipe.
        changes: ``KEY=VALUE`` arguments of the schedule, or its warmup.
        plot: where to write the picture.

    Raises:
        RequestError: the name, an argument or the file is not allowed.
    """
    settings = _settings(changes)
    is_reactive = name in schedules.REACTIVE
    section, curves = _reactive(name, settings) if is_reactive else _planned(name, settings)
    if plot is not None:
        write_picture(plot, curves, title=_title(section))
    has_braille = _can_show("⣿│└─")
    parts = [_summary(name), *(draw(curve, has_braille=has_braille) for curve in curves if curve.label != "momentum")]
    if is_reactive:
        parts.append(f"It {_LATER}.")
    else:
        parts += [_values(curves[0].values), tomli_w.dumps({"schedule": section}).rstrip()]
    if plot is not None:
        parts.append(f"Wrote {plot}")
    return "\n\n".join(part for part in parts if part)


def listing() -> str:
    """Every schedule with what it is and the arguments it takes."""
    known = {**schedules.SCHEDULES, **schedules.REACTIVE}
    width = max(len(name) for name in known)
    lines = []
    for name in sorted(known):
        lines.append(f"{name:<{width}}  {_summary(name)}")
        lines.append(f"{'':<{width}}  {_arguments(name)}")
        if name in schedules.REACTIVE:
            lines.append(f"{'':<{width}}  ({_LATER})")
    return "\n".join(
        [
            *lines,
            "",
            "In front of any: warmup=0.05, a share of the training; warmup_shape=linear or exponential; warmup_start.",
            "Every length is a share of the training. One of your own is named package.module:Class.",
            "Try: surefoot schedule cosine --set warmup=0.1 --set floor=0.1 --plot cosine.png",
        ]
    )


def _planned(name: str, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Curve]]:
    """The section and the curves of a schedule that a recipe can run."""
    recipe = Recipe(schedule={"name": name, **settings})
    built = recipe.schedule.build()
    positions = np.linspace(0.0, 1.0, _NUM_POINTS)
    curves = [Curve("multiplier", built(positions).tolist())]
    if isinstance(built, schedules.one_cycle):
        curves.append(Curve("momentum", built.momentum(positions).tolist()))
    section = {"name": name, **settings}
    return section if recipe.schedule.warmup == 0 else {
        "name": name,
        "warmup": recipe.schedule.warmup,
        **settings,
    }, curves


def _reactive(name: str, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Curve]]:
    """What a reactive schedule does on an imagined training.

    Its loss falls to a level that follows the rate, at a speed that follows the rate's root: what the noise of
    stochastic descent does, without the noise.
    """
    try:
        schedule = schedules.reactive(name, settings)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    state, loss = schedule.init(), 2.0
    losses, multipliers = [], []
    for position in np.linspace(0.0, 1.0, _NUM_POINTS).tolist():
        loss += 400.0 / _NUM_POINTS * state.multiplier**0.5 * (0.1 + 0.5 * state.multiplier - loss)
        value = -loss if getattr(schedule, "mode", "min") == "max" else loss
        state, _ = schedule.update(state, value, position=position)
        losses.append(loss)
        multipliers.append(state.multiplier)
    return {"name": name, **settings}, [Curve("multiplier", multipliers), Curve("an imagined loss", losses)]


def _settings(changes: Sequence[str]) -> dict[str, Any]:
    """Arguments from KEY=VALUE; ``plateau.floor=0.1`` sets an argument of an argument."""
    found: dict[str, Any] = {}
    for change in changes:
        key, mark, value = change.partition("=")
        if not mark or not value or not key.strip():
            raise RecipeError(f'--set takes KEY=VALUE, such as floor=0.1, not "{change}"')
        if key.strip() == "name":
            raise RecipeError(f"--set {change}: the name stands alone, as in: surefoot schedule {value}")
        *outer, last = key.strip().removeprefix("schedule.").split(".")
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise RecipeError(f'--set {key.strip()}: "{part}" was already given a value')
        inner[last] = parse_value(value.strip())
    return found


def _class_of(name: str) -> type[Any] | None:
    return {**schedules.SCHEDULES, **schedules.REACTIVE}.get(name)


def _summary(name: str) -> str:
    """The first line of a schedule's documentation."""
    kind = _class_of(name)
    return (inspect.getdoc(kind) or "").partition("\n")[0] if kind else ""


def _arguments(name: str) -> str:
    """Every argument that a recipe may set, with its default."""
    if name == "sequence":
        return "parts=[{name='linear', length=0.5, ...}, {name='cosine', ...}]"
    kind = _class_of(name)
    assert kind is not None
    fields = [field for field in dataclasses.fields(kind) if field.name not in ("horizon", "warmup_length")]
    return ", ".join(_argument(field) for field in fields)


def _argument(field: Any) -> str:
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    if value is None:  # its own default depends on the others
        return str(field.name)
    if isinstance(value, schedules.plateau):
        return f"{field.name}.floor={value.floor}, {field.name}.patience={value.patience}, ..."
    text = f"{value:.4g}" if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
    return f"{field.name}={text}"


def _values(values: Sequence[float]) -> str:
    """The multiplier at a few places, and its mean."""
    shares = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    picked = [values[round(share * (len(values) - 1))] for share in shares]
    cells = [f"{100 * share:.0f} %" for share in shares]
    head = "at         " + "".join(f"{cell:>9}" for cell in cells) + "     mean"
    return head + "\nmultiplier " + "".join(f"{value:>9.3g}" for value in [*picked, float(np.mean(values))])


def _title(section: dict[str, Any]) -> str:
    arguments = ", ".join(f"{key}={value}" for key, value in section.items() if key not in ("name", "parts"))
    return f"{section['name']} ({arguments})" if arguments else str(section["name"])


def _can_show(text: str) -> bool:
    """Whether standard output can hold these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
