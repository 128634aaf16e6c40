"""The table of every run of a study: its settings, what it reached, what it was for."""

from __future__ import annotations

from typing import Any

from surefoot.language import retold, say
from surefoot.records import Run, Study
from surefoot.reports.explanation import Explanation
from surefoot.reports.words import in_words

__all__ = ["RunsTable", "runs_table"]

# Head and cells of a line, and which columns hold sentences.
RunsTable = tuple[list[str], list[dict[str, Any]], tuple[int, ...]]


def runs_table(study: Study, story: Explanation | None) -> RunsTable:
    """Its head, its lines as the template takes them, and the columns of words.

    Args:
        study: whose runs they are.
        story: why each was made and what became of it; None where nothing was searched.
    """
    has_status = story is None or any(run.status != "completed" for run in study.runs)
    has_share = any(run.stage != "fit" for run in study.runs)
    head = [say("run"), *([say("share of the horizon")] if has_share else [])]
    head += [say("optimizer"), say("learning rate"), say("weight decay"), say("batch"), in_words(study.objective.name)]
    head += [say("status")] if has_status else []
    words: tuple[int, ...] = (len(head) - 1,)
    if story is not None:
        words = (len(head), len(head) + 1)
        head += [say("tried because"), say("what became of it")]
    rows = [_row(run, study, story, has_share=has_share, has_status=has_status) for run in study.runs]
    return head, rows, words


def _row(run: Run, study: Study, story: Explanation | None, *, has_share: bool, has_status: bool) -> dict[str, Any]:
    settings, kept = run.recipe["optimizer"], run.number == study.winner
    status = in_words(run.status)
    cells = [
        say("{name} (kept)", name=retold(run.name)) if kept else retold(run.name),
        *([retold(run.stage)] if has_share else []),
        settings["name"],
        f"{settings['learning_rate']:.3g}",
        f"{settings['weight_decay']:.3g}",
        str(run.recipe["batch"]["size"]),
        "" if run.best is None else f"{run.value:.4f}",
    ]
    if has_status:
        cells.append(f"{status}{say(': ')}{retold(run.reason)}" if run.reason and story is None else status)
    if story is not None:
        cells += [story.purposes[run.number], story.fates[run.number]]
    return {"cells": cells, "kept": kept}
