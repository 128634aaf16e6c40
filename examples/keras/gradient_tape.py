"""Handwritten digits in a loop of one's own: tf.GradientTape, Adam, a fixed rate and a fixed batch.

What to see: the loop as TensorFlow's guide writes it. gradient_tape_surefoot.py is the same with five lines added: a
rate on a schedule, a batch that grows, and the loss by its name in a recipe.

    python examples/keras/gradient_tape.py
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main(epochs: int = 20) -> float:
    """Train, and give back the test accuracy."""
    keras.utils.set_random_seed(0)
    inputs, labels = load_digits(return_X_y=True)
    inputs = (inputs / 16).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(inputs, labels, stratify=labels, random_state=0)

    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])
    optimizer = keras.optimizers.Adam(0.003)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train), seed=0).batch(32)

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    for x, y in batches.repeat(epochs):
        step(x, y)

    accuracy = float(np.mean(model(x_test).numpy().argmax(axis=1) == y_test))
    print(f"test accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
