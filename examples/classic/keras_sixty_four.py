"""A 64-64-softmax network with compile and fit: Adam 0.001, batch 128, 100 epochs, validation history; then tuned.

What to see: the history of the textbook program, whose validation loss stops falling at about epoch 64 while the
training loss goes on, and the same network with its rate, batch and decay found for the price of two trainings. The
test rows are looked at once.

    python examples/classic/keras_sixty_four.py --epochs 100
"""

from __future__ import annotations

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import surefoot.integrations.keras as sfk

Rows = tuple[np.ndarray, np.ndarray]


def build() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data() -> tuple[Rows, Rows, Rows]:
    """Training, validation and test rows: 60, 20 and 20 %."""
    inputs, labels = load_digits(return_X_y=True)
    inputs = (inputs / 16).astype("float32")
    inputs, test_inputs, labels, test_labels = train_test_split(
        inputs, labels, test_size=0.2, stratify=labels, random_state=0
    )
    left, right, labels_left, labels_right = train_test_split(
        inputs, labels, test_size=0.25, stratify=labels, random_state=0
    )
    return (left, labels_left), (right, labels_right), (test_inputs, test_labels)


def main(epochs: int = 100, budget: float = 2.0) -> dict[str, float]:
    """Train as the textbook does, then tune; the test losses and when the validation loss was lowest."""
    train, validation, test = data()
    keras.utils.set_random_seed(0)
    model = build()
    history = model.fit(*train, batch_size=128, epochs=epochs, validation_data=validation, verbose=0).history
    best = int(np.argmin(history["val_loss"])) + 1
    textbook = float(model.evaluate(*test, verbose=0)[0])
    print(f"textbook: validation loss lowest at epoch {best} of {epochs}, test loss {textbook:.4f}")
    result = sfk.tune(build, train, validation=validation, epochs=epochs, budget=budget, seed=0)
    tuned = float(result.model.evaluate(*test, verbose=0)[0])
    recipe = result.recipe
    print(
        f"tuned for the price of {result.cost.trainings:.2f} trainings: {recipe.optimizer.name}, rate "
        f"{recipe.optimizer.learning_rate:.2g}, batch {recipe.batch.size}, test loss {tuned:.4f}"
    )
    return {"best_epoch": best, "textbook": textbook, "tuned": tuned, "trainings": result.cost.trainings}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    main(parser.parse_args().epochs)
