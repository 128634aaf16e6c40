"""A HyperModel's space, found by building it: with defaults, under every condition, with every parameter moved."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.integrations.keras.tuner.hyperparameters import Parameter, extremes, require_same
from surefoot.integrations.keras.tuner.looking import Builder, Look

__all__ = ["Explored", "Variation", "explore"]

# Far more than any HyperModel seen needs; a space of so many conditions is searched as far as it is known.
MOST_BUILDS = 300


@dataclass(frozen=True)
class Variation:
    """Two builds between which one parameter moved, and whatever hangs on it."""

    parameter: Parameter
    before: Look
    after: Look


@dataclass(frozen=True)
class Explored:
    """What is known of a HyperModel.

    Attributes:
        parameters: in the order in which they were declared, parents before children.
        first: the build with every default.
        variations: what moving each did.
    """

    parameters: tuple[Parameter, ...]
    first: Look
    variations: tuple[Variation, ...]


def explore(builder: Builder) -> Explored:
    """Build until no new parameter appears.

    As Keras Tuner does, a build with the defaults is followed by one in every conditional scope. Unlike it, each
    parameter is then moved to its ends, or to its other options: parameters that a loop or an ``if`` declares only
    then are known before the search, and what each one does to the training is seen.

    Raises:
        RequestError: the HyperModel fails, or declares what no search can follow.
    """
    found: list[Parameter] = []
    scopes: list[Any] = []
    variations: list[Variation] = []
    waiting: deque[tuple[dict[str, Any], Parameter | None, Look | None]] = deque([({}, None, None)])
    moved: set[str] = set()
    first: Look | None = None
    for _ in range(MOST_BUILDS):
        if not waiting:
            break
        values, parameter, before = waiting.popleft()
        look = builder.look(values)
        first = first or look
        if parameter is not None and before is not None:
            variations.append(Variation(parameter, before, look))
        _take(look, found)
        for conditions in look.asked.inactive_scopes:
            if conditions not in scopes:
                scopes.append(conditions)
                opened = {condition.name: condition.values[0] for condition in conditions}
                waiting.append(({**look.values, **opened}, None, None))
        for one in found:
            if one.key not in moved and one.is_active(look.values) and one.name in look.values:
                moved.add(one.key)
                waiting.extend((_moved(look.values, one, value), one, look) for value in _others(one, look.values))
    assert first is not None, "the first build is always made"
    return Explored(tuple(found), first, tuple(variations))


def _take(look: Look, found: list[Parameter]) -> None:
    """Add what a build declared; a declaration is told by its name and its conditions."""
    for declared in look.asked.space:
        alike = [one for one in found if one.name == declared.name]
        for one in alike:
            require_same(one.declared, declared)
        if all(one.declared.conditions != declared.conditions for one in alike):
            found.append(Parameter(_key(declared, is_first=not alike), declared))


def _key(declared: Any, *, is_first: bool) -> str:
    if is_first:
        return str(declared.name)
    conditions = (f"{one.name}={'|'.join(map(str, one.values))}" for one in declared.conditions)
    return f"{declared.name} ({', '.join(conditions) or 'otherwise'})"


def _others(parameter: Parameter, values: Mapping[str, Any]) -> list[Any]:
    return [value for value in extremes(parameter.declared) if value != values[parameter.name]]


def _moved(values: Mapping[str, Any], parameter: Parameter, value: Any) -> dict[str, Any]:
    return {**values, parameter.name: value}
