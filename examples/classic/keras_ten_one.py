"""A 10-1 regression with a decayed rate, then with L1 and with L2, through the API that exists.

What to see: tutorials write ``tf.keras.layers.L1L2Normalization``, which there is not, and ``input_shape=``, which
warns; a penalty is a layer's ``kernel_regularizer``. Three of the ten inputs matter here. L1 leaves the weights of the
others small but not exactly 0, since a gradient of a constant size overshoots; L2 shrinks all of them. Keras's l2(λ) is
λ‖θ‖², PyTorch's weight_decay λ is ½λ‖θ‖²: the same number is twice as strong here. And 1/(1 + δt) counts the
samples, so it means the same whatever the batch is.

    python examples/classic/keras_ten_one.py --epochs 60
"""

from __future__ import annotations

import argparse
from typing import Any

import keras
import numpy as np

import surefoot.integrations.keras as sfk

PENALTIES: dict[str, Any] = {
    "none": None,
    "L1": keras.regularizers.L1(0.2),
    "L2": keras.regularizers.L2(0.2),
    "L1 and L2": keras.regularizers.L1L2(l1=0.2, l2=0.2),
}


def data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten numbers a row, of which three make the target, and noise."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, 10))
    targets = inputs[:, :3] @ [1.0, -2.0, 0.5] + generator.normal(size=rows)
    return inputs.astype("float32"), targets.astype("float32")


def train(epochs: int, regularizer: Any) -> dict[str, Any]:
    """One training: the test error, and the weights."""
    keras.utils.set_random_seed(0)
    inputs, targets = data(60, seed=0)
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, kernel_regularizer=regularizer)])
    decayed = sfk.ScheduledRate(0.1, {"name": "inverse_time", "delta": 9.0}, rows=60, epochs=epochs, batch=16)
    # ours, because the rate moves while there is momentum: Keras's velocity would keep the old rates
    model.compile(sfk.SGD(decayed, momentum=0.9), loss="mse", metrics=["mse"])
    model.fit(inputs, targets, batch_size=16, epochs=epochs, verbose=0)
    error = float(model.evaluate(*data(1000, seed=1), verbose=0)[1])  # the loss has the penalty in it, this has not
    return {"test_error": error, "weights": model.get_weights()[0][:, 0], "penalties": sfk.penalties_of(model)}


def main(epochs: int = 60) -> dict[str, dict[str, Any]]:
    """Train with every penalty."""
    found = {name: train(epochs, regularizer) for name, regularizer in PENALTIES.items()}
    for name, values in found.items():
        idle = np.abs(values["weights"][3:])
        zeros = int((values["weights"] == 0).sum())
        print(f"{name:<10} test error {values['test_error']:.3f}, idle weights {idle.mean():.4f}, exact zeros {zeros}")
    for one in found["L1 and L2"]["penalties"]:
        print(f"in a recipe: regularization.l1 = {one.l1:g}, regularization.l2 = {one.l2:g}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    main(parser.parse_args().epochs)
