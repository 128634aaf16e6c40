"""What a training printed, kept in a file: "Epoch 3/10 ... loss: 0.52 - val_loss: 0.61" and its like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.columns import role_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.opening import Lines
from surefoot.diagnosis.readers.tables import Rows
from surefoot.diagnosis.table import number

__all__ = ["is_screen", "read_screen"]

LONGEST = 2000  # letters of a line that are looked at
FEWEST = 2  # lines with a loss or an accuracy by which a text is known
MOST_LINES = 10_000  # of an epoch, held until it ends
_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x08")
_PART = r"\b(?P<part>train|training|val|valid|validation|eval|evaluation|test|testing|dev)\b"
_NAME = r"(?P<name>[A-Za-z][A-Za-z_/]{0,40}(?:[ -][A-Za-z_]{1,40}){0,2})"
_VALUE = r"(?P<value>[-+]?(?:\d++(?:\.\d*+)?+(?:e[-+]?\d++)?+|\.\d++|nan\b|inf\b)%?)(?:/(?P<of>\d+))?(?![\w.])"
# possessive, so that a line of blanks is read once and not in every way to part it
_SAID = re.compile(rf"{_NAME}[ \t]*+[:=]?+[ \t]*+[\[(]?+[ \t]*+{_VALUE}|{_PART}", re.IGNORECASE)
_PLACES = ("epoch", "step")


def is_screen(beginning: str) -> bool:
    """Whether a text has lines that name a loss or an accuracy beside its number."""
    found = 0
    for line in beginning.splitlines():
        found += any(role not in _PLACES for role in _said(line))
        if found >= FEWEST:
            return True
    return False


def read_screen(path: Path, *, named: Mapping[str, str]) -> Log:
    """A row a line that says a loss or an accuracy; an epoch or a step said by itself holds for the lines below it.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    lines, rows, place = Lines(path), Rows(), dict[str, float]()
    epoch: list[dict[str, float]] = []
    for line in lines:
        said = _said(line)
        here = {role: said[role] for role in _PLACES if role in said}
        if "epoch" in here and here["epoch"] != place.get("epoch"):
            _add(rows, epoch)
            place, epoch = {}, []  # the step of the epoch before is none of this one
        place.update(here)
        if said.keys() - here.keys():
            epoch.append({**place, **said})
        if len(epoch) > MOST_LINES:
            _add(rows, epoch)
            epoch = []
    _add(rows, epoch)
    return log_of(str(path), rows.table, named=named, notes=lines.notes())


def _add(rows: Rows, epoch: list[dict[str, float]]) -> None:
    """The lines of an epoch; where the last says both parts, those before it are a bar that moved on."""
    is_bar = bool(epoch) and {"epoch", "train_loss", "validation_loss"} <= epoch[-1].keys()
    is_bar = is_bar and len({line.get("step") for line in epoch}) == 1
    for line in epoch[-1:] if is_bar else epoch:
        rows.add(line)


def _said(line: str) -> dict[str, float]:
    """What a line says, by its role; the part of the data is the one that was named last before it."""
    found: dict[str, float] = {}
    part = ""
    for match in _SAID.finditer(_COLOURS.sub("", line[:LONGEST])):
        if match["part"]:
            part = match["part"]
            continue
        for name in _endings(match["name"]):
            value, role = number(match["value"]), role_of(name, part)
            if role is not None and isinstance(value, float):
                right_of = number(match["of"] or "1")  # 9800/10000 are right; epoch 3/10 is the third
                found.setdefault(role, value / max(right_of, 1.0) if role.endswith("accuracy") else value)
                break
        part = next(iter(re.findall(_PART, match["name"], re.IGNORECASE)[-1:]), part)
    return found


def _endings(name: str) -> Iterator[str]:
    """A name, and without its first words: "and the train loss", "train loss", "loss"."""
    words = re.split(r"[ -]", name)
    for start in range(len(words)):
        yield " ".join(words[start:])
