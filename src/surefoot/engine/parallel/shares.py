"""Which rows of a batch, or of a part of the data, belong to which process: contiguous shares, as even as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Piece", "pieces_of", "share_of", "spread_parts"]


class Piece(NamedTuple):
    """Rows ``start`` to ``stop`` of a batch, which belong to its part number ``part``."""

    part: int
    start: int
    stop: int


def share_of(count: int, rank: int, size: int, *, least: int = 1) -> tuple[int, int]:
    """The first row of a process's share of ``count`` rows, and the one after its last.

    Args:
        count: rows of all.
        rank: of the process.
        size: how many processes there are.
        least: rows that a share must have, if it has any: two where batch normalisation cannot train on one.

    >>> [share_of(10, rank, 4) for rank in range(4)]
    [(0, 3), (3, 6), (6, 8), (8, 10)]
    >>> [share_of(3, rank, 2, least=2) for rank in range(2)]
    [(0, 3), (3, 3)]
    """
    working = max(1, min(size, count // least))
    small, more = divmod(count, working)
    start = min(rank, working) * small + min(rank, more)
    return start, start + (small + (rank < more) if rank < working else 0)


def pieces_of(parts: Sequence[int], share: tuple[int, int]) -> Iterator[Piece]:
    """What a share has of each part of a batch.

    >>> list(pieces_of([4, 4], (3, 8)))
    [Piece(part=0, start=3, stop=4), Piece(part=1, start=4, stop=8)]
    """
    end = 0
    for number, rows in enumerate(parts):
        start, end = end, end + rows
        low, high = max(start, share[0]), min(end, share[1])
        if low < high:
            yield Piece(number, low, high)


def spread_parts(parts: Sequence[int], shares: Sequence[tuple[int, int]]) -> list[int]:
    """The parts of a batch that more than one process has a piece of.

    >>> spread_parts([4, 4], [(0, 3), (3, 6), (6, 8)]), spread_parts([4, 4], [(0, 4), (4, 8)])
    ([0, 1], [])
    """
    owners = [piece.part for share in shares for piece in pieces_of(parts, share)]
    return sorted({part for part in owners if owners.count(part) > 1})
