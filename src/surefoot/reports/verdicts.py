"""Verdicts on a log as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from surefoot.language import say
from surefoot.records import Finding

__all__ = ["verdicts_text"]

WIDTH = 110


def verdicts_text(name: str, findings: Sequence[Finding], notes: Sequence[str] = ()) -> str:
    """A log's name, its verdicts, and what was left out while reading.

    >>> fine = Finding(verdict="nothing wrong", run="a.csv", evidence="it fell", advice="use it")
    >>> print(verdicts_text("a.csv", [fine]))
    a.csv
      nothing wrong
        it fell
        → use it
    """
    lines = [name]
    for finding in findings:
        title = say(finding.verdict)
        if finding.certainty:
            title = say("{verdict} ({certainty})", verdict=title, certainty=say(finding.certainty))
        lines += [f"  {title}", *_indented(finding.evidence), *_indented(f"→ {finding.advice}")]
    lines += [line for note in notes for line in _indented(say("Left out: {what}", what=note), 2)]
    return "\n".join(lines)


def _indented(text: str, by: int = 4) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * by, subsequent_indent=" " * (by + 2)) or [""]
