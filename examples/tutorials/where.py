"""Where the data of the tutorials lies: SUREFOOT_DATA/data/NAME, or ../shared/data/NAME beside this repository."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("SUREFOOT_DATA", Path(__file__).resolve().parents[3] / "shared"))


def data_file(name: str, file: str) -> Path:
    """A file of a data set; ends the program with one line where it is not there."""
    path = ROOT / "data" / name / file
    if not path.is_file():
        raise SystemExit(
            f"data/{name}/{file} is not here: put it there, in a folder that SUREFOOT_DATA names "
            f"(now {ROOT}); the page of this tutorial says where to get it"
        )
    return path
