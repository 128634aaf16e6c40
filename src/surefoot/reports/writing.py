"""A report in a file: a page or a picture, as the file's ending says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surefoot import files
from surefoot.errors import OutputError
from surefoot.reports.picture_files import Make, require_matplotlib, write_sheet

__all__ = ["require_report_file", "write_as"]

PAGES, PICTURE = (".html", ".htm"), ".png"


def write_as(path: Path, *, page: Callable[[], str], pictures: Make) -> Path:
    """Write a page (.html), or all its pictures below each other (.png), and give back the path.

    Args:
        path: where it goes; its ending decides.
        page: makes the HTML.
        pictures: makes the charts.

    Raises:
        OutputError: another ending, or nothing can be written there; in one line.
        MissingExtraError: a picture needs matplotlib, which is not installed.
    """
    require_report_file(path)
    if path.suffix.lower() == PICTURE:
        return write_sheet(pictures, path)
    try:
        files.write_text(path, page())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    return path


def require_report_file(path: Path) -> None:
    """Refuse a path that is no page and no picture, before anything is made for it.

    Raises:
        OutputError: another ending than .html and .png, or a folder.
        MissingExtraError: a picture needs matplotlib, which is not installed.
    """
    if path.suffix.lower() not in (*PAGES, PICTURE):
        raise OutputError(f'a report ends in .html or .png, not "{path.name}"')
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    if path.suffix.lower() == PICTURE:
        require_matplotlib()
