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
    from surefoot.language import say
    from surefoot.reports import labelled
    from surefoot.workflows.output import result_json

    if result.process:  # process 0 shows it
        leave(result)
        return
    if as_json:
        print_json(result_json(result.study))
    echo_summary(result.study, err=as_json)
    assert result.directory is not None
    place = str(result.directory)
    if result.stopped_by_person:
        again = say("the same command with: --out {directory} --resume", directory=place)
        typer.echo(labelled(say("Resume"), again, width=None), err=as_json)
    if result.model is not None:
        loaded = say("{directory}   (in Python: sf.load({name!r}))", directory=place, name=place)
        typer.echo(labelled(say("Model"), loaded, width=None), err=as_json)
    typer.echo(labelled(say("Report"), str(result.directory / "report.html"), width=None), err=as_json)
    leave(result)


def leave(*results: Result) -> None:
    """Exit with 130 after a Ctrl-C, with 1 when nothing usable was trained."""
    if any(result.stopped_by_person for result in results):
        sys.exit(130)
    if all(result.status != "completed" for result in results):
        sys.exit(1)
