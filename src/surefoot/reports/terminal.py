"""A result as plain text."""

from __future__ import annotations

from typing import Any

from surefoot.records import Change, Run, Study

__all__ = ["forecast_line", "metrics_table", "summary"]

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
    lines = [["", *names, "rows"]]
    for part in _PARTS:
        values = [study.metrics.get(f"{part}_{name}") for name in names]
        if any(value is not None for value in values):
            cells = ["" if value is None else f"{value:.4f}" for value in values]
            lines.append([part, *cells, f"{study.rows[part]:,}"])
    return lines


def summary(study: Study) -> str:
    """The recipe in a line or two, the metrics, the price, the verdicts."""
    lines = []
    if study.recipe:
        lines += [f"Recipe    {_recipe_in_words(study)}", ""]
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
    for finding in study.findings:
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


def _recipe_in_words(study: Study) -> str:
    optimizer, batch = study.recipe["optimizer"], study.recipe["batch"]
    schedule, winner = study.recipe["schedule"], study.winning_run
    share = f", over {_epochs(study, winner)}" if winner is not None and winner.share != 1.0 else ""
    warmup = f" after a warmup of {100 * schedule['warmup']:g} %" if schedule["warmup"] else ""
    return (
        f"{optimizer['name']}, learning rate {optimizer['learning_rate']:.3g}, "
        f"weight decay {optimizer['weight_decay']:.3g}, {_batch_in_words(batch, winner)}, "
        f"{schedule['name']} schedule{warmup}{share}"
    )


def _epochs(study: Study, run: Run) -> str:
    """How long a run was, beside what the task asked for."""
    return f"{study.epochs * run.share:.3g} epochs ({run.share:.2g} times the task's {study.epochs:g})"


def forecast_line(study: Study) -> str:
    """The recipe of a whole training that the budget had no room for, and where it is expected to end; or ""."""
    if study.forecast is None:
        return ""
    optimizer = study.forecast.recipe["optimizer"]
    settings = f"learning rate {optimizer['learning_rate']:.3g}, weight decay {optimizer['weight_decay']:.3g}"
    line = f"a whole training takes {settings} (full_recipe.toml)"
    if study.forecast.value is None:
        return line
    low, value, high = study.forecast.low, study.forecast.value, study.forecast.high
    return f"{line}; its validation loss should end near {value:.3g} ({low:.3g} to {high:.3g})"


def _batch_in_words(batch: dict[str, Any], winner: Run | None) -> str:
    """The batch size, and where it went under a policy that moves it."""
    reference = f" (its settings belong to {batch['reference_size']})" if batch.get("reference_size") else ""
    if winner is None or not winner.evaluations or batch["policy"] in {"fixed", "full", "single"}:
        return f"batch size {batch['size']}{reference}"
    sizes = [look.batch_size for look in winner.evaluations]
    moved = f"{batch['size']} to {sizes[-1]}" if sizes[-1] != batch["size"] else str(batch["size"])
    return f"batch size {moved} by {batch['policy']}{reference}"
