"""How a command that trained ends: what it shows, and with which exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from surefoot.workflows import Result

__all__ = ["leave", "show"]


def show(result: Result, as_json: bool) -> None:
    """Say what was trained and where it lies, then exit as ``leave`` does."""
    from surefoot.cli.show import print_json
    from surefoot.cli.verdicts import echo_summary
    from surefoot.workflows.output import result_json

    if result.process:  # process 0 shows it
        leave(result)
        return
    if as_json:
        print_json(result_json(result.study))
    echo_summary(result.study, err=as_json)
    if result.stopped_by_person:
        typer.echo(f"Resume    the same command with: --out {result.directory} --resume", err=as_json)
    assert result.directory is not None
    if result.model is not None:
        typer.echo(f"Model     {result.directory}   (in Python: sf.load({str(result.directory)!r}))", err=as_json)
    typer.echo(f"Report    {result.directory / 'report.html'}", err=as_json)
    leave(result)


def leave(*results: Result) -> None:
    """Exit with 130 after a Ctrl-C, with 1 when nothing usable was trained."""
    if any(result.stopped_by_person for result in results):
        sys.exit(130)
    if all(result.status != "completed" for result in results):
        sys.exit(1)
