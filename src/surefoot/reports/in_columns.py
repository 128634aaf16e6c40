"""Text in columns and lines of a terminal, where a Chinese character is as wide as two letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["TEXT_WIDTH", "labelled", "padded", "table", "wrapped"]

LABEL_WIDTH = 10
# As much as a page of the documentation shows beside its contents.
TEXT_WIDTH = 96
# What stays in one line: a word, or a Chinese character, with the marks that belong to it.
_HAN, _OPENING, _CLOSING = "\u2e80-\u2fff\u3040-\u9fff", "（“", "，。；：、！？）”"  # noqa: RUF001 (they are what is meant)
_PIECE = re.compile(rf"[{_OPENING}]*(?:[{_HAN}]|[^\s{_HAN}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*\s*")


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Text with blanks behind it, or before it, up to ``width`` cells.

    >>> padded("损失", 6) + "|", padded("损失", 6, right=True)
    ('损失  |', '  损失')
    """
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, *, width: int = TEXT_WIDTH, first: str = "", rest: str = "") -> list[str]:
    """Text in lines of at most ``width`` cells, broken between words or Chinese characters.

    >>> wrapped("损失仍在下降请延长训练", width=12)
    ['损失仍在下降', '请延长训练']

    Args:
        text: without line breaks.
        width: in cells; a longer word stays in one piece.
        first: what the first line begins with.
        rest: what the others begin with.
    """
    lines, is_empty = [first], True
    for piece in filter(None, _PIECE.findall(text)):
        if not is_empty and _width(lines[-1] + piece.rstrip()) > width:
            lines.append(rest)
        lines[-1] += piece
        is_empty = False
    return [line.rstrip() for line in lines]


def labelled(label: str, text: str, *, width: int | None = TEXT_WIDTH, indent: int = LABEL_WIDTH) -> str:
    """A line of a summary, what it is about and what it says; or several below each other where it is long.

    A path stays in one piece with a ``width`` of None.

    >>> labelled("Price", "2.00 trainings")
    'Price     2.00 trainings'
    """
    if width is None:
        return padded(label, indent) + text
    return "\n".join(wrapped(text, width=width, first=padded(label, indent), rest=" " * indent))


def table(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells below each other, each column to the right.

    >>> table([["", "loss"], ["train", "0.5"]])
    ['       loss', 'train   0.5']
    """
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(padded(cell, width, right=True) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
