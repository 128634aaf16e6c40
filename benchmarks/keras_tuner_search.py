"""``search`` of Keras's door at price 2.0 against Keras Tuner's Hyperband and BayesianOptimization, on one HyperModel.

``python -m benchmarks.keras_tuner_search [--seeds 3] [--only digits] [--table]``. Digits with a dense network (20
epochs), and Fashion-MNIST with 10,000 rows and a small CNN (10 epochs; from SUREFOOT_DATA). Every search is a process
of its own on one thread, and the methods take turns within a seed, each time another one first; what is finished is
kept in ``results/keras_tuner_search.json`` and not run again.

The rivals have the settings of Keras Tuner's own guides: Hyperband with ``factor=3`` and ``max_epochs`` as long as a
training, BayesianOptimization with its ten trials of a training each, both with ``EarlyStopping(patience=5)`` and the
default batch of 32. Their model is the best one of the search, or the best hyperparameters trained once more with the
best epoch's weights, whichever is better by validation; seconds are told for the search alone and with that training.
``surefoot_tuner`` is ``SurefootTuner`` in Hyperband's place: our choice of trials, Keras Tuner's trainings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

FILE = Path(__file__).parent / "results" / "keras_tuner_search.json"
METHODS = ("ours", "hyperband", "bayesian", "surefoot_tuner")
EPOCHS = {"digits": 20, "fashion": 10}
PATIENCE, PRICE = 5, 2.0


def digits() -> tuple[Any, ...]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    rows, labels = load_digits(return_X_y=True)
    rest, test, known, asked = train_test_split(rows / 16, labels, test_size=0.2, stratify=labels, random_state=0)
    train, held, learned, judged = train_test_split(rest, known, test_size=0.25, stratify=known, random_state=0)
    return (train, learned), (held, judged), (test, asked)


def fashion() -> tuple[Any, ...]:
    import numpy as np

    from benchmarks.tasks import fashion_mnist_10k

    task = fashion_mnist_10k()
    if task is None:
        sys.exit("Fashion-MNIST is not here: set SUREFOOT_DATA")
    parts = (task.train, task.validation, task.test)
    return tuple((np.asarray(rows).reshape(-1, 28, 28, 1), np.asarray(labels)) for rows, labels in parts)


def dense(hp: Any) -> Any:
    import keras

    model = keras.Sequential([keras.Input((64,))])
    for layer in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 32, 256, step=32), activation="relu"))
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(0.25))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return compiled(model, hp)


def convolutions(hp: Any) -> Any:
    import keras

    filters = hp.Choice("filters", [16, 32])
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for layer in range(2):
        model.add(keras.layers.Conv2D(filters * 2**layer, 3, strides=2, padding="same", activation="relu"))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("units", 32, 128, step=32), activation="relu"))
    model.add(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1)))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return compiled(model, hp)


def compiled(model: Any, hp: Any) -> Any:
    import keras

    rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


CASES = {"digits": (digits, dense), "fashion": (fashion, convolutions)}


def run(task: str, method: str, seed: int) -> dict[str, Any]:
    """One search in this process: what it found, and what it took."""
    import keras

    rows, build = CASES[task]
    parts = rows()
    keras.utils.set_random_seed(seed)
    build(_defaults())  # the framework's own beginnings are nobody's
    started, cpu = time.perf_counter(), time.process_time()
    found = ours(build, parts, EPOCHS[task], seed) if method == "ours" else rival(method, build, parts, task, seed)
    return {**found, "total_seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}


def _defaults() -> Any:
    import keras_tuner

    return keras_tuner.HyperParameters()


def ours(build: Any, parts: tuple[Any, ...], epochs: int, seed: int) -> dict[str, Any]:
    from surefoot.integrations.keras import search

    train, held, test = parts
    started = time.perf_counter()
    found = search(build, train, validation=held, epochs=epochs, budget=PRICE, seed=seed)
    seconds = time.perf_counter() - started
    loss, accuracy = found.model.evaluate(*test, verbose=0)
    return {
        "test_loss": loss,
        "test_accuracy": accuracy,
        "validation_loss": found.metrics["validation_loss"],
        "seconds": seconds,
        "epochs": found.cost.trainings * epochs,
        "values": found.best_hyperparameters()[0].values,
    }


def rival(method: str, build: Any, parts: tuple[Any, ...], task: str, seed: int) -> dict[str, Any]:
    import keras
    import keras_tuner

    train, held, test = parts
    epochs, counted = EPOCHS[task], _counter()
    arguments: dict[str, Any] = {"objective": "val_loss", "seed": seed}
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        arguments["directory"] = directory
        if method == "hyperband":
            tuner = keras_tuner.Hyperband(build, max_epochs=epochs, factor=3, **arguments)
        elif method == "surefoot_tuner":
            from surefoot.integrations.keras import SurefootTuner

            tuner = SurefootTuner(build, max_epochs=epochs, **arguments)
        else:
            tuner = keras_tuner.BayesianOptimization(build, **arguments)
        tuner.search(*train, epochs=epochs, validation_data=held, callbacks=[stop, counted], verbose=0)
        seconds = time.perf_counter() - started
        best = tuner.get_best_hyperparameters()[0]
        model = tuner.get_best_models()[0]
    models = {"searched": (model.evaluate(*held, verbose=0)[0], model)}
    again, begun = build(best), time.perf_counter()
    last = keras.callbacks.EarlyStopping(monitor="val_loss", patience=epochs, restore_best_weights=True)
    again.fit(*train, epochs=epochs, validation_data=held, callbacks=[last], verbose=0)
    retraining = time.perf_counter() - begun
    models["trained again"] = (again.evaluate(*held, verbose=0)[0], again)
    kind = min(models, key=lambda name: models[name][0])
    loss, accuracy = models[kind][1].evaluate(*test, verbose=0)
    return {
        "test_loss": loss,
        "test_accuracy": accuracy,
        "validation_loss": models[kind][0],
        "seconds": seconds,
        "retraining_seconds": retraining,
        "epochs": len(_SEEN) + epochs,
        "model": kind,
        "values": {name: value for name, value in best.values.items() if not name.startswith("tuner/")},
    }


_SEEN: list[int] = []


def _counter() -> Any:
    """A callback that counts epochs; tuners copy their callbacks, so it counts outside of itself."""
    import keras

    class Counter(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras names it
            _SEEN.append(epoch)

    return Counter()


def done() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}


def keep(key: str, found: dict[str, Any]) -> None:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({**done(), key: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def in_a_process(task: str, method: str, seed: int) -> dict[str, Any]:
    settings = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1",
                "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.keras_tuner_search", "--run", task, method, str(seed)]
    found = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(found.stderr[-3000:])
    return dict(json.loads(found.stdout.splitlines()[-1]))


def table() -> str:
    """Means over seeds with their spread; ratios of the search's wall time, seed by seed."""
    rows = done()
    lines = [
        "| task | method | seeds | test loss | accuracy | wall seconds | CPU seconds | epochs | ours / theirs, wall |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for task in CASES:
        for method in METHODS:
            seeds = sorted(int(key.rpartition("/")[2]) for key in rows if key.startswith(f"{task}/{method}/"))
            found = [rows[f"{task}/{method}/{seed}"] for seed in seeds]
            if not found:
                continue
            shared = [seed for seed in seeds if f"{task}/ours/{seed}" in rows]
            ratios = [
                rows[f"{task}/ours/{seed}"]["seconds"] / rows[f"{task}/{method}/{seed}"]["seconds"] for seed in shared
            ]
            cells = [task, method, str(len(found)), *(_mean(found, name) for name in ("test_loss", "test_accuracy"))]
            cells += [_mean(found, name, digits=1) for name in ("seconds", "cpu_seconds", "epochs")]
            is_rival = method != "ours" and ratios
            lines.append("| " + " | ".join([*cells, f"{fmean(ratios):.3f}" if is_rival else ""]) + " |")
    return "\n".join(lines)


def _mean(found: list[dict[str, Any]], name: str, *, digits: int = 4) -> str:
    values = [float(one[name]) for one in found]
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="a task's name")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--table", action="store_true", help="print what there is and run nothing")
    parser.add_argument("--run", nargs=3, metavar=("TASK", "METHOD", "SEED"), help="one search, in this process")
    given = parser.parse_args()
    if given.run:
        task, method, seed = given.run
        print(json.dumps(run(task, method, int(seed))))
        return 0
    if not given.table:
        for seed in range(given.first, given.first + given.seeds):
            for task in [name for name in CASES if given.only in name]:
                for turn in range(len(given.methods)):
                    method = given.methods[(turn + seed) % len(given.methods)]
                    key = f"{task}/{method}/{seed}"
                    if key not in done():
                        keep(key, in_a_process(task, method, seed))
                        print(key, json.dumps(done()[key]), flush=True)
    print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
