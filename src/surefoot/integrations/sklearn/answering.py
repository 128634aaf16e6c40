"""What a search does once it is fitted: hand questions to its best estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

__all__ = ["AnswersByItsBest"]

Array = npt.NDArray[Any]


def _has(name: str) -> Callable[[Any], bool]:
    def check(search: Any) -> bool:
        getattr(search.best_estimator_ if hasattr(search, "best_estimator_") else search.estimator, name)
        return True

    return check


class AnswersByItsBest(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A search over ``estimator`` whose ``fit`` leaves ``best_estimator_``, unless ``refit`` is False."""

    estimator: Any
    refit: Any
    scorer_: Callable[..., float]

    def _best(self) -> Any:
        if not self.refit:
            raise AttributeError("refit=False leaves no best_estimator_ to predict with")
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def predict(self, X: Any) -> Array:
        """The best estimator's prediction of every row."""
        found: Array = self._best().predict(X)
        return found

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, X: Any) -> Array:
        """The best estimator's probability of every class."""
        found: Array = self._best().predict_proba(X)
        return found

    @available_if(_has("predict_log_proba"))  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of those probabilities."""
        found: Array = self._best().predict_log_proba(X)
        return found

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator] # scikit-learn has no types
    def decision_function(self, X: Any) -> Array:
        """The best estimator's margins."""
        found: Array = self._best().decision_function(X)
        return found

    def score(self, X: Any, y: Any) -> float:
        """The best estimator's score, by ``scoring``."""
        return float(self.scorer_(self._best(), X, y))

    @property
    def classes_(self) -> Array:
        """The labels, sorted."""
        found: Array = self._best().classes_
        return found

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type, tags.classifier_tags = inner.estimator_type, inner.classifier_tags
        tags.regressor_tags, tags.input_tags.sparse = inner.regressor_tags, inner.input_tags.sparse
        tags.target_tags = inner.target_tags
        return tags
