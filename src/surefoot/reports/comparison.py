"""The page of a comparison: one table, all curves, what a grid came to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.recipe import Recipe
from surefoot.records import SCHEMA_VERSION, Study
from surefoot.reports.comparison_figures import curves_figure, heat_figure, line_figure
from surefoot.reports.grid import Grid
from surefoot.reports.page import picture, render

__all__ = ["write_comparison"]

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
    first = next(iter(studies.values()))
    measured = {name for study in studies.values() for name in study.metrics}
    last = "test_" if any(name.startswith("test_") for name in measured) else "validation_"
    content = render(
        "comparison.html.jinja",
        title=f"{first.task}: {len(studies)} recipes side by side",
        studies=studies,
        names=sorted((name for name in measured if name.endswith("_loss") or name.startswith(last)), key=_order),
        remarks=remarks or {},
        head="recipe" if grid is None else grid.title(),
        labels={} if grid is None else grid.short_names(),
        pictures=[*_grid_pictures(grid, studies), *_curves(grid, studies)],
        recipes={name: Recipe(**study.recipe).to_toml() if study.recipe else "" for name, study in studies.items()},
    )
    results = {
        name: {
            "status": study.status,
            "metrics": study.metrics,
            "cost": study.cost.model_dump(),
            "recipe": study.recipe,
        }
        for name, study in studies.items()
    }
    files.write_text(directory / "report.html", content)
    files.write_json(directory / "result.json", {"schema_version": SCHEMA_VERSION, "results": results})


def _order(metric: str) -> tuple[bool, str, int]:
    """Losses before other metrics, the training part before the others."""
    part, _, name = metric.partition("_")
    return name != "loss", name, _PARTS.index(part) if part in _PARTS else len(_PARTS)


def _losses(studies: Mapping[str, Study]) -> list[str]:
    """The losses that the looks measured; the test part may be absent."""
    looks = [look for study in studies.values() for run in study.runs for look in run.evaluations]
    return ["train_loss", *(name for name in list(_TITLES)[1:] if any(name in look.metrics for look in looks))]


def _curves(grid: Grid | None, studies: Mapping[str, Study]) -> list[dict[str, str]]:
    labels = grid.short_names() if grid is not None else None
    legend = f" The legend names {grid.title()}." if grid is not None else ""
    found = []
    for measure in _losses(studies):
        figure = curves_figure(studies, measure, labels=labels)
        found.append(picture(_TITLES[measure], _CAPTIONS[measure] + legend, figure))
    last = _losses(studies)[-1]
    if last != "train_loss":
        caption = "The same curve against the clock, looks at the data included: where a step is dear, epochs mislead."
        found.append(picture(f"{_TITLES[last]} against seconds", caption, _timed(studies, last, labels)))
    return found


def _timed(studies: Mapping[str, Study], measure: str, labels: Mapping[str, str] | None) -> Any:
    return curves_figure(studies, measure, clock="seconds", labels=labels)


def _grid_pictures(grid: Grid | None, studies: Mapping[str, Study]) -> list[dict[str, str]]:
    """Loss and time over a grid of one or two axes; with more, the table and the curves say it."""
    if grid is None or len(grid.axes) > 2:
        return []
    held = [
        name for name in ("validation_loss", "test_loss") if any(name in study.metrics for study in studies.values())
    ]
    caption = "Of the weights that were kept."
    if len(grid.axes) == 1:
        losses = line_figure(grid, studies, ["train_loss", *held])
        return [
            picture(f"Loss over {grid.title()}", caption, losses),
            picture(f"Seconds over {grid.title()}", "", line_figure(grid, studies, ["seconds"])),
        ]
    where = f"over {grid.words(0)} and {grid.words(1)}"
    return [
        picture(
            f"{_TITLES.get(measure, 'Seconds')} {where}",
            f"{caption} Dark is more." if measure != "seconds" else "Looks at the data included. Dark is more.",
            heat_figure(grid, studies, measure),
        )
        for measure in (*held, "seconds")
    ]
