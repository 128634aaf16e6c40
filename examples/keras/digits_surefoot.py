"""The digits of digits_compile_fit.py with Surefoot: a search for the price of two trainings in place of one guess.

What to see: the model and its compile move into a function, and stay as they are; the result's model is that Keras
model, trained, to evaluate, predict and save as always.

    python examples/keras/digits_surefoot.py
"""

from __future__ import annotations

import time
from typing import Any

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import surefoot.integrations.keras as surefoot


def build() -> Any:
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int = 20, verbose: bool = False) -> dict[str, float]:
    """Search; the test loss and accuracy, and the seconds it took."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=0)

    started = time.perf_counter()
    result = surefoot.tune(build, (x_train, y_train), budget=2.0, epochs=epochs, verbose=verbose)
    seconds = time.perf_counter() - started
    loss, accuracy = result.model.evaluate(x_test, y_test, verbose=0)
    print(
        f"surefoot.tune: test loss {loss:.3f}, accuracy {accuracy:.3f} for {result.cost.trainings:.2f} trainings of "
        f"{epochs} epochs in {seconds:.1f} s"
    )
    return {"loss": loss, "accuracy": accuracy, "seconds": seconds, "trainings": result.cost.trainings}


if __name__ == "__main__":
    main(verbose=True)
