"""Handwritten digits with compile and fit, as scripts for Keras are usually written.

What to see: the rate is Keras's default and nobody has chosen it, the batch is a round number, and a hundred epochs are
run because fewer looked unsafe. digits_surefoot.py is the same with Surefoot.

    python examples/keras/digits_compile_fit.py
"""

from __future__ import annotations

import time

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main(epochs: int = 100, verbose: int = 0) -> dict[str, float]:
    """Train once; the test loss and accuracy, and the seconds it took."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=0)

    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])

    started = time.perf_counter()
    model.fit(x_train, y_train, batch_size=128, epochs=epochs, validation_split=0.2, verbose=verbose)
    seconds = time.perf_counter() - started
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"compile and fit: test loss {loss:.3f}, accuracy {accuracy:.3f} after {epochs} epochs in {seconds:.1f} s")
    return {"loss": loss, "accuracy": accuracy, "seconds": seconds}


if __name__ == "__main__":
    main(verbose=2)
