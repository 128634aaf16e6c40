"""What pydantic complains about, in one line: what came, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from surefoot.errors import nearest

__all__ = ["one_line"]


def one_line(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """The first of pydantic's complaints in one line: what came, what is allowed.

    Args:
        error: the complaints.
        fields: the sections by name.
    """
    first, *others = error.errors()
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(others)} more)" if others else ""
    return f"{_complaint(where, first, fields)}{more}"


def _complaint(where: str, report: Any, fields: Mapping[str, FieldInfo]) -> str:
    kind, given = report["type"], report["input"]
    section, _, key = where.partition(".")
    if kind == "extra_forbidden" and not key:
        return f'there is no section "{section}"; {nearest(section, fields)}'
    if kind == "extra_forbidden":
        return f'there is no key "{where}"; {nearest(key, _keys(fields[section]))}'
    if kind == "literal_error":
        allowed = _literals(_keys(fields[section])[key].annotation)
        return f'{where} is "{given}", which does not exist; {nearest(given, allowed)}'
    if kind == "value_error":
        return str(report["ctx"]["error"])
    rule = report["msg"].removeprefix("Input ")
    return f"{where} is {given!r}: it {rule}"


def _keys(section: FieldInfo) -> Mapping[str, FieldInfo]:
    kind = section.annotation
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _literals(annotation: Any) -> list[str]:
    """The strings that a Literal, or an optional one, allows."""
    names: list[str] = []
    for argument in get_args(annotation):
        names.extend([argument] if isinstance(argument, str) else _literals(argument))
    return names
