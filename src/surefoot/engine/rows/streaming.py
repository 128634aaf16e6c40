"""Batches of a stream by the clock: what ``open_loader`` gives where rows have no numbers.

The order of an epoch: a row of every lane in turn, cut into blocks of ``data.shuffle_buffer`` rows, each shuffled in
itself. The first cut is drawn anew every epoch, so that rows meet others. An epoch's order is a function of the seed
and the epoch, and a block needs nothing from the ones before it: a resumed run reads one block and stands where it
was, which a buffer that is drawn from at random cannot.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data._utils.pin_memory import pin_memory

from surefoot import seeds
from surefoot.engine.objective import to_device
from surefoot.engine.randomness import drawing_from
from surefoot.engine.rows.data import StreamRows
from surefoot.engine.rows.fetching import Failure
from surefoot.engine.rows.lanes import CHUNK, TURNS, Chunk, Lanes, Turn, merged, require_shared
from surefoot.engine.rows.piles import Pile, join
from surefoot.engine.rows.workers import Workers
from surefoot.errors import TaskError, raised_at

__all__ = ["StreamLoader"]


class StreamLoader:
    """A ``Loader`` of a stream.

    Args:
        rows: the stream.
        seed: of the order of shards, of blocks, and of what rows draw.
        shuffle_buffer: rows of a block; 0 keeps the stream's own order.
        workers: processes that read ahead; 0 reads in this one.
        device: where batches go.
        is_pinned: copied from memory that a GPU reads by itself.
    """

    def __init__(
        self,
        rows: StreamRows,
        *,
        seed: int,
        shuffle_buffer: int,
        workers: int,
        device: torch.device,
        is_pinned: bool = False,
    ) -> None:
        self._stream, self._seed, self._buffer, self._device = rows.stream, seed, shuffle_buffer, device
        self._is_pinned = is_pinned
        num_lanes = self._stream.num_lanes(workers)
        self._num_turns = min(max(1, workers), num_lanes)  # of a round
        self._lanes = Lanes(
            self._stream,
            seed=seed,
            num_lanes=num_lanes,
            num_workers=self._num_turns,
            is_shuffled=shuffle_buffer > 0,
        )
        self._workers = Workers(self._lanes, self._num_turns, pin_memory=False) if workers else None
        self._next = -1
        self._read, self._given = _Tap(iter(())), _Tap(iter(()))

    def batch(self, position: int, size: int) -> tuple[Any, int]:
        """The ``size`` samples that follow ``position``, collated and on the device, and how many they are.

        Raises:
            TaskError: the source raises, ends before its length or goes on after it; or a worker process dies.
        """
        try:
            with drawing_from(seeds.derive(self._seed, "rows", position)):
                batch = _collated(join(self._piles(position, size)), self._stream.collate_fn)
        except BaseException:
            self.close()
            raise
        if self._is_pinned:
            batch = pin_memory(batch)  # type: ignore[no-untyped-call] # torch leaves it unannotated
        return to_device(batch, self._device), size

    def close(self) -> None:
        """End the worker processes and let go of what is open; another batch would begin again."""
        self._next = -1
        self._read, self._given = _Tap(iter(())), _Tap(iter(()))
        self._lanes.close()
        if self._workers is not None:
            self._workers.close()

    def _piles(self, position: int, size: int) -> list[Pile]:
        """Rows of this epoch, and of the next ones where a step reaches over."""
        piles: list[Pile] = []
        while size > 0:
            epoch, offset = divmod(position, len(self._stream))
            if position != self._next or not offset:
                self._read = _Tap(self._pieces(epoch, self._edges(epoch, offset)[0]))
                self._given = _Tap(self._blocks(epoch, offset))
            wanted = min(size, len(self._stream) - offset)
            found = self._given.take(wanted)
            got = sum(pile.count for pile in found)
            if got < wanted:
                raise TaskError(
                    f"the stream ended after {offset + got} of its {len(self._stream)} rows in epoch {epoch + 1}; "
                    f"{'its length' if self._stream.is_closed else 'rows='} should say {offset + got}"
                )
            if offset + wanted == len(self._stream) and self._stream.is_closed and self._read.take(1):
                raise TaskError(
                    f"the stream has more than the {len(self._stream)} rows that its length says{self._hint}"
                )
            piles += found
            position, size = position + wanted, size - wanted
            self._next = position
        return piles

    @property
    def _hint(self) -> str:
        if self._num_turns == 1:
            return ""
        return f"; do its {self._num_turns} workers share them, by torch.utils.data.get_worker_info()?"

    def _edges(self, epoch: int, offset: int) -> tuple[int, int, int]:
        """Begin, end and number of the block around a row of an epoch."""
        rows = len(self._stream)
        if not self._buffer:
            return offset, rows, 0
        first = int(seeds.stream(self._seed, "first block", epoch).integers(1, self._buffer + 1))
        number = 0 if offset < first else 1 + (offset - first) // self._buffer
        begin = 0 if number == 0 else first + (number - 1) * self._buffer
        return begin, min(rows, first + number * self._buffer), number

    def _blocks(self, epoch: int, offset: int) -> Iterator[Pile]:
        """The rows of an epoch from ``offset`` on, in its order."""
        while offset < len(self._stream):
            begin, end, number = self._edges(epoch, offset)
            if not self._buffer:
                piece = self._read.some(end - offset)
                if piece is None:
                    return
                yield piece
                offset += piece.count
                continue
            piles = self._read.take(end - begin)
            if sum(pile.count for pile in piles) < end - begin:
                yield from piles  # the stream ended: whoever takes these will say so
                return
            order = seeds.stream(self._seed, "order", epoch, number).permutation(end - begin)
            block = join(piles).pick(torch.from_numpy(order))
            del piles
            yield block.part(offset - begin, end - begin)
            del block
            offset = end

    def _pieces(self, epoch: int, start: int) -> Iterator[Pile]:
        """The rows of an epoch from ``start`` on as they come: a row of every lane in turn."""
        number, before = self._round_of(epoch, start)
        chunks = self._round(epoch, number)
        if any(chunk.is_short for chunk in chunks):  # a lane ended early: where we stand can only be counted
            number = before = 0
            chunks = self._round(epoch, 0)
        while True:
            piece = merged(chunks)
            if piece is None:
                return
            low = max(0, start - before)
            if low < piece.count:
                yield piece.part(low, piece.count)
            number, before = number + 1, before + piece.count
            chunks = self._round(epoch, number)  # opened anew by a new worker, an ended lane is short: that is no news

    def _round_of(self, epoch: int, row: int) -> tuple[int, int]:
        """The round in which a row comes, and how many rows come before that round."""
        lanes = self._lanes
        lengths = self._stream.lane_lengths(epoch=epoch, seed=lanes.order_seed)
        if lengths is None:  # as long as every lane goes on
            number = row // (lanes.num_lanes * CHUNK)
            return number, number * lanes.num_lanes * CHUNK
        rounds = range(1, -(-max(lengths) // CHUNK))

        def before(number: int) -> int:
            return sum(min(length, number * CHUNK) for length in lengths)

        number = bisect_right(rounds, row, key=before)
        return number, before(number)

    def _round(self, epoch: int, number: int) -> list[Chunk]:
        """The chunks of all lanes in a round."""
        first, turns = epoch * TURNS + number * self._num_turns, self._num_turns
        while True:
            try:
                found: list[Chunk] = []
                for position in range(first, first + turns):
                    found += self._turn(position)
                break
            except _MidRound:
                continue
        found.sort(key=lambda chunk: chunk.lane)
        if number == 0 and self._stream.is_shared_by_workers:
            require_shared(found)
        return found

    def _turn(self, position: int) -> list[Chunk]:
        if self._workers is None:
            found = self._lanes.__getitems__(Turn.at(position, num_workers=1))
        else:
            found = self._workers.fetch(position, 1, requests=self._turns)
        if isinstance(found, Failure):
            raise TaskError(found.text)
        return found

    def _turns(self, position: int, _: int) -> Iterator[Turn]:
        """What workers are asked for from now on: whole rounds, so that each worker has its own lanes."""
        if position % TURNS % self._num_turns:
            raise _MidRound
        return (Turn.at(one, num_workers=self._num_turns) for one in range(position, (position // TURNS + 1) * TURNS))


class _MidRound(Exception):  # noqa: N818 - how one function tells another to begin a round again
    """Workers ended and started again between two turns of a round."""


class _Tap:
    """Rows taken from piles as many at a time as wanted."""

    def __init__(self, piles: Iterator[Pile]) -> None:
        self._piles, self._rest = piles, deque[Pile]()

    def some(self, most: int) -> Pile | None:
        """The next rows that lie together, at most so many; None at the end."""
        pile = self._rest.popleft() if self._rest else next(self._piles, None)
        if pile is not None and pile.count > most:
            self._rest.appendleft(pile.part(most, pile.count))
            pile = pile.part(0, most)
        return pile

    def take(self, count: int) -> list[Pile]:
        """The next ``count`` rows, fewer at the end."""
        found: list[Pile] = []
        while count > 0:
            pile = self.some(count)
            if pile is None:
                break
            found.append(pile)
            count -= pile.count
        return found


def _collated(pile: Pile, collate: Any) -> Any:
    """The batch; what the stream's own function raises becomes one line."""
    try:
        return pile.batch(collate)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise TaskError(f"rows of the stream cannot become a batch: {raised_at(error)}") from error
