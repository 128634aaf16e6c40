"""``surefoot report``: the page of a result once more, from its records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.options import LanguageOption

__all__ = ["report"]


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that tune, fit or compare wrote.")],
    lang: LanguageOption = "en",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The page (.html), or its pictures (.png); DIR/report.html when left out."
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FOLDER", help="Write its pictures into this folder, too.")
    ] = None,
) -> None:
    """Make the page of a result again, from its records alone.

    Examples:  surefoot report runs/digits-1 --lang zh  |  surefoot report runs/digits-1 --out page.html --png pictures
    """
    from surefoot import reports
    from surefoot.language import language
    from surefoot.workflows.rebuild import read_records

    path = directory / "report.html" if out is None else out
    reports.require_report_file(path)
    if png is not None:
        reports.require_matplotlib()
    records = read_records(directory)
    with language(lang):
        typer.echo(f"Report    {reports.write_as(path, page=records.page, pictures=records.pictures)}")
        for picture in () if png is None else reports.write_pictures(records.pictures, png):
            typer.echo(f"Picture   {picture}")
