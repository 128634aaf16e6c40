"""The page of a comparison: one table, all curves, what a grid came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from surefoot import diagnosis, files
from surefoot.language import retold, say
from surefoot.recipe import Recipe
from surefoot.records import SCHEMA_VERSION, Finding, Study, ranked
from surefoot.reports.chart import Chart, chart
from surefoot.reports.comparison_figures import curves_figure, heat_figure, line_figure
from surefoot.reports.grid import Grid
from surefoot.reports.rendering import render
from surefoot.reports.words import in_words

__all__ = ["comparison_page", "comparison_pictures", "write_comparison"]

_PARTS = ("train", "validation", "test")
_TITLES = {"train_loss": "Training loss", "validation_loss": "Validation loss", "test_loss": "Test loss"}
_CAPTIONS = {
    "train_loss": "The mean over the batches of an epoch, measured while the weights moved.",
    "validation_loss": "What chooses between recipes, and which weights of a run are kept.",
    "test_loss": "For looking, not for choosing: what was chosen by it would look better than it is.",
}


def write_comparison(
    studies: Mapping[str, Study], directory: Path, *, grid: Grid | None = None, remarks: Mapping[str, str] | None = None
) -> None:
    """Write one page with all curves and all numbers, and the numbers as JSON.

    Args:
        studies: by name.
        directory: receives ``report.html`` and ``result.json``.
        grid: where the recipes are one.
        remarks: what to see in a recipe's curves, by its name.
    """
    results = {
        name: {
            "status": study.status,
            "metrics": study.metrics,
            "cost": study.cost.model_dump(),
            "recipe": study.recipe,
        }
        for name, study in studies.items()
    }
    axes = None if grid is None else {key: list(values) for key, values in grid.axes.items()}
    files.write_text(directory / "report.html", comparison_page(studies, grid=grid, remarks=remarks))
    record = {"schema_version": SCHEMA_VERSION, "results": results, "grid": axes, "is_lesson": bool(remarks)}
    files.write_json(directory / "result.json", record)


def comparison_page(
    studies: Mapping[str, Study], *, grid: Grid | None = None, remarks: Mapping[str, str] | None = None
) -> str:
    """A comparison as HTML, in the language of the moment."""
    first = next(iter(studies.values()))
    names, best = _shown_metrics(studies), _best(studies)
    pictures = comparison_pictures(studies, grid=grid)
    remarks = {name: remark for name, remark in (remarks or {}).items() if name in studies}
    contents = [("results", say("Results"))] + ([("see", say("What to see"))] if remarks else [])
    contents += [("verdicts", say("Verdicts")), *((place, item.title) for place, item in pictures.items())]
    found = [(retold(name), one) for name, study in studies.items() for one in diagnosis.findings(study)]
    return render(
        "comparison.html.jinja",
        title=say("{task}: {count} recipes side by side", task=first.task, count=len(studies)),
        contents=[*contents, ("recipes", say("The recipes"))],
        head=[
            say("recipe") if grid is None else grid.title(),
            *(in_words(name) for name in names), say("steps"), say("seconds"), say("status"),
        ],
        rows=[
            {"cells": _cells(name, study, names, grid), "kept": name == best} for name, study in studies.items()
        ],
        remarks=remarks,
        held_out=first.rows.get("test") or first.rows.get("validation"),
        pictures=pictures,
        findings=_alike((name, one) for name, one in found if one.verdict != "nothing wrong"),
        fine=[name for name, one in found if one.verdict == "nothing wrong"],
        recipes={retold(name): _toml(study) for name, study in studies.items()},
    )  # fmt: skip


def _alike(found: Iterable[tuple[str, Finding]]) -> dict[str, list[tuple[str, Finding]]]:
    """Verdicts with the names of their recipes, by what they are called."""
    groups: dict[str, list[tuple[str, Finding]]] = {}
    for name, finding in found:
        groups.setdefault(finding.verdict, []).append((name, finding))
    return groups


def _best(studies: Mapping[str, Study]) -> str:
    """The name of the recipe with the best objective; "" where none completed."""
    order = ranked([study.runs[0] for study in studies.values() if study.status == "completed" and study.runs])
    return next((name for name, study in studies.items() if order and study.runs[:1] == (order[0],)), "")


def _toml(study: Study) -> str:
    return Recipe(**study.recipe).to_toml() if study.recipe else ""


def _shown_metrics(studies: Mapping[str, Study]) -> list[str]:
    """Losses, and the other metrics of the test part, or of the validation part where there is none."""
    measured = {name for study in studies.values() for name in study.metrics}
    last = "test_" if any(name.startswith("test_") for name in measured) else "validation_"
    return sorted((name for name in measured if name.endswith("_loss") or name.startswith(last)), key=_order)


def _cells(name: str, study: Study, metrics: Sequence[str], grid: Grid | None) -> list[str]:
    run = study.runs[0]
    label = retold(name) if grid is None else grid.short_names().get(name, name)
    values = [_value(study.metrics[metric]) if metric in study.metrics else "" for metric in metrics]
    return [label, *values, f"{run.steps:,}", f"{run.seconds:.2f}", in_words(study.status)]


def _value(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10000 else f"{value:.3g}"


def _order(metric: str) -> tuple[bool, str, int]:
    """Losses before other metrics, the training part before the others."""
    part, _, name = metric.partition("_")
    return name != "loss", name, _PARTS.index(part) if part in _PARTS else len(_PARTS)


def _losses(studies: Mapping[str, Study]) -> list[str]:
    """The losses that the looks measured; the test part may be absent."""
    looks = [look for study in studies.values() for run in study.runs for look in run.evaluations]
    return ["train_loss", *(name for name in list(_TITLES)[1:] if any(name in look.metrics for look in looks))]


def comparison_pictures(studies: Mapping[str, Study], *, grid: Grid | None = None) -> dict[str, Chart]:
    """Every picture of a comparison by a short name: what a grid came to, then the curves."""
    return {**_grid_pictures(grid, studies), **_curves(grid, studies)}


def _curves(grid: Grid | None, studies: Mapping[str, Study]) -> dict[str, Chart]:
    labels = grid.short_names() if grid is not None else None
    legend = say(" The legend names {axes}.", axes=grid.title()) if grid is not None else ""
    found = {}
    for measure in _losses(studies):
        figure = curves_figure(studies, measure, labels=labels)
        found[measure.replace("_", "-")] = chart(say(_TITLES[measure]), say(_CAPTIONS[measure]) + legend, figure)
    last = _losses(studies)[-1]
    if last != "train_loss":
        title = say("{loss} against seconds", loss=say(_TITLES[last]))
        caption = say(
            "The same curve against the clock, looks at the data included: where a step is dear, epochs mislead."
        )
        found["seconds"] = chart(title, caption, curves_figure(studies, last, clock="seconds", labels=labels))
    return found


def _grid_pictures(grid: Grid | None, studies: Mapping[str, Study]) -> dict[str, Chart]:
    """Loss and time over a grid of one or two axes; with more, the table and the curves say it."""
    if grid is None or len(grid.axes) > 2:
        return {}
    held = [
        name for name in ("validation_loss", "test_loss") if any(name in study.metrics for study in studies.values())
    ]
    caption = say("Of the weights that were kept.")
    if len(grid.axes) == 1:
        losses, seconds = line_figure(grid, studies, ["train_loss", *held]), line_figure(grid, studies, ["seconds"])
        return {
            "grid-loss": chart(say("Loss over {axes}", axes=grid.title()), caption, losses),
            "grid-seconds": chart(say("Seconds over {axes}", axes=grid.title()), "", seconds),
        }
    found = {}
    for measure in (*held, "seconds"):
        title = say(
            "{measure} over {first} and {second}",
            measure=say(_TITLES.get(measure, "Seconds")), first=grid.words(0), second=grid.words(1),
        )  # fmt: skip
        what = say("Looks at the data included.") if measure == "seconds" else caption
        figure = heat_figure(grid, studies, measure)
        found[f"grid-{measure.replace('_', '-')}"] = chart(
            title, f"{what} {say('Bright is low, dark is high.')}", figure
        )
    return found
