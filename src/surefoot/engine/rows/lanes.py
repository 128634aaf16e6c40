"""The lanes of a stream, read a chunk at a time: the same in this process and in workers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import get_worker_info

from surefoot import seeds
from surefoot.engine.randomness import drawing_from
from surefoot.engine.rows.fetching import Failure
from surefoot.engine.rows.piles import Pile, join, piled
from surefoot.errors import TaskError, raised_at
from surefoot.shards import Lane, Run
from surefoot.streams import Stream

__all__ = ["CHUNK", "Chunk", "Lanes", "Turn", "merged", "require_shared"]

# Rows of a lane that are read, sent and merged at once: enough to hide what each of these costs, few enough that large
# rows (pictures) stay small beside a model.
CHUNK = 64
# More turns than an epoch can have, so that turns of all epochs have numbers of their own.
TURNS = 2**40


@dataclass(frozen=True)
class Turn:
    """A worker's share of a round: the ``round``-th chunk of each of its lanes.

    Attributes:
        epoch: counts from 0.
        round: likewise.
        worker: likewise.
        position: its number among all turns, for who remembers what is in flight.
    """

    epoch: int
    round: int
    worker: int
    position: int
    indices: tuple[int] = (0,)

    @classmethod
    def at(cls, position: int, *, num_workers: int) -> Turn:
        """The turn with a number."""
        epoch, turn = divmod(position, TURNS)
        return cls(epoch, turn // num_workers, turn % num_workers, position)


@dataclass(frozen=True)
class Chunk:
    """What a lane gave in a round.

    Attributes:
        lane: its number.
        pile: rows, None where it had ended.
        is_short: it ended before the round's first row, when it was opened for this round.
    """

    lane: int
    pile: Pile | None
    is_short: bool


class Lanes:
    """Reads lanes in turns: what PyTorch's DataLoader takes for a dataset with ``__getitems__``.

    What a source draws from the global streams of Python, NumPy and PyTorch while it gives a chunk depends on the seed,
    the epoch, the lane and the chunk alone.

    Args:
        stream: the source.
        seed: of what the source draws and of the order of shards.
        num_lanes: how many.
        num_workers: that share them, at least 1.
        is_shuffled: shards come in a random order.
    """

    def __init__(self, stream: Stream, *, seed: int, num_lanes: int, num_workers: int, is_shuffled: bool) -> None:
        self._stream, self._seed, self._num_workers = stream, seed, num_workers
        self.num_lanes, self.order_seed = num_lanes, seed if is_shuffled else None
        self._open: dict[int, _Open] = {}

    def __getitems__(self, turn: Turn) -> list[Chunk] | Failure:
        """The chunks of a turn, or why there are none."""
        found = []
        for lane in range(turn.worker, self.num_lanes, self._num_workers):
            try:
                found.append(self._chunk(turn, lane))
                if turn.round == 0:
                    _require_portable(found[-1].pile)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except TaskError as error:
                return Failure(str(error))
            except Exception as error:  # noqa: BLE001 - the user's own code
                by = f" (worker {turn.worker})" if self._num_workers > 1 else ""
                place = f"after {turn.round * CHUNK} of its rows{by}" if turn.round else f"at its beginning{by}"
                return Failure(f"reading the stream failed {place}: {raised_at(error)}")
        return found

    def close(self) -> None:
        """Let go of what is open."""
        self._open.clear()

    def _chunk(self, turn: Turn, lane: int) -> Chunk:
        opened = self._open.get(lane)
        is_short = False
        if opened is None or opened.next != (turn.epoch, turn.round):
            opened, is_short = self._begin(turn, lane)
        runs = [] if is_short else self._take(opened.rows, turn.epoch, lane, turn.round)
        self._open[lane] = _Open(opened.rows, (turn.epoch, turn.round + 1))
        is_stacked = self._stream.collate_fn is None
        piles = [piled(run, is_stacked=is_stacked) for run in runs]
        return Chunk(lane, join(piles) if piles else None, is_short)

    def _begin(self, turn: Turn, lane: int) -> tuple[_Open, bool]:
        """A lane opened for a round, the rows before it thrown away as they would have been read."""
        with drawing_from(seeds.derive(self._seed, "stream opens", turn.epoch, lane)):
            rows, unwanted = self._stream.open(
                lane,
                epoch=turn.epoch,
                seed=self.order_seed,
                start=turn.round * CHUNK,
                is_alone=self.num_lanes == 1,
            )
        is_short = False
        for number in range(unwanted // CHUNK):
            if sum(_count(run) for run in self._take(rows, turn.epoch, lane, number)) < CHUNK:
                is_short = True
                break
        return _Open(rows, (turn.epoch, turn.round)), is_short

    def _take(self, rows: Lane, epoch: int, lane: int, number: int) -> list[Run]:
        with drawing_from(seeds.derive(self._seed, "stream", epoch, lane, number)):
            return list(rows.take(CHUNK))


def merged(chunks: list[Chunk]) -> Pile | None:
    """A row of every lane in turn; None when all have ended."""
    piles = [chunk.pile for chunk in chunks if chunk.pile is not None]
    if len(piles) < 2:
        return piles[0] if piles else None
    places = np.concatenate([np.arange(pile.count) for pile in piles])
    return join(piles).pick(torch.from_numpy(np.argsort(places, kind="stable")))


def require_shared(chunks: list[Chunk]) -> None:
    """Look at the first chunks of several workers.

    Raises:
        TaskError: they hold the same rows, so nobody told the workers to share them.
    """
    piles = [chunk.pile for chunk in chunks if chunk.pile is not None]
    if len(piles) < 2 or piles[0].count < 2:
        return
    first = piles[0]
    if first.is_like(piles[1]) and not first.part(0, 1).is_like(first.part(first.count - 1, first.count)):
        raise TaskError(
            f"{len(chunks)} workers give the same rows; the stream must share them by "
            "torch.utils.data.get_worker_info(), or data.workers be 1"
        )


def _count(run: Run) -> int:
    return len(run[0]) if isinstance(run, tuple) else len(run)


def _require_portable(pile: Pile | None) -> None:
    """Raise in a worker whose rows cannot be sent: they would be waited for forever."""
    if pile is None or get_worker_info() is None:
        return
    try:
        pickle.dumps(pile.part(0, 1))
    except Exception as error:
        raise TaskError(f"a row cannot be sent by a worker, set data.workers = 0: {raised_at(error)}") from error


@dataclass(frozen=True)
class _Open:
    """A lane that is being read, and the (epoch, round) whose chunk comes next."""

    rows: Lane
    next: tuple[int, int]
