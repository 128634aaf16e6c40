"""Runs of Weights & Biases as they lie on the disk that trained them: run-ID.wandb, online or offline.

The file is a log of LevelDB's (github.com/google/leveldb, doc/log_format.md): blocks of 32 KiB, in them pieces of
records. A record is a message of protocol buffers (wandb/proto/wandb_internal.proto), read here by its wire format, so
that neither library is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.opening import shown
from surefoot.diagnosis.readers.tables import Rows
from surefoot.diagnosis.table import MOST_COLUMNS, plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["is_wandb", "read_wandb"]

BLOCK, HEAD = 2**15, 7
LONGEST_RECORD = 2**24  # a row of numbers has some thousands; beyond it, what says the length is damaged
_MARK = b":W&B"
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# Fields by their numbers: of Record, HistoryRecord, HistoryItem and RunRecord.
_HISTORY, _RUN = 2, 17
_ITEM = 1
_KEY, _NESTED_KEY, _INTEGER, _NUMBER, _JSON = 1, 2, 5, 6, 16
_DISPLAY_NAME = 8


def is_wandb(path: Path) -> bool:
    """Whether a file is named as Weights & Biases names a run."""
    return path.suffix == ".wandb"


def read_wandb(path: Path, *, named: Mapping[str, str]) -> Log:
    """The log of a run: a row for each call of ``log`` that ended a step.

    Raises:
        RequestError: it is no such file, or nothing in it is known as a loss.
    """
    rows, notes, name = Rows(), list[str](), str(path)
    for record in _records(path, notes):
        for field, value in _fields(record):
            if field == _HISTORY and isinstance(value, bytes):
                rows.table.add(_row(value))
            elif field == _RUN and isinstance(value, bytes):
                names = [text.decode(errors="replace") for text in _texts(value, _DISPLAY_NAME)]
                name = f"{path} ({names[-1]})" if names else name
    if not rows.table.num_rows:
        raise RequestError(f"{shown(path)} has no row in it: the run was stopped before it logged anything")
    return log_of(name, rows.table, named=named, notes=notes)


def _row(history: bytes) -> dict[str, object]:
    """The cells of a row of history by their names."""
    found: dict[str, object] = {}
    for item in _texts(history, _ITEM):
        name: list[str] = []
        cell: object = None
        for field, value in _fields(item):
            if field in (_KEY, _NESTED_KEY) and isinstance(value, bytes):
                name.append(value.decode(errors="replace"))
            elif field == _JSON and isinstance(value, bytes):
                cell = value.decode(errors="replace").strip('"')
            elif field == _NUMBER and isinstance(value, bytes) and len(value) == 8:
                cell = struct.unpack("<d", value)[0]
            elif field == _INTEGER and isinstance(value, int):
                cell = value - 2**64 if value >= 2**63 else value
        if len(found) < MOST_COLUMNS:
            found["/".join(name)] = cell
    return found


def _texts(message: bytes, wanted: int) -> Iterator[bytes]:
    yield from (value for field, value in _fields(message) if field == wanted and isinstance(value, bytes))


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(number, value) of the fields of a message, up to where it is damaged."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        length = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            length, place = _varint(message, place)
        if length < 0 or place + length > len(message):
            return
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number in parts of seven bits, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        part = message[place]
        place += 1
        number |= (part & 0x7F) << shift
        if part < 0x80:
            break
    return number, place


def _records(path: Path, notes: list[str]) -> Iterator[bytes]:
    """The records, put together from their pieces; a note where the file ends in one, as while it is written."""
    record = bytearray()
    is_open = is_lost = False
    try:
        with path.open("rb") as stream:
            block = stream.read(BLOCK)
            if not block.startswith(_MARK):
                raise RequestError(f"{shown(path)} is no run of Weights & Biases")
            place = HEAD
            while block:
                while place + HEAD <= len(block):
                    length, kind = int.from_bytes(block[place + 4 : place + 6], "little"), block[place + 6]
                    piece = block[place + HEAD : place + HEAD + length]
                    place += HEAD + length
                    if kind in (_WHOLE, _FIRST):
                        record.clear()
                        is_lost = False
                    is_open = kind in (_FIRST, _MIDDLE) or len(piece) < length
                    record += piece
                    if len(record) > LONGEST_RECORD:
                        record.clear()
                        is_lost = True
                    if kind in (_WHOLE, _LAST) and not is_open and not is_lost:
                        yield bytes(record)
                block, place = stream.read(BLOCK), 0
    except OSError as error:
        raise RequestError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    if is_open:
        name = plain(path.name)
        notes.append(
            say("{file} ends in the middle of a record, as while it is written; it was read up to there", file=name)
        )
