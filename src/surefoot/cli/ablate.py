"""``surefoot ablate``: what each part of a recipe buys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.options import (
    ColumnOption,
    EpochsOption,
    GroupsOption,
    JsonOption,
    KindOption,
    RecipeOption,
    SetOption,
    TargetArgument,
    TimeOption,
    WeightsOption,
)
from surefoot.cli.request import recipe_of, task_of

__all__ = ["ablate"]


def ablate(
    target: TargetArgument,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    groups: GroupsOption = None,
    time: TimeOption = None,
    epochs: EpochsOption = None,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="KEY[,KEY...]",
            help="What to leave out: a key, a section, or several together. Repeatable; all levers when left out.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every variant, each with a seed of its own.")] = 3,
    out: Annotated[Path | None, typer.Option("--out", help="Write the measurements to this JSON file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a recipe as it is and without one thing at a time, and say what each bought.

    Quality, seconds, samples a second, use of the device and memory of a step, over several seeds.

    Example:  surefoot ablate digits --set loss.label_smoothing=0.1 --set regularization.l2=1e-4
    """
    from surefoot import files, reports, workflows
    from surefoot.cli.progress import watching
    from surefoot.cli.show import print_json
    from surefoot.errors import OutputError

    if out is not None and out.exists():
        raise OutputError(f"{out} is there already; choose another file")
    task = task_of(target, column, kind, weights, epochs, groups=groups, time=time)
    with watching(f"Leaving things out on {task.name}") as observer:
        found = workflows.ablate(task, recipe_of(recipe, changes), keys=keys, seeds=range(seeds), observer=observer)
    if as_json:
        print_json(found.model_dump())
    typer.echo("\n" + reports.ablation_text(found), err=as_json)
    if out is not None:
        files.write_json(out, found.model_dump())
        typer.echo(f"Wrote {out}", err=True)
    if found.interrupted:
        sys.exit(130)
