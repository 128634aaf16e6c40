"""The training and the validation part as one: every row that a model may learn from."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from surefoot.errors import TaskError
from surefoot.records import TRAIN_LOSS, Objective
from surefoot.sparse import CsrRows
from surefoot.tasks.split import Subset
from surefoot.tasks.task import Task

__all__ = ["without_validation"]


def without_validation(task: Task) -> Task:
    """The task with its validation rows among the training rows, and nothing to choose by.

    Its preparation stays as it was fitted, so that rows mean to the new model what they meant to the one before.

    Raises:
        TaskError: the parts cannot be joined.
    """
    found = copy.copy(task)
    found.train, found.validation = _joined(task.train, task.validation), None
    found.objective = Objective(name=TRAIN_LOSS, direction="min")  # a score of one's own is reported still
    return found


def _joined(train: Any, held: Any) -> Any:
    if isinstance(train, tuple) and isinstance(held, tuple):
        weighted = len(train) == 3 or len(held) == 3
        parts = [_weighted(part) if weighted else part for part in (train, held)]
        return tuple(_concatenated(*values) for values in zip(*parts, strict=True))
    if isinstance(train, Subset) and isinstance(held, Subset) and train.dataset is held.dataset:
        return Subset(train.dataset, np.sort(np.concatenate([train.indices, held.indices])))
    if all(hasattr(part, "__len__") and hasattr(part, "__getitem__") for part in (train, held)):
        if isinstance(train, tuple) or isinstance(held, tuple):
            raise TaskError("train and validation are of two kinds, arrays and a dataset: a refit needs both of one")
        return Joined(train, held)
    raise TaskError("a refit needs rows that can be counted: arrays or map-style datasets, not a stream")


def _weighted(part: tuple[Any, ...]) -> tuple[Any, ...]:
    return part if len(part) == 3 else (*part, np.ones(len(part[0]), dtype=np.float32))


def _concatenated(first: Any, second: Any) -> Any:
    if first.shape[1:] != second.shape[1:]:
        raise TaskError(f"rows of train have shape {first.shape[1:]}, those of validation {second.shape[1:]}")
    if isinstance(first, CsrRows) and isinstance(second, CsrRows):
        return first.above(second)
    if hasattr(first, "detach") or hasattr(second, "detach"):
        torch = importlib.import_module("torch")  # it is loaded: one of them is a tensor
        return torch.cat([torch.as_tensor(first), torch.as_tensor(second).to(first.dtype)])
    return np.concatenate([first, second])


class Joined:
    """Two map-style datasets as one, the rows of the first before those of the second.

    Args:
        first: its ``collate_fn`` counts.
        second: of rows that look alike.
    """

    def __init__(self, first: Any, second: Any) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, index: int) -> Any:
        before = len(self._first)
        return self._first[index] if index < before else self._second[index - before]

    @property
    def collate_fn(self) -> Callable[[list[Any]], Any] | None:
        """The first dataset's own way to make a batch, None where it has none."""
        dataset = self._first
        while dataset is not None:
            own = getattr(dataset, "collate_fn", None)
            if callable(own):
                return own  # type: ignore[no-any-return] # the user's
            dataset = getattr(dataset, "dataset", None)
        return None
