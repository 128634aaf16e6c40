"""The report: one HTML page that opens offline and holds everything it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from surefoot import files
from surefoot.recipe import Recipe
from surefoot.records import Run, Study
from surefoot.reports.explanation import Explanation, explained
from surefoot.reports.figures import losses_figure, rates_figure, tried_figure
from surefoot.reports.probe_figures import range_test_figure
from surefoot.reports.pytorch_code import is_steered, pytorch_code
from surefoot.reports.terminal import forecast_line, metrics_table

__all__ = ["page", "picture", "render", "write_page"]

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("surefoot.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(study: Study, path: Path) -> Path:
    """Write a study's page and give back its path."""
    files.write_text(path, page(study))
    return path


def page(study: Study) -> str:
    """A study as HTML."""
    winner = study.winning_run
    story = explained(study)
    return render(
        "study.html.jinja",
        title=f"{study.task}: {_outcome(study)}",
        study=study,
        winner=winner,
        recipe=Recipe(**study.recipe).to_toml() if study.recipe else "",
        code=pytorch_code(study) if study.recipe else "",
        is_steered=bool(study.recipe) and is_steered(Recipe(**study.recipe)),
        metrics=metrics_table(study),
        rows=[_row(run, study, story) for run in study.runs],
        story=story.lines if study.kind == "tune" else (),
        forecast=forecast_line(study),
        pictures=_pictures(study),
    )


def _outcome(study: Study) -> str:
    if study.winner is None:
        return "no usable model"
    return "a tuned model" if study.kind == "tune" else "a trained model"


def _pictures(study: Study) -> list[dict[str, str]]:
    found = []
    if any(run.evaluations for run in study.runs):
        caption = "Every run: validation full, training dotted. The kept run is thick and blue."
        if not study.objective.chooses:
            caption = "Training loss. No row was held out, so there is no validation loss."
        found.append(picture("Losses", caption, losses_figure(study.runs, winner=study.winner)))
    if study.kind == "tune" and study.winner is not None:
        caption = "A dot a run; the larger, the longer it trained."
        found.append(picture("What was tried, and what it cost", caption, tried_figure(study)))
    if study.probes:
        caption = "One step at each rate; the band is what this alone suggests, the dotted line the rate that diverged."
        found.append(picture("Learning-rate range tests", caption, range_test_figure(study.probes)))
    if study.winning_run is not None:
        found.append(picture("Rate and batch of the kept run", "", rates_figure(study.winning_run)))
    return found


def render(template: str, **context: Any) -> str:
    """A template of this folder, filled."""
    return _ENVIRONMENT.get_template(template).render(plotly=get_plotlyjs(), **context)


def picture(title: str, caption: str, figure: Any) -> dict[str, str]:
    """A figure as JSON that is safe inside a script element."""
    text: str = figure.to_json()
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return {"title": title, "caption": caption, "json": safe}


def _row(run: Run, study: Study, story: Explanation) -> dict[str, Any]:
    settings = run.recipe["optimizer"]
    best = run.best_evaluation
    return {
        "name": run.name,
        "stage": run.stage,
        "optimizer": settings["name"],
        "learning_rate": f"{settings['learning_rate']:.3g}",
        "weight_decay": f"{settings['weight_decay']:.3g}",
        "batch_size": run.recipe["batch"]["size"],
        "value": "" if best is None else f"{run.value:.4f}",
        "status": run.status.replace("_", " "),
        "kept": run.number == study.winner,
        "reason": run.reason,
        "purpose": story.purposes[run.number],
        "fate": story.fates[run.number],
    }
