"""Handwritten digits with scikit-learn alone: a Pipeline, and a grid over rate and alpha of an MLPClassifier.

What to see: ten points of a grid times three folds are thirty trainings, each to its end, and the grid's corners are
all that is ever tried. digits_surefoot.py does the same with a search.

    python examples/sklearn/digits_grid_search.py
"""

from __future__ import annotations

import time

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

GRID = {
    "network__learning_rate_init": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
    "network__alpha": [1e-4, 1e-1],
}


def main(max_iter: int = 100, folds: int = 3) -> dict[str, float]:
    """Search the grid; the test score, and the seconds it took."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    pipeline = Pipeline(
        [("scale", MinMaxScaler()), ("network", MLPClassifier(batch_size=32, max_iter=max_iter, random_state=0))]
    )
    search = GridSearchCV(pipeline, GRID, cv=folds)
    started = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - started
    score = float(search.score(X_test, y_test))
    print(f"grid search: test accuracy {score:.3f} in {seconds:.1f} s with {search.best_params_}")
    return {"score": score, "seconds": seconds}


if __name__ == "__main__":
    main()
