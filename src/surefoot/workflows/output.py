"""The folder that receives a result: whether it may be used, and what is written into it."""

from __future__ import annotations

import csv
import io
import itertools
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.errors import OutputError
from surefoot.recipe import Recipe
from surefoot.records import SCHEMA_VERSION, Study
from surefoot.tuning import Ledger
from surefoot.tuning.ledger import ELSEWHERE_FILE, STUDY_FILE, STUDY_FILES

__all__ = [
    "HISTORY_COLUMNS",
    "MODEL_CARD",
    "WEIGHTS",
    "NewFolder",
    "claim",
    "folder_name",
    "history_csv",
    "result_json",
    "same_request",
]

WEIGHTS, MODEL_CARD = "model.safetensors", "model.json"
RECORDS, RESULT, RECIPE, FULL_RECIPE, HISTORY, REPORT = (
    "records.json",
    "result.json",
    "recipe.toml",
    "full_recipe.toml",
    "history.csv",
    "report.html",
)
_EXPORTS = ("model.onnx", "model.int8.onnx", "model.pt2")  # of the model that is replaced
_OURS = (
    *(*STUDY_FILES, WEIGHTS, MODEL_CARD, RECORDS, RESULT, RECIPE, FULL_RECIPE, HISTORY, REPORT),
    *(name for file in _EXPORTS for name in (file, f"{file}.json")),
)
HISTORY_COLUMNS = (
    "run", "stage", "samples", "epoch", "train_loss", "validation_loss", "learning_rate", "batch_size", "seconds",
    "noise_scale",
)  # fmt: skip


@dataclass(frozen=True)
class NewFolder:
    """A folder that does not exist yet, NAME-1, NAME-2 and so on, made when it is claimed.

    Attributes:
        root: where it will lie.
        name: what it is called before the number.
    """

    root: Path
    name: str

    def make(self) -> Path:
        """Make the first one that nobody else has; two commands at once get two folders."""
        stem = re.sub(r"[^\w.-]+", "_", self.name) or "task"
        self.root.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            try:
                (self.root / f"{stem}-{number}").mkdir()
            except FileExistsError:
                continue
            return self.root / f"{stem}-{number}"
        raise AssertionError("counting never ends")


def claim(directory: str | Path | NewFolder | None, *, resume: bool, overwrite: bool) -> Path | None:
    """The folder, made and found writable; None for None.

    Args:
        directory: where the result goes.
        resume: go on with the study that is in it.
        overwrite: remove an earlier result from it first; files that are not Surefoot's stay.

    Raises:
        OutputError: it is not empty and neither was asked for, there is nothing to resume, or it cannot be written.
    """
    if directory is None:
        if resume or overwrite:
            raise OutputError("resume and overwrite need the directory of an earlier result")
        return None
    if resume and overwrite:
        raise OutputError("resume goes on with what is there and overwrite removes it: give one of the two")
    if resume and isinstance(directory, NewFolder):
        raise OutputError("--resume needs --out: which folder should it go on with?")
    path = _writable(directory)
    if any(path.iterdir()):
        if not resume and not overwrite:
            raise OutputError(
                f"{path} is not empty; resume=True goes on with the study in it, overwrite=True starts anew"
            )
        if resume and not any((path / name).exists() for name in (STUDY_FILE, ELSEWHERE_FILE)):
            raise OutputError(f"{path} holds no study to resume ({STUDY_FILE} is missing)")
        if overwrite:
            _remove_ours(path)
    return path


def _writable(directory: str | Path | NewFolder) -> Path:
    """The folder, made where it is not there; one line when nothing can be written into it."""
    wanted = str(directory.root if isinstance(directory, NewFolder) else directory)
    if set(wanted) & set("?%#"):
        raise OutputError(f"{wanted} holds a ?, % or #, which the study's file cannot have in its path; choose another")
    try:
        path = directory.make() if isinstance(directory, NewFolder) else Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {wanted}: {error.strerror}; choose another folder") from None
    return path


def _remove_ours(path: Path) -> None:
    for name in _OURS:
        (path / name).unlink(missing_ok=True)
    runs = path / "runs"
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        if folder.name.isdigit():
            shutil.rmtree(folder)


def folder_name(name: str) -> str:
    """The folder of one recipe of a comparison.

    Raises:
        OutputError: nothing of the name can be part of a folder's.
    """
    folder = re.sub(r"[^\w.=+-]+", "_", name).strip("._")
    if not folder:
        raise OutputError(f"{name!r} cannot name a recipe: use letters and digits")
    return folder


def same_request(ledger: Ledger, request: Mapping[str, Any]) -> None:
    """Keep what was asked for with the study, or hold it against what was asked for before.

    Raises:
        OutputError: the study was started with another request.
    """
    asked, before = files.finite_or_null(request), ledger.recall("request")
    if before is None:
        ledger.remember("request", asked)
        return
    for key in {**asked, **before}:
        if before.get(key) != asked.get(key):
            was, now = _differing(before.get(key), asked.get(key))
            raise OutputError(
                f"the study was started with {key} {was!r}, not {now!r}; "
                f"resume it with the same {key}, or use another folder"
            )


def _differing(before: Any, asked: Any) -> tuple[Any, Any]:
    """Two values, or only the parts in which two mappings differ."""
    if not (isinstance(before, dict) and isinstance(asked, dict)):
        return before, asked
    keys = [key for key in {**before, **asked} if before.get(key) != asked.get(key)]
    parts = {key: _differing(before.get(key), asked.get(key)) for key in keys}
    return {key: part[0] for key, part in parts.items()}, {key: part[1] for key, part in parts.items()}


def result_json(study: Study) -> dict[str, Any]:
    """What result.json holds."""
    record = study.model_dump()
    keys = (
        "status",
        "reason",
        "kind",
        "task",
        "recipe",
        "metrics",
        "cost",
        "findings",
        "notes",
        "seed",
        "versions",
    )
    return {"schema_version": SCHEMA_VERSION, **{key: record[key] for key in keys}}


def history_csv(study: Study) -> str:
    """Every look at every run, one a line."""
    metrics = sorted({name for run in study.runs for look in run.evaluations for name in look.metrics})
    extra = [name for name in metrics if name not in HISTORY_COLUMNS]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HISTORY_COLUMNS, *extra], lineterminator="\n")
    writer.writeheader()
    for run in study.runs:
        for look in run.evaluations:
            values = {**look.model_dump(exclude={"metrics", "judged", "standard_error"}), **look.metrics}
            writer.writerow({"run": run.name, "stage": run.stage, **values})
    return text.getvalue()


def save(study: Study, directory: Path, *, recipe_toml: str, page: str, card: Mapping[str, Any] | None) -> None:
    """Write everything but the weights; ``result.json`` last, so that where it is the rest is too."""
    if recipe_toml:
        files.write_text(directory / RECIPE, recipe_toml)
    if study.forecast is not None:
        files.write_text(directory / FULL_RECIPE, Recipe(**study.forecast.recipe).to_toml())
    if card is not None:
        files.write_json(directory / MODEL_CARD, card)
    files.write_text(directory / HISTORY, history_csv(study))
    files.write_json(directory / RECORDS, study.model_dump())
    files.write_text(directory / REPORT, page)
    files.write_json(directory / RESULT, result_json(study))
