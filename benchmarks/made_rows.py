"""Rows for ``benchmarks.made_faults``: real data, standardised unless asked not to be."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn import datasets

from benchmarks import made_other_rows
from benchmarks.made_settings import Rows
from benchmarks.tasks import adult_rows, adult_task, data_folder
from surefoot import seeds

__all__ = ["imbalanced", "rows_of"]

Table = tuple[npt.NDArray[Any], npt.NDArray[Any]]
# Rows to learn from and to watch; the others are the truth.
SIZES = {
    "digits": (1000, 300),
    "breast_cancer": (250, 120),
    "wine": (70, 54),
    "fashion": (2500, 1000),
    "adult": (2500, 1000),
    "digits_convolved": (1000, 300),
    "intents": (1600, 500),
    "diabetes": (221, 120),
    "characters": (700, 250),
    "fashion_convolved": (2000, 800),
    "spoken": (1200, 500),
    "ratings": (5000, 1500),
    "hours": (2500, 1000),
}
RARE = 0.05
ONE_SCALE = ("digits", "fashion", "digits_convolved", "fashion_convolved", "spoken")  # for all pixels
AS_THEY_ARE = ("adult", "hours")  # numbers that are standardised already, and categories one-hot


def rows_of(
    name: str, seed: int, *, is_scaled: bool = True, num_train: int | None = None, num_validation: int | None = None
) -> Rows:
    """A data set, split by the seed."""
    inputs, targets = TABLES[name]()
    return _split(inputs, targets, name, seed, is_scaled=is_scaled, train=num_train, validation=num_validation)


def imbalanced(name: str, seed: int) -> Rows:
    """One class against the others, thinned out to a twentieth of the rows."""
    inputs, targets = TABLES[name]()
    positive = (targets == 1).astype(np.int64) if name != "breast_cancer" else (targets == 0).astype(np.int64)
    draw = seeds.stream(seed, "thinned")
    others, rare = np.flatnonzero(positive == 0), np.flatnonzero(positive == 1)
    kept = draw.permutation(rare)[: max(12, round(RARE * len(others)))]
    chosen = draw.permutation(np.concatenate([others, kept]))
    return _split(inputs[chosen], positive[chosen], name, seed, is_scaled=True, train=None, validation=None)


def _split(
    inputs: npt.NDArray[Any],
    targets: npt.NDArray[Any],
    name: str,
    seed: int,
    *,
    is_scaled: bool,
    train: int | None,
    validation: int | None,
) -> Rows:
    usual = SIZES[name]
    # where rows are few, a third of them must be left to tell the truth
    usual = (min(usual[0], len(inputs) // 2), min(usual[1], len(inputs) // 3))
    order = seeds.stream(seed, "rows").permutation(len(inputs))
    parts = np.split(order, [usual[0], usual[0] + usual[1], usual[0] + usual[1] + 3000])[:3]
    is_code = np.issubdtype(inputs.dtype, np.integer)
    if is_scaled and not is_code and name not in AS_THEY_ARE:
        known, axis = inputs[parts[0]], None if name in ONE_SCALE else 0
        inputs = (inputs - known.mean(axis)) / (known.std(axis) + 1e-6)
    parts[0], parts[1] = parts[0][: train or None], parts[1][: validation or None]
    inputs = inputs if is_code else inputs.astype(np.float32)
    made = [(torch.from_numpy(inputs[part]), torch.from_numpy(targets[part])) for part in parts]
    return Rows(*made)


@cache
def _digits() -> Table:
    found = datasets.load_digits()
    return found.data.astype(np.float32), found.target.astype(np.int64)


@cache
def _wine() -> Table:
    found = datasets.load_wine()
    return found.data.astype(np.float32), found.target.astype(np.int64)


@cache
def _breast_cancer() -> Table:
    found = datasets.load_breast_cancer()
    return found.data.astype(np.float32), found.target.astype(np.int64)


@cache
def _fashion() -> Table:
    folder = data_folder("fashion-mnist")
    assert folder is not None, "this measurement needs Fashion-MNIST: set SUREFOOT_DATA"
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)[:, ::2, ::2].reshape(-1, 196)
    return pixels.astype(np.float32), np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


@cache
def _adult() -> Table:
    """The numbers as they are, categories one-hot."""
    task = adult_task(adult_rows("train"))
    inputs, targets = task.train
    return np.asarray(inputs, dtype=np.float32), np.asarray(targets, dtype=np.int64)


def _digits_convolved() -> Table:
    inputs, targets = _digits()
    return inputs.reshape(-1, 1, 8, 8), targets


def _fashion_convolved() -> Table:
    inputs, targets = _fashion()
    return inputs.reshape(-1, 1, 14, 14), targets


TABLES: dict[str, Callable[[], Table]] = {
    "digits": _digits,
    "wine": _wine,
    "breast_cancer": _breast_cancer,
    "fashion": _fashion,
    "adult": _adult,
    "digits_convolved": _digits_convolved,
    "intents": made_other_rows.intents,
    "diabetes": made_other_rows.diabetes,
    "characters": made_other_rows.characters,
    "fashion_convolved": _fashion_convolved,
    "spoken": made_other_rows.spoken,
    "ratings": made_other_rows.ratings,
    "hours": made_other_rows.hours,
}
