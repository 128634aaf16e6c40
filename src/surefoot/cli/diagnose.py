"""``surefoot diagnose``: verdicts on the logs of any tool."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.options import LanguageOption

if TYPE_CHECKING:
    from surefoot.diagnosis import Diagnosed
    from surefoot.errors import SurefootError

__all__ = ["diagnose"]


def diagnose(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Log files, or folders of them.")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="ROLE=NAME", help="Which column is what, such as train_loss=my_loss."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
    lang: LanguageOption = "en",
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a page (.html) with the curves, or a picture (.png)."),
    ] = None,
) -> None:
    """Say what went wrong in a training, from the log of any tool.

    Examples:  surefoot diagnose history.csv lightning_logs/version_0/metrics.csv  |
    surefoot diagnose history.csv --report page.html
    """
    from surefoot import reports
    from surefoot.cli.show import print_json
    from surefoot.cli.verdicts import echo_verdicts
    from surefoot.errors import RequestError
    from surefoot.language import language

    if page is not None:
        reports.require_report_file(page)
    named = {}
    for pair in column or []:
        role, mark, name = pair.partition("=")
        if not mark or not name:
            raise RequestError(f'--column takes ROLE=NAME, such as train_loss=my_loss, not "{pair}"')
        named[role.strip()] = name
    with language(lang):
        found, refused = _judged(logs, named)
        if as_json:
            print_json([
                {
                    "log": one.name,
                    "left_out": list(one.left_out),
                    "findings": [finding.model_dump() for finding in one.findings],
                }
                for one in found
            ])  # fmt: skip
        elif found:
            echo_verdicts(found)
        if page is not None and found:
            written = reports.write_as(
                page, page=lambda: reports.diagnosis_page(found), pictures=lambda: reports.diagnosis_pictures(found)
            )
            typer.echo(f"Report    {written}", err=as_json)
    for error in refused:
        sys.stderr.write(f"Error: {error}\n")
    if refused:
        raise typer.Exit(2)


def _judged(logs: Sequence[Path], named: Mapping[str, str]) -> tuple[list[Diagnosed], list[SurefootError]]:
    """The verdicts on every log that can be read, and why the others cannot."""
    from surefoot.diagnosis import diagnosed
    from surefoot.errors import SurefootError

    found, refused = [], []
    for path in logs:
        try:
            found += diagnosed(path, columns=named)
        except SurefootError as error:
            refused.append(error)
    return found, refused
