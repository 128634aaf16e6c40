"""What a step and a run cost through Keras's door, beside model.fit on the same model, rows and batch.

    python -m benchmarks.keras_step

Interleaved, a fresh model each time; the first epoch, in which things are traced, is timed apart from the others. The
last lines are whole runs of a search: the first one traces, the others take turns on what it traced.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

from surefoot.integrations.keras.factory import KerasFactory
from surefoot.integrations.keras.opening import open_model
from surefoot.training import never

REPEATS, EPOCHS = 5, 10


def mlp() -> Any:
    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(64, activation="relu")]
    return _compiled([keras.Input((64,)), *layers])


def cnn() -> Any:
    layers = [
        keras.layers.Reshape((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.2),
    ]
    return _compiled([keras.Input((64,)), *layers])


def _compiled(layers: list[Any]) -> Any:
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def rows() -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def with_fit(build: Callable[[], Any], batch: int) -> tuple[float, float]:
    """Seconds of the first epoch and of a later one."""
    (x, y), model = rows(), build()
    first = _timed(lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0))
    return first, _timed(lambda: model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=0)) / EPOCHS


def with_surefoot(build: Callable[[], Any], batch: int) -> tuple[float, float]:
    factory, recipe = _opened(build, batch)
    run = factory.create(recipe, seed=0)
    count = factory.num_rows
    first = _timed(lambda: run.advance(count, should_stop=never))
    return first, _timed(lambda: run.advance(EPOCHS * count, should_stop=never)) / EPOCHS


def _opened(build: Callable[[], Any], batch: int) -> tuple[KerasFactory, Any]:
    part = rows()
    opened = open_model(
        build, part, validation=part, test=None, epochs=EPOCHS + 1, objective="validation_loss", name="digits",
        recipe={"batch": {"size": batch}},
    )  # fmt: skip
    factory = KerasFactory(opened.task)
    return factory, opened.require_optimizer().complete(factory.num_rows)


def whole_runs(build: Callable[[], Any]) -> list[float]:
    """Seconds of whole runs over one epoch, from building the model to the look at its end."""
    factory, recipe = _opened(build, 32)

    def whole(seed: int) -> None:
        run = factory.create(recipe, seed=seed, share=1 / (EPOCHS + 1))
        run.advance(run.horizon, should_stop=never)
        run.evaluate("validation")

    return [_timed(lambda seed=seed: whole(seed)) for seed in range(6)]  # type: ignore[misc] # bound at once


def _timed(do: Callable[[], Any]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def main() -> None:
    ways = {"model.fit": with_fit, "surefoot": with_surefoot}
    print("| model | batch | way | first epoch, s | a step after it, µs (least to most) |\n|---|---|---|---|---|")
    for build in (mlp, cnn):
        for batch in (32, 128):
            steps = -(-len(rows()[1]) // batch)
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for _ in range(REPEATS):
                for name, way in ways.items():
                    found[name].append(way(build, batch))
            for name, times in found.items():
                each = sorted(1e6 * later / steps for _, later in times)
                first = statistics.median(early for early, _ in times)
                middle = f"{statistics.median(each):.0f} ({each[0]:.0f} to {each[-1]:.0f})"
                print(f"| {build.__name__} | {batch} | {name} | {first:.2f} | {middle} |")
    for build in (mlp, cnn):
        first, *others = whole_runs(build)
        low, high = min(others), max(others)
        print(f"runs of one epoch, {build.__name__}: the first {first:.2f} s, the next {low:.2f} to {high:.2f} s")


if __name__ == "__main__":
    main()
