"""A page of the site asks for nothing from outside, or the build breaks; links that a person follows are free."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.exceptions import PluginError

_TO_A_FOLDER = re.compile(r'(<a href="\.(?:\.(?:/\.\.)*)?)("[^>]*\bmd-logo\b)')
_LOADED = re.compile(
    r'<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc="((?:https?:)?//[^"]+)'
    r'|<link\b(?![^>]*\brel="?(?:canonical|next|prev))[^>]*\bhref="?((?:https?:)?//[^"> ]+)'
)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Look through the page as a browser gets it, its logo leading to the first page and not to a folder.

    Raises:
        PluginError: something would be fetched.
    """
    output = _TO_A_FOLDER.sub(r"\g<1>/index.html\g<2>", output)
    asked = outside(output)
    if asked:
        where = "put the file into docs/assets/ or docs/pictures/"
        raise PluginError(f"{page.file.src_uri} would fetch {', '.join(asked)}: {where}")
    return output


def outside(html: str) -> list[str]:
    """What a browser would fetch from elsewhere.

    >>> outside('<a href="https://a.org">a</a> <img src="b.png"> <img alt="" src="https://c.org/d.png">')
    ['https://c.org/d.png']
    """
    return [found[1] or found[2] for found in _LOADED.finditer(html)]
