"""Pictures that are drawn from the code they show, so that they cannot go stale.

They lie under docs/pictures/, where code hosts find them. Every build of the site draws them again and stops where one
on disk is not what the code draws. Run as a program, this writes them: `make pictures`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import batch_pictures
import schedule_pictures

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NEAR = 0.25  # pixels: another machine may round another way


def on_pre_build(**_: Any) -> None:
    """Hold the pictures on disk against the code.

    Raises:
        PluginError: one is missing or stale.
    """
    from mkdocs.exceptions import PluginError

    stale = [path for path, text in drawn().items() if not (path.is_file() and is_same(path.read_text("utf-8"), text))]
    if stale:
        names = ", ".join(path.relative_to(FOLDER).as_posix() for path in stale)
        raise PluginError(f"not what the code draws any more: {names} in docs/pictures. Run: make pictures")


def drawn() -> dict[Path, str]:
    """Every picture by its file."""
    groups = {"schedules": schedule_pictures.pictures(), "batching": batch_pictures.pictures()}
    return {FOLDER / group / f"{name}.svg": text for group, found in groups.items() for name, text in found.items()}


def is_same(one: str, other: str) -> bool:
    """Whether two pictures look alike.

    >>> is_same('<circle cx="1.0"/>', '<circle cx="1.1"/>'), is_same('<circle cx="1.0"/>', '<circle cx="9.0"/>')
    (True, False)
    """
    numbers = [_NUMBER.findall(text) for text in (one, other)]
    if _NUMBER.sub("", one) != _NUMBER.sub("", other) or len(numbers[0]) != len(numbers[1]):
        return False
    pairs = zip(*numbers, strict=True)
    return all(math.isclose(float(left), float(right), abs_tol=_NEAR, rel_tol=0) for left, right in pairs)


if __name__ == "__main__":
    for path, picture in drawn().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8")
