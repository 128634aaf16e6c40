"""``surefoot refit``: the training that was chosen, once more on every row there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.ending import show
from surefoot.cli.options import (
    ColumnOption,
    EpochsOption,
    JsonOption,
    KindOption,
    LanguageOption,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    TargetArgument,
    WeightsOption,
)
from surefoot.cli.request import place_of, task_of

__all__ = ["refit"]


def refit(
    source: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that tune or fit wrote, or a recipe in TOML.")
    ],
    target: TargetArgument,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Train on the training and the validation rows together, with the recipe that was chosen before.

    The epochs are kept and the weight decay follows the rows; nothing is chosen by a loss, and the end is the model.

    Example:  surefoot refit runs/digits-1 digits --out final
    """
    from surefoot import workflows
    from surefoot.cli.progress import watching
    from surefoot.language import language, say

    task = task_of(target, column, kind, weights, epochs)
    place = place_of(out, task)
    with language(lang):
        with watching(say("Training {task} on all rows", task=task.name), every_look=True) as observer:
            result = workflows.refit(
                source, task, seed=seed, directory=place, resume=resume, overwrite=overwrite, observer=observer
            )
        show(result, as_json)
