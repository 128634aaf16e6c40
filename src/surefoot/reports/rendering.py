"""The templates of the pages, and how they are filled."""

from __future__ import annotations

from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from surefoot.language import current, retold, say
from surefoot.reports.escaping import tame
from surefoot.reports.verdicts import evidence, gravity, sentence, titled
from surefoot.reports.words import in_words

__all__ = ["HTML_LANGUAGES", "render"]

# BCP 47 tags for <html lang>.
HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("surefoot.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=tame,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **context: Any) -> str:
    """A template of this folder, filled, in the language of the moment."""
    shared = {
        "say": say, "in_words": in_words, "retold": retold, "lang": HTML_LANGUAGES[current()],
        "evidence": evidence, "gravity": gravity, "sentence": sentence, "titled": titled,
    }  # fmt: skip
    return _ENVIRONMENT.get_template(template).render(plotly=get_plotlyjs(), **shared, **context)
