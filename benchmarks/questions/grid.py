"""Digits over rate and batch: where the valley lies, and what a rate or a batch costs."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import fmean, median

import numpy as np

import surefoot as sf
from benchmarks.questions.drawing import BLUE, GREY, ORANGE, Drawing, panels
from surefoot import tasks

__all__ = ["batch", "both", "rate", "why"]

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SIZES = (8, 16, 32, 64, 128, 256)
SEEDS = range(3)
WANTED = 0.95
GUESSING = math.log(10)


def _recipe(size: int, rate: float) -> sf.Recipe:
    return sf.Recipe(optimizer={"name": "sgd", "learning_rate": rate, "momentum": 0.0}, batch={"size": size})


@lru_cache
def _results(size: int, rate: float) -> tuple[sf.Result, ...]:
    return tuple(sf.fit(tasks.builtin("digits"), _recipe(size, rate), seed=seed) for seed in SEEDS)


def _loss(size: int, rate: float) -> float:
    """The mean test loss; a training that was lost counts as guessing."""
    found = [result.metrics.get("test_loss", GUESSING) for result in _results(size, rate)]
    return fmean(min(loss, GUESSING) if math.isfinite(loss) else GUESSING for loss in found)


def _best(size: int) -> float:
    return min(RATES, key=lambda rate: _loss(size, rate))


def rate() -> Drawing:
    """The valley over the rate, and where a probe says that it is."""
    found = sf.probe(tasks.builtin("digits"), _recipe(16, 0.1))
    suggested = found.learning_rate
    figure, (axes,) = panels()
    axes.axvspan(suggested.low, suggested.high, color=BLUE, alpha=0.2, lw=0, label="probe, 90 %")
    axes.axvline(suggested.value, color=BLUE, label="probe")
    for seed in SEEDS:
        losses = [min(_results(16, rate)[seed].metrics.get("test_loss", GUESSING), GUESSING) for rate in RATES]
        axes.plot(RATES, losses, "o-", color=ORANGE, lw=1, ms=3, label="trainings" if not seed else None)
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="test loss", title="digits, SGD, batch 16")
    axes.legend()
    said = f"probe {suggested.value:.3g} ({suggested.low:.3g} to {suggested.high:.3g}); "
    return Drawing(figure, said + ", ".join(f"{rate:g}: {_loss(16, rate):.3f}" for rate in RATES))


def _reached(size: int) -> float:
    """Samples to the wanted validation accuracy at the best rate: the median over the seeds that got there."""
    found = []
    for result in _results(size, _best(size)):
        run = result.study.runs[0]
        found += [look.samples for look in run.evaluations if look.metrics["validation_accuracy"] >= WANTED][:1]
    return median(found)


def batch() -> Drawing:
    """Steps and samples to one accuracy, by batch, each at its own rate."""
    figure, axes = panels(2, height=2.3)
    samples = [_reached(size) for size in SIZES]
    columns = {"steps": [count / size for count, size in zip(samples, SIZES, strict=True)], "samples": samples}
    for panel, (name, values), color in zip(axes, columns.items(), (BLUE, ORANGE), strict=True):
        panel.plot(SIZES, values, "o-", color=color, ms=4)
        for size, value in zip(SIZES, values, strict=True):
            side = {"xytext": (4, 3), "ha": "left"} if name == "steps" else {"xytext": (-4, 3), "ha": "right"}
            panel.annotate(f"{value:,.0f}", (size, value), textcoords="offset points", **side)
        panel.set(xscale="log", yscale="log", xlabel="batch size", ylabel=f"{name} to {WANTED:.0%}")
        panel.set_xticks(SIZES, SIZES)
        panel.minorticks_off()
        panel.margins(0.2, 0.2)
    return Drawing(figure, "; ".join(f"{name} {[round(value) for value in each]}" for name, each in columns.items()))


def both() -> Drawing:
    """The map of test loss over rate and batch, with the best rate of each batch."""
    figure, (axes,) = panels(height=2.8)
    losses = np.array([[_loss(size, rate) for rate in RATES] for size in SIZES])
    axes.imshow(np.log10(losses), cmap="viridis_r", aspect="auto", origin="lower")
    for row, column in np.ndindex(losses.shape):
        value = losses[row, column]
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="black" if value < 0.5 else "white")
    best = losses.argmin(1)
    axes.plot(best, range(len(SIZES)), "s", ms=24, mfc="none", mec=ORANGE, mew=2)
    axes.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES])
    axes.set_yticks(range(len(SIZES)), SIZES)
    axes.set(
        xlabel="learning rate", ylabel="batch size", title="test loss, 20 epochs; framed: the best rate of a batch"
    )
    return Drawing(figure, f"best rates {dict(zip(SIZES, (RATES[place] for place in best), strict=True))}")


def why() -> Drawing:
    """What every point of the grid gives, in order, and what a tuned training gives."""
    every = sorted(_loss(size, rate) for size in SIZES for rate in RATES)
    tuned = [sf.tune(tasks.builtin("digits"), budget=2.0, seed=seed).metrics["test_loss"] for seed in SEEDS]
    figure, (axes,) = panels()
    axes.plot(range(1, len(every) + 1), every, "o", color=GREY, ms=4, label="a recipe of rate and batch")
    axes.axhspan(min(tuned), max(tuned), color=BLUE, alpha=0.3, lw=0)
    axes.axhline(fmean(tuned), color=BLUE, label="tuned for the price of two trainings")
    axes.set(yscale="log", xlabel="recipes, from the best to the worst", ylabel="test loss", title="digits")
    axes.legend()
    said = f"{len(every)} recipes from {every[0]:.3f}, median {median(every):.3f}, to {every[-1]:.3f}"
    return Drawing(figure, f"{said}; tuned {fmean(tuned):.3f} ({min(tuned):.3f} to {max(tuned):.3f})")
