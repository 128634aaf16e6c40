"""Handwritten digits with Keras Tuner alone: a model builder, kt.Hyperband, and the best model trained again.

What to see: the tuner draws widths, dropout and rates at random and stops most trainings early; what it finds is then
trained once more, for as many epochs as turn out best. digits_surefoot.py gives the same builder to Surefoot.

    python examples/keras_tuner/digits_hyperband.py
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import keras_tuner
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def build_model(hp: keras_tuner.HyperParameters) -> keras.Model:
    """A network of one or two layers, compiled."""
    model = keras.Sequential([keras.Input((64,))])
    for layer in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 32, 128, step=32), activation="relu"))
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(0.25))
    model.add(keras.layers.Dense(10, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def load() -> tuple[Any, Any, Any, Any, Any, Any]:
    """Rows and labels: for training, for validation, for the test."""
    X, y = load_digits(return_X_y=True)
    X_rest, X_test, y_rest, y_test = train_test_split(X / 16, y, test_size=0.2, stratify=y, random_state=0)
    X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=0)
    return X_train, y_train, X_val, y_val, X_test, y_test


def main(epochs: int = 20) -> dict[str, float]:
    """Search; the test loss and accuracy of the best model, and the seconds it took."""
    X_train, y_train, X_val, y_val, X_test, y_test = load()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        tuner = keras_tuner.Hyperband(
            build_model, objective="val_loss", max_epochs=epochs, factor=3, seed=0, directory=directory
        )
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)
        tuner.search(X_train, y_train, validation_data=(X_val, y_val), epochs=epochs, callbacks=[stop], verbose=0)
        best = tuner.get_best_hyperparameters()[0]
    model = build_model(best)
    history = model.fit(X_train, y_train, validation_data=(X_val, y_val), epochs=epochs, verbose=0)
    losses = history.history["val_loss"]
    model = build_model(best)
    model.fit(X_train, y_train, epochs=losses.index(min(losses)) + 1, verbose=0)
    seconds = time.perf_counter() - started
    loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
    print(f"Hyperband: test loss {loss:.3f}, accuracy {accuracy:.3f} in {seconds:.0f} s with {best.values}")
    return {"loss": loss, "accuracy": accuracy, "seconds": seconds}


if __name__ == "__main__":
    main()
