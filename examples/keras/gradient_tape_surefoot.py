"""The loop of gradient_tape.py with Surefoot: five lines are added and four fall away.

What to see: the rate follows a cosine behind a warmup, the batch grows to 128 while rate and betas follow it, each row
comes once an epoch, and the step is the same. The model, the tape and the optimizer's call stay yours.

    python examples/keras/gradient_tape_surefoot.py
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import surefoot.integrations.keras as sfk


def main(epochs: int = 20) -> float:
    """Train, and give back the test accuracy."""
    keras.utils.set_random_seed(0)
    inputs, labels = load_digits(return_X_y=True)
    inputs = (inputs / 16).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(inputs, labels, stratify=labels, random_state=0)

    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])
    optimizer = sfk.Adam(0.003)
    loss = sfk.loss("cross_entropy")
    batches = sfk.attach(optimizer, (x_train, y_train), epochs=epochs, batch={"policy": "linear_ramp", "last": 128})

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    for x, y in batches:
        step(x, y)

    accuracy = float(np.mean(model(x_test).numpy().argmax(axis=1) == y_test))
    print(f"test accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
