"""What a person types. Everything heavy is imported inside the commands, so that ``--help`` is immediate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.ablate import ablate
from surefoot.cli.diagnose import diagnose
from surefoot.cli.ending import leave, show
from surefoot.cli.options import (
    ColumnOption,
    EpochsOption,
    GroupsOption,
    JsonOption,
    KindOption,
    LanguageOption,
    OutOption,
    OverwriteOption,
    RecipeOption,
    ResumeOption,
    SeedOption,
    SetOption,
    TargetArgument,
    TensorBoardOption,
    TimeOption,
    WeightsOption,
)
from surefoot.cli.refit import refit
from surefoot.cli.report import report
from surefoot.cli.request import observers_of, place_of, recipe_of, task_of
from surefoot.cli.rescale import rescale
from surefoot.cli.use import export, measure

if TYPE_CHECKING:
    from surefoot.recipe import Recipe

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def about(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Find the learning rate and the batch size of a training, train the model, and say why.

    Start with: surefoot tune digits
    """
    if version:
        from surefoot import __version__

        typer.echo(f"surefoot {__version__}")
        raise typer.Exit


@app.command()
def tune(
    target: TargetArgument,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    groups: GroupsOption = None,
    time: TimeOption = None,
    budget: Annotated[
        str,
        typer.Option(help="What it may cost: trainings, such as 2 or 0.5, or a time, such as 90s, 5min or 1h."),
    ] = "2",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    workers: Annotated[
        int, typer.Option("--workers", help="Make runs side by side in so many processes, one thread each.")
    ] = 0,
    searcher: Annotated[
        str | None,
        typer.Option(
            "--searcher",
            help="Another search than ours: optuna:TPESampler, optuna:TPESampler,pruner=HyperbandPruner, ...",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="Keep the ledger in a database, such as postgresql://..."),
    ] = None,
    as_json: JsonOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Find a recipe and train the model, for the price of two trainings.

    A learning-rate range test looks for the right rates, a few short trainings try them, one long training ends the
    search. The best model of all is kept, with a report.

    Examples:  surefoot tune digits  |  surefoot tune houses.csv --target price  |  surefoot tune my_model.py:task
    """
    from surefoot import workflows
    from surefoot.cli.progress import watching
    from surefoot.language import language, say
    from surefoot.tuning import Budget

    limit = Budget.parse(budget)
    task = task_of(target, column, kind, weights, epochs, groups=groups, time=time)
    base = recipe_of(recipe, changes)
    place = place_of(out, task)
    with language(lang):
        with watching(say("Tuning {task}", task=task.name), budget=limit) as observer:
            result = workflows.tune(
                task, budget=budget, seed=seed, directory=place, recipe=base, resume=resume, overwrite=overwrite,
                observer=observer, workers=workers, searcher=searcher, storage=storage,
            )  # fmt: skip
        show(result, as_json)


@app.command()
def fit(
    target: TargetArgument,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    groups: GroupsOption = None,
    time: TimeOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    tensorboard: TensorBoardOption = None,
    as_json: JsonOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Train one recipe and print the losses of every epoch.

    Examples:  surefoot fit digits  |  surefoot fit iris --set optimizer.name=sgd --set optimizer.learning_rate=0.1
    """
    from surefoot import workflows
    from surefoot.cli.progress import watching
    from surefoot.language import language, say

    task = task_of(target, column, kind, weights, epochs, groups=groups, time=time)
    base = recipe_of(recipe, changes)
    place = place_of(out, task)
    with language(lang):
        with watching(say("Training {task}", task=task.name), every_look=True) as observer:
            result = workflows.fit(
                task, base, seed=seed, directory=place, resume=resume, overwrite=overwrite,
                observer=observers_of(observer, tensorboard),
            )  # fmt: skip
        show(result, as_json)


@app.command()
def probe(
    target: TargetArgument,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    groups: GroupsOption = None,
    time: TimeOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write what was measured: a page (.html) or a picture (.png).")
    ] = None,
    as_json: JsonOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Measure in seconds which learning rate fits this model.

    One step is taken at each of many rates, from far too small to far too large; the model is not changed by it.

    Examples:  surefoot probe digits  |  surefoot probe digits --set optimizer.name=sgd --plot probe.html
    """
    from surefoot import reports, workflows
    from surefoot.cli.show import print_json
    from surefoot.language import language, say

    if plot is not None:
        reports.require_probe_file(plot)
    task = task_of(target, column, kind, weights, epochs, groups=groups, time=time)
    record = workflows.probe(task, recipe_of(recipe, changes), seed=seed).record
    if as_json:
        print_json(record.model_dump())
    with language(lang):
        if not as_json:
            typer.echo(reports.probe_text(record))
        if plot is not None:
            typer.echo(say("Wrote {path}", path=reports.write_probe(record, plot)), err=as_json)


@app.command()
def compare(
    target: TargetArgument,
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=FILE ...]", help="Recipes in TOML, each with a name.", show_default=False),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=V1,V2,...",
            help="Values of one key, such as batch.size=16,64. Repeatable: every combination is tried.",
        ),
    ] = None,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    groups: GroupsOption = None,
    time: TimeOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    tensorboard: TensorBoardOption = None,
    as_json: JsonOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Train several recipes side by side and draw all curves, training and test, on one page.

    Without recipes: the classic lesson of full batch, single sample, mini-batch, decay on plateau and L2.

    Examples:  surefoot compare iris  |  surefoot compare digits slow=slow.toml fast=fast.toml  |
    surefoot compare iris --grid optimizer.learning_rate=.01,.1 --grid batch.size=8,32
    """
    from surefoot import reports, workflows
    from surefoot.cli.progress import watching
    from surefoot.cli.show import comparison_json, comparison_text, grid_axes, print_json
    from surefoot.language import language, say

    axes = grid_axes(grid or [])
    chosen, base = _compared(recipes or [], axes, recipe, changes)
    task = task_of(target, column, kind, weights, epochs, groups=groups, time=time)
    place = place_of(out, task)
    with language(lang), watching(say("Comparing recipes on {task}", task=task.name), every_look=not axes) as observer:
        results = workflows.compare(
            task, chosen, grid=axes or None, recipe=base, seed=seed, directory=place, overwrite=overwrite,
            observer=observers_of(observer, tensorboard),
        )  # fmt: skip
    if as_json:
        print_json(comparison_json(results))
    folders = [result.directory for result in results.values() if result.directory is not None]
    with language(lang):
        typer.echo("\n" + comparison_text(results, axes), err=as_json)
        page = str(folders[0].parent / "report.html")
        typer.echo(reports.labelled(say("Report"), page, width=None), err=as_json)
    leave(*results.values())


@app.command()
def predict(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that tune or fit wrote.")],
    table: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV file with the columns of training, or rows in a .npy file."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Write the predictions to this CSV file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of CSV.")] = False,
) -> None:
    """Predict new rows with a model that was tuned or trained.

    Example:  surefoot predict runs/houses-1 new_houses.csv --out predicted.csv
    """
    from surefoot.cli.show import predictions, print_json, to_csv, write_predictions
    from surefoot.errors import OutputError

    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out} is there already; --overwrite writes over it")
    rows = predictions(directory, table)
    if out is not None:
        write_predictions(out, to_csv(rows))
        typer.echo(f"Wrote {len(rows):,} predictions to {out}", err=True)
    elif as_json:
        print_json(rows)
    else:
        typer.echo(to_csv(rows), nl=False)


@app.command()
def schedule(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A schedule, as in a recipe; --list says which.", show_default=False),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One argument, such as floor=0.1 or warmup=0.1. Repeatable."),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write a picture: .png, .svg or .pdf.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Say which schedules there are and what they take.")] = False,
) -> None:
    """Draw a learning-rate schedule before training with it.

    Examples:  surefoot schedule --list  |  surefoot schedule cosine --set floor=0.1 --plot cosine.png
    """
    from surefoot.cli.schedule import listing, shown
    from surefoot.errors import RequestError

    if list_all:
        typer.echo(listing())
    elif name is None:
        raise RequestError("which schedule? Give a name, as in: surefoot schedule cosine; or see them all with --list")
    else:
        typer.echo(shown(name, changes or [], plot=plot))


app.command()(ablate)
app.command()(diagnose)
app.command()(report)
app.command()(rescale)
app.command()(refit)
app.command()(export)
app.command()(measure)


def _compared(
    named: list[str], axes: dict[str, list[Any]], path: Path | None, changes: list[str] | None
) -> tuple[dict[str, Recipe] | None, Recipe | None]:
    """The recipes with names, and the recipe that a grid starts from; two times None is the lesson."""
    from surefoot.cli.show import named_recipes
    from surefoot.errors import RecipeError

    if named and axes:
        raise RecipeError("give recipes as NAME=FILE or a --grid, not both")
    if axes:
        return None, recipe_of(path, changes)
    if path is not None or changes:
        raise RecipeError("--recipe and --set are what a --grid starts from; without one give NAME=FILE ...")
    return (named_recipes(named) or None), None
