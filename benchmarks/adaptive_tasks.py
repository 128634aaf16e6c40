"""The six tasks of the adaptive-batch comparison, three more to check a rule on, and their small models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.tasks import adult, clinc150, data_folder, fashion_mnist_10k
from surefoot import tasks

__all__ = ["CHECKS", "SECONDS_LONG", "SLOW", "TASKS", "load"]


def fashion_cnn() -> tasks.Task | None:
    """Fashion-MNIST 10k through two strided convolutions; 6 epochs."""
    flat = fashion_mnist_10k()
    if flat is None:
        return None
    (train, train_labels), (held, held_labels), (test, test_labels) = flat.train, flat.validation, flat.test
    return tasks.Task(
        _small_cnn,
        (train.reshape(-1, 1, 28, 28), train_labels),
        validation=(held.reshape(-1, 1, 28, 28), held_labels),
        test=(test[:4000].reshape(-1, 1, 28, 28), test_labels[:4000]),
        epochs=6,
        name="fashion_cnn",
    )


def _small_cnn() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def shakespeare_gru(*, length: int = 32, num_windows: int = 4000) -> tasks.Task | None:
    """The next character of tiny Shakespeare from a GRU of 64 units: windows of 32 characters, 6 epochs."""
    folder = data_folder("tinyshakespeare")
    if folder is None:
        return None
    text = np.frombuffer((folder / "input.txt").read_bytes(), np.uint8)
    symbols, codes = np.unique(text, return_inverse=True)
    windows = codes[: len(codes) // (length + 1) * (length + 1)].reshape(-1, length + 1).astype(np.int64)
    held = len(windows) * 9 // 10  # the usual split: the last tenth is not trained on
    part = {"train": windows[:held][:: held // num_windows][:num_windows], "validation": windows[held:][0::4][:600]}
    part["test"] = windows[held:][1::4][:800]
    pairs = {name: (rows[:, :-1], rows[:, 1:]) for name, rows in part.items()}
    return tasks.Task(
        partial(_characters, symbols=len(symbols)),
        pairs["train"],
        validation=pairs["validation"],
        test=pairs["test"],
        loss=_character_loss,
        epochs=6,
        name="shakespeare_gru",
    )


def _character_loss(output: Any, target: Any) -> Any:
    from torch.nn import functional

    return functional.cross_entropy(output.flatten(0, 1), target.flatten())


def _characters(*, symbols: int, width: int = 64) -> Any:
    from torch import nn

    class Characters(nn.Module):
        """Embedding, GRU, a line to the next symbol."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(symbols, 32)
            self.gru = nn.GRU(32, width, batch_first=True)
            self.head = nn.Linear(width, symbols)

        def forward(self, codes: Any) -> Any:
            """Scores of the next symbol at every place."""
            return self.head(self.gru(self.embedding(codes))[0])

    return Characters()


TASKS: dict[str, Callable[[], tasks.Task | None]] = {
    "digits": partial(tasks.builtin, "digits"),
    "breast_cancer": partial(tasks.builtin, "breast_cancer"),
    "fashion_mlp": fashion_mnist_10k,
    "clinc150": clinc150,
    "shakespeare_gru": shakespeare_gru,
    "fashion_cnn": fashion_cnn,
}
CHECKS: dict[str, Callable[[], tasks.Task | None]] = {
    "wine": partial(tasks.builtin, "wine"),
    "diabetes": partial(tasks.builtin, "diabetes"),
    "digits_1": partial(tasks.builtin, "digits", split=1),
    "breast_cancer_1": partial(tasks.builtin, "breast_cancer", split=1),
    "adult": adult,
}
SECONDS_LONG = frozenset({"clinc150", "shakespeare_gru", "fashion_cnn", "adult"})
SLOW = frozenset({"shakespeare_gru", "fashion_cnn"})


def load(name: str) -> tasks.Task | None:
    """A task by its name; None where its data is not here."""
    return {**TASKS, **CHECKS}[name]()
