"""The built-in tasks: five real data sets that come with scikit-learn."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from surefoot.errors import MissingExtraError, TaskError, nearest
from surefoot.tasks.builder import NamedBuilder
from surefoot.tasks.preparation import ArrayPreparation, unit_of
from surefoot.tasks.split import split_rows, take_rows
from surefoot.tasks.task import Task

__all__ = ["BUILTIN", "PARTS", "builtin"]

PARTS = (0.6, 0.2, 0.2)
"""Shares of the rows that train, validate and test."""


@dataclasses.dataclass(frozen=True)
class _Dataset:
    """What is particular to a built-in task."""

    loader: str
    about: str
    epochs: int
    one_unit: bool = False  # the features share a unit, as pixels do
    is_regression: bool = False


BUILTIN: dict[str, _Dataset] = {
    "digits": _Dataset("load_digits", "1,797 handwritten digits of 8 x 8 pixels, ten classes", 20, one_unit=True),
    "iris": _Dataset("load_iris", "150 flowers, four measures, three species", 100),
    "wine": _Dataset("load_wine", "178 wines, thirteen measures, three growers", 60),
    "breast_cancer": _Dataset("load_breast_cancer", "569 tumours, thirty measures, benign or malignant", 30),
    "diabetes": _Dataset(
        "load_diabetes", "442 patients, ten measures, progression after a year", 30, is_regression=True
    ),
}
"""The built-in tasks by name, with where their rows come from and how long they train."""


def builtin(name: str, *, split: int = 0) -> Task:
    """A built-in task, its rows split 60/20/20 once and for all, independent of any run's seed.

    Args:
        name: digits, iris, wine, breast_cancer or diabetes.
        split: which of many splits; 0 is the built-in one, others are for benchmarks.
    """
    if name not in BUILTIN:
        raise TaskError(f'there is no built-in task "{name}"; {nearest(name, BUILTIN)}')
    dataset = BUILTIN[name]
    inputs, targets, classes = _load(dataset)
    labels = None if dataset.is_regression else targets
    train, validation, test = split_rows(len(targets), PARTS, labels=labels, split=split)
    offset, scale = unit_of(inputs[train], axis=None if dataset.one_unit else 0)
    preparation = ArrayPreparation(
        offset=tuple(np.atleast_1d(offset).tolist()),
        scale=tuple(np.atleast_1d(scale).tolist()),
        num_features=inputs.shape[1],
        classes=classes,
    )
    if dataset.is_regression:
        target_offset, target_scale = (float(value) for value in unit_of(targets[train]))
        targets = ((targets - target_offset) / target_scale).astype(np.float32)
        preparation = preparation.model_copy(update={"target_offset": target_offset, "target_scale": target_scale})
    data = (preparation.encode(inputs), targets)
    outputs = len(classes) or 1
    return Task(
        NamedBuilder("surefoot.tasks.models:mlp", {"inputs": inputs.shape[1], "outputs": outputs}),
        take_rows(data, train),
        validation=take_rows(data, validation),
        test=take_rows(data, test),
        epochs=dataset.epochs,
        name=name,
        preparation=preparation,
    )


def _load(dataset: _Dataset) -> tuple[Any, Any, tuple[str, ...]]:
    """Features (rows, features), targets (rows,), class names."""
    try:
        from sklearn import datasets  # the torch extra brings it; loaded on use
    except ImportError:
        raise MissingExtraError(
            "the built-in tasks need scikit-learn; install it with: pip install 'surefoot[torch]'"
        ) from None
    loader = getattr(datasets, dataset.loader)
    bunch = loader(scaled=False) if dataset.is_regression else loader()
    if dataset.is_regression:
        return bunch.data.astype(float), bunch.target.astype(float), ()
    return (
        bunch.data.astype(float),
        bunch.target.astype(np.int64),
        tuple(str(name) for name in bunch.target_names),
    )
