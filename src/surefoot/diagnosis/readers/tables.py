"""Logs in lines of text: CSV of any tool, and a JSON object a line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.log import Log
from surefoot.errors import RequestError

__all__ = ["read_json_lines", "read_table", "text_of"]

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = (",", ";", "\t", "|")
LONGEST_CELL = 100_000


def text_of(path: Path) -> tuple[str, list[str]]:
    """What is in a file, and what could not be read of it.

    Raises:
        RequestError: it cannot be opened, or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}") from None
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content[:1024]:
        raise RequestError(
            f"{path} is not text; logs are CSV, JSON, JSON lines, TensorBoard event files or an Optuna database"
        )
    text = content.decode(encoding, errors="replace")
    broken = text.count("\ufffd")
    return text, [f"{broken} characters are not {encoding} and were replaced"] if broken else []


def read_table(path: Path, *, named: Mapping[str, str]) -> Log:
    """CSV with a header, separated by commas, semicolons, tabs or bars.

    Raises:
        RequestError: there is no header, or nothing below it.
    """
    text, notes = text_of(path)
    lines = io.StringIO(text)
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    separator = max(_SEPARATORS, key=header.count)
    csv.field_size_limit(LONGEST_CELL)
    try:
        names = _distinct(next(csv.reader([header], delimiter=separator, strict=False), []))
        columns: dict[str, list[str]] = {name: [] for name in names}
        uneven = _fill(columns, csv.reader(lines, delimiter=separator, strict=False))
    except csv.Error as error:
        raise RequestError(f"{path} is not CSV: {error}") from None
    if uneven:
        lines_had = "1 line has" if uneven == 1 else f"{uneven} lines have"
        notes.append(f"{lines_had} another number of cells than the header; what is missing is blank")
    if not names or not columns[names[0]]:
        raise RequestError(f"{path} has no rows below a header of column names")
    return log_of(str(path), columns, named=named, notes=notes)


def _fill(columns: dict[str, list[str]], rows: Iterator[list[str]]) -> int:
    """Put rows into columns; how many had another length."""
    uneven = 0
    names = list(columns)
    for row in rows:
        if not row or row == names:  # a blank line, or the header again where a run was resumed
            continue
        uneven += len(row) != len(names)
        for place, name in enumerate(names):
            columns[name].append(row[place] if place < len(row) else "")
    return uneven


def _distinct(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in (name.strip() for name in names):
        found.append(name if name not in found else f"{name} ({found.count(name) + 1})")
    return found if len(set(found)) == len(found) else [f"{name} {place}" for place, name in enumerate(found)]


def read_json_lines(path: Path, *, named: Mapping[str, str]) -> Log:
    """A JSON object a line.

    Raises:
        RequestError: no line is one.
    """
    text, notes = text_of(path)
    rows, unread = [], 0
    for line in text.splitlines():
        if line.strip():
            try:
                row: Any = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                rows.append(row)
            else:
                unread += 1
    if not rows:
        raise RequestError(f"{path} has no line that is a JSON object")
    if unread:
        notes.append(f"{unread} lines were no JSON objects and were left out")
    return log_of(str(path), columns_of(rows), named=named, notes=notes)


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns; None where a row says nothing."""
    names = dict.fromkeys(str(name) for row in rows for name in row)
    texts = [{str(name): value for name, value in row.items()} for row in rows]
    return {name: [row.get(name) for row in texts] for name in names}
