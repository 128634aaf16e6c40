"""Sentences in the language that was asked for; the English one is the name of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from surefoot.errors import RequestError
from surefoot.language.chinese import CHINESE

__all__ = ["LANGUAGES", "current", "language", "say"]

LANGUAGES = ("en", "zh")
"""What ``language=`` and ``--lang`` take."""

_SHARE = re.compile(r"[\d.]+ %")
_CURRENT: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def language(code: str) -> Iterator[None]:
    """Within it, sentences are said in the language ``code``.

    >>> with language("zh"):
    ...     say("overfitting")
    '过拟合'

    Raises:
        RequestError: not one of ``LANGUAGES``.
    """
    if code not in LANGUAGES:
        raise RequestError(f'there is no language "{code}"; there are {" and ".join(LANGUAGES)}')
    token = _CURRENT.set(code)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> str:
    """The code of the language of the moment."""
    return _CURRENT.get()


def say(sentence: str, /, **values: object) -> str:
    """A sentence in the language of the moment, with its fields filled in.

    What the catalogue does not hold, such as the name of a file, stays as it is.

    >>> say("it fell from {first:.3g} to {last:.3g}", first=1.0, last=0.25)
    'it fell from 1 to 0.25'

    Args:
        sentence: in English, with fields as ``str.format`` takes them. It is the key of the catalogue.
        values: for the fields.
    """
    if _CURRENT.get() != "zh":
        return sentence.format(**values) if values else sentence
    said = CHINESE.get(sentence, sentence)
    return said.format(**{name: _typeset(value) for name, value in values.items()}) if values else said


def _typeset(value: object) -> object:
    """A share as Chinese prints it, without the blank; anything else as it is."""
    return value.replace(" %", "%") if isinstance(value, str) and _SHARE.fullmatch(value) else value
