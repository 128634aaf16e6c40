"""``surefoot rescale``: a recipe for another batch size, on standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["rescale"]


def rescale(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="The recipe that works now.")],
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Rows a step from now on.")],
    noise_scale: Annotated[
        float | None,
        typer.Option("--noise-scale", help="The measured gradient noise scale in samples; the rate stops there."),
    ] = None,
    learning_rate_limit: Annotated[
        float | None, typer.Option("--learning-rate-limit", help="The highest rate known to be stable.")
    ] = None,
    coupling: Annotated[
        Literal["none", "linear", "sqrt", "adascale"] | None,
        typer.Option("--coupling", help="How the rate follows; the optimizer's usual rule when left out."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Training rows; needed when the recipe leaves batch.size out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the recipe and the reasons as JSON.")] = False,
) -> None:
    """Give the recipe for another batch size, with every change and its reason.

    The recipe is printed as TOML, the reasons above it as comments, so that it can be written into a file as it is.

    Example:  surefoot rescale small.toml --batch-size 256 > large.toml
    """
    from surefoot.cli.show import print_json
    from surefoot.recipe import Recipe
    from surefoot.rescaling import rescale as rescaled

    found, reasons = rescaled(
        Recipe.from_file(recipe),
        batch_size=batch_size,
        noise_scale=noise_scale,
        learning_rate_limit=learning_rate_limit,
        coupling=coupling,
        num_rows=rows,
    )
    if as_json:
        print_json({"recipe": found.to_dict(), "reasons": reasons})
        return
    typer.echo("".join(f"# {reason}\n" for reason in reasons) + "\n" + found.to_toml(), nl=False)
