"""A trained CNN in the forms it can be used in: size, latency and accuracy on Fashion-MNIST, over seeds.

``python -m benchmarks.deploy`` trains on 10,000 pictures, plainly and with half of the channels taken out while it
trains, and measures both on the 10,000 test pictures: as trained, fused, as ONNX and as ONNX in int8; one thread, in
turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import surefoot as sf
from benchmarks.tasks import fashion_mnist_10k
from surefoot.records import Latency, Measured
from surefoot.tasks import NamedBuilder

RECORDS = Path(__file__).parent / "results" / "deploy.json"
RECIPE = sf.Recipe(optimizer={"name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.1}, batch={"size": 64})
PRUNED = RECIPE.with_changes({"network.pruning": "structured"})
EPOCHS, REPEATS = 6, 30
# Asked for: at most this share of the latency, or of the size, at no more than this loss of accuracy.
LATENCY, SIZE, ACCURACY = 0.6, 0.3, 0.01


def cnn(width: int = 16) -> Any:
    """Two convolutions with batch normalisation and pooling, two dense layers: 208,000 weights."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(98 * width, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def pictures() -> sf.Task | None:
    """Fashion-MNIST as pictures; None where the data is not here."""
    flat = fashion_mnist_10k()
    if flat is None:
        return None
    train, validation, test = (
        (inputs.reshape(-1, 1, 28, 28), labels) for inputs, labels in (flat.train, flat.validation, flat.test)
    )
    return sf.Task(
        NamedBuilder("benchmarks.deploy:cnn"),
        train,
        validation=validation,
        test=test,
        epochs=EPOCHS,
        name="fashion_cnn_norm",
    )


def measured(task: sf.Task, seed: int) -> Measured:
    """All forms of the plain and of the pruned model of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, recipe in (("plain", RECIPE), ("pruned", PRUNED)):
            sf.fit(task, recipe, seed=seed, directory=Path(folder) / name)
        found = sf.measure(Path(folder) / "plain", task, beside=Path(folder) / "pruned", repeats=REPEATS)
        for name in ("plain", "pruned"):
            exported = sf.export(Path(folder) / name, task=task)
            print(f"seed {seed}: ONNX of {name} differs by {exported.largest_difference:.2g}", file=sys.stderr)
    return found


def table(tables: Sequence[Measured]) -> str:
    """A line a form: size, latencies and their shares of the first form's, accuracy; medians and ranges over seeds."""
    lines = [f"{'form':<20}{'kB':>6}{'':>6}{'batch 1, ms':>24}{'':>6}{'batch 64, ms':>24}{'':>6}  accuracy, change"]
    firsts = [each.forms[0] for each in tables]
    for place, form in enumerate(tables[0].forms):
        same = [each.forms[place] for each in tables]
        pairs = list(zip(same, firsts, strict=True))
        cells = [f"{form.name:<20}{statistics.median(one.size for one in same) / 1000:>6.0f}"]
        cells.append(f"{statistics.median(one.size / first.size for one, first in pairs):>6.2f}")
        for size in form.latency:
            times = [one.latency[size] for one in same]
            median, low, high = statistics.median(t.median for t in times), *_ends(times)
            share = statistics.median(one.latency[size].median / first.latency[size].median for one, first in pairs)
            cells.append(f"{f'{median:.3f} ({low:.3f}-{high:.3f})':>24}{share:>6.2f}")
        changes = [one.metrics["accuracy"] - first.metrics["accuracy"] for one, first in pairs]
        accuracy = statistics.mean(one.metrics["accuracy"] for one in same)
        cells.append(f"  {accuracy:.4f}, {statistics.mean(changes):+.4f} ({min(changes):+.4f} to {max(changes):+.4f})")
        lines.append("".join(cells))
    return "\n".join(lines)


def _ends(times: Sequence[Latency]) -> tuple[float, float]:
    return min(time.low for time in times), max(time.high for time in times)


def reached(tables: Sequence[Measured]) -> str:
    """Which forms do what was asked for, on every seed."""
    lines = []
    for place, form in enumerate(tables[0].forms):
        pairs = [(each.forms[place], each.forms[0]) for each in tables]
        accurate = all(one.metrics["accuracy"] >= first.metrics["accuracy"] - ACCURACY for one, first in pairs)
        small = all(one.size <= SIZE * first.size for one, first in pairs)
        fast = {
            size: all(one.latency[size].median <= LATENCY * first.latency[size].median for one, first in pairs)
            for size in form.latency
        }
        if accurate and (small or all(fast.values())):
            lines.append(f"{form.name}: size {'yes' if small else 'no'}, latency {fast}")
    return "\n".join(lines)


def main() -> None:
    """Train, measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", action="store_true", help="print what is kept, without measuring")
    asked = parser.parse_args()
    if not asked.show:
        task = pictures()
        if task is None:
            sys.exit("Fashion-MNIST is not here: set SUREFOOT_DATA")
        records = [measured(task, seed).model_dump() for seed in range(asked.seeds)]
        RECORDS.write_text(json.dumps(records, indent=1) + "\n")
    tables = [Measured.model_validate(record) for record in json.loads(RECORDS.read_text())]
    first = tables[0]
    print(f"{first.rows:,} test pictures, {first.num_threads} thread, {len(tables)} seeds, {REPEATS} repeats each")
    print(table(tables), *first.notes, sep="\n")
    print(f"Reached (at most {LATENCY} of the latency or {SIZE} of the size):", reached(tables), sep="\n")


if __name__ == "__main__":
    main()
