"""Pages under zh/ say that they are Chinese: readers aloud and browsers choose voice and characters by it."""

from __future__ import annotations

from typing import Any


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Change the language that the theme wrote."""
    is_chinese = page.file.src_uri.startswith("zh/")
    return output.replace('<html lang="en"', '<html lang="zh-Hans"', 1) if is_chinese else output
