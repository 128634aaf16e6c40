"""Price of two: what a budget of two trainings reaches, beside what the strongest rival reaches with forty.

``python -m benchmarks.price_of_two`` reads the stored studies (``benchmarks.rivals`` and ``benchmarks.price_ours`` make
them), prints the tables and draws docs/pictures/price_of_two.png. The strongest rival of a task is the one with the
lowest median test loss at price 40 over seeds 0 to 2; the comparison takes the other seeds, paired: a ratio of test
losses a seed, their median a task, the median of those over the tasks. The interval is a bootstrap over tasks, and over
seeds within each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from benchmarks.price_ours import method_of
from benchmarks.price_store import Store, incumbent
from benchmarks.price_tasks import TASKS

__all__ = ["main"]

CHOOSING, FEWEST_CHOOSING, FULL_PRICE = range(3), 3, 40.0
STRONG = ("optuna_tpe_hyperband", "optuna_gp", "random_halving")
OTHERS = ("ray_asha", "keras_tuner_hyperband", "schedule_free_adamw", "prodigy")
PRICES = (1, 1.25, 1.5, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40)
RESAMPLES = 4000
# What rivals have at lower prices leaves the panels at their top, so that the rest can be read.
SHOWN_FROM = 3
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "price_of_two.png"
COLOURS = {
    "optuna_tpe_hyperband": "#D55E00",
    "optuna_gp": "#E69F00",
    "random_halving": "#999999",
    "ray_asha": "#CC79A7",
    "keras_tuner_hyperband": "#56B4E9",
    "schedule_free_adamw": "#009E73",
    "prodigy": "#5A5A5A",
}


def losses(task: str, method: str, price: float) -> dict[int, float]:
    """Test loss by seed at a price; seeds whose study did not go that far are left out."""
    found = {}
    for key, study in Store(task, method).studies().items():
        if study.most_price >= price - 1e-9:
            found[int(key.rpartition("/")[2])] = incumbent(study, price)[1]
    return found


def strongest(task: str) -> str | None:
    """The rival with the lowest median test loss at the full price on the choosing seeds, of those that have all."""
    medians = {}
    for method in STRONG:
        found = losses(task, method, FULL_PRICE)
        chosen = [found[seed] for seed in CHOOSING if seed in found]
        if len(chosen) >= FEWEST_CHOOSING:
            medians[method] = median(chosen)
    return min(medians, key=lambda method: medians[method]) if medians else None


def paired(task: str, budget: float, rival: str) -> list[tuple[float, float]]:
    """(ours, the rival's) by seed, on the seeds that did not choose the rival."""
    ours, theirs = losses(task, method_of(budget), budget), losses(task, rival, FULL_PRICE)
    return [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys()) if seed not in CHOOSING]


def ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of the paired ratios."""
    return median(ours / max(theirs, 1e-6) for ours, theirs in pairs)


def resampled(found: Mapping[str, Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """The 90 % bootstrap interval of the median ratio over tasks."""
    generator, names = np.random.default_rng(0), list(found)
    medians = []
    for _ in range(RESAMPLES):
        picked = generator.choice(len(names), len(names))
        ratios = []
        for index in picked:
            pairs = found[names[index]]
            ratios.append(ratio([pairs[place] for place in generator.integers(len(pairs), size=len(pairs))]))
        medians.append(median(ratios))
    low, high = np.quantile(medians, (0.05, 0.95))
    return float(low), float(high)


def lower_bound(pairs: Sequence[tuple[float, float]]) -> float:
    """The 5 % quantile of a task's bootstrapped ratio: above 1.1, it is shown to be more than a tenth worse."""
    generator = np.random.default_rng(0)
    draws = [ratio([pairs[place] for place in generator.integers(len(pairs), size=len(pairs))]) for _ in range(500)]
    return float(np.quantile(draws, 0.05))


def compare(budget: float) -> None:
    """Print the table of one budget."""
    print(f"\nPrice {budget:g} against the strongest rival's {FULL_PRICE:g}\n")
    print("| task | strongest rival | its test loss | ours | ratio, paired | seeds |\n|---|---|---|---|---|---|")
    found, better, worse = {}, 0, []
    for task in TASKS:
        rival = strongest(task)
        pairs = paired(task, budget, rival) if rival else []
        if not pairs:
            print(f"| {task} | {rival or 'not run'} | - | - | - | 0 |")
            continue
        found[task] = pairs
        ours, theirs = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
        better += ours < theirs
        worse += [task] if lower_bound(pairs) > 1.1 else []
        print(f"| {task} | {rival} | {theirs:.4f} | {ours:.4f} | {ratio(pairs):.3f} | {len(pairs)} |")
    if found:
        low, high = resampled(found)
        middle = median(ratio(pairs) for pairs in found.values())
        print(
            f"\nmedian ratio {middle:.3f} ({low:.3f} to {high:.3f}); better median on {better} of {len(found)} tasks;"
        )
        print(f"shown to be more than a tenth worse: {', '.join(worse) or 'nowhere'}")


def curve(task: str, method: str, *, prices: Sequence[float] = PRICES) -> list[tuple[float, float]]:
    """(price, median test loss over all seeds)."""
    points = []
    for price in prices:
        found = [value for value in losses(task, method, price).values() if math.isfinite(value)]
        if found:
            points.append((price, median(found)))
    return points


def draw() -> None:
    """Test loss against price, a panel a task."""
    figure = Figure(figsize=(13, 9.5), layout="constrained")
    panels = figure.subplots(3, 4).flat
    for axes, task in zip(panels, TASKS, strict=False):
        seen = []
        for method in (*STRONG, *OTHERS):
            points = curve(task, method)
            if points:
                style = {"marker": "s", "linestyle": ""} if method in OTHERS[2:] else {"linewidth": 1.4}
                points = points[:1] if method in OTHERS[2:] else points
                seen += [loss for price, loss in points if price >= SHOWN_FROM or method in OTHERS[2:]]
                axes.plot(*zip(*points, strict=True), color=COLOURS[method], label=method.replace("_", " "), **style)
        ours = [
            (budget, median(found))
            for budget in (1.25, 2.0)
            if (found := losses(task, method_of(budget), budget).values())
        ]
        if ours:
            axes.plot(*zip(*ours, strict=True), "o-", color="#0072B2", linewidth=2, label="Surefoot")
            seen += [loss for _, loss in ours]
        if seen:
            room = 0.08 * (max(seen) - min(seen))
            axes.set_ylim(min(seen) - room, max(seen) + room)
        axes.set(title=task.replace("_", " "), xscale="log", xlabel="price in trainings", ylabel="test loss")
        axes.set_xticks([1, 2, 5, 10, 20, 40], ["1", "2", "5", "10", "20", "40"])
        axes.minorticks_off()
    legend = figure.axes[len(TASKS)]
    legend.axis("off")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend.legend(handles, labels, loc="center", frameon=False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=80)


def main() -> None:
    """The tables and the picture."""
    for budget in (2.0, 1.25):
        compare(budget)
    draw()


if __name__ == "__main__":
    main()
