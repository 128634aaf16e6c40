"""The page of a probe: the answer first, then what was measured, then every batch size."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.errors import MissingExtraError, OutputError
from surefoot.language import language, retold, say
from surefoot.recipe import Recipe
from surefoot.records import ProbeReport, Suggestion
from surefoot.reports.amounts import duration, number, rows
from surefoot.reports.chart import chart
from surefoot.reports.probe_figures import probe_figures
from surefoot.reports.probe_picture import write_probe_picture
from surefoot.reports.probe_text import PARTS, frontier_table, interval, measurements, missing
from surefoot.reports.rendering import render

__all__ = ["probe_page", "require_probe_file", "write_probe"]

ENDINGS = (".html", ".png")
_CAPTIONS = {
    "range_test": "One step at each rate; the band is what this alone suggests, the dotted line where it diverged.",
    "noise": "A batch far below it wastes steps, one far above it wastes samples. Bars hold it with 90 % confidence; "
    "one that reaches the edge is open there.",
    "capacity": "Steps that were really run, and the law through them; beyond the knee (star) a larger batch is hardly "
    "faster, and the diamond is the largest that was run.",
    "frontier": "To reach the same loss, by batch size and, below it, learning rate. The star is suggested; hollow "
    "marks are batch sizes that were not run.",
}


def write_probe(report: ProbeReport, path: Path) -> Path:
    """Write a probe as a page or as a picture, as the path's ending says, and give back the path.

    Raises:
        OutputError: the ending is neither .html nor .png, or the file cannot be written.
        MissingExtraError: a picture needs matplotlib, which is not installed.
    """
    require_probe_file(path)
    try:
        if path.suffix.lower() == ".html":
            files.write_text(path, probe_page(report))
        else:
            with language("en"):  # drawn by hand, in one language
                write_probe_picture(report, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    return path


def require_probe_file(path: Path) -> None:
    """Refuse a path that :func:`write_probe` could not write; to be asked before anything is measured.

    Raises:
        OutputError: the ending is neither .html nor .png, or nothing can be written there.
        MissingExtraError: a picture needs matplotlib, which is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise OutputError(f'--plot takes a file that ends in {" or ".join(ENDINGS)}, not "{path.name}"')
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: nothing can be written into {folder}")
    if path.suffix.lower() == ".png" and importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("a .png needs matplotlib; install it with: pip install 'surefoot[torch]'")


def probe_page(report: ProbeReport) -> str:
    """A probe as HTML, in the language of the moment."""
    table = frontier_table(report)
    changes = _changes(report)
    return render(
        "probe.html.jinja",
        title=say("{task}: {outcome}", task=report.task, outcome=_outcome(report)),
        contents=[],
        report=report,
        notes=[retold(note) for note in report.notes],
        answers=_answers(report),
        command=" ".join(["surefoot fit TARGET", *(f"--set {change}" for change in changes)]) if changes else "",
        price=say("{trainings} trainings", trainings=number(report.trainings)),
        effort=say("{samples:,} samples, {time}", samples=report.samples, time=duration(report.seconds)),
        sections=_sections(report),
        measurements=measurements(report),
        table=[
            *([*head[:-1], say("choice")] for head in table[:1]),
            *({"cells": row, "kept": bool(row[-1])} for row in table[1:]),
        ],
        recipe=Recipe(**report.recipe).to_toml() if report.recipe else "",
    )


def _outcome(report: ProbeReport) -> str:
    rate, batch = report.learning_rate.value, report.batch_size.value
    if rate is None and batch is None:
        return say("no suggestion")
    rate_words = say("no learning rate") if rate is None else say("learning rate {rate}", rate=number(rate))
    size_words = say("no batch size") if batch is None else say("batch size {size}", size=rows(batch))
    return rate_words + say(", ") + size_words


def _changes(report: ProbeReport) -> list[str]:
    """What to set for a training at the suggested rate: it and the decay belong to the probed optimizer and batch."""
    if report.learning_rate.value is None:
        return []
    name, size = report.recipe.get("optimizer", {}).get("name"), report.recipe.get("batch", {}).get("size")
    changes = [f"optimizer.name={name}"] if name else []
    changes.append(f"optimizer.learning_rate={number(report.learning_rate.value)}")
    if report.weight_decay.value is not None:
        changes.append(f"optimizer.weight_decay={number(report.weight_decay.value)}")
    return [*changes, f"batch.size={size}"] if size else changes


def _answers(report: ProbeReport) -> list[dict[str, str]]:
    """The suggestions as cards."""
    return [
        _answer(say("learning rate"), report.learning_rate),
        _answer(say("weight decay"), report.weight_decay),
        _answer(say("batch size"), report.batch_size, is_count=True),
    ]


def _answer(title: str, suggestion: Suggestion, *, is_count: bool = False) -> dict[str, str]:
    reason = retold(suggestion.reason)
    if suggestion.value is None:
        value, around, reason = say("no suggestion"), "", reason or say("not measured")
    else:
        value = rows(suggestion.value) if is_count else number(suggestion.value)
        around = interval(suggestion, is_count=is_count)
    return {"title": title, "value": value, "interval": around, "reason": reason}


def _sections(report: ProbeReport) -> dict[str, dict[str, Any]]:
    """The pictures, and in the place of one that cannot be drawn the reason."""
    gaps, figures = missing(report), probe_figures(report)
    return {
        part.replace("_", "-"): {"title": say(title), "gap": gaps[part], "chart": None}
        if part in gaps
        else {"title": say(title), "gap": "", "chart": chart(say(title), say(_CAPTIONS[part]), figures[part])}
        for part, title in PARTS.items()
    }
