"""A Keras model as a Trainable: the conformance suite, the state of its layers, exact accumulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras_models import blobs, build, build_rich, build_subclassed

import surefoot as sf
from surefoot.integrations.keras.factory import KerasFactory
from surefoot.integrations.keras.opening import open_model
from surefoot.protocols import KnowsFixedLoss, LooksAtNoise, RatePerStep, Steered, TellsCertainty, TellsCost
from surefoot.testing import check_trainable

RECIPES: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": {"name": "adam", "learning_rate": 0.01}},
    "momentum that moves": {
        "optimizer": {"name": "sgd", "learning_rate": 0.05},
        "schedule": {"name": "one_cycle"},
    },
    "a batch that grows": {
        "optimizer": {"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
        "batch": {"policy": "linear_ramp", "size": 4, "last": 16},
    },
    "noise": {"optimizer": {"name": "sgd", "learning_rate": 0.05}, "batch": {"policy": "noise_scale", "look_every": 2}},
    "micro-batches": {"optimizer": {"name": "rmsprop"}, "batch": {"size": 16, "micro_batch": 5}},
    "penalties": {
        "optimizer": {"name": "adagrad", "max_gradient_norm": 0.5},
        "regularization": {"l1": 1e-3, "l2": 1e-2},
        "data": {"balance": "stratify", "standardize": True},
    },
}


def factory_of(builder: Any, part: Any, **changes: Any) -> tuple[KerasFactory, sf.Recipe]:
    """A factory, and the recipe that the compile begins."""
    arguments = {"validation": 0.25, "test": None, "epochs": 2, "objective": "validation_loss", "name": "test"}
    opened = open_model(builder, part, **{**arguments, "recipe": None, **changes})
    return KerasFactory(opened.task), opened.require_optimizer()


@pytest.mark.parametrize("name", RECIPES)
def test_the_suite(name: str) -> None:
    factory, recipe = factory_of(build, blobs(), recipe=RECIPES[name])
    factory.check(recipe)
    check_trainable(lambda: factory.create(recipe.complete(factory.num_rows), seed=3))


@pytest.mark.parametrize("builder", [build_rich, build_subclassed])
def test_the_suite_with_other_models(builder: Any) -> None:
    x, y = blobs()
    part = (x, y) if builder is build_rich else (x, x.sum(axis=1, keepdims=True), np.linspace(0.5, 2, len(x)))
    factory, recipe = factory_of(builder, part, recipe={"batch": {"size": 8}})
    factory.check(recipe)
    check_trainable(lambda: factory.create(recipe.complete(factory.num_rows), seed=3))
    run = factory.create(recipe.complete(factory.num_rows), seed=0)
    for capability in (Steered, RatePerStep, LooksAtNoise, KnowsFixedLoss, TellsCost, TellsCertainty):
        assert isinstance(run, capability)


def test_the_core_of_the_suite() -> None:
    x, y = blobs(40)
    factory, recipe = factory_of(build_rich, (x, y), epochs=1, recipe={"batch": {"size": 8}})
    check_trainable(lambda: factory.create(recipe.complete(factory.num_rows), seed=3))
