"""Text of unknown origin, made safe to show: for a page, and for Plotly, which reads some HTML in its texts."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

__all__ = ["plain", "tame"]

# Control characters, and those that turn the reading direction of what stands around them (Unicode UAX 9): a name with
# one of them could make the text beside it read backwards.
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]")
_LONGEST = 120


def tame(value: Any) -> Any:
    r"""A text with its hidden characters made visible; what is no text, and what is markup already, as it is.

    >>> tame("evil\u202ename")
    'evil\ufffdname'
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _HIDDEN.sub("\ufffd", value)


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """A text as Plotly must be given it: no tag, no link, no field of a template is found in it.

    Plotly.js reads ``<b>``, ``<a href>`` and the like in every text, entities too, and ``%{...}`` in hover texts.

    >>> plain("<a href='//x'>%{y}</a>")
    "&lt;a href='//x'&gt;%&#123;y}&lt;/a&gt;"
    """
    shown = str(tame(text)).replace("\n", " ")
    shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%&#123;")
