"""A 784-10-10 softmax network on one-hot labels in a loop of one's own: GradientTape, CategoricalCrossentropy, Adam.

What to see: tutorials leave the model of such a loop undefined, or leave out the softmax: the network ends in plain
outputs, and ``CategoricalCrossentropy()`` takes them for probabilities. Nobody complains, and the last line is what
comes of it. With ``from_logits=True`` the softmax is in the loss. (One that is taken twice Keras notices by itself.)

Fashion-MNIST from the folder that SUREFOOT_DATA names; without it the digits that come with scikit-learn, which are 64
numbers instead of 784.

    python examples/classic/gradient_tape_softmax.py --epochs 5
"""

from __future__ import annotations

import argparse
import gzip
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Rows of numbers in [0, 1] and one-hot labels: 10,000 to train on at most, and those to test on."""
    parts = fashion() if has_fashion() else digits()
    return tuple((inputs.astype("float32"), np.eye(10, dtype="float32")[labels]) for inputs, labels in parts)


def has_fashion() -> bool:
    return bool(_folder()) and next(Path(_folder()).rglob("train-images-idx3-ubyte.gz"), None) is not None


def fashion() -> list[tuple[np.ndarray, np.ndarray]]:
    """Fashion-MNIST: the first 10,000 rows to train on, the 10,000 of its test set."""
    found = []
    for name in ("train", "t10k"):
        images = next(Path(_folder()).rglob(f"{name}-images-idx3-ubyte.gz"))
        with gzip.open(images) as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:10_000] / 255.0
        with gzip.open(images.with_name(f"{name}-labels-idx1-ubyte.gz")) as file:
            found.append((pixels, np.frombuffer(file.read(), np.uint8, offset=8)[:10_000]))
    return found


def digits() -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    inputs, labels = load_digits(return_X_y=True)
    left, right, labels_left, labels_right = train_test_split(inputs / 16, labels, stratify=labels, random_state=0)
    return [(left, labels_left), (right, labels_right)]


def build(width: int) -> keras.Model:
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(10, activation="relu"), keras.layers.Dense(10)])


def train(epochs: int, *, from_logits: bool) -> dict[str, float]:
    """The loop; the last epoch's training loss and the test accuracy."""
    keras.utils.set_random_seed(0)
    (inputs, targets), (test_inputs, test_targets) = data()
    model = build(inputs.shape[1])
    optimizer = keras.optimizers.Adam(0.001)
    loss_function = keras.losses.CategoricalCrossentropy(from_logits=from_logits)
    batches = tf.data.Dataset.from_tensor_slices((inputs, targets)).shuffle(len(inputs), seed=0).batch(32)

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    losses: list[float] = []
    for _ in range(epochs):
        losses = [float(step(x, y)) for x, y in batches]
    right = model(test_inputs).numpy().argmax(axis=1) == test_targets.argmax(axis=1)
    return {"loss": float(np.mean(losses)), "test_accuracy": float(np.mean(right))}


def main(epochs: int = 5) -> dict[str, dict[str, float]]:
    """Train twice."""
    found = {
        "softmax in the loss": train(epochs, from_logits=True),
        "softmax left out": train(epochs, from_logits=False),
    }
    for name, values in found.items():
        print(f"{name:<20} training loss {values['loss']:.3f}, test accuracy {values['test_accuracy']:.3f}")
    return found


def _folder() -> str:
    return os.environ.get("SUREFOOT_DATA", "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    main(parser.parse_args().epochs)
