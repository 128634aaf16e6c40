"""The report of a study: one HTML page that opens offline and holds everything it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot import diagnosis
from surefoot.language import retold, say
from surefoot.recipe import Recipe
from surefoot.records import Change, Finding, Run, Study
from surefoot.reports.chart import Chart, chart
from surefoot.reports.explanation import explained
from surefoot.reports.figures import has_noise, noise_over_samples, rates_figure
from surefoot.reports.loss_figures import drawn_runs, every_loss_figure, losses_figure
from surefoot.reports.probe_figures import range_test_figure
from surefoot.reports.pytorch_code import is_steered, pytorch_code
from surefoot.reports.recipe_words import recipe_cards
from surefoot.reports.rendering import render
from surefoot.reports.runs_table import runs_table
from surefoot.reports.study_figures import ladder_figure, map_figure, varies_batch
from surefoot.reports.terminal import cost_in_words, forecast_line, metrics_table
from surefoot.reports.thinning import kept_places
from surefoot.reports.words import in_words
from surefoot.reports.writing import write_as

__all__ = ["page", "pictures_of", "write_report"]

# A table of thousands of changes says no more than its most distant ones.
MOST_CHANGES = 200
MOST_ABOUT = 6
_USAGE = """import surefoot as sf

model = sf.load("{folder}")
model.predict(rows)"""


def write_report(study: Study, path: Path) -> Path:
    """Write a study's page, or its pictures below each other, as the path's ending says; give back the path.

    Raises:
        OutputError: the ending is neither .html nor .png, or the file cannot be written.
        MissingExtraError: a picture needs matplotlib, which is not installed.
    """
    return write_as(path, page=lambda: page(study), pictures=lambda: pictures_of(study, diagnosis.findings(study)))


def page(study: Study) -> str:
    """A study as HTML, in the language of the moment; its verdicts are read off its records anew."""
    winner, findings, story = study.winning_run, diagnosis.findings(study), explained(study)
    recipe = Recipe(**study.recipe) if study.recipe else None
    pictures = pictures_of(study, findings)
    moves = _moves(study, winner)
    has_story = study.kind == "tune" and bool(story.lines)
    return render(
        "study.html.jinja",
        title=say("{task}: {outcome}", task=study.task, outcome=_outcome(study)),
        subtitle=_subtitle(study),
        contents=_contents(pictures, has_story=has_story, has_recipe=recipe is not None),
        study=study,
        recipe="" if recipe is None else recipe.to_toml(),
        cards=[] if recipe is None else recipe_cards(study),
        code="" if recipe is None else pytorch_code(study),
        is_steered=recipe is not None and is_steered(recipe),
        metrics=_lines(metrics_table(study), say("part")),
        findings=findings,
        about=_about,
        notes=[retold(note) for note in study.notes],
        runs=runs_table(study, story if has_story else None),
        story=story.lines if has_story else (),
        forecast=forecast_line(study),
        pictures=pictures,
        moves=moves,
        left_out=0 if winner is None else len(winner.changes) - len(moves),
        remark="" if winner is None else retold(winner.remark),
        usage=_USAGE.format(folder=say("the folder of this report")),
    )


def pictures_of(study: Study, findings: Sequence[Finding] = ()) -> dict[str, Chart]:
    """Every picture of a study by a short name: the course of the training first, then how it was found."""
    found: dict[str, Chart] = {}
    winner = study.winning_run
    if any(run.evaluations for run in study.runs):
        found |= _losses(study, findings)
    if winner is not None:
        title = say("Rate and batch of the kept run")
        caption = say("What the optimizer was given at every look, over the samples seen.")
        found["rate-and-batch"] = chart(title, caption, rates_figure(winner))
        if has_noise(winner):
            caption = say("A batch far below the noise scale wastes steps, one far above it wastes samples.")
            found["noise-scale"] = chart(say("Gradient noise scale"), caption, noise_over_samples(winner))
    if study.probes:
        caption = say(
            "One step at each rate; the band is what this alone suggests, the dotted line the rate that diverged."
        )
        found["range-tests"] = chart(say("Learning-rate range tests"), caption, range_test_figure(study.probes))
    if study.kind == "tune" and study.runs:
        found["ladder"] = chart(say("The ladder, and what it cost"), _ladder_caption(study), ladder_figure(study))
        found["map"] = chart(say("What was tried"), _map_caption(study), map_figure(study))
    return found


def _losses(study: Study, findings: Sequence[Finding]) -> dict[str, Chart]:
    """The losses of the kept run, or of the only one; and those of all, where there are several."""
    found: dict[str, Chart] = {}
    alone = study.winning_run or (study.runs[0] if len(study.runs) == 1 else None)
    if alone is not None:
        caption = say("Training loss. No row was held out, so there is no validation loss.")
        if study.objective.chooses:
            caption = say("Validation full, training dotted; the star is where the kept weights are from.")
        title = say("Losses of the kept run") if len(study.runs) > 1 else say("Losses")
        found["losses"] = chart(title, caption, losses_figure(alone, findings=findings))
    if len(study.runs) > 1:
        caption = say("Validation full, training dotted. The kept run is thick and blue.")
        if not study.objective.chooses:
            caption = say("Training loss. No row was held out, so there is no validation loss.")
        left = len(study.runs) - len(drawn_runs(study.runs, study.winner))
        if left:
            caption += say(" {count:,} runs that ended higher or lost their model are left out.", count=left)
        figure = every_loss_figure(study.runs, winner=study.winner)
        found["every-loss"] = chart(say("Losses of every run"), caption, figure)
    return found


def _ladder_caption(study: Study) -> str:
    caption = say("A bar a run, as long as its price; the star is the kept one, the dotted line the best so far.")
    return caption + (say(" The grey part was spent on range tests.") if study.probes else "")


def _map_caption(study: Study) -> str:
    caption = say("A mark a run: its colour is what it reached, its size how long it trained; crosses are lost runs.")
    if varies_batch(study):
        return caption
    size = study.runs[0].recipe["batch"]["size"]
    return caption + say(" All runs had batches of {size}, so the height is the weight decay.", size=size)


def _about(finding: Finding) -> str:
    """The runs that a verdict is about; "" where it is about all of them."""
    names = [retold(name) for name in finding.run.split(", ")]
    if finding.run == "all":
        return ""
    if len(names) > MOST_ABOUT:
        return say("{name} and {count} more", name=names[0], count=len(names) - 1)
    return say(", ").join(names)


def _outcome(study: Study) -> str:
    if study.winner is None:
        return say("no usable model")
    return say("a tuned model") if study.kind == "tune" else say("a trained model")


def _subtitle(study: Study) -> str:
    parts = [
        say("{rows:,} training rows", rows=study.rows["train"]),
        say("{epochs:.4g} epochs a training", epochs=study.epochs),
        say("seed {seed}", seed=study.seed),
    ]
    told = say(", ").join(parts) + say(". Price: {cost}.", cost=cost_in_words(study))
    if study.status == "completed" and not study.reason:
        return told
    reason = say(": ") + retold(study.reason) if study.reason else ""
    return told + say(" Status: {status}{reason}.", status=in_words(study.status), reason=reason)


def _contents(pictures: Mapping[str, Chart], *, has_story: bool, has_recipe: bool) -> list[tuple[str, str]]:
    """What the page holds, for the list at its top."""
    found = [("recipe", say("The recipe")), ("verdicts", say("Verdicts"))]
    found += [("why", say("Why this one"))] if has_story else []
    found += [(place, item.title) for place, item in pictures.items()]
    found.append(("runs", say("Every run")))
    return [*found, ("use", say("Use the model")), ("code", say("Code"))] if has_recipe else found


def _lines(table: Sequence[Sequence[str]], corner: str) -> list[Any]:
    """A head and lines as the template's table takes them, with a word in the empty corner."""
    return [[corner, *table[0][1:]], *({"cells": line, "kept": False} for line in table[1:])]


def _moves(study: Study, winner: Run | None) -> list[dict[str, Any]]:
    """The settings that moved in the kept run; of thousands, those that went furthest."""
    changes = () if winner is None else winner.changes
    if len(changes) > MOST_CHANGES:
        kept = kept_places([change.after for change in changes], MOST_CHANGES)
        changes = tuple(changes[place] for place in kept)
    return [{"cells": _move(change, study.rows["train"]), "kept": False} for change in changes]


def _move(change: Change, rows: int) -> list[str]:
    epoch = f"{change.samples / max(1, rows):.2f}"
    name = in_words(change.name)
    return [epoch, name, f"{change.before:.4g}", f"{change.after:.4g}", retold(change.reason)]
