"""The same recipe, order of rows and initial weights through PyTorch and Keras: the same losses, in float64.

A test of PyTorch's engine against this door, so torch is loaded beside whichever backend Keras has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import surefoot as sf
from surefoot import schedules, seeds
from surefoot.engine import TorchFactory
from surefoot.integrations.keras.factory import KerasFactory
from surefoot.integrations.keras.opening import open_model
from surefoot.training import never

STEPS, TOLERANCE = 50, 1e-6
ROWS, BATCH = 88, 8
SGD = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}
ADAMW = {"name": "adamw", "learning_rate": 0.02}

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": {**SGD, "momentum": 0.0, "nesterov": False}},
    "momentum": {"optimizer": {**SGD, "nesterov": False}},
    "nesterov": {"optimizer": {**SGD, "nesterov": True}},
    "sgd, decay in the gradient": {"optimizer": {**SGD, "weight_decay": 0.03}},
    "adam, decay in the gradient": {"optimizer": {"name": "adam", "learning_rate": 0.02, "weight_decay": 0.03}},
    "adamw, decoupled decay": {"optimizer": {**ADAMW, "weight_decay": 0.5}},
    "nadamw": {"optimizer": {"name": "nadamw", "learning_rate": 0.02, "weight_decay": 0.5}},
    "rmsprop": {"optimizer": {"name": "rmsprop", "learning_rate": 0.01, "momentum": 0.5}},
    "adagrad": {"optimizer": {"name": "adagrad", "learning_rate": 0.1}},
    "l2 in the loss": {"optimizer": ADAMW, "regularization": {"l2": 0.05}},
    "l1 in the loss": {"optimizer": SGD, "regularization": {"l1": 0.01}},
    "clipped": {"optimizer": {**SGD, "max_gradient_norm": 0.2}},
    "micro-batches": {"optimizer": ADAMW, "batch": {"size": BATCH, "micro_batch": 3}},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    name: {"optimizer": {**SGD, "weight_decay": 0.01}, "schedule": {"name": name}}
    for name in (*schedules.SCHEDULES, *schedules.REACTIVE)
    if name not in {"warmup", "sequence"}
}
BATCHES: dict[str, dict[str, Any]] = {
    "a ramp, linear coupling": {
        "optimizer": SGD,
        "batch": {"policy": "linear_ramp", "size": 3, "last": 12, "coupling": "linear"},
    },
    "a ramp, square root coupling": {
        "optimizer": {**ADAMW, "weight_decay": 0.1},
        "batch": {"policy": "linear_ramp", "size": 3, "last": 12, "coupling": "sqrt"},
    },
    "growth that replaces decay": {"optimizer": SGD, "batch": {"policy": "growth_replaces_decay", "size": 4}},
    "noise scale": {
        "optimizer": SGD,
        "batch": {"policy": "noise_scale", "size": 6, "look_every": 3},
    },
}
ALL = {**OPTIMIZERS, **SCHEDULES, **BATCHES}


@pytest.fixture(scope="module")
def factories() -> Iterator[tuple[TorchFactory, KerasFactory]]:
    """Both backends' of one task, in float64; the runs of one share what was traced."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    inputs, targets = rows()
    part = torch.from_numpy(inputs), torch.from_numpy(targets)
    epochs = STEPS * BATCH / ROWS
    opened = open_model(
        keras_model, (inputs, targets), validation=(inputs, targets), test=None, epochs=epochs,
        objective="validation_loss", recipe=None, name="test",
    )  # fmt: skip
    yield TorchFactory(sf.Task(TorchModel, part, validation=part, epochs=epochs)), KerasFactory(opened.task)
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def weights() -> list[Any]:
    stream = seeds.stream(1, "weights")
    return [0.5 * stream.normal(size=shape) for shape in ((4, 8), (8,), (8, 3), (3,))]


def rows() -> tuple[Any, Any]:
    stream = seeds.stream(2, "rows")
    inputs = stream.normal(size=(ROWS, 4))
    return inputs, (inputs[:, 0] > 0.3).astype(int) + (inputs[:, 1] > 0)


class TorchModel(nn.Module):
    """Dense layers by hand: of PyTorch's own, the engine would look at the noise of single rows, not of halves."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.ParameterList(torch.from_numpy(value) for value in weights())

    def forward(self, inputs: Tensor) -> Tensor:
        first, first_bias, last, last_bias = self.values
        return (inputs @ first + first_bias).tanh() @ last + last_bias


def keras_model() -> Any:
    layers = [keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.set_weights(weights())
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def losses_of(run: Any) -> list[float]:
    """The loss before every step, with a look at the validation part after every 11."""
    losses = []
    while len(losses) < STEPS and run.samples_seen < run.horizon:
        done = run.advance(1, should_stop=never)
        losses.append(done.loss)
        if len(losses) % 11 == 0:
            run.looked(run.evaluate("validation")["loss"])
    return losses


@pytest.mark.parametrize("name", ALL)
def test_losses_agree(name: str, factories: tuple[TorchFactory, KerasFactory]) -> None:
    recipe = sf.Recipe(**{"batch": {"size": BATCH}, "schedule": {"name": "constant"}, **ALL[name]})
    theirs, ours = (factory.create(recipe.complete(ROWS), seed=5) for factory in factories)
    expected, found = losses_of(theirs), losses_of(ours)
    assert len(expected) > 20 and len(set(expected)) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert ours.evaluate("train") == pytest.approx(theirs.evaluate("train"), rel=TOLERANCE)
    known = theirs.noise_scale
    assert ours.noise_scale == (None if known is None else pytest.approx(known, rel=TOLERANCE))
    assert [change.name for change in ours.changes] == [change.name for change in theirs.changes]
