"""Examples in docstrings stand bare, as doctest reads them; on a page of Markdown they need a fence."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_BLOCK = re.compile(r"^(?P<indent> *)>>> .*\n?(?:^(?P=indent)\S.*\n?)*", re.MULTILINE)


class Doctests(Extension):
    """Puts every bare example of a docstring into a fence."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    r"""The text with fences around its examples.

    >>> fenced("One.\n\n>>> 1 + 1\n2\n\nMore.")
    'One.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore.'
    """
    return _BLOCK.sub(lambda block: _fence(block[0], block["indent"]), text)


def _fence(block: str, indent: str) -> str:
    end = "\n" if block.endswith("\n") else ""
    return f"{indent}```pycon\n{block.rstrip()}\n{indent}```{end}"
