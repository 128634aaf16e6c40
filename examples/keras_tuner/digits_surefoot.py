"""The digits of digits_hyperband.py with Surefoot: the same builder, a search for the price of two trainings.

What to see: build_model is imported as it is. The rate is measured before it is searched, short complete trainings say
which network and which rate go on, and the longest training of the search is the model.

    python examples/keras_tuner/digits_surefoot.py
"""

from __future__ import annotations

import time

from digits_hyperband import build_model, load

from surefoot.integrations.keras import search


def main(epochs: int = 20) -> dict[str, float]:
    """Search; the test loss and accuracy of the best model, and the seconds it took."""
    X_train, y_train, X_val, y_val, X_test, y_test = load()
    started = time.perf_counter()
    found = search(build_model, (X_train, y_train), validation=(X_val, y_val), epochs=epochs, budget=2.0, seed=0)
    seconds = time.perf_counter() - started
    loss, accuracy = found.model.evaluate(X_test, y_test, verbose=0)
    best = found.best_hyperparameters()[0]
    print(f"Surefoot: test loss {loss:.3f}, accuracy {accuracy:.3f} in {seconds:.0f} s with {best.values}")
    return {"loss": loss, "accuracy": accuracy, "seconds": seconds, "price": found.cost.trainings}


if __name__ == "__main__":
    main()
