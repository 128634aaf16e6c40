"""What several tests share: small tasks that train in milliseconds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

# Before anybody imports Keras: its tested default, without TensorFlow's greetings, its settings in a folder of ours.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="surefoot-keras-"))


@pytest.fixture
def make_task() -> Callable[..., Any]:
    """Builds a small classification task; keyword arguments replace the Task's own."""
    from surefoot import Task

    def make(rows: int = 60, classes: int = 3, seed: int = 0, **changes: Any) -> Task:
        generator = np.random.default_rng(seed)
        centres = np.random.default_rng(7).normal(size=(classes, 4)) * 2
        labels = generator.integers(classes, size=rows)
        inputs = (centres[labels] + generator.normal(size=(rows, 4))).astype(np.float32)
        arguments = {"model": small_model, "train": (inputs, labels), "epochs": 4, **changes}
        return Task(**arguments)

    return make


def small_model(hidden: int = 8, dropout: float = 0.0, norm: bool = False) -> Any:
    """A network with four inputs and three outputs."""
    from torch import nn

    layers: list[Any] = [nn.Linear(4, hidden), nn.ReLU()]
    if norm:
        layers.append(nn.BatchNorm1d(hidden))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(hidden, 3))
