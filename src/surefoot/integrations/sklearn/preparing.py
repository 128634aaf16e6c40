"""From what ``fit`` is given to the rows of a search and its folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, validate_data

from surefoot.errors import RequestError, nearest
from surefoot.integrations.sklearn.rows import Indices, Part
from surefoot.tasks.split import split_rows

__all__ = ["checked_rows", "folds_of", "labels_of", "prepared", "scorer_of"]

# What is held out where no folds are asked for.
HELD_OUT = 0.2


def checked_rows(search: Any, X: Any, y: Any, sample_weight: Any, *, many_outputs: bool) -> tuple[Part, Indices]:
    """The rows as arrays, and the places of those that count: a row of weight 0 is a row that is not there.

    Args:
        search: learns the number and the names of the columns.
        X: the rows.
        y: labels or numbers.
        sample_weight: a number of at least 0 a row, or None.
        many_outputs: the estimator predicts several numbers a row.
    """
    inputs, targets = validate_data(
        search,
        X,
        y,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        multi_output=many_outputs and not is_classifier(search),
        y_numeric=not is_classifier(search),
        ensure_min_samples=2,
    )
    if sample_weight is None:
        return Part(inputs, targets), np.arange(len(targets))
    weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
    used = np.flatnonzero(weights > 0)
    # alpha is divided by their sum over a batch, which is then about that of the rows
    return Part(inputs, targets, weights / weights[used].mean()), used


def labels_of(targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """All labels, sorted.

    Raises:
        RequestError: there is only one.
    """
    classes = np.unique(targets)
    if len(classes) < 2:
        raise RequestError(f'y holds one class, "{classes[0]}"; a classifier needs at least two')
    return classes


def folds_of(
    rows: Part, used: Indices, cv: Any, groups: Any, *, of_classes: bool
) -> tuple[tuple[Indices, Indices], ...]:
    """The rows to learn from and those to judge by, a pair a fold."""
    if cv is not None:
        splits = check_cv(cv, rows.targets, classifier=of_classes).split(rows.inputs, rows.targets, groups)
        folds = tuple(tuple(np.intersect1d(part, used) for part in split) for split in splits)
        if not all(len(part) for fold in folds for part in fold):
            raise RequestError("a fold of cv has no rows of any weight")
        return folds  # type: ignore[return-value] # each a pair, as splitters have it
    labels = np.unique(rows.targets[used], return_inverse=True)[1] if of_classes else None
    for stratified in (labels, None):
        kept, held = split_rows(len(used), (1.0 - HELD_OUT, HELD_OUT), labels=stratified)
        if len(held) and len(kept):
            return ((used[kept], used[held]),)
    raise RequestError(f"{len(used)} rows are too few to hold some out: give more rows, or cv")


def scorer_of(estimator: Any, scoring: Any) -> Callable[..., float]:
    """The one score that decides, as ``scorer(estimator, X, y)``.

    Raises:
        RequestError: there are several, or none of that name.
    """
    if isinstance(scoring, list | tuple | set | dict):
        raise RequestError(f"scoring must be one score, which decides, not {len(scoring)}: {scoring!r}")
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise RequestError(f'scikit-learn has no score "{scoring}"; {nearest(scoring, get_scorer_names())}')
    found: Callable[..., float] = check_scoring(estimator, scoring)
    return found


def prepared(estimator: Any, targets: npt.NDArray[Any], classes: Any) -> Any:
    """A clone that ``partial_fit`` can train: it takes balanced class weights only as numbers."""
    fresh = clone(estimator)
    if classes is not None and getattr(fresh, "class_weight", None) == "balanced":
        balanced = compute_class_weight("balanced", classes=classes, y=targets)
        fresh.set_params(class_weight=dict(zip(classes.tolist(), balanced.tolist(), strict=True)))
    return fresh
