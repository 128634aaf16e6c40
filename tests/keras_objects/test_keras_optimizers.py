"""Keras optimizers that follow PyTorch's formulas, in whichever backend Keras is set to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from surefoot.integrations.keras import SGD, Adagrad, Adam, AdamW, NAdamW, RMSprop

STEPS = 60
# ours, PyTorch's, and what both are made with; the names of the knobs that move, ours and theirs
PAIRS = {
    "sgd": (SGD, torch.optim.SGD, {}),
    "sgd with L2": (SGD, torch.optim.SGD, {"weight_decay": 0.1}),
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9}),
    "nesterov with L2": (SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (Adam, torch.optim.Adam, {}),
    "adam with L2": (Adam, torch.optim.Adam, {"weight_decay": 0.1}),
    "adamw": (AdamW, torch.optim.AdamW, {"weight_decay": 0.1}),
    "nadamw": (NAdamW, torch.optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "rmsprop": (RMSprop, torch.optim.RMSprop, {"weight_decay": 0.1}),
    "rmsprop with momentum": (RMSprop, torch.optim.RMSprop, {"momentum": 0.9}),
    "adagrad": (Adagrad, torch.optim.Adagrad, {"weight_decay": 0.1}),
}

# NumPy tells Keras that its variables' __array__ takes no argument "copy"; Keras saves a model through it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # once a layer was made, this does not follow the other
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # PyTorch's NAdam keeps a product of its own in it
    yield
    torch.set_default_dtype(default)
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(policy)


def rate_at(step: int) -> float:
    """Up, down, and by jumps: what a schedule with a changing batch may do."""
    return 0.02 * (1.0 + np.sin(step / 5.0)) * (0.1 if step >= 40 else 1.0)


@pytest.mark.parametrize("name", PAIRS)
def test_a_moving_rate_gives_pytorchs_weights(name: str) -> None:
    ours, theirs, arguments = PAIRS[name]
    generator = np.random.default_rng(0)
    starts = [generator.normal(size=shape) for shape in ((3, 4), (4,))]
    variables = [keras.Variable(start, dtype="float64") for start in starts]
    parameters = [torch.nn.Parameter(torch.tensor(start)) for start in starts]
    own = {key: value for key, value in arguments.items() if key != "decoupled_weight_decay"}
    optimizer, reference = ours(0.02, **own), theirs(parameters, lr=0.02, **arguments)
    for step in range(STEPS):
        optimizer.learning_rate = rate_at(step)
        reference.param_groups[0]["lr"] = rate_at(step)
        gradients = [generator.normal(size=start.shape) for start in starts]
        optimizer.apply([keras.ops.convert_to_tensor(one) for one in gradients], variables)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        reference.step()
    for variable, parameter in zip(variables, parameters, strict=True):
        assert variable.numpy() == pytest.approx(parameter.detach().numpy(), rel=1e-12, abs=1e-14)


def test_momentum_betas_epsilon_and_decay_move_too() -> None:
    start = np.random.default_rng(0).normal(size=5)
    for ours, theirs, moved, made in (
        (SGD, torch.optim.SGD, {"momentum": "momentum", "weight_decay": "weight_decay"}, {"momentum": 0.9}),
        (AdamW, torch.optim.AdamW, {"epsilon": "eps", "weight_decay": "weight_decay"}, {}),
    ):
        variable, parameter = keras.Variable(start, dtype="float64"), torch.nn.Parameter(torch.tensor(start))
        optimizer = ours(0.1, weight_decay=0.2, **made)
        reference = theirs([parameter], lr=0.1, weight_decay=0.2, **made)
        for step in range(30):
            for key, other in moved.items():
                value = 0.5 / (1 + step)
                setattr(optimizer, key, value)
                reference.param_groups[0][other] = value
            if ours is AdamW:
                optimizer.beta_1, optimizer.beta_2 = 0.8 + step / 200, 0.9 + step / 400
                reference.param_groups[0]["betas"] = (0.8 + step / 200, 0.9 + step / 400)
            gradient = np.cos(start * step)
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
            parameter.grad = torch.tensor(gradient)
            reference.step()
        assert variable.numpy() == pytest.approx(parameter.detach().numpy(), rel=1e-12, abs=1e-14)


def small_model(optimizer: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    generator = np.random.default_rng(3)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    model.compile(optimizer, loss="mse")
    return model


def rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    inputs = generator.normal(size=(20, 3))
    return inputs, np.sin(inputs.sum(axis=1, keepdims=True))


def trained_by_torch(momenta: list[float], rates: list[float]) -> list[np.ndarray]:
    """The weights of ``small_model`` after an epoch of five batches for every pair, by PyTorch itself."""
    start = small_model(SGD()).get_weights()
    parameters = [torch.nn.Parameter(torch.tensor(weight)) for weight in start]
    optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=0.9, weight_decay=0.01)
    inputs, targets = (torch.tensor(part) for part in rows())
    for momentum, rate in zip(momenta, rates, strict=True):
        optimizer.param_groups[0].update(lr=rate, momentum=momentum)
        for first in range(0, 20, 4):
            kernel, bias, last, last_bias = parameters
            output = torch.tanh(inputs[first : first + 4] @ kernel + bias) @ last + last_bias
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(output, targets[first : first + 4]).backward()
            optimizer.step()
    return [parameter.detach().numpy() for parameter in parameters]


class Moves(keras.callbacks.Callback):
    def __init__(self, momenta: list[float], rates: list[float]) -> None:
        super().__init__()
        self._pairs = list(zip(momenta, rates, strict=True))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.momentum, self.model.optimizer.learning_rate = self._pairs[epoch]


def test_a_compiled_fit_sees_what_moves_and_a_saved_model_goes_on(tmp_path: Path) -> None:
    momenta, rates = [0.9, 0.8, 0.5, 0.95], [0.1, 0.02, 0.05, 0.01]
    model = small_model(SGD(0.3, momentum=0.9, weight_decay=0.01))
    options: dict[str, Any] = {"batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(*rows(), epochs=2, callbacks=[Moves(momenta, rates)], **options)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(again.optimizer.momentum) == 0.8
    assert again.optimizer.get_config() == {**model.optimizer.get_config(), "learning_rate": 0.02}
    again.fit(*rows(), epochs=4, initial_epoch=2, callbacks=[Moves(momenta, rates)], **options)
    # elsewhere Keras's trainer rounds a part of the loss to float32, for its own optimizers too
    tolerance = 1e-11 if keras.config.backend() == "tensorflow" else 1e-6
    for weight, expected in zip(again.get_weights(), trained_by_torch(momenta, rates), strict=True):
        assert weight == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_kerass_own_momentum_answers_a_drop_of_the_rate_late() -> None:
    """Keras adds up η·g: after η falls to nothing its velocity still moves the weight; PyTorch's and ours do not."""
    moved = {}
    for kind in (SGD, keras.optimizers.SGD):
        variable = keras.Variable(1.0, dtype="float64")
        optimizer = kind(1.0, momentum=0.9)
        optimizer.apply([keras.ops.convert_to_tensor(1.0, dtype="float64")], [variable])
        before = variable.numpy()
        optimizer.learning_rate = 0.0
        optimizer.apply([keras.ops.convert_to_tensor(1.0, dtype="float64")], [variable])
        moved[kind] = before - variable.numpy()
    assert moved[SGD] == 0.0
    assert moved[keras.optimizers.SGD] == pytest.approx(0.9)


def test_what_is_excluded_does_not_decay() -> None:
    for kind in (SGD, AdamW):
        optimizer = kind(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        kernel, bias = (keras.Variable(1.0, dtype="float64", name=name) for name in ("kernel", "bias"))
        zero = keras.ops.convert_to_tensor(0.0, dtype="float64")
        optimizer.apply([zero, zero], [kernel, bias])
        assert bias.numpy() == 1.0
        assert kernel.numpy() == pytest.approx(0.95)


def test_an_embedding_learns_as_in_pytorch() -> None:
    table = np.random.default_rng(0).normal(size=(6, 2))
    words = np.array([[0, 1], [1, 2], [4, 1]])
    model = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(6, 2)])
    model.set_weights([table])
    model.compile(Adam(0.1, weight_decay=0.01), loss="mse")
    model.fit(words, np.zeros((3, 2, 2)), batch_size=3, epochs=5, verbose=0)
    parameter = torch.nn.Parameter(torch.tensor(table))
    optimizer = torch.optim.Adam([parameter], lr=0.1, weight_decay=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        (parameter[torch.tensor(words)] ** 2).mean().backward()
        optimizer.step()
    assert model.get_weights()[0] == pytest.approx(parameter.detach().numpy(), rel=1e-11)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-0.1), "learning_rate must be finite and at least 0, not -0.1"),
        (lambda: SGD("fast"), "learning_rate must be finite and at least 0, not 'fast'"),
        (lambda: SGD(0.1, momentum=1.0), "momentum must be at least 0 and below 1, not 1.0"),
        (lambda: Adam(0.1, beta_2=float("nan")), "beta_2 must be at least 0 and below 1, not nan"),
        (lambda: AdamW(0.1, weight_decay=-1), "weight_decay must be finite and at least 0, not -1"),
        (lambda: SGD(0.1, speed=3), "speed"),
    ],
)
def test_bad_settings_are_one_line(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_momentum_cannot_begin_where_none_was_kept() -> None:
    optimizer = SGD(0.1)
    optimizer.build([keras.Variable(1.0)])
    with pytest.raises(ValueError, match="momentum was 0 when this SGD was made"):
        optimizer.momentum = 0.9
    optimizer.momentum = 0.0


def test_importing_the_door_is_enough_to_load_a_model_and_loads_no_other_framework(tmp_path: Path) -> None:
    model = small_model(NAdamW(0.1, beta_1=0.8))
    model.fit(*rows(), verbose=0)
    model.save(tmp_path / "model.keras")
    look = "print(*{'torch', 'tensorflow', 'jax'} & set(sys.modules))"
    script = (
        f"import sys, keras; {look}; import surefoot.integrations.keras; {look}\n"
        f"print(float(keras.models.load_model({str(tmp_path / 'model.keras')!r}).optimizer.beta_1.numpy()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    by_keras, by_the_door, beta = done.stdout.splitlines()
    assert by_the_door == by_keras
    assert float(beta) == pytest.approx(0.8, rel=1e-6)


def test_with_tensorflow_the_door_loads_no_torch() -> None:
    script = "import sys, surefoot.integrations.keras; print('torch' in sys.modules)"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
