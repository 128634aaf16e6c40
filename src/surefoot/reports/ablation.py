"""What the parts of a recipe bought, in a table and a sentence each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev

from surefoot.records import WHOLE, Ablation, Trial

__all__ = ["ablation_text", "difference"]

# Student's t, quantile .95, by degrees of freedom: a two-sided interval of 90 %.
_QUANTILES = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)
_NORMAL = 1.645
# How a metric reads: whether more of it is better.
_MORE_IS_BETTER = {"accuracy", "r2"}


def ablation_text(ablation: Ablation) -> str:
    """A line a variant with quality, time, speed, use of the device and memory; then what each part bought.

    Medians over the seeds; differences are paired by seed, with an interval of 90 % by Student's t where there are
    three seeds or more.
    """
    metrics = _metrics(ablation)
    header = ["", *(name.replace("_", " ") for name in metrics), "seconds", "samples/s", "device use", "step memory"]
    lines = [header]
    lines += [[name, *_cells(list(ablation.of(name).values()), metrics)] for name in ablation.recipes]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    table = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    seeds = len({trial.seed for trial in ablation.trials})
    where = f"Medians of {seeds} seed{'s' if seeds > 1 else ''} on {ablation.device or 'an unknown device'}."
    said = [_sentence(ablation, name, metrics) for name in ablation.recipes if name != WHOLE]
    return "\n".join([*table, "", where, *said])


def difference(whole: Sequence[float], without: Sequence[float]) -> tuple[float, float | None]:
    """The mean of paired differences, and half of its 90 % interval; None with fewer than three pairs.

    >>> difference([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])
    (0.5, 0.0)
    """
    found = [other - own for own, other in zip(whole, without, strict=True)]
    if len(found) < 3:
        return fmean(found), None
    quantile = _QUANTILES[len(found) - 2] if len(found) - 2 < len(_QUANTILES) else _NORMAL
    return fmean(found), quantile * stdev(found) / math.sqrt(len(found))


def _metrics(ablation: Ablation) -> list[str]:
    """Loss and score of the test part, or of the validation part where there is none; what decides comes first."""
    measured = {name for trial in ablation.trials for name in trial.metrics}
    part = "test" if any(name.startswith("test_") for name in measured) else "validation"
    wanted = ablation.objective.name.removeprefix("validation_")
    names = dict.fromkeys((wanted, "loss", "accuracy", "r2"))
    return [f"{part}_{name}" for name in names if f"{part}_{name}" in measured] or sorted(measured)[:1] or ["loss"]


def _cells(trials: Sequence[Trial], metrics: Sequence[str]) -> list[str]:
    failed = [trial.status.replace("_", " ") for trial in trials if trial.status != "completed"]
    values = [_middle([trial.metrics[name] for trial in trials if name in trial.metrics]) for name in metrics]
    shares = [trial.device_use for trial in trials if trial.device_use is not None]
    sizes = [trial.step_bytes for trial in trials if trial.step_bytes is not None]
    cells = ["-" if value is None else f"{value:.4f}" for value in values]
    if failed:
        cells[0] += f" ({len(failed)} {failed[0]})"
    speed = [trial.samples / trial.seconds for trial in trials if trial.seconds > 0]
    return [
        *cells,
        f"{median(trial.seconds for trial in trials):.2f}" if trials else "-",
        f"{median(speed):,.0f}" if speed else "-",
        f"{median(shares):.0%}" if shares else "-",
        f"{median(sizes) / 1e6:,.1f} MB" if sizes else "-",
    ]


def _middle(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _sentence(ablation: Ablation, name: str, metrics: Sequence[str]) -> str:
    """What leaving something out changed, read as what having it bought."""
    what = name.removeprefix("without ")
    own, other = ablation.of(WHOLE), ablation.of(name)
    pairs = [(own[seed], other[seed]) for seed in own if seed in other]
    said = [_bought(ablation, pairs, metric) for metric in metrics]
    if not any(said):
        return f"{what}: not measured on both sides"
    pace = median(whole.seconds / less.seconds for whole, less in pairs)
    return f"{what}: {'; '.join(filter(None, said))}; a training takes {pace:.2f} times as long with it"


def _bought(ablation: Ablation, pairs: Sequence[tuple[Trial, Trial]], metric: str) -> str:
    """What something bought in one metric, or "" where no pair measured it."""
    measured = [
        (whole.metrics[metric], less.metrics[metric])
        for whole, less in pairs
        if metric in whole.metrics and metric in less.metrics
    ]
    if not measured:
        return ""
    with_it, without = zip(*measured, strict=True)
    change, half = difference(with_it, without)
    verdict = _judged(change, half, metric, ablation)
    return f"{metric.replace('_', ' ')} {fmean(with_it):.4f} with it, {fmean(without):.4f} without, {verdict}"


def _judged(change: float, half: float | None, metric: str, ablation: Ablation) -> str:
    """Whether a difference (without minus with) can be told from chance, and which way it goes."""
    if half is None:
        return "which may be chance: it takes three seeds or more to tell"
    if abs(change) <= half:
        return f"which cannot be told from chance (± {half:.2g})"
    name = metric.partition("_")[2]
    more_is_better = name in _MORE_IS_BETTER or (
        name == ablation.objective.name.removeprefix("validation_") and ablation.objective.direction == "max"
    )
    helps = (change < 0) if more_is_better else (change > 0)
    return f"it {'helps' if helps else 'hurts'} by {abs(change):.2g} ± {half:.2g}"
