"""A result as plain text, in the language of the moment."""

from __future__ import annotations

import functools

from surefoot.language import retold, say
from surefoot.records import Change, Study
from surefoot.reports import in_columns
from surefoot.reports.in_columns import TEXT_WIDTH, table
from surefoot.reports.recipe_words import recipe_in_words
from surefoot.reports.words import in_words

__all__ = ["cost_in_words", "forecast_line", "metrics_table", "summary"]

_PARTS = ("train", "validation", "test")
# The changes a summary tells, in words; what is coupled to them stands in the report.
_TOLD = {
    "batch_size": "batch",
    "micro_batch": "rows at once",
    "loss_scale": "loss scale",
    "rate_multiplier": "rate multiplied by",
    "rate_factor": "after a blow-up, rate multiplied by",
}
MOST_MOVES = 4


def metrics_table(study: Study) -> list[list[str]]:
    """Metrics by part: a header line, then a line a part; the loss first."""
    names = sorted({key.split("_", 1)[1] for key in study.metrics}, key=lambda name: (name != "loss", name))
    lines = [["", *(in_words(name) for name in names), say("rows")]]
    for part in _PARTS:
        values = [study.metrics.get(f"{part}_{name}") for name in names]
        if any(value is not None for value in values):
            cells = ["" if value is None else f"{value:.4f}" for value in values]
            lines.append([in_words(part), *cells, f"{study.rows[part]:,}"])
    return lines


def summary(study: Study, *, with_findings: bool = True, width: int = TEXT_WIDTH) -> str:
    """The recipe in a line or two, the metrics, the price, the verdicts; in lines of so many letters."""
    labelled = functools.partial(in_columns.labelled, width=width)
    lines = []
    if study.recipe:
        lines += [labelled(say("Recipe"), recipe_in_words(study)), "", *table(metrics_table(study)), ""]
    lines.append(labelled(say("Price"), cost_in_words(study)))
    if study.status != "completed":
        lines.append(labelled(say("Status"), f"{in_words(study.status)}{say(': ')}{retold(study.reason)}"))
    if forecast_line(study):
        lines.append(labelled(say("Expected"), forecast_line(study)))
    lines += [labelled(say("Moved"), line) for line in _moves(study)]
    lines += [labelled(say("Note"), retold(note)) for note in study.notes]
    for finding in study.findings if with_findings else ():
        where = say(" ({run})", run=retold(finding.run)) if finding.run != "all" else ""
        said = f"{say(finding.verdict)}{where}{say(': ')}{finding.evidence}{say('; ')}{finding.advice}"
        lines.append(labelled(say("Finding"), said))
    return "\n".join(lines)


def cost_in_words(study: Study) -> str:
    """What was spent, and what was allowed."""
    spent = say("{price:.2f} trainings, {seconds:.1f} s", price=study.cost.trainings, seconds=study.cost.seconds)
    return spent + (say(" (allowed: {budget})", budget=retold(study.budget)) if study.budget else "")


def _moves(study: Study) -> list[str]:
    """What moved in the kept run, the last of it; and what a moving batch bought."""
    run = study.winning_run
    if run is None:
        return []
    told = [change for change in run.changes if change.name in _TOLD]
    lines = [
        say("epoch {at:.1f}: {what}", at=change.samples / study.rows["train"], what=_move(change))
        for change in told[-MOST_MOVES:]
    ]
    if len(told) > MOST_MOVES:
        lines.insert(0, say("{count} times; the last {last}, and all in the report:", count=len(told), last=MOST_MOVES))
    return lines + ([say("in the end: {remark}", remark=retold(run.remark))] if run.remark else [])


def _move(change: Change) -> str:
    if change.name == "batch_size":
        return retold(change.reason)  # it names the sizes
    name, reason = say(_TOLD[change.name]), retold(change.reason)
    sentence = "{name} {before:.4g} to {after:.4g}: {reason}"
    return say(sentence, name=name, before=change.before, after=change.after, reason=reason)


def forecast_line(study: Study) -> str:
    """The recipe of a whole training that the budget had no room for, and where it is expected to end; or ""."""
    forecast = study.forecast
    if forecast is None:
        return ""
    optimizer = forecast.recipe["optimizer"]
    line = say(
        "a whole training takes learning rate {rate:.3g}, weight decay {decay:.3g} (full_recipe.toml)",
        rate=optimizer["learning_rate"],
        decay=optimizer["weight_decay"],
    )
    if forecast.value is None:
        return line
    end = say(
        "; its validation loss should end near {value:.3g} ({low:.3g} to {high:.3g})",
        value=forecast.value,
        low=forecast.low,
        high=forecast.high,
    )
    return line + end
