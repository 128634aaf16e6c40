"""The batches of a pilot as Keras takes them: a ``PyDataset`` whose batch size, and so whose length, moves.

Keras asks a dataset for its length once a ``fit`` and counts by that number in every epoch (keras-team/keras, issues
12597 and 20001). What it is given here is not a number but a count that answers anew whenever it is compared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import total_ordering
from typing import Any

import keras
import numpy as np

from surefoot.errors import RequestError
from surefoot.row_order import Indices, epoch_order

__all__ = ["Batches", "LiveCount", "Visits", "num_rows_of", "rows_at"]

_UNDRIVEN = "nobody lays out pilot.batches: model.fit(pilot.batches, callbacks=[pilot], shuffle=False)"


@total_ordering
class LiveCount:
    """A whole number that may be another one the next time it is asked.

    >>> sizes = [3, 2]
    >>> count = LiveCount(lambda: len(sizes))
    >>> list(range(count)), count > 1, count - 1
    ([0, 1], True, 1)
    >>> sizes.append(1)
    >>> list(range(count))
    [0, 1, 2]
    """

    def __init__(self, answer: Callable[[], int]) -> None:
        self._answer = answer

    def __index__(self) -> int:
        return self._answer()

    __int__ = __index__

    def __float__(self) -> float:
        return float(self._answer())

    def __bool__(self) -> bool:
        return bool(self._answer())

    def __eq__(self, other: object) -> bool:
        return self._answer() == (operator.index(other) if isinstance(other, LiveCount) else other)

    def __lt__(self, other: Any) -> bool:
        return bool(self._answer() < other)

    def __hash__(self) -> int:
        return id(self)

    def __add__(self, other: Any) -> Any:
        return self._answer() + other

    def __sub__(self, other: Any) -> Any:
        return self._answer() - other

    def __rsub__(self, other: Any) -> Any:
        return other - self._answer()

    def __truediv__(self, other: Any) -> Any:
        return self._answer() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._answer()

    def __repr__(self) -> str:
        return repr(self._answer())


class Visits:
    """Which rows an epoch visits when: the order that PyTorch's door has with the same seed.

    Args:
        num_rows: of the data.
        seed: of the order.

    >>> visits = Visits(4, seed=0)
    >>> sorted(visits.rows(0, 4).tolist()), len(visits.rows(3, 2))
    ([0, 1, 2, 3], 2)
    """

    def __init__(self, num_rows: int, *, seed: int) -> None:
        self._num_rows, self._seed = num_rows, seed
        self._epoch, self._order = -1, np.arange(0)

    def rows(self, begin: int, count: int) -> Indices:
        """The numbers of ``count`` rows from the sample ``begin`` of the clock on."""
        epoch, offset = divmod(begin, self._num_rows)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_order(self._seed, epoch, self._num_rows)
        found = self._order[offset : offset + count]
        if len(found) < count:  # a horizon that ends one row into the next epoch
            found = np.concatenate([found, epoch_order(self._seed, epoch + 1, self._num_rows)[: count - len(found)]])
        return found


class Batches(keras.utils.PyDataset):  # type: ignore[misc] # Keras has no types
    """The batches of the epoch in progress; made by ``attach``, and of use to ``fit`` together with its pilot.

    A batch is a function of the plan and its number alone, so several workers may ask for several at once. The order of
    the rows is drawn here, anew for every epoch: call ``fit(shuffle=False)``, which is about the order of the batches.

    Args:
        rows: arrays of equal length, or nested tables and tuples of them.
        seed: of the order of the rows.
        workers: threads that make batches; of use where ``rows`` are slow to read, as from a memory-mapped file.
        begins_to_build: Keras begins an epoch for one batch, to build the model by, before a callback hears of a fit:
            on TensorFlow it does so for a distributed model alone.
    """

    def __init__(self, rows: Any, *, seed: int, workers: int = 1, begins_to_build: bool = False) -> None:
        super().__init__(workers=workers)
        self._begins_to_build = begins_to_build or keras.config.backend() != "tensorflow"
        self._rows, self._visits = rows, Visits(num_rows_of(rows), seed=seed)
        self._plan, self._is_planned, self._is_fresh = self._few(), True, False
        self._asked, self._needs_order = -1, workers == 1
        self.is_shuffled = False

    @property
    def num_batches(self) -> LiveCount:
        """Batches of the epoch in progress."""
        return LiveCount(lambda: len(self._plan))

    def plan(self, begin: int, sizes: list[int]) -> None:
        """Lay out the batches from the sample ``begin`` of the clock on; they end with the epoch at the latest.

        Args:
            begin: the clock.
            sizes: rows of each batch.
        """
        self._asked, self.is_shuffled = -1, False
        self._is_planned = self._is_fresh = True
        self._plan = np.split(self._visits.rows(begin, sum(sizes)), np.cumsum(sizes)[:-1])

    def on_epoch_begin(self) -> None:
        """See that the pilot has laid out this epoch."""
        self._is_planned, self._is_fresh = self._is_fresh, False
        if self._is_planned:
            return
        if not self._begins_to_build:
            raise RequestError(_UNDRIVEN)
        self._plan = self._few()

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Any:
        if not self._is_planned and index > 1:
            raise RequestError(_UNDRIVEN)
        plan = self._plan
        # Keras asks for the first two again and again, for the rest one by one unless it shuffles
        self.is_shuffled = self.is_shuffled or (self._needs_order and index > max(self._asked + 1, 1))
        self._asked = max(self._asked, index)
        # an iterator that Keras made at the end of the epoch before, and throws away, may ask for more than there is
        return rows_at(self._rows, plan[min(index, len(plan) - 1)])

    def _few(self) -> list[Indices]:
        """What Keras may look at before there is a plan: a row in each of a few batches."""
        return [np.array([row]) for row in range(min(3, num_rows_of(self._rows)))]


def num_rows_of(rows: Any) -> int:
    """How many rows there are.

    Raises:
        RequestError: there are none, or the arrays differ in length.
    """
    arrays = keras.tree.flatten(rows)
    if not arrays or not all(hasattr(array, "shape") and len(array.shape) for array in arrays):
        raise RequestError(f"rows must be a pair of arrays, or nested tuples and tables of arrays, not {rows!r:.60}")
    lengths = sorted({int(array.shape[0]) for array in arrays})
    if lengths == [0] or len(lengths) > 1:
        raise RequestError(
            f"the arrays have {' and '.join(map(str, lengths))} rows; they must pair up, and not be empty"
        )
    return lengths[0]


def rows_at(rows: Any, indices: Indices) -> Any:
    """Some of the rows, in the same structure."""
    return keras.tree.map_structure(lambda array: np.asarray(array[indices]), rows)
