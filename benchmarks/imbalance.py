"""What levers do about a rare class: nothing, class weights, oversampling, stratified batches, and a moved threshold.

``python -m benchmarks.imbalance [--seeds 5] [--batch 16]``. Incomes above 50K from the census table (24 % of the rows),
and the same with positives thinned out to 2.5 %. Each seed draws the first weights, the order of rows and which
positives stay; within a seed the levers take turns, each time in another order. Test rows are the table's own test
part, thinned alike. The best weights by average precision on the validation part are kept, which no threshold and no
shift of the probabilities changes.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

import surefoot as sf
from benchmarks.tasks import ADULT_COLUMNS, adult_rows, adult_task, data_folder
from surefoot import seeds, tasks

LEVERS: dict[str, dict[str, Any]] = {
    "none": {},
    "class weights": {"loss": {"class_weights": "balanced"}},
    "oversample": {"data": {"balance": "oversample"}},
    "stratify": {"data": {"balance": "stratify"}},
}
# The levers that teach a world with equally many positives.
EVEN = ("class weights", "oversample")
COLUMNS = (
    "log loss",
    "log loss, share put back",
    "accuracy",
    "balanced accuracy",
    "accuracy, moved",
    "balanced accuracy, moved",
    "average precision",
    "calibration error",
)
BINS = 10


def thinned(rows: list[list[str]], share: float | None, seed: int) -> list[list[str]]:
    """The rows with as many positives left out as leaves this share of them; None leaves all."""
    if share is None:
        return rows
    positives = [index for index, row in enumerate(rows) if row[-1] == ">50K"]
    kept = round(share / (1.0 - share) * (len(rows) - len(positives)))
    chosen = set(seeds.stream(seed, "thinned").permutation(positives)[:kept].tolist())
    return [row for index, row in enumerate(rows) if row[-1] != ">50K" or index in chosen]


def task_of(share: float | None, seed: int) -> tuple[tasks.Task, Any, Any]:
    """The task, and the inputs and labels of the test rows."""
    task = adult_task(thinned(adult_rows("train"), share, seed))
    test = thinned(adult_rows("test"), share, seed)
    columns = {name: [row[place] for row in test] for place, name in enumerate(ADULT_COLUMNS[:-1])}
    assert task.preparation is not None
    labels = np.array([row[-1] == ">50K" for row in test]).astype(int)
    best = ("average_precision", average_precision, "max")
    judged = tasks.Task(task.model, task.train, validation=task.validation, epochs=task.epochs, objective=best)
    return judged, task.preparation.encode(columns), labels


def average_precision(output: Any, target: Any) -> float:
    from sklearn.metrics import average_precision_score

    if not bool(target.any()):  # the door tries it on two rows
        return 0.0
    return float(average_precision_score(target.numpy(), (output[:, 1] - output[:, 0]).numpy()))


def measured(chance: Any, labels: Any, *, share: float, is_even: bool) -> list[float]:
    """The columns, for probabilities of the positive class.

    Args:
        chance: of every test row.
        labels: 0 or 1.
        share: of positives in the training rows.
        is_even: whether training showed both classes equally often, so that a half is the moved threshold already.
    """
    from sklearn import metrics

    prior = share / (1.0 - share)
    put_back = chance * prior / (chance * prior + 1.0 - chance) if is_even else chance
    at_half, moved = chance > 0.5, chance > (0.5 if is_even else share)
    edges = np.array_split(np.argsort(chance), BINS)
    return [
        metrics.log_loss(labels, chance),
        metrics.log_loss(labels, put_back),
        metrics.accuracy_score(labels, at_half),
        metrics.balanced_accuracy_score(labels, at_half),
        metrics.accuracy_score(labels, moved),
        metrics.balanced_accuracy_score(labels, moved),
        metrics.average_precision_score(labels, chance),
        sum(len(rows) * abs(chance[rows].mean() - labels[rows].mean()) for rows in edges) / len(labels),
    ]


def one(task: tasks.Task, inputs: Any, labels: Any, *, lever: str, seed: int, batch: int | None) -> list[float]:
    """Train under a lever and measure on the test rows."""
    import torch

    sections = {**LEVERS[lever], **({} if batch is None else {"batch": {"size": batch}})}
    result = sf.fit(task, sf.Recipe(**sections), seed=seed)
    with torch.no_grad():
        chance = result.model(torch.from_numpy(inputs)).double().softmax(1)[:, 1].numpy()
    share = float(np.mean(task.train[1]))
    return measured(chance, labels, share=share, is_even=lever in EVEN)


def _cells(scores: Any) -> list[str]:
    """Mean and standard deviation over the seeds, a column each."""
    spreads = scores.std(axis=0, ddof=1) if len(scores) > 1 else 0.0 * scores[0]
    return [f"{mean:.4f} ({spread:.4f})" for mean, spread in zip(scores.mean(axis=0), spreads, strict=True)]


def main() -> int:
    """Print a table a task: means over seeds and, in brackets, their standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=None)
    arguments = parser.parse_args()
    if data_folder("adult") is None:
        print("the table of incomes is not here: set SUREFOOT_DATA")
        return 0
    for name, share in (("adult, 24 % positive", None), ("adult, thinned to 2.5 %", 0.025)):
        found: dict[str, list[list[float]]] = {lever: [] for lever in LEVERS}
        for seed in range(arguments.seeds):
            task, inputs, labels = task_of(share, seed)
            names = list(LEVERS)
            for lever in names[seed % len(names) :] + names[: seed % len(names)]:
                scores = one(task, inputs, labels, lever=lever, seed=seed, batch=arguments.batch)
                found[lever].append(scores)
        rows = len(task.train[0])
        batch = arguments.batch or "the default"
        print(f"\n{name}: {rows:,} training rows, {len(labels):,} test rows, batch {batch}, {arguments.seeds} seeds\n")
        print(f"| lever | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
        for lever, scores in found.items():
            print(f"| {lever} | {' | '.join(_cells(np.array(scores)))} |", flush=True)
        for lever, scores in found.items():
            if lever != "none":
                pairs = np.array(scores) - np.array(found["none"])
                print(f"| {lever} minus none | {' | '.join(_cells(pairs))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
