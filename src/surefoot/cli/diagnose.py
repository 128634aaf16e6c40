"""``surefoot diagnose``: verdicts on the logs of any tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["diagnose"]


def diagnose(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Log files, or folders of them.")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="ROLE=NAME", help="Which column is what, such as train_loss=my_loss."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Say what went wrong in a training, from the log of any tool.

    Example:  surefoot diagnose history.csv lightning_logs/version_0/metrics.csv
    """
    from surefoot.cli.show import print_json
    from surefoot.diagnosis import read_logs, verdicts
    from surefoot.errors import RequestError
    from surefoot.reports.verdicts import verdicts_text

    named = {}
    for pair in column or []:
        role, mark, name = pair.partition("=")
        if not mark or not name:
            raise RequestError(f'--column takes ROLE=NAME, such as train_loss=my_loss, not "{pair}"')
        named[role.strip()] = name
    found = [(log, verdicts(log)) for path in logs for log in read_logs(path, columns=named)]
    if as_json:
        print_json(
            [
                {"log": log.name, "left_out": list(log.notes), "findings": [one.model_dump() for one in said]}
                for log, said in found
            ]
        )
        return
    typer.echo("\n\n".join(verdicts_text(log.name, said, log.notes) for log, said in found))
