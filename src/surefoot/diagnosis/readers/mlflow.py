"""MLflow's folders of metrics: a file a metric, a line a value with its time and its step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.opening import Lines
from surefoot.diagnosis.readers.tagged import TaggedRun
from surefoot.diagnosis.table import number
from surefoot.errors import RequestError

__all__ = ["metrics_folder", "read_metrics"]


def metrics_folder(file: Path) -> Path | None:
    """The folder "metrics" of a run in which a file lies, None where it lies in none; runs have a meta.yaml."""
    return next(
        (above for above in file.parents if above.name == "metrics" and (above.parent / "meta.yaml").is_file()), None
    )


def read_metrics(files: Iterable[Path], *, named: Mapping[str, str]) -> list[Log]:
    """The logs of metric files, one a run; runs without a loss are passed over where others have one.

    Raises:
        RequestError: none has one.
    """
    runs: dict[Path, TaggedRun] = {}
    for file in files:
        folder = metrics_folder(file)
        if folder is not None:
            _read(file, file.relative_to(folder).as_posix(), runs.setdefault(folder, TaggedRun()))
    logs, refused = [], RequestError("there are no metrics")
    for folder, run in runs.items():
        try:
            logs.append(run.log(str(folder.parent), named))
        except RequestError as error:
            refused = error
    if not logs:
        raise refused
    return logs


def _read(file: Path, tag: str, run: TaggedRun) -> None:
    lines = Lines(file)
    for place, line in enumerate(lines, start=1):
        cells = line.split()
        value = number(cells[1]) if len(cells) >= 2 else None
        step = number(cells[2]) if len(cells) >= 3 else float(place)
        if isinstance(value, float) and isinstance(step, float) and math.isfinite(step):
            run.put(tag, step, value)
    run.notes += lines.notes()
