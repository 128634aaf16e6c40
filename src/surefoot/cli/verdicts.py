"""Verdicts on a terminal: coloured by how grave they are, as wide as the terminal; plain text anywhere else."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from surefoot import diagnosis
from surefoot.diagnosis import Diagnosed
from surefoot.language import current, retold, say
from surefoot.records import Finding, Study
from surefoot.reports import summary
from surefoot.reports.verdicts import Gravity, gravity, titled, verdicts_text

__all__ = ["echo_summary", "echo_verdicts", "verdict_lines"]

# A sign says without colour what the colour says.
_SIGNS: dict[Gravity, tuple[str, str, str]] = {
    "broken": ("✖", "x", "bold red"),
    "wrong": ("▲", "!", "bold yellow"),
    "doubt": ("?", "?", "bold cyan"),
    "fine": ("✔", "+", "bold green"),
}


def echo_verdicts(logs: Sequence[Diagnosed]) -> None:
    """Print them on standard output; NO_COLOR takes the colours away, a pipe everything but the text."""
    console = Console(highlight=False)
    if not console.is_terminal:
        typer.echo("\n\n".join(verdicts_text(one.name, one.findings, one.left_out) for one in logs))
        return
    for place, one in enumerate(logs):
        if place:
            console.print()
        console.print(Text(one.name, style="bold"), soft_wrap=True)
        console.print(verdict_lines(one.findings, ascii_only=console.options.ascii_only))
        for note in one.left_out:
            console.print(Padding.indent(Text(say("While reading: {what}", what=note), style="dim"), 2))


def echo_summary(study: Study, *, err: bool = False) -> None:
    """Print what a training or a search of ours found, its verdicts as above; they lie in its records in English."""
    if current() != "en":
        study = study.model_copy(update={"findings": tuple(diagnosis.findings(study))})
    console = Console(highlight=False, stderr=err)
    if not console.is_terminal:
        typer.echo("\n" + summary(study), err=err)
        return
    typer.echo("\n" + summary(study, with_findings=False, width=console.width), err=err)
    console.print(verdict_lines(study.findings, with_run=True, ascii_only=console.options.ascii_only))


def verdict_lines(findings: Sequence[Finding], *, with_run: bool = False, ascii_only: bool = False) -> Group:
    """The sign and the name of each, the evidence below it, and what to do."""
    grids = []
    for finding in findings:
        sign, plain_sign, style = _SIGNS[gravity(finding)]
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(overflow="fold")
        title = Text(titled(finding), style=style)
        if with_run and finding.run != "all":
            title.append(f"  {retold(finding.run)}", style="not bold default")
        grid.add_row(Text(plain_sign if ascii_only else sign, style=style), title)
        grid.add_row("", Text(finding.evidence))
        grid.add_row(Text(">" if ascii_only else "→", style="bold"), Text(finding.advice))
        grids.append(Padding.indent(grid, 2))
    return Group(*grids)
