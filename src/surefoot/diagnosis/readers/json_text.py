"""JSON read piece by piece, so that what is not wanted is never built: a text of any depth costs its own size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from surefoot.diagnosis.table import MOST_COLUMNS

__all__ = ["Cursor", "JsonCutError"]

# Pieces that are decoded at once are no longer than this; Python's objects may take 30 times as much.
PIECE = 2**16
DEEPEST = 3
CUT = "it ends in the middle"
_SPACE = re.compile(r"[ \t\r\n]*+")
_STRING_END = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_MARK = re.compile(r'["\[\]{}]')
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = re.compile(rf'\{{[^"\[\]{{}}]*+(?:{_STRING}[^"\[\]{{}}]*+)*+\}}', re.DOTALL)
_SCALARS = re.compile(r'(?:[^"\[\]{},]++,)++')
# a whole number of any length is a float; Python's own limit on them is an error
_DECODER = json.JSONDecoder(parse_int=float, strict=False)


class JsonCutError(ValueError):
    """The text ends in the middle."""


class Cursor:
    """A place in a JSON text, which moves on as values are taken or skipped.

    >>> cursor = Cursor('{"loss": [1, 0.5, 2], "seed": {"deep": [[[]]]}}')
    >>> for name in cursor.members():
    ...     print(name, [piece for piece in cursor.elements()] if cursor.peek() == "[" else cursor.skip())
    loss [[1.0, 0.5], [2.0]]
    seed None
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def peek(self) -> str:
        """The first letter of what comes next.

        Raises:
            JsonCutError: nothing does.
        """
        self.place = _SPACE.match(self.text, self.place).end()  # type: ignore[union-attr]  # it matches everywhere
        if self.place >= len(self.text):
            raise JsonCutError(CUT)
        return self.text[self.place]

    def members(self) -> Iterator[str]:
        """The names of an object; the caller takes or skips the value of each."""
        self._take("{")
        while self.peek() != "}":
            if self.peek() != '"':
                raise self._error("a name in quotes")
            name = self.scalar()
            self._take(":")
            yield name
            self._next("}")
        self.place += 1

    def elements(self) -> Iterator[list[Any] | str]:
        """What is in a list: several scalars at once, or "{" or "[" for a value that the caller takes or skips."""
        self._take("[")
        while (letter := self.peek()) != "]":
            run = _SCALARS.match(self.text, self.place, self.place + PIECE)
            if letter in "{[":
                yield letter
            elif run is not None:
                yield self._decoded(f"[{run.group()[:-1]}]")
                self.place = run.end()
                if self.peek() == "]":
                    raise self._error("a value")
                continue
            else:
                yield [self.scalar()]
            self._next("]")
        self.place += 1

    def row(self) -> dict[str, Any]:
        """The scalars of an object, those of objects in it as "outer/inner"; lists are skipped."""
        flat = _FLAT.match(self.text, self.place, self.place + PIECE)
        if flat is not None:
            decoded: dict[str, Any] = self._decoded(flat.group())
            self.place = flat.end()
            return decoded
        found: dict[str, Any] = {}
        for name, cell in self._cells(""):
            if len(found) < MOST_COLUMNS:
                found[name] = cell
        return found

    def scalar(self) -> Any:
        """A text, a number, a truth or null."""
        self.peek()
        try:
            value, end = _DECODER.raw_decode(self.text, self.place)
        except ValueError:
            raise (JsonCutError(CUT) if self._is_cut() else self._error("a value")) from None
        if end == len(self.text) and isinstance(value, float):  # its next digit may be missing
            raise JsonCutError(CUT)
        self.place = end
        return value

    def skip(self) -> None:
        """Go past a value, whatever is in it."""
        if self.peek() not in "{[":
            self.scalar()
            return
        depth = 0
        for mark in iter(lambda: _MARK.search(self.text, self.place), None):
            self.place = mark.end()
            if mark.group() == '"':
                end = _STRING_END.match(self.text, self.place)
                if end is None:
                    break
                self.place = end.end()
                continue
            depth += 1 if mark.group() in "{[" else -1
            if depth == 0:
                return
        raise JsonCutError(CUT)

    def _is_cut(self) -> bool:
        rest = self.text[self.place : self.place + len("-Infinity") + 1]
        if rest.startswith('"'):
            return _STRING_END.match(self.text, self.place + 1) is None
        return any(word.startswith(rest) for word in ("true", "false", "null", "NaN", "-Infinity", "Infinity"))

    def _cells(self, before: str) -> Iterator[tuple[str, Any]]:
        depth = before.count("/")
        for name in self.members():
            letter = self.peek()
            if letter == "{" and depth < DEEPEST:
                yield from self._cells(f"{before}{name}/")
            elif letter in "{[":
                self.skip()
            else:
                yield f"{before}{name}", self.scalar()

    def _decoded(self, piece: str) -> Any:
        try:
            return _DECODER.decode(piece)
        except ValueError:
            raise self._error("a value") from None

    def _take(self, letter: str) -> None:
        if self.peek() != letter:
            raise self._error(repr(letter))
        self.place += 1

    def _next(self, end: str) -> None:
        """Past the comma to the next value, or to the end."""
        if self.peek() == ",":
            self.place += 1
            if self.peek() == end:
                raise self._error("a value")
        elif self.peek() != end:
            raise self._error(f"',' or {end!r}")

    def _error(self, wanted: str) -> ValueError:
        line = self.text.count("\n", 0, self.place) + 1
        return ValueError(f"line {line} should have {wanted} after {self.place:,} characters")
