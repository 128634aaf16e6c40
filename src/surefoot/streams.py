"""Streams: rows that are read one after another, because they are more than memory holds or have no numbers.

A stream comes in lanes, each a sequence of rows; its order is a row of every lane in turn. One lane is the plain case.
"""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from surefoot import seeds
from surefoot.errors import TaskError

__all__ = ["Lane", "Run", "Shards", "Stream", "as_stream", "is_stream"]

# Rows that follow each other: items as they came, or a tuple of arrays that are sliced together.
Run = list[Any] | tuple[Any, ...]


class Lane(Protocol):
    """Rows in order, read a few at a time."""

    def take(self, count: int) -> Iterator[Run]:
        """The next ``count`` rows, fewer at the end."""
        ...


@dataclass(frozen=True)
class Stream:
    """A source of rows and how many of them make an epoch.

    Attributes:
        source: an iterable that begins anew at every ``iter``, a function that gives an iterator, or ``Shards``.
        num_rows: of an epoch.
        is_closed: the source says itself how many rows it has, so one more is a mistake.
    """

    source: Any
    num_rows: int
    is_closed: bool = True

    def __len__(self) -> int:
        return self.num_rows

    @property
    def collate_fn(self) -> Callable[[list[Any]], Any] | None:
        """The source's own way to make rows into a batch."""
        own = getattr(self.source, "collate_fn", None)
        return own if callable(own) else None

    def first(self, count: int) -> Stream:
        """The same stream, with an epoch that ends after ``count`` rows."""
        return replace(self, num_rows=min(count, self.num_rows), is_closed=False)

    def head(self, count: int) -> list[Any]:
        """The first rows of the first lane, at most ``count``: to look at."""
        lane, _ = self.open(0, epoch=0, seed=None, start=0, is_alone=True)
        runs = list(lane.take(min(count, self.num_rows)))
        return [row for run in runs for row in (zip(*run, strict=True) if isinstance(run, tuple) else run)]

    @property
    def is_shared_by_workers(self) -> bool:
        """Whether a source learns from ``torch.utils.data.get_worker_info`` which of its rows to give."""
        return _descends_from(self.source, "IterableDataset")

    def num_lanes(self, workers: int) -> int:
        """How many lanes its rows come in when so many processes read them.

        Raises:
            TaskError: they cannot share this source.
        """
        if isinstance(self.source, Shards):
            return self.source.num_lanes
        if workers > 1 and not self.is_shared_by_workers:
            raise TaskError(
                f"data.workers is {workers}, but nothing says how workers could share this stream; use 1, which reads "
                "ahead, or give sf.Shards or a torch IterableDataset that looks at get_worker_info()"
            )
        return max(1, workers)

    def lane_lengths(self, *, epoch: int, seed: int | None) -> list[int] | None:
        """Rows of every lane, where that is known before reading."""
        if not isinstance(self.source, Shards):
            return None
        rows = self.source.rows
        return [sum(rows[number] for number in lane) for lane in self.source.lanes(epoch=epoch, seed=seed)]

    def open(self, lane: int, *, epoch: int, seed: int | None, start: int, is_alone: bool) -> tuple[Lane, int]:
        """A lane to be read, and how many of its rows are still to be thrown away to stand at ``start``.

        Args:
            lane: its number.
            epoch: counts from 0; a source with a ``set_epoch`` is told.
            seed: of the order of shards; None leaves them in theirs.
            start: rows of the lane that are not wanted. A source with a ``skip(count)``, which gives itself without its
                first rows, is asked where it is read in one lane.
            is_alone: it is the only lane.
        """
        if isinstance(self.source, Shards):
            return _ShardLane(self.source, self.source.lanes(epoch=epoch, seed=seed)[lane], start), 0
        source = self.source if hasattr(self.source, "__iter__") else self.source()
        if callable(getattr(source, "set_epoch", None)):
            source.set_epoch(epoch)
        if start and is_alone and callable(getattr(source, "skip", None)):
            return _Items(iter(source.skip(start))), 0
        return _Items(iter(source)), start


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


def is_stream(part: Any) -> bool:
    """Whether rows can only be read one after another: no index leads to one."""
    if isinstance(part, Stream | Shards) or _descends_from(part, "IterableDataset"):
        return True
    if isinstance(part, str | bytes | dict | set) or hasattr(part, "__getitem__") or _descends_from(part, "DataLoader"):
        return False
    return hasattr(part, "__iter__") or callable(part)


def as_stream(name: str, source: Any, rows: int | None) -> Stream:
    """A stream of a task.

    Args:
        name: of the part.
        source: for which ``is_stream`` holds.
        rows: of an epoch, None where the source knows.

    Raises:
        TaskError: it can be read only once, or nobody says how many rows it has.
    """
    if isinstance(source, Stream):
        return source
    if hasattr(source, "__next__"):
        raise TaskError(
            f"{name} is a {type(source).__name__}, which can be read only once; give the function that makes it"
        )
    if rows is not None:
        return Stream(source, rows, is_closed=False)
    try:
        known = len(source)
    except (TypeError, NotImplementedError):
        means = "give sf.Task(..., rows=N), the rows of an epoch, or a __len__" if name == "train" else "give a __len__"
        raise TaskError(f"{name} is a stream that does not say how many rows it has; {means}") from None
    if not known:
        raise TaskError(f"{name} has no rows")
    return Stream(source, known)


class _Items:
    """A lane of any iterator."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows

    def take(self, count: int) -> Iterator[Run]:
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


class _ShardLane:
    """A lane of shards, one after another."""

    def __init__(self, shards: Shards, numbers: list[int], start: int) -> None:
        self._shards, self._numbers = shards, numbers
        ends = np.cumsum([shards.rows[number] for number in numbers]).tolist()
        self._next = bisect.bisect_right(ends, start)  # the first shard of which something is wanted
        self._start = start - ([0, *ends][self._next] if self._next < len(ends) else start)
        self._open: Lane | None = None
        self._left = 0

    def take(self, count: int) -> Iterator[Run]:
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
            self._open = _Items(islice(iter(found), start, None))
        return True


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def _descends_from(value: Any, name: str) -> bool:
    """Whether a value is one of PyTorch's data classes, told without importing it."""
    return any(kind.__name__ == name and kind.__module__.startswith("torch.utils.data") for kind in type(value).__mro__)
