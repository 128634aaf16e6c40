"""The report of a folder, made again from the records that lie in it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surefoot import reports
from surefoot.diagnosis import findings
from surefoot.errors import OutputError
from surefoot.records import Cost, Run, Study, ranked
from surefoot.reports import Chart, Grid
from surefoot.tuning.ledger import recorded_runs
from surefoot.workflows import output
from surefoot.workflows.lesson import lesson, remarks

__all__ = ["Records", "read_records"]


@dataclass(frozen=True)
class Records:
    """What a folder's records can be shown as; both in the language of the moment.

    Attributes:
        page: makes the page.
        pictures: makes its pictures by name.
    """

    page: Callable[[], str]
    pictures: Callable[[], Mapping[str, Chart]]


def read_records(directory: Path) -> Records:
    """The records of a study, of a comparison, or of a study that did not come to its end.

    Raises:
        OutputError: there are none, or they cannot be read; in one line.
    """
    if (directory / output.RECORDS).is_file():
        return _of_study(_study(directory))
    compared = _comparison(directory / output.RESULT)
    if compared is not None:
        return _of_comparison(directory, compared)
    runs = _runs(directory)
    if runs:
        return _of_study(_unfinished(directory, runs))
    if not directory.is_dir():
        raise OutputError(f"{directory} is no folder; give the one that tune, fit or compare wrote")
    raise OutputError(
        f"{directory} holds no records of Surefoot's ({output.RECORDS} is missing); for the log of another tool: "
        "surefoot diagnose LOG --report page.html"
    )


def _of_study(study: Study) -> Records:
    return Records(lambda: reports.page(study), lambda: reports.pictures_of(study, findings(study)))


def _study(directory: Path) -> Study:
    try:
        return Study.model_validate_json((directory / output.RECORDS).read_bytes())
    except (OSError, ValidationError) as error:
        raise OutputError(_unreadable(directory / output.RECORDS, error)) from None


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} is no record that this version reads: {str(error).splitlines()[0]}"


def _comparison(path: Path) -> dict[str, Any] | None:
    """What a comparison wrote about itself; None where there is none."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(_unreadable(path, error)) from None
    results = record.get("results") if isinstance(record, dict) else None
    return record if isinstance(results, dict) and results else None


def _of_comparison(directory: Path, record: Mapping[str, Any]) -> Records:
    studies = {name: _study(directory / output.folder_name(name)) for name in record["results"]}
    grid = Grid(record["grid"]) if record.get("grid") else None
    see = lesson().see if record.get("is_lesson") else {}
    return Records(
        lambda: reports.comparison_page(studies, grid=grid, remarks=remarks(see, studies)),
        lambda: reports.comparison_pictures(studies, grid=grid),
    )


def _runs(directory: Path) -> tuple[Run, ...]:
    try:
        return tuple(recorded_runs(directory))
    except (OSError, ValidationError) as error:
        raise OutputError(_unreadable(directory / "runs", error)) from None


def _unfinished(directory: Path, runs: tuple[Run, ...]) -> Study:
    """A study as far as the records of its runs tell: what they do not hold is left out, and said."""
    first = next((look for run in runs for look in run.evaluations if look.epoch > 0), None)
    rows = 1 if first is None else max(1, round(first.samples / first.epoch))
    training = runs[0].horizon / runs[0].share if runs[0].share else float(runs[0].horizon)
    samples = sum(run.samples for run in runs)
    best = next(iter(ranked(runs)), None)
    look = None if best is None else best.best_evaluation
    metrics = {} if look is None else {"train_loss": look.train_loss, **look.metrics}
    return Study(
        kind="fit" if all(run.stage == "fit" for run in runs) else "tune",
        task=directory.resolve().name,
        status="interrupted",
        reason="it was stopped before its end; the same command with --resume goes on",
        seed=runs[0].seed,
        rows={"train": rows, "validation": 0, "test": 0},
        epochs=training / rows,
        loss=str(runs[0].recipe.get("loss", {}).get("name") or "custom"),
        objective=runs[0].objective,
        runs=runs,
        winner=None if best is None else best.number,
        recipe={} if best is None else best.recipe,
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
        cost=Cost(trainings=samples / training, samples=samples, seconds=sum(run.seconds for run in runs)),
        notes=("made from the records of its runs: range tests and runs in progress are not in it",),
    )
