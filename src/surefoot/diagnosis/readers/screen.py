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
_NAME = r"(?P<name>[A-Za-z][A-Za-z_/]{0,40}(?:(?<=_)\d{1,2})?+(?:'s)?+(?:[ -][A-Za-z_]{1,40}){0,2})"
_VALUE = r"(?P<value>[-+]?(?:\d++(?:\.\d*+)?+(?:e[-+]?\d++)?+|\.\d++|nan\b|inf\b)%?)(?:/(?P<of>\d+))?(?![\w.])"
# possessive, so that a line of blanks is read once and not in every way to part it
_SAID = re.compile(rf"{_NAME}[ \t]*+[:=]?+[ \t]*+[\[(]?+[ \t]*+{_VALUE}|{_PART}", re.IGNORECASE)
# "Test Error:" alone in a line says of which part the lines below it are.
_HEADING = re.compile(rf"[^\w]*+(?:[A-Za-z]+ ){{0,3}}?{_PART}(?: [A-Za-z]+){{0,3}}\s*:\s*", re.IGNORECASE)
_ROUND = re.compile(r"\[(\d{1,9})\]\t")  # XGBoost and LightGBM
_PLACES = ("epoch", "step")
FEWEST_LOOKS = 4  # at each part by its name, by which a loss of no part is known to be a batch's


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
    part, num_said = "", dict.fromkeys(("train_loss", "validation_loss"), 0)
    for line in lines:
        heading = _HEADING.fullmatch(line[:LONGEST])
        part = heading["part"] if heading else part if line.strip() else ""
        said = _said(line, part)
        here = {role: said[role] for role in _PLACES if role in said}
        if "epoch" in here and here["epoch"] != place.get("epoch"):
            _add(rows, epoch)
            place, epoch = {}, []  # the step of the epoch before is none of this one
        place.update(here)
        if said.keys() - here.keys():
            epoch.append({**place, **said})
            num_said = {role: count + (role in said) for role, count in num_said.items()}
        if len(epoch) > MOST_LINES:
            _add(rows, epoch)
            epoch = []
    _add(rows, epoch)
    if min(num_said.values()) >= FEWEST_LOOKS:  # beside them nanoGPT says the losses of single batches
        for name in ("loss", "accuracy"):
            rows.table.columns.pop(name, None)
    return log_of(str(path), rows.table, named=named, notes=lines.notes())


def _add(rows: Rows, epoch: list[dict[str, float]]) -> None:
    """The lines of an epoch; where the last says both parts, those before it are a bar that moved on."""
    last = epoch[-1].keys() if epoch else set[str]()
    is_bar = {"epoch", "validation_loss"} <= last and bool({"train_loss", "loss"} & last)
    is_bar = is_bar and len({line.get("step") for line in epoch}) == 1
    for line in epoch[-1:] if is_bar else epoch:
        rows.add(line)


def _said(line: str, part: str = "") -> dict[str, float]:
    """What a line says, by its role; the part of the data is the one that was named last before it.

    A loss of which no part is said is called by its bare name.
    """
    found: dict[str, float] = {}
    line = _COLOURS.sub("", line[:LONGEST])
    if "validation_1-" in line:  # of two sets of XGBoost's, the first is by custom the one it learns from
        line = line.replace("validation_0-", "train-")
    for match in _SAID.finditer(line):
        if match["part"]:
            part = match["part"]
            continue
        for name in _endings(match["name"]):
            value, role = number(match["value"]), role_of(name, part)
            if role is not None and isinstance(value, float) and "best" not in match["name"].lower():
                right_of = number(match["of"] or "1")  # 9800/10000 are right; epoch 3/10 is the third
                is_bare = not part and role == role_of(name, "train") != role_of(name, "val")
                key = role.removeprefix("train_") if is_bare else role
                found.setdefault(key, value / max(right_of, 1.0) if role.endswith("accuracy") else value)
                break
        part = next(iter(re.findall(_PART, match["name"], re.IGNORECASE)[-1:]), part)
    if (counted := _ROUND.match(line)) and not found.keys() & set(_PLACES):
        found["step"] = float(counted[1])
    return found


def _endings(name: str) -> Iterator[str]:
    """A name, and without its first words: "and the train loss", "train loss", "loss"."""
    words = re.split(r"[ -]", name)
    for start in range(len(words)):
        yield " ".join(words[start:])
