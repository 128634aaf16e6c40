"""What a study's runs say about the search itself: a range that was too narrow, two recipes that are equals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from surefoot.diagnosis.edges import edge_of
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding, Range, Run, Study, belief

__all__ = ["of_the_search"]

# Of a range so many values were tried.
FEWEST_TRIED = 3
# A difference below one standard error is that of two equals.
ONE_ERROR = 0.84
# Runs of at least this share of the kept one's length can be held against it.
AS_LONG = 0.67
# What differs between recipes without being a choice of theirs.
_NO_CHOICE = {"hardware", "stopping"}


def of_the_search(study: Study) -> Iterator[Finding]:
    """Of a study whose objective chooses and that has a winner."""
    winner = study.winning_run
    if study.kind != "tune" or winner is None or not study.objective.chooses:
        return
    for key, limits in study.ranges.items():
        found = _edge(study, winner, key, limits)
        if found is not None:
            yield found
    yield from _equals(study, winner)


def _edge(study: Study, winner: Run, key: str, limits: Range) -> Finding | None:
    tried = {value for run in study.runs if (value := _value(run.recipe, key)) is not None}
    value = _value(winner.recipe, key)
    if value is None or len(tried) < FEWEST_TRIED or not limits.low < limits.high:
        return None
    edge = edge_of(value, limits.low, limits.high, is_log=limits.is_log)
    if edge is None:
        return None
    return Finding(
        verdict="best at the edge",
        run=winner.name,
        evidence=say(
            "the best run has {parameter} = {value:.4g}, at the upper end of {low:.4g} to {high:.4g}"
            if edge.end == "upper"
            else "the best run has {parameter} = {value:.4g}, at the lower end of {low:.4g} to {high:.4g}",
            parameter=key,
            value=value,
            low=limits.low,
            high=limits.high,
        ),
        advice=say("search on to {further:.3g}, if that has a meaning", further=edge.further),
        certainty="certain",
    )


def _value(recipe: dict[str, Any], key: str) -> float | None:
    found: Any = recipe
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _equals(study: Study, winner: Run) -> Iterator[Finding]:
    """The run nearest to the winner, where chance alone could have put the other one first."""
    others = [
        run
        for run in study.runs
        if run.number != winner.number and run.share >= AS_LONG * winner.share and math.isfinite(run.judged)
    ]
    if not others or not math.isfinite(winner.judged):
        return
    nearest = min(others, key=lambda run: abs(run.judged - winner.judged))
    sure = max(belief(winner, nearest), belief(nearest, winner))
    if sure >= ONE_ERROR:
        return
    yield Finding(
        verdict="two recipes cannot be told apart",
        run=f"{winner.name}, {nearest.name}",
        evidence=say(
            "{objective} is {first:.4g} and {second:.4g}; that the first is better can be believed to {share}; they "
            "differ in {keys}",
            objective=study.objective.name,
            first=winner.value,
            second=nearest.value,
            share=share(belief(winner, nearest)),
            keys=", ".join(_differences(winner.recipe, nearest.recipe)) or say("nothing but chance"),
        ),
        advice=say("train both with three seeds, or take the cheaper one"),
        certainty="likely",
    )


def _differences(first: dict[str, Any], second: dict[str, Any], above: str = "") -> list[str]:
    """The keys whose values differ."""
    found = []
    for key in sorted(first.keys() | second.keys()):
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [] if key in _NO_CHOICE else _differences(one, other, f"{above}{key}.")
        elif one != other:
            found.append(above + key)
    return found
