"""What Surefoot wrote itself: a result's folder, a ``Result``, a ``Study``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surefoot.diagnosis.readers.opening import kind_of, shown
from surefoot.diagnosis.table import plain
from surefoot.errors import RequestError
from surefoot.records import Study

__all__ = ["own_study"]

RECORDS = "records.json"


def own_study(source: Any) -> Study | None:
    """The study in a folder of ours or an object of ours, None where it is neither.

    Raises:
        RequestError: the folder's records cannot be read.
    """
    if isinstance(source, Study):
        return source
    if not isinstance(source, str | os.PathLike):
        study = getattr(source, "study", None)
        return study if isinstance(study, Study) else None
    path = Path(os.fspath(source)) / RECORDS
    if kind_of(path.parent) != "folder" or not path.is_file():
        return None
    try:
        return Study.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        why = plain(str(error).partition("\n")[0], longest=200)
        raise RequestError(f"{shown(path)} is no record that this version reads: {why}") from None
