"""Text in columns of a terminal, where a Chinese character is as wide as two letters."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

__all__ = ["TEXT_WIDTH", "labelled", "padded", "table"]

LABEL_WIDTH = 10
# As much as a page of the documentation shows beside its contents.
TEXT_WIDTH = 96


def padded(text: str, width: int) -> str:
    """Text with blanks behind it, up to ``width`` cells.

    >>> padded("损失", 6) + "|"
    '损失  |'
    """
    return text + " " * (width - _width(text))


def labelled(label: str, text: str, *, width: int | None = TEXT_WIDTH) -> str:
    """A line of a summary, what it is about and what it says; or several below each other where it is long.

    A path stays in one piece with a ``width`` of None.

    >>> labelled("Price", "2.00 trainings")
    'Price     2.00 trainings'
    """
    if width is None:
        return padded(label, LABEL_WIDTH) + text
    room = max(width - LABEL_WIDTH, 20)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return padded(label, LABEL_WIDTH) + ("\n" + " " * LABEL_WIDTH).join(lines)


def table(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells below each other, each column to the right.

    >>> table([["", "loss"], ["train", "0.5"]])
    ['       loss', 'train   0.5']
    """
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(" " * (width - _width(cell)) + cell for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
