"""Shards: rows in pieces that are read side by side, and lanes, the sequences of rows that they are read in."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np

from surefoot import seeds
from surefoot.errors import TaskError

__all__ = ["Items", "Lane", "Run", "ShardLane", "Shards"]

# Rows that follow each other: items as they came, or a tuple of arrays that are sliced together.
Run = list[Any] | tuple[Any, ...]


class Lane(Protocol):
    """Rows in order, read a few at a time."""

    def take(self, count: int) -> Iterator[Run]:
        """The next ``count`` rows, fewer at the end."""
        ...


class Shards:
    """Rows in pieces, each with a name: files, memory-mapped arrays, parts of a table.

    For data larger than memory. A few shards are read side by side, a row of each in turn, so the order of the rows
    does not depend on how many workers read them; a resumed training opens the shards that it stands in and passes over
    those before. With ``data.shuffle_buffer`` the shards come in another order every epoch.

    Args:
        shards: what ``read`` is given, one a shard.
        read: gives the rows of a shard: an iterable of them, or ``(X, y)`` or ``(X, y, weights)`` arrays of equal
            length, which may be memory-mapped and are much faster.
        rows: how many rows every shard has, or one number for each of them.
        lanes: how many shards are read side by side, at least 1; as many workers can share the reading.

    Raises:
        TaskError: an argument is not what it should be, in one line.

    >>> numbers = Shards(["a", "b"], lambda name: [(name, row) for row in range(3)], rows=3)
    >>> len(numbers), numbers.num_lanes
    (6, 2)
    """

    def __init__(
        self, shards: Iterable[Any], read: Callable[[Any], Any], *, rows: int | Sequence[int], lanes: int = 4
    ) -> None:
        self.shards = list(shards)
        if not self.shards:
            raise TaskError("shards is empty; give at least one")
        if not callable(read):
            raise TaskError(f"read must be a function of a shard, not {type(read).__name__}")
        if not _is_count(lanes):
            raise TaskError(f"lanes is {lanes!r}; it must be a whole number of at least 1")
        counts: list[Any] = list(rows) if isinstance(rows, Sequence) else [rows] * len(self.shards)
        if len(counts) != len(self.shards):
            raise TaskError(f"rows has {len(counts)} numbers for {len(self.shards)} shards; one each is needed")
        bad = next((count for count in counts if not _is_count(count)), None)
        if bad is not None:
            raise TaskError(f"rows holds {bad!r}; the rows of a shard are a whole number of at least 1")
        self.read, self.rows = read, [operator.index(count) for count in counts]
        self.num_lanes = min(int(lanes), len(self.shards))

    def __len__(self) -> int:
        return sum(self.rows)

    def lanes(self, *, epoch: int, seed: int | None) -> list[list[int]]:
        """The numbers of the shards of every lane, in the order in which they are read."""
        order = np.arange(len(self.shards))
        if seed is not None:
            order = seeds.stream(seed, "shards", epoch).permutation(order)
        return [order[lane :: self.num_lanes].tolist() for lane in range(self.num_lanes)]


class Items:
    """A lane of any iterator."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows

    def take(self, count: int) -> Iterator[Run]:
        """The next ``count`` rows, fewer at the end."""
        found = list(islice(self._rows, count))
        if found:
            yield found


class _Arrays:
    """A lane of arrays that are sliced together."""

    def __init__(self, arrays: tuple[Any, ...], start: int) -> None:
        self._arrays, self._at = arrays, start

    def take(self, count: int) -> Iterator[Run]:
        low, high = self._at, min(self._at + count, len(self._arrays[0]))
        self._at = high
        if high > low:
            yield tuple(values[low:high] for values in self._arrays)


class ShardLane:
    """A lane of shards, one after another."""

    def __init__(self, shards: Shards, numbers: list[int], start: int) -> None:
        self._shards, self._numbers = shards, numbers
        ends = np.cumsum([shards.rows[number] for number in numbers]).tolist()
        self._next = bisect.bisect_right(ends, start)  # the first shard of which something is wanted
        self._start = start - ([0, *ends][self._next] if self._next < len(ends) else start)
        self._open: Lane | None = None
        self._left = 0

    def take(self, count: int) -> Iterator[Run]:
        """The next ``count`` rows, fewer at the end.

        Raises:
            TaskError: a shard has more or fewer rows than is said.
        """
        while count > 0 and (self._open is not None or self._begin()):
            assert self._open is not None
            found = next(self._open.take(min(count, self._left)), None)
            if found is None:
                raise TaskError(f"{self._name()} has {self._left} rows fewer than rows says")
            taken = len(found[0]) if isinstance(found, tuple) else len(found)
            count, self._left = count - taken, self._left - taken
            yield found
            if not self._left:
                if next(self._open.take(1), None) is not None:
                    raise TaskError(f"{self._name()} has more rows than rows says")
                self._open = None

    def _name(self) -> str:
        return f"shard {self._shards.shards[self._numbers[self._next - 1]]!r}"

    def _begin(self) -> bool:
        """Open the next shard, past the rows of it that are not wanted; False when there is none."""
        if self._next >= len(self._numbers):
            return False
        number = self._numbers[self._next]
        self._next += 1
        found, start = self._shards.read(self._shards.shards[number]), self._start
        self._start, self._left = 0, self._shards.rows[number] - start
        if isinstance(found, tuple) and len(found) in {2, 3} and all(hasattr(values, "shape") for values in found):
            lengths = {len(values) for values in found}
            if lengths != {self._shards.rows[number]}:
                raise TaskError(f"{self._name()} has arrays of {sorted(lengths)} rows, where rows says "
                                f"{self._shards.rows[number]}")  # fmt: skip
            self._open = _Arrays(found, start)
        else:
            self._open = Items(islice(iter(found), start, None))
        return True


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1
