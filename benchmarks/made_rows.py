"""Rows for ``benchmarks.made_faults``: real data, standardised unless asked not to be."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from sklearn import datasets

from benchmarks.made_trainings import Rows
from benchmarks.tasks import adult_rows, adult_task, data_folder
from surefoot import seeds

__all__ = ["CHOSEN_ON", "HELD_OUT", "imbalanced", "rows_of"]

Table = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
CHOSEN_ON = ("digits", "breast_cancer")
HELD_OUT = ("wine", "fashion", "adult")
# Rows to learn from and to watch; the others are the truth.
SIZES = {
    "digits": (1000, 300),
    "breast_cancer": (250, 120),
    "wine": (70, 54),
    "fashion": (2500, 1000),
    "adult": (2500, 1000),
}
RARE = 0.05
PICTURES = ("digits", "fashion")  # one scale for all pixels


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
    inputs: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
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
    if is_scaled and name != "adult":  # its numbers are standardised already, and its categories one-hot
        known, axis = inputs[parts[0]], None if name in PICTURES else 0
        inputs = (inputs - known.mean(axis)) / (known.std(axis) + 1e-6)
    parts[0], parts[1] = parts[0][: train or None], parts[1][: validation or None]
    made = [(torch.from_numpy(inputs[part].astype(np.float32)), torch.from_numpy(targets[part])) for part in parts]
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


TABLES: dict[str, Callable[[], Table]] = {
    "digits": _digits,
    "wine": _wine,
    "breast_cancer": _breast_cancer,
    "fashion": _fashion,
    "adult": _adult,
}
