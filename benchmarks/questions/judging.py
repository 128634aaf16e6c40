"""What a technique buys, when a model overfits, what a penalty does that a rate does not, and how much is luck."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import Any

import numpy as np

import surefoot as sf
from benchmarks import levers as measured
from benchmarks.questions.drawing import BLUE, GREY, ORANGE, Drawing, panels
from surefoot import tasks

__all__ = ["levers", "luck", "overfitting", "regularising"]

SHOWN = {
    "constant schedule alone": "no schedule",
    "network.averaging ema": "average of weights",
    "data.flip 0.5": "mirrored pictures",
    "data.mixup 0.2": "mixup",
    "loss.label_smoothing 0.1": "smoothed labels",
    "regularization.l2 1e-3 for the decay": "L2 instead of decay",
    "initialization.scheme orthogonal": "orthogonal start",
    "precision.name bf16": "bf16",
}


def levers() -> Drawing:
    """Paired differences of the test loss on a small picture network, from benchmarks/results/levers."""
    found = measured.stored("fashion_cnn")
    assert found is not None
    plain = found.of(measured.WHOLE)
    names, means, halves = [], [], []
    for key, name in SHOWN.items():
        changed = found.of(key)
        pairs = [changed[seed].metrics["test_loss"] - plain[seed].metrics["test_loss"] for seed in plain]
        names.append(name)
        means.append(fmean(pairs))
        halves.append(2.132 * stdev(pairs) / math.sqrt(len(pairs)))  # Student's t, 90 %, five seeds
    figure, (axes,) = panels(height=2.6)
    axes.axvline(0, color=GREY, lw=1)
    for place, (mean, half) in enumerate(zip(means, halves, strict=True)):
        axes.errorbar(mean, place, xerr=half, fmt="o", color=ORANGE if mean - half > 0 else BLUE, ms=4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="change of the test loss (0.373 without); left is better", title="Fashion-MNIST, a small network")
    said = ", ".join(f"{name} {mean:+.4f} ± {half:.4f}" for name, mean, half in zip(names, means, halves, strict=True))
    return Drawing(figure, said)


def _diabetes(rate: float, decay: float, seed: int = 0) -> Any:
    """The run of a wide network on diabetes, which it can learn by heart."""
    recipe = sf.Recipe(
        optimizer={"name": "adamw", "learning_rate": rate, "weight_decay": decay},
        batch={"size": 32},
        model={"hidden": 128},
    )
    task = tasks.builtin("diabetes")
    task.epochs = 60
    return sf.fit(task, recipe, seed=seed).study.runs[0]


def overfitting() -> Drawing:
    """Both losses of a training that learns by heart, and where the verdict puts the beginning."""
    looks = _diabetes(0.003, 0.0).evaluations
    epochs = [look.epoch for look in looks]
    train = [look.train_loss for look in looks]
    held = [look.metrics["validation_loss"] for look in looks]
    found = sf.diagnose({"epoch": epochs, "train_loss": train, "val_loss": held})
    figure, (axes,) = panels()
    axes.plot(epochs, train, color=BLUE, label="training loss")
    axes.plot(epochs, held, color=ORANGE, label="validation loss")
    low = int(np.argmin(held))
    axes.axvline(epochs[low], color=GREY, ls=":", label="lowest")
    axes.set(xlabel="epoch", ylabel="squared error", title="diabetes, 128 units a layer")
    axes.legend()
    said = "; ".join(f"{finding.verdict}: {finding.evidence}" for finding in found)
    return Drawing(figure, f"lowest {held[low]:.3f} at epoch {epochs[low]:g}, end {held[-1]:.3f}; {said}")


def regularising() -> Drawing:
    """The losses at the end of a training, over the rate and over the decay."""
    figure, axes = panels(2)
    rates, decays = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    sweeps = {
        "learning rate": (rates, [[_ends(rate, 0.0, seed) for seed in range(3)] for rate in rates]),
        "weight decay": (decays, [[_ends(3e-3, decay, seed) for seed in range(3)] for decay in decays]),
    }
    said = []
    for panel, (name, (values, ends)) in zip(axes, sweeps.items(), strict=True):
        train, held = (np.array([[end[part] for end in each] for each in ends]).mean(1) for part in (0, 1))
        panel.plot(values, train, "o-", color=BLUE, ms=4, label="training")
        panel.plot(values, held, "o-", color=ORANGE, ms=4, label="validation")
        panel.set(xscale="log", xlabel=name, ylim=(0, 1.4))
        said.append(f"{name}: training {train.round(2).tolist()}, validation {held.round(2).tolist()}")
    axes[0].set_ylabel("loss at the end")
    axes[0].set_title("no decay")
    axes[1].set_title("rate 0.003")
    axes[1].legend()
    return Drawing(figure, "; ".join(said))


def _ends(rate: float, decay: float, seed: int) -> tuple[float, float]:
    last = _diabetes(rate, decay, seed).evaluations[-1]
    return last.train_loss, last.metrics["validation_loss"]


def luck() -> Drawing:
    """The test losses of two recipes from twenty seeds, and how often three seeds choose the worse one."""
    task = tasks.builtin("breast_cancer")
    found = {}
    for rate in (0.003, 0.006):
        recipe = sf.Recipe(optimizer={"learning_rate": rate}, batch={"size": 32})
        found[rate] = np.array([sf.fit(task, recipe, seed=seed).metrics["test_loss"] for seed in range(20)])
    figure, (axes,) = panels(height=1.9)
    generator = np.random.default_rng(0)
    for place, (color, values) in enumerate(zip((BLUE, ORANGE), found.values(), strict=True)):
        axes.plot(values, place + generator.uniform(-0.15, 0.15, len(values)), "o", color=color, ms=4, alpha=0.8)
        axes.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=color)
    axes.set_yticks((0, 1), [f"rate {rate:g}" for rate in found])
    axes.set(xlabel="test loss, a dot a seed", title="breast cancer: two recipes", ylim=(-0.5, 1.5))
    first, second = found.values()
    better = first if first.mean() < second.mean() else second
    worse = second if better is first else first
    draws = [
        better[generator.choice(20, 3, replace=False)].mean() > worse[generator.choice(20, 3, replace=False)].mean()
        for _ in range(4000)
    ]
    said = "; ".join(f"{rate:g}: {each.mean():.4f} ({each.std(ddof=1):.4f})" for rate, each in found.items())
    return Drawing(figure, f"{said}; three seeds choose the worse one in {np.mean(draws):.0%}")
