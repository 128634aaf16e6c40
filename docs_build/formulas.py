"""Formulas between dollars as MathML, which browsers draw themselves: no script and no font is fetched for them."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

# what pymdownx.arithmatex makes of $...$ and of $$...$$
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(text: str, **_: Any) -> str:
    """The page with every formula drawn."""
    text = _BLOCK.sub(lambda found: _drawn(found[1], display="block"), text)
    return _INLINE.sub(lambda found: _drawn(found[1], display="inline"), text)


def _drawn(latex: str, *, display: str) -> str:
    formula = convert(html.unescape(latex).strip(), display=display)
    return f'<div class="formula">{formula}</div>' if display == "block" else formula
