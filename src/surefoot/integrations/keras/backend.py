"""Keras models as a backend: what a ``Task`` names and ``workflows`` find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from surefoot.integrations.keras.compiled import loss_of
from surefoot.integrations.keras.factory import KerasFactory
from surefoot.integrations.keras.scores import as_scores
from surefoot.integrations.keras.state import read_weights

__all__ = ["load_weights", "open_task", "predict"]

open_task = KerasFactory


def predict(model: Any, inputs: Any) -> Any:
    """The model's outputs for rows: scores a class, where it gives probabilities, as other backends have them."""
    outputs = model.predict(inputs, verbose=0)
    return outputs if keras.tree.is_nested(outputs) else as_scores(loss_of(model), outputs)


def load_weights(model: Any, path: Path) -> None:
    """Read weights that a run of this backend wrote into a model of the same make."""
    read_weights(model, path)
