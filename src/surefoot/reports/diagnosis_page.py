"""The page of a diagnosis: what is wrong with each log, and the curves that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.diagnosis import Diagnosed
from surefoot.language import say
from surefoot.reports.chart import Chart
from surefoot.reports.log_figures import pictures_of_log
from surefoot.reports.page import pictures_of
from surefoot.reports.rendering import render
from surefoot.reports.trial_figures import pictures_of_trials
from surefoot.reports.words import in_words

__all__ = ["diagnosis_page", "diagnosis_pictures"]

# Each log brings three pictures; beyond so many logs the others have their verdicts alone.
MOST_DRAWN = 20


def diagnosis_page(logs: Sequence[Diagnosed]) -> str:
    """Diagnosed logs as HTML, in the language of the moment."""
    parts = [_part(place, one) for place, one in enumerate(logs)]
    return render(
        "diagnosis.html.jinja",
        title=_title(logs),
        contents=[(part["place"], part["name"]) for part in parts] if len(parts) > 1 else [],
        parts_of_page=parts,
        overview=[
            {"cells": [one.name, say(", ").join(in_words(found.verdict) for found in one.findings)], "kept": False}
            for one in logs
        ],
        left_undrawn=max(0, len(logs) - MOST_DRAWN),
    )


def diagnosis_pictures(logs: Sequence[Diagnosed]) -> dict[str, Chart]:
    """Every picture of the page, by a short name that begins with the number of its log where there are several."""
    found = {}
    for place, one in enumerate(logs[:MOST_DRAWN]):
        for name, picture in _pictures(one).items():
            found[f"{place + 1}-{name}" if len(logs) > 1 else name] = picture
    return found


def _title(logs: Sequence[Diagnosed]) -> str:
    if len(logs) != 1:
        return say("{count} logs diagnosed", count=len(logs))
    return say("{task}: {outcome}", task=logs[0].name, outcome=in_words(logs[0].findings[0].verdict))


def _part(place: int, one: Diagnosed) -> dict[str, Any]:
    pictures = _pictures(one) if place < MOST_DRAWN else {}
    return {
        "place": f"log-{place + 1}",
        "name": one.name,
        "findings": one.findings,
        "left_out": one.left_out,
        "pictures": {f"log-{place + 1}-{name}": picture for name, picture in pictures.items()},
    }


def _pictures(one: Diagnosed) -> Mapping[str, Chart]:
    """The curves of a log; the trials of a study of Optuna's; of a study of ours all its pictures."""
    if one.log is not None:
        return pictures_of_log(one.log, one.findings)
    if one.trials is not None:
        return pictures_of_trials(one.trials, one.findings)
    return {} if one.study is None else pictures_of(one.study, one.findings)
