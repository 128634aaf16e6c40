"""Who trains the same network: each in a process of its own, timed when it is told to.

``python -m benchmarks.step_contenders NAME`` prints "ready", then for every line on standard input the seconds of one
optimizer step, as the mean over a stretch of training. Setting up, tracing and the first epoch are not timed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
BATCH, EPOCHS, RATE, DECAY = 32, 20, 3e-3, 1e-2
IMAGE_BATCH, IMAGE_ROWS = 64, 10_000

Round = Callable[[], float]


def digits() -> Any:
    """The built-in task; its training rows are what everybody gets."""
    from surefoot import tasks

    return tasks.builtin("digits")


def images() -> Any:
    """Fashion-MNIST, 10,000 pictures, with a small convolutional network."""
    import surefoot as sf
    from benchmarks.tasks import fashion_mnist_10k

    flat = fashion_mnist_10k()
    if flat is None:
        sys.exit("Fashion-MNIST is not at hand: set SUREFOOT_DATA")
    train, validation = ((part[0].reshape(-1, 1, 28, 28), part[1]) for part in (flat.train, flat.validation))
    return sf.Task(small_cnn, train, validation=validation, epochs=4, name="images")


def small_cnn() -> Any:
    """Two convolutions and a linear layer."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def recipe(size: int) -> Any:
    """AdamW at a fixed rate, as the others have it."""
    import surefoot as sf

    optimizer = {"name": "adamw", "learning_rate": RATE, "weight_decay": DECAY}
    return sf.Recipe(optimizer=optimizer, schedule={"name": "constant", "warmup": 0.0}, batch={"size": size})


def surefoot_steps(task: Any, size: int, epochs: int) -> Round:
    """The training loop of ``sf.fit`` between two looks at the validation rows."""
    from surefoot.engine import TorchFactory
    from surefoot.training import never

    factory = TorchFactory(task)
    complete = recipe(size).complete(factory.num_rows)

    def measure() -> float:
        run = factory.create(complete, seed=0)
        run.advance(factory.num_rows, should_stop=never)
        stretches = min(epochs, round(run.horizon / factory.num_rows) - 1)
        started, steps = time.perf_counter(), 0
        for _ in range(stretches):
            steps += run.advance(factory.num_rows, should_stop=never).steps
        return (time.perf_counter() - started) / steps

    return measure


def surefoot_fit(task: Any, size: int) -> Round:
    """All of ``sf.fit``, by the steps it takes: the check at the door, validation every epoch, the last metrics."""
    import surefoot as sf

    sf.fit(task, recipe(size))

    def measure() -> float:
        started = time.perf_counter()
        result = sf.fit(task, recipe(size))
        return (time.perf_counter() - started) / result.study.runs[0].steps

    return measure


def by_hand(task: Any, size: int, epochs: int, *, validates: bool = False) -> Round:
    """The loop that everybody writes over a DataLoader; ``validates`` adds the usual look after every epoch."""
    import torch
    from torch.nn import functional
    from torch.utils.data import DataLoader, TensorDataset

    train, validation = (TensorDataset(*_single_tensors(part)) for part in (task.train, task.validation))

    def measure() -> float:
        model = task.model()
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
        batches = DataLoader(train, batch_size=size, shuffle=True)
        looks = DataLoader(validation, batch_size=size)
        started, steps = 0.0, 0
        for epoch in range(epochs + 1):
            if epoch == 1:
                started, steps = time.perf_counter(), 0
            total = 0.0
            model.train()
            for inputs, targets in batches:
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(inputs), targets)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(targets)
                steps += 1
            if validates:
                model.eval()
                with torch.no_grad():
                    total = sum(functional.cross_entropy(model(x), y).item() * len(y) for x, y in looks)
        return (time.perf_counter() - started) / steps

    return measure


def fastest(task: Any, size: int, epochs: int) -> Round:
    """No library, no DataLoader: tensors gathered by hand and the fused optimizer; what there is to reach."""
    import torch
    from torch.nn import functional

    inputs, targets = _single_tensors(task.train)

    def measure() -> float:
        model = task.model()
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
        started, steps = 0.0, 0
        for epoch in range(epochs + 1):
            if epoch == 1:
                started, steps = time.perf_counter(), 0
            for rows in torch.randperm(len(inputs)).split(size):
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(inputs[rows]), targets[rows])
                loss.backward()
                optimizer.step()
                steps += 1
        return (time.perf_counter() - started) / steps

    return measure


def lightning(task: Any, size: int, epochs: int) -> Round:
    """Lightning's Trainer with logging, progress and checkpoints off."""
    import logging
    import warnings

    import torch
    from lightning import pytorch as pl
    from torch.nn import functional
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")

    class Module(pl.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model, self.times = task.model(), [0.0]

        def training_step(self, batch: Any) -> Any:
            inputs, targets = batch
            return functional.cross_entropy(self.model(inputs), targets)

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)

        def on_train_epoch_end(self) -> None:
            self.times.append(time.perf_counter())

    data = TensorDataset(*_single_tensors(task.train))

    def measure() -> float:
        module = Module()
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs + 1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, DataLoader(data, batch_size=size, shuffle=True))
        return (module.times[-1] - module.times[1]) / (trainer.global_step * epochs / (epochs + 1))

    return measure


def keras(task: Any, size: int, epochs: int) -> Round:
    """``compile`` and ``fit`` of Keras 3 on the backend that KERAS_BACKEND names, with its defaults."""
    import keras as k

    if k.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    else:
        _set_threads()
    inputs, targets = (np.asarray(values) for values in task.train)

    def measure() -> float:
        layers = [k.Input((64,)), k.layers.Dense(64, "relu"), k.layers.Dense(64, "relu"), k.layers.Dense(10)]
        model = k.Sequential(layers)
        loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(k.optimizers.AdamW(RATE, weight_decay=DECAY), loss)
        model.fit(inputs, targets, batch_size=size, epochs=1, verbose=0)
        started = time.perf_counter()
        model.fit(inputs, targets, batch_size=size, epochs=epochs, verbose=0)
        return (time.perf_counter() - started) / (epochs * -(-len(inputs) // size))

    return measure


def skorch(task: Any, size: int, epochs: int) -> Round:
    """Skorch's NeuralNetClassifier without a split of its own and without printing."""
    import torch
    from skorch import NeuralNetClassifier

    inputs, targets = (np.asarray(values) for values in task.train)
    inputs, targets = inputs.astype(np.float32), targets.astype(np.int64)

    def measure() -> float:
        net = NeuralNetClassifier(
            task.model, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=RATE,
            optimizer__weight_decay=DECAY, batch_size=size, max_epochs=1, iterator_train__shuffle=True,
            train_split=None, verbose=0, callbacks__print_log=None,
        )  # fmt: skip
        net.fit(inputs, targets)
        net.set_params(max_epochs=epochs)
        started = time.perf_counter()
        net.partial_fit(inputs, targets)
        return (time.perf_counter() - started) / (epochs * -(-len(inputs) // size))

    return measure


def _single_tensors(part: Any) -> list[Any]:
    """A part as float32 and int64 tensors."""
    import torch

    inputs, targets = (torch.from_numpy(np.asarray(values)) for values in part)
    return [inputs.float(), targets.long()]


CONTENDERS: dict[str, Callable[[], Round]] = {
    "surefoot": lambda: surefoot_steps(digits(), BATCH, EPOCHS),
    "hand-written": lambda: by_hand(digits(), BATCH, EPOCHS),
    "fastest": lambda: fastest(digits(), BATCH, EPOCHS),
    "lightning": lambda: lightning(digits(), BATCH, EPOCHS),
    "keras-tensorflow": lambda: keras(digits(), BATCH, EPOCHS),
    "keras-torch": lambda: keras(digits(), BATCH, EPOCHS),
    "skorch": lambda: skorch(digits(), BATCH, EPOCHS),
    "sf.fit": lambda: surefoot_fit(digits(), BATCH),
    "hand-written-validating": lambda: by_hand(digits(), BATCH, EPOCHS, validates=True),
    "surefoot-cnn": lambda: surefoot_steps(images(), IMAGE_BATCH, 1),
    "hand-written-cnn": lambda: by_hand(images(), IMAGE_BATCH, 1),
}


def _set_threads() -> None:
    import torch

    torch.set_num_threads(THREADS)


def main() -> None:
    """Answer every line on standard input with the seconds of a step."""
    name = sys.argv[1]
    if name != "keras-tensorflow":
        _set_threads()
    measure = CONTENDERS[name]()
    measure()  # warm
    print("ready", flush=True)
    for _ in sys.stdin:
        print(measure(), flush=True)


if __name__ == "__main__":
    main()
