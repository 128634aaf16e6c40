"""``surefoot diagnose``: verdicts on the logs of any tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.options import LanguageOption

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
    from surefoot.diagnosis import diagnosed
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
        found = [one for path in logs for one in diagnosed(path, columns=named)]
        if as_json:
            print_json([
                {
                    "log": one.name,
                    "left_out": list(one.left_out),
                    "findings": [finding.model_dump() for finding in one.findings],
                }
                for one in found
            ])  # fmt: skip
        else:
            echo_verdicts(found)
        if page is not None:
            written = reports.write_as(
                page, page=lambda: reports.diagnosis_page(found), pictures=lambda: reports.diagnosis_pictures(found)
            )
            typer.echo(f"Report    {written}", err=as_json)
