"""What may vary in a search, as scikit-learn's users say it, in a recipe's names and with our kinds of ranges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from surefoot.errors import RequestError, nearest
from surefoot.space import Choice, Dimension, Integer, Log, Uniform, When, choice, integer, log, samples, uniform

__all__ = ["dimension_of", "space_of", "tried_apart"]

# Estimators' own parameters that a recipe has under another name, and mostly in another unit.
IN_A_RECIPE = {
    "learning_rate_init": "optimizer.learning_rate",
    "eta0": "optimizer.learning_rate",
    "alpha": "optimizer.weight_decay",
    "batch_size": "batch.size",
    "learning_rate": "schedule.name",
}
# SciPy's distributions by the names that they have themselves.
OF_SCIPY = {"loguniform": log, "reciprocal": log, "uniform": uniform, "randint": integer}


def space_of(space: Mapping[str, Any] | None, *, own: Collection[str]) -> dict[str, Dimension] | None:
    """A space in a recipe's names; None where nothing beside rate and decay varies.

    Args:
        space: values by the names of the estimator's parameters or of a recipe's keys.
        own: the estimator's parameters.

    Raises:
        RequestError: a parameter is what the search itself sets or does not exist, or a distribution is not known.

    >>> space_of({"tol": [0.1, 0.2]}, own={"tol"})
    {'model.tol': Choice(options=(0.1, 0.2))}
    """
    found = dict[str, Dimension]()
    for name, values in (space or {}).items():
        if name in own and name in IN_A_RECIPE:
            raise RequestError(
                f'space["{name}"] is what the search itself sets; to say where it may go, name it '
                f'"{IN_A_RECIPE[name]}", in the unit of a recipe: docs/coming-from-scikit-learn.md'
            )
        if name not in own and "." not in name:
            raise RequestError(
                f'space["{name}"] is neither a parameter of the estimator nor a key of a recipe such as "batch.size"; '
                f"{nearest(name, set(own) - set(IN_A_RECIPE))}"
            )
        found[f"model.{name}" if name in own else name] = dimension_of(name, values)
    return found or None


def tried_apart(space: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Arguments of the estimator that show whether it takes each value that a space may give it.

    Args:
        space: as ``space_of`` gives it; what is no dimension is left to the search.

    >>> list(tried_apart({"model.tol": choice(0.1, 0.2), "batch.size": choice(8, 16)}))
    [{'tol': 0.1}, {'tol': 0.2}]
    """
    for key, dimension in space.items():
        section, _, name = key.partition(".")
        if section != "model" or not isinstance(dimension, Choice | Integer | Log | Uniform | When):
            continue
        given = {}
        if isinstance(dimension, When) and dimension.key.startswith("model."):
            given = {dimension.key.removeprefix("model."): dimension.values[0]}
        for value in samples(dimension):
            yield {**given, name: value}


def dimension_of(name: str, values: Any) -> Any:
    """Values as a dimension: a list as a choice, SciPy's loguniform, uniform and randint as the ranges they are.

    Anything else as it is: the search says what is wrong with it.

    >>> from scipy.stats import loguniform
    >>> dimension_of("tol", loguniform(1e-5, 1e-3))
    Log(low=1e-05, high=0.001)
    """
    if isinstance(values, list | tuple | np.ndarray):
        return choice(*values)
    if not hasattr(values, "rvs"):
        return values
    kind = getattr(getattr(values, "dist", None), "name", type(values).__name__)
    if kind not in OF_SCIPY:
        raise RequestError(
            f'space["{name}"] is SciPy\'s {kind}; take loguniform, uniform or randint, or a list of values'
        )
    low, high = (end.item() for end in values.support())
    return OF_SCIPY[kind](low, high)
