"""Sentences that lie in records in English, told in the language of the moment where the catalogue knows them."""

from __future__ import annotations

import functools
import re
import string

from surefoot.language.chinese import RECORDED
from surefoot.language.speaking import current, say

__all__ = ["retold"]


def retold(text: str) -> str:
    """A stored sentence in the language of the moment; one that nobody knows stays as it is.

    Reasons, remarks and notes are written into records by the engine, which speaks one language. A sentence of the
    catalogue is recognised by what stands between its fields; what stands in them is told again in its turn.

    >>> from surefoot.language import language
    >>> with language("zh"):
    ...     retold("run 3 diverged")
    '第 3 次训练发散了'

    Args:
        text: as it lies in a record.
    """
    if current() == "en" or not text:
        return text
    for template, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            return say(template, **{name: retold(value) for name, value in match.groupdict().items()})
    for mark in ("; ", ", "):
        parts = text.split(mark)
        told = [retold(part) for part in parts] if len(parts) > 1 else parts
        if told != parts and (mark == "; " or all(new != old for new, old in zip(told, parts, strict=True))):
            return (say("; ") if mark == "; " else say(", ")).join(told)
    return say(text)


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The templates of the catalogue, those with the most words first."""
    order = sorted(RECORDED, key=lambda template: -len(re.sub(r"\{\w+\}", "", template)))
    return [(template, re.compile(_expression(template), re.DOTALL)) for template in order]


# What may stand in a field: a sentence of its own, or one word or number.
_SENTENCES, _WORD = frozenset({"name", "reason", "kept"}), r"[^\s;:]*[^\s;:,.]"


def _expression(template: str) -> str:
    parts = []
    for words, name, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(words) + (f"(?P<{name}>{'.+?' if name in _SENTENCES else _WORD})" if name else ""))
    return "".join(parts)
