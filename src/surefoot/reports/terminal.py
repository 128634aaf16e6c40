"""A result as plain text."""

from __future__ import annotations

from typing import Any

from surefoot.language import say
from surefoot.records import Change, Run, Study
from surefoot.reports.words import in_words

__all__ = ["forecast_line", "metrics_table", "recipe_in_words", "summary"]

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


def summary(study: Study, *, with_findings: bool = True) -> str:
    """The recipe in a line or two, the metrics, the price, the verdicts."""
    lines = []
    if study.recipe:
        lines += [f"Recipe    {recipe_in_words(study)}", ""]
        table = metrics_table(study)
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        lines += ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
        lines.append("")
    allowed = f" (allowed: {study.budget})" if study.budget else ""
    lines.append(f"Price     {study.cost.trainings:.2f} trainings, {study.cost.seconds:.1f} s{allowed}")
    if study.status != "completed":
        lines.append(f"Status    {study.status.replace('_', ' ')}: {study.reason}")
    if forecast_line(study):
        lines.append(f"Expected  {forecast_line(study)}")
    lines += [f"Moved     {line}" for line in _moves(study)]
    for note in study.notes:
        lines.append(f"Note      {note}")
    for finding in study.findings if with_findings else ():
        where = f" ({finding.run})" if finding.run != "all" else ""
        lines.append(f"Finding   {finding.verdict}{where}: {finding.evidence}; {finding.advice}")
    return "\n".join(lines)


def _moves(study: Study) -> list[str]:
    """What moved in the kept run, the last of it; and what a moving batch bought."""
    run = study.winning_run
    if run is None:
        return []
    told = [change for change in run.changes if change.name in _TOLD]
    lines = [f"epoch {change.samples / study.rows['train']:.1f}: {_move(change)}" for change in told[-MOST_MOVES:]]
    if len(told) > MOST_MOVES:
        lines.insert(0, f"{len(told)} times; the last {MOST_MOVES}, and all in the report:")
    return lines + ([f"in the end: {run.remark}"] if run.remark else [])


def _move(change: Change) -> str:
    if change.name == "batch_size":
        return change.reason  # it names the sizes
    return f"{_TOLD[change.name]} {change.before:.4g} to {change.after:.4g}: {change.reason}"


def recipe_in_words(study: Study) -> str:
    """Optimizer, rate, decay, batch, schedule and length in a line."""
    optimizer, batch = study.recipe["optimizer"], study.recipe["batch"]
    schedule, winner = study.recipe["schedule"], study.winning_run
    parts = [
        str(optimizer["name"]),
        say("learning rate {rate:.3g}", rate=optimizer["learning_rate"]),
        say("weight decay {decay:.3g}", decay=optimizer["weight_decay"]),
        _batch_in_words(batch, winner),
        say("{name} schedule", name=schedule["name"])
        + (say(" after a warmup of {share:g} %", share=100 * schedule["warmup"]) if schedule["warmup"] else ""),
    ]
    if winner is not None and winner.share != 1.0:
        epochs, share = study.epochs * winner.share, winner.share
        sentence = "over {epochs:.3g} epochs ({share:.2g} times the task's {asked:g})"
        parts.append(say(sentence, epochs=epochs, share=share, asked=study.epochs))
    return say(", ").join(parts)


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


def _batch_in_words(batch: dict[str, Any], winner: Run | None) -> str:
    """The batch size, and where it went under a policy that moves it."""
    size, reference = batch["size"], ""
    if batch.get("reference_size"):
        reference = say(" (its settings belong to {size})", size=batch["reference_size"])
    if winner is None or not winner.evaluations or batch["policy"] in {"fixed", "full", "single"}:
        return say("batch size {size}", size=size) + reference
    last = winner.evaluations[-1].batch_size
    if last == size:
        return say("batch size {size} by {policy}", size=size, policy=batch["policy"]) + reference
    return say("batch size {size} to {last} by {policy}", size=size, last=last, policy=batch["policy"]) + reference
