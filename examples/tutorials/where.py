"""Where the data of the tutorials lies: SUREFOOT_DATA/data/NAME, or ../shared/data/NAME beside this repository."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("SUREFOOT_DATA", Path(__file__).resolve().parents[3] / "shared"))


def data_folder(name: str) -> Path:
    """The folder of a data set; ends the program with one line where there is none."""
    folder = ROOT / "data" / name
    if not folder.is_dir():
        raise SystemExit(
            f"the data set {name} is not here: put its files into a folder data/{name} and name the folder "
            "around data/ in SUREFOOT_DATA; the page of this tutorial says where to get them"
        )
    return folder
