"""The digits of digits_grid_search.py with Surefoot: a search for the price of two trainings in place of a grid.

What to see: the pipeline stays as it is; RecipeSearchCV takes the place of the grid around the same MLPClassifier and
needs no PyTorch. The second search trains a PyTorch network in the same place, every lever a parameter.

    python examples/sklearn/digits_surefoot.py
"""

from __future__ import annotations

import time
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from surefoot.integrations.sklearn import RecipeSearchCV, SurefootClassifier


def main(epochs: int = 30) -> dict[str, dict[str, float]]:
    """Search twice; the test scores, and the seconds they took."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    searches: dict[str, Any] = {
        "RecipeSearchCV": RecipeSearchCV(MLPClassifier(random_state=0), epochs=epochs, random_state=0),
        "SurefootClassifier": SurefootClassifier(budget=2, epochs=epochs, random_state=0),
    }
    found = {}
    for name, network in searches.items():
        pipeline = Pipeline([("scale", MinMaxScaler()), ("network", network)])
        started = time.perf_counter()
        pipeline.fit(X_train, y_train)
        seconds = time.perf_counter() - started
        score = float(pipeline.score(X_test, y_test))
        print(f"{name}: test accuracy {score:.3f} in {seconds:.1f} s")
        found[name] = {"score": score, "seconds": seconds}
    print(f"RecipeSearchCV found {searches['RecipeSearchCV'].best_params_}")
    return found


if __name__ == "__main__":
    main()
