"""Tasks for measurements, beside the built-in ones: real data from SUREFOOT_DATA, or ../shared."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from surefoot import seeds, tasks
from surefoot.tasks.builder import NamedBuilder

ROOT = Path(os.environ.get("SUREFOOT_DATA", Path(__file__).parents[2] / "shared"))


def data_folder(name: str) -> Path | None:
    """Where a data set lies, None where it is absent."""
    folder = ROOT / "data" / name
    return folder if folder.is_dir() else None


def fashion_mnist_10k() -> tasks.Task | None:
    """10,000 pictures to learn from, 2,000 to choose by, 10,000 to test on."""
    folder = data_folder("fashion-mnist")
    if folder is None:
        return None

    def read(kind: str) -> tuple[Any, Any]:
        images = gzip.decompress((folder / f"{kind}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((folder / f"{kind}-labels-idx1-ubyte.gz").read_bytes())
        pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)
        return ((pixels / 255.0 - 0.286) / 0.353).astype(np.float32), np.frombuffer(labels, np.uint8, offset=8).astype(
            np.int64
        )

    inputs, labels = read("train")
    order = seeds.stream(0, "fashion").permutation(len(inputs))
    train, validation = order[:10_000], order[10_000:12_000]
    return tasks.Task(
        NamedBuilder("surefoot.tasks.models:mlp", {"inputs": 784, "outputs": 10, "hidden": 128}),
        (inputs[train], labels[train]),
        validation=(inputs[validation], labels[validation]),
        test=read("t10k"),
        epochs=10,
        name="fashion_mnist_10k",
    )


ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip


def adult_rows(part: str) -> list[list[str]]:
    """The cells of a part, "train" or "test", of the table of incomes, without its header."""
    lines = gzip.decompress((ROOT / "data/adult" / f"adult-{part}.csv.gz").read_bytes()).decode().splitlines()
    rows = [[cell.strip().removesuffix(".") for cell in line] for line in csv.reader(lines)]
    return [row for row in rows if len(row) == len(ADULT_COLUMNS)]


def adult_task(rows: list[list[str]]) -> tasks.Task:
    """Income above 50K or not from these rows, split 60/20/20, read from a file as a user's table is."""
    text = io.StringIO()
    csv.writer(text).writerows([ADULT_COLUMNS, *rows])
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "adult.csv"
        path.write_text(text.getvalue())
        return tasks.resolve(str(path), column="income")


def adult() -> tasks.Task | None:
    """Income above 50K or not, from a table with missing values and categories."""
    return None if data_folder("adult") is None else adult_task(adult_rows("train"))


def clinc150() -> tasks.Task | None:
    """150 intents from a sentence, through a bag of words."""
    folder = data_folder("clinc150")
    if folder is None:
        return None
    parts = json.loads(gzip.decompress((folder / "data_full.json.gz").read_bytes()))
    counts = Counter(word for text, _ in parts["train"] for word in text.split())
    words = sorted(word for word, count in counts.items() if count > 1)
    places = {word: index for index, word in enumerate(words, start=2)}
    intents = {name: index for index, name in enumerate(sorted({intent for _, intent in parts["train"]}))}

    def encode(rows: list[list[str]]) -> tuple[Any, Any]:
        inputs = np.zeros((len(rows), 24), dtype=np.int64)
        for row, (text, _) in enumerate(rows):
            found = [places.get(word, 1) for word in text.split()][:24]
            inputs[row, : len(found)] = found
        return inputs, np.array([intents[intent] for _, intent in rows])

    return tasks.Task(
        partial(_bag_of_words, words=len(places) + 2, classes=len(intents)),
        encode(parts["train"]),
        validation=encode(parts["val"]),
        test=encode(parts["test"]),
        epochs=10,
        name="clinc150",
    )


def _bag_of_words(*, words: int, classes: int, width: int = 64) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.EmbeddingBag(words, width, mode="mean", padding_idx=0), nn.ReLU(), nn.Linear(width, classes)
    )


HEAVY: dict[str, Callable[[], tasks.Task | None]] = {
    "fashion_mnist_10k": fashion_mnist_10k,
    "adult": adult,
    "clinc150": clinc150,
}
