"""Verdicts on a log as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from surefoot.language import current, say
from surefoot.records import Finding
from surefoot.reports.in_columns import wrapped

__all__ = ["Gravity", "evidence", "gravity", "sentence", "titled", "verdicts_text"]

Gravity = Literal["broken", "wrong", "doubt", "fine"]

# What leaves no model that is worth having, or numbers that cannot be believed.
_BROKEN = frozenset({
    "diverged",
    "out of memory",
    "learned nothing",
    "gradients vanished",
    "gradients explode",
    "train and validation swapped",
    "many trials failed",
})  # fmt: skip
_UNTOLD = frozenset({"too short to tell", "too few trials to tell"})


def gravity(finding: Finding) -> Gravity:
    """How grave a verdict is: what is broken, what is wrong, what is only possible, and what is fine."""
    if finding.verdict == "nothing wrong":
        return "fine"
    if finding.verdict in _BROKEN:
        return "broken"
    return "doubt" if finding.certainty == "possible" or finding.verdict in _UNTOLD else "wrong"


def titled(finding: Finding) -> str:
    """The name of a verdict and how sure it is, in the language of the moment."""
    title = say(finding.verdict)
    if not finding.certainty:
        return title
    return say("{verdict} ({certainty})", verdict=title, certainty=say(finding.certainty))


def sentence(text: str) -> str:
    """A text that begins a line of a page: in English with a capital; in Chinese it may begin with a name."""
    return text[:1].upper() + text[1:] if current() == "en" else text


def evidence(finding: Finding) -> str:
    """What a verdict was read off, as a sentence; one that begins with the name of a parameter keeps its spelling."""
    is_named = finding.verdict == "parameter does not matter"
    return finding.evidence if is_named else sentence(finding.evidence)


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
        lines += [f"  {titled(finding)}", *_indented(finding.evidence), *_indented(f"→ {finding.advice}")]
    lines += [line for note in notes for line in _indented(say("While reading: {what}", what=note), 2)]
    return "\n".join(lines)


def _indented(text: str, by: int = 4) -> list[str]:
    return wrapped(text, first=" " * by, rest=" " * (by + 2))
