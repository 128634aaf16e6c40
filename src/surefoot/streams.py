"""Streams: rows that are read one after another, because they are more than memory holds or have no numbers.

A stream comes in lanes, each a sequence of rows; its order is a row of every lane in turn. One lane is the plain case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from surefoot.errors import TaskError
from surefoot.shards import Items, Lane, ShardLane, Shards

__all__ = ["Stream", "as_stream", "is_stream"]


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
            return ShardLane(self.source, self.source.lanes(epoch=epoch, seed=seed)[lane], start), 0
        source = self.source if hasattr(self.source, "__iter__") else self.source()
        if callable(getattr(source, "set_epoch", None)):
            source.set_epoch(epoch)
        if start and is_alone and callable(getattr(source, "skip", None)):
            return Items(iter(source.skip(start))), 0
        return Items(iter(source)), start


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
    except (TypeError, NotImplementedError):  # no __len__, or one that a base class leaves to those that know it
        means = "give sf.Task(..., rows=N), the rows of an epoch, or a __len__" if name == "train" else "give a __len__"
        raise TaskError(f"{name} is a stream that does not say how many rows it has; {means}") from None
    if not known:
        raise TaskError(f"{name} has no rows")
    return Stream(source, known)


def _descends_from(value: Any, name: str) -> bool:
    """Whether a value is one of PyTorch's data classes, told without importing it."""
    return any(kind.__name__ == name and kind.__module__.startswith("torch.utils.data") for kind in type(value).__mro__)
