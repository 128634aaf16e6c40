"""Small Keras models and data that several tests train."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from surefoot import seeds


def blobs(rows: int = 60, classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """Rows of four numbers around a centre a class, and the class."""
    centres = seeds.stream(7, "centres").normal(size=(classes, 4)) * 2
    stream = seeds.stream(seed, "blobs")
    labels = stream.integers(classes, size=rows)
    return (centres[labels] + stream.normal(size=(rows, 4))).astype(np.float32), labels


def build(hidden: int = 8) -> Any:
    """A network with four inputs and three outputs, compiled with Adam."""
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(hidden, activation="relu"), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_rich(reduction: str = "sum_over_batch_size") -> Any:
    """Everything that has a state or a penalty: batch normalisation, dropout, a regularizer; scores as outputs."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    return model


class Subclassed(keras.Model):
    """A model without a graph, built by its first call."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.last = keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.last(self.hidden(inputs))


def build_subclassed() -> Any:
    """A regression with a loss of one's own."""
    model = Subclassed()
    model.compile("sgd", lambda target, output: keras.ops.mean(keras.ops.square(target - output), axis=-1))
    return model
