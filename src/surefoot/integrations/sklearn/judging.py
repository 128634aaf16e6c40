"""What a scikit-learn estimator is judged by: the loss that it minimises, as far as its outputs tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier

__all__ = ["mean_loss"]

# A probability of 0 for the right class would cost everything.
LEAST_PROBABILITY = 1e-12


def mean_loss(estimator: Any, inputs: Any, targets: Any, weights: Any = None) -> float:
    """The mean loss over rows, without penalties.

    The logarithmic loss of a classifier with probabilities, the hinge loss of one with margins (over all classes, one
    against the rest, as scikit-learn trains it), the squared error of a regressor.

    Args:
        estimator: fitted.
        inputs: the rows.
        targets: labels or numbers.
        weights: a number a row; None is 1 for every one.
    """
    return float(np.average(_row_losses(estimator, inputs, targets), weights=weights))


def _row_losses(estimator: Any, inputs: Any, targets: Any) -> npt.NDArray[np.float64]:
    if not is_classifier(estimator):
        errors = np.asarray(estimator.predict(inputs), dtype=np.float64) - targets
        return np.asarray((errors**2).reshape(len(errors), -1).mean(axis=1))
    places = np.searchsorted(estimator.classes_, targets)
    if hasattr(estimator, "predict_proba"):
        shares = estimator.predict_proba(inputs)[np.arange(len(places)), places]
        return np.asarray(-np.log(np.maximum(shares, LEAST_PROBABILITY)))
    margins = estimator.decision_function(inputs)
    if margins.ndim == 1:
        return np.asarray(np.maximum(0.0, 1.0 - np.where(places == 1, margins, -margins)))
    signs = np.full(margins.shape, -1.0)
    signs[np.arange(len(places)), places] = 1.0
    return np.asarray(np.maximum(0.0, 1.0 - signs * margins).sum(axis=1))
