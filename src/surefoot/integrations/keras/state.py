"""Everything of a run that training changes, as arrays and plain values: taken, put back, written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from surefoot import files
from surefoot.errors import TaskError

__all__ = ["Values", "put_back", "read_checkpoint", "read_weights", "take", "write_checkpoint", "write_weights"]

Values = list[npt.NDArray[Any]]


def take(variables: Sequence[Any]) -> Values:
    """Copies of what variables hold."""
    if keras.backend.backend() == "tensorflow":  # its arrays do not know NumPy 2's "copy" and would warn of it
        return [np.array(variable.value.numpy()) for variable in variables]
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


def put_back(variables: Sequence[Any], values: Values) -> None:
    """Write copies into variables of the same make."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def write_checkpoint(path: Path, states: Mapping[str, Values], rest: Mapping[str, Any]) -> None:
    """Write values by name and plain values as safetensors, whole or not at all; what is read can run no code."""
    arrays = {f"{name}/{index}": value for name, values in states.items() for index, value in enumerate(values)}
    lengths = {name: len(values) for name, values in states.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        save_file(arrays, temporary, metadata={"rest": json.dumps({"lengths": lengths, **rest})})


def read_checkpoint(path: Path) -> tuple[dict[str, Values], dict[str, Any]] | None:
    """What ``write_checkpoint`` wrote; None where there is nothing."""
    if not path.is_file():
        return None
    with safe_open(path, framework="np") as opened:
        rest = json.loads(opened.metadata()["rest"])
        states = {
            name: [opened.get_tensor(f"{name}/{index}") for index in range(length)]
            for name, length in rest.pop("lengths").items()
        }
    return states, rest


def write_weights(model: Any, path: Path, *, inputs: Any) -> None:
    """Write a model's weights as safetensors: named by their place, since Keras numbers its layers anew every time.

    Args:
        model: whose they are.
        path: of the file.
        inputs: rows that it takes; their shapes and types are kept, since some models have weights once they saw rows.
    """
    values = take(model.weights)
    arrays = {
        f"{index:05d}.{one.name}": value for index, (one, value) in enumerate(zip(model.weights, values, strict=True))
    }
    form = keras.tree.map_structure(lambda one: f"{one.dtype} {' '.join(map(str, one.shape[1:]))}", inputs)
    with files.replacing(path) as temporary:
        save_file(arrays, temporary, metadata={"inputs": json.dumps(form)})


def _build(model: Any, form: str) -> None:
    """Show a model that has no weights yet a row of zeros."""
    if model.built and model.weights:
        return

    def zeros(text: str) -> npt.NDArray[Any]:
        dtype, *shape = text.split()
        return np.zeros((1, *map(int, shape)), dtype=dtype)

    model(keras.tree.map_structure(zeros, json.loads(form)))


def read_weights(model: Any, path: Path) -> None:
    """Read what ``write_weights`` wrote into a model of the same make.

    Raises:
        TaskError: the model has other weights, or the file cannot be read.
    """
    try:
        with safe_open(path, framework="np") as opened:
            values = [opened.get_tensor(name) for name in sorted(opened.keys())]  # the numbers come first
            form = opened.metadata()["inputs"]
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise TaskError(f"{path} holds no weights of a Keras model: {error}") from None
    _build(model, form)
    shapes = [tuple(variable.shape) for variable in model.weights]
    if shapes != [value.shape for value in values]:
        raise TaskError(f"the model has weights of shapes {shapes}, and {path} holds others: was it built otherwise?")
    put_back(model.weights, values)
