"""Step by step: under our steering scikit-learn's estimators take the steps that their own ``partial_fit`` takes.

The same rows in the same order at a constant rate, so the same weights to the last digits. What makes it hold, and
fails here where it does not: a network's optimizer is made once and is left as new by our beginning, its alpha is
divided by the rows of the batch, and a linear model steps once a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

import surefoot as sf
from surefoot import seeds
from surefoot.integrations.sklearn.families import family_of
from surefoot.integrations.sklearn.partial_run import PartialRun
from surefoot.integrations.sklearn.rows import Part
from surefoot.protocols.search import never

ROWS, EPOCHS, SEED = 103, 4, 5  # no batch size divides the rows
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(ROWS, 4))
LABELS = np.array(["down", "level", "up"])[np.digitize(INPUTS[:, 0] + 0.3 * RNG.normal(size=ROWS), [-0.4, 0.4])]
NUMBERS = 3 * INPUTS[:, 0] - INPUTS[:, 1]
WEIGHTS = RNG.uniform(0.5, 1.5, size=ROWS)
# The seed of the weights, as a run derives it from its own.
DRAW = seeds.derive(SEED, "model") % 2**32

NETWORK = {"hidden_layer_sizes": (6, 5)}
SGD = {"name": "sgd", "momentum": 0.0, "nesterov": False}
MOMENTUM = {"name": "sgd", "momentum": 0.9, "nesterov": True}


def ours(estimator: Any, targets: Any, size: int, optimizer: dict[str, Any], weights: Any = None) -> Any:
    """The estimator after a run of ours at a constant rate."""
    recipe = sf.Recipe(optimizer=optimizer, schedule={"name": "constant", "warmup": 0.0}, batch={"size": size})
    rows = Part(INPUTS, targets, weights)
    classes = np.unique(targets) if targets is LABELS else None
    run = PartialRun(
        estimator, family_of(estimator), recipe.complete(ROWS), {"train": rows},
        classes=classes, scorer=None, direction="min", seed=SEED, horizon=EPOCHS * ROWS,
    )  # fmt: skip
    assert not run.advance(run.horizon, should_stop=never).failure
    return run.model


def theirs(
    estimator: Any, targets: Any, size: int, of_batch: Callable[[int], dict[str, Any]], weights: Any = None
) -> Any:
    """The estimator after a loop over its own ``partial_fit``, a batch a call, in the order of a run.

    ``of_batch`` gives the parameters that follow from a batch's rows: the last of an epoch is smaller.
    """
    classes = {"classes": np.unique(targets)} if targets is LABELS else {}
    for epoch in range(EPOCHS):
        order = seeds.stream(SEED, "order", epoch).permutation(ROWS)
        for start in range(0, ROWS, size):
            rows = order[start : start + size]
            given = {} if weights is None else {"sample_weight": weights[rows]}
            estimator.set_params(**of_batch(len(rows))).partial_fit(INPUTS[rows], targets[rows], **classes, **given)
    return estimator


def assert_same(one: Any, other: Any) -> None:
    names = ("coefs_", "intercepts_") if hasattr(one, "coefs_") else ("coef_", "intercept_")
    for name in names:
        pairs = zip(getattr(one, name), getattr(other, name), strict=True)
        assert max(float(np.abs(mine - their).max()) for mine, their in pairs) < 1e-10, name


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("decay", [0.0, 0.03])
@pytest.mark.parametrize(
    ("solver", "optimizer", "own"),
    [
        ("sgd", SGD, {"momentum": 0.0, "nesterovs_momentum": False}),
        ("sgd", MOMENTUM, {"momentum": 0.9, "nesterovs_momentum": True}),
        ("adam", {"name": "adam", "beta1": 0.8, "beta2": 0.99}, {"beta_1": 0.8, "beta_2": 0.99}),
    ],
    ids=["sgd", "nesterov", "adam"],
)
@pytest.mark.parametrize(("kind", "targets"), [(MLPClassifier, LABELS), (MLPRegressor, NUMBERS)])
def test_a_network(
    kind: Any, targets: Any, solver: str, optimizer: dict[str, Any], own: dict[str, Any], decay: float, size: int
) -> None:
    given = {**optimizer, "learning_rate": 0.01, "weight_decay": decay}
    mine = ours(kind(solver=solver, **NETWORK), targets, size, given)
    fresh = kind(solver=solver, learning_rate_init=0.01, shuffle=False, random_state=DRAW, **NETWORK, **own)
    assert_same(mine, theirs(fresh, targets, size, lambda rows: {"batch_size": rows, "alpha": decay * rows}))


@pytest.mark.parametrize(
    ("estimator", "targets", "size"),
    [
        (SGDClassifier(loss="log_loss"), LABELS, 1),
        # scikit-learn counts an L1 penalty anew in every call, so only calls of the same rows agree: one a batch here
        (SGDClassifier(loss="log_loss", penalty="elasticnet"), LABELS, 8),
        (SGDClassifier(class_weight={"up": 3.0}), LABELS, 8),
        (SGDRegressor(average=True), NUMBERS, 1),
        (SGDRegressor(loss="huber"), NUMBERS, 32),
    ],
    ids=["log loss", "elastic net", "hinge, weighted classes", "squares, averaged", "huber"],
)
def test_a_linear_model(estimator: Any, targets: Any, size: int) -> None:
    params, optimizer = estimator.get_params(), {**SGD, "learning_rate": 0.02 * size, "weight_decay": 0.01}
    mine = ours(type(estimator)(**params), targets, size, optimizer, WEIGHTS)
    params |= {"learning_rate": "constant", "alpha": 0.01, "shuffle": False, "random_state": DRAW}
    assert_same(
        mine, theirs(type(estimator)(**params), targets, size, lambda rows: {"eta0": 0.02 * size / rows}, WEIGHTS)
    )


def test_weighted_rows_in_a_network() -> None:
    pytest.importorskip("sklearn", minversion="1.7")  # networks take weights from there on
    mine = ours(MLPClassifier(solver="sgd", **NETWORK), LABELS, 8, {**MOMENTUM, "learning_rate": 0.01}, WEIGHTS)
    fresh = MLPClassifier(solver="sgd", learning_rate_init=0.01, alpha=0.0, shuffle=False, random_state=DRAW, **NETWORK)
    assert_same(mine, theirs(fresh, LABELS, 8, lambda rows: {"batch_size": rows}, WEIGHTS))
