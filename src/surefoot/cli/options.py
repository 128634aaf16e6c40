"""The arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "TARGET_HELP",
    "ColumnOption",
    "EpochsOption",
    "GroupsOption",
    "JsonOption",
    "KindOption",
    "LanguageOption",
    "OutOption",
    "OverwriteOption",
    "RecipeOption",
    "ResumeOption",
    "SeedOption",
    "SetOption",
    "TargetArgument",
    "TensorBoardOption",
    "TimeOption",
    "WeightsOption",
]

TARGET_HELP = (
    "What to train on: a built-in task (digits, iris, wine, breast_cancer, diabetes), "
    "a table.csv together with --target, or my_model.py:name for a surefoot.Task of your own."
)
TargetArgument = Annotated[str, typer.Argument(metavar="TARGET", help=TARGET_HELP, show_default=False)]
ColumnOption = Annotated[str | None, typer.Option("--target", help="The column of the table to predict.")]
KindOption = Annotated[
    Literal["classification", "regression"] | None,
    typer.Option(help="What the target of a table is; guessed when left out."),
]
WeightsOption = Annotated[
    str | None, typer.Option("--weights", help="The column of the table that says how much a row counts.")
]
GroupsOption = Annotated[
    str | None,
    typer.Option(
        "--groups", help="The column of the table whose rows with one value stay in one part, such as a customer."
    ),
]
TimeOption = Annotated[
    str | None,
    typer.Option("--time", help="The column of the table that says when: the oldest rows train, the newest test."),
]
EpochsOption = Annotated[
    float | None,
    typer.Option(help="Passes over the training rows in one full training; the task's own when left out."),
]
SeedOption = Annotated[int, typer.Option(help="The same seed on the same machine gives the same result.")]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="A recipe in TOML; what it leaves out takes a default.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one key of the recipe, such as batch.size=64. Repeatable."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="The folder for the result; a new one under runs/ when left out.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with what is in --out, after a stop of any kind.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Remove an earlier result from --out first.")]
TensorBoardOption = Annotated[
    Path | None, typer.Option("--tensorboard", metavar="DIR", help="Write losses, rate and batch size for TensorBoard.")
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON on standard output, all else on standard error."),
]
LanguageOption = Annotated[
    Literal["en", "zh"],
    typer.Option("--lang", help="The language of what is printed and of pages."),
]
