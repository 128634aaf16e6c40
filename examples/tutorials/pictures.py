"""Fashion-MNIST through a small convolutional network: probe, tune, read the verdicts, use the model.

    python examples/tutorials/pictures.py              # one tuned model
    python examples/tutorials/pictures.py --seeds 3    # and what tuning bought, over three seeds

docs/tutorials/pictures.md walks through it.
"""

from __future__ import annotations

import argparse
import gzip

import numpy as np
from side_by_side import side_by_side
from torch import nn
from where import data_file

import surefoot as sf

NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def read(part: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of a part, (rows, 1, 28, 28) of mean 0 and deviation 1, and their labels."""
    pixels = gzip.decompress(data_file("fashion-mnist", f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress(data_file("fashion-mnist", f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pictures = np.frombuffer(pixels, np.uint8, offset=16, count=784 * rows).reshape(-1, 1, 28, 28)
    numbers = np.frombuffer(labels, np.uint8, offset=8, count=rows)
    return ((pictures / 255 - 0.286) / 0.353).astype(np.float32), numbers.astype(int)


def build(width: int = 8) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(2 * width * 49, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def make_task(*, rows: int, epochs: float) -> sf.Task:
    train, test = read("train", rows), read("t10k", rows // 2)
    return sf.Task(build, train, test=test, epochs=epochs, name="fashion")


def main(*, rows: int = 8_000, epochs: float = 5, budget: float = 2.0, seeds: int = 1) -> sf.Result:
    task = make_task(rows=rows, epochs=epochs)
    print(f"{len(task.train[0]):,} pictures to learn from, {len(task.validation[0]):,} to choose by\n")
    print(sf.probe(task), "\n")

    watcher = sf.Printer(every_look=False, allowed=budget)
    result = sf.tune(task, budget=budget, directory="runs/pictures", overwrite=True, observer=watcher)
    print(f"\n{result}")
    for finding in result.findings:
        print(f"{finding.verdict}: {finding.evidence}\n  -> {finding.advice}")

    model = sf.load("runs/pictures", model=build)
    pictures, labels = task.test
    chances = model.predict_probabilities(pictures)
    wrong = np.flatnonzero(chances.argmax(1) != labels)
    surest = wrong[chances[wrong].max(1).argsort()[::-1][:3]]
    print("\nThe three mistakes that it is surest of")
    for row in surest:
        taken, right = NAMES[chances[row].argmax()], NAMES[labels[row]]
        print(f"  picture {row}: {chances[row].max():.1%} {taken}, but it is a {right}")
    if seeds > 1:
        side_by_side(task, seeds=seeds, budget=budget, metric="test_accuracy")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
