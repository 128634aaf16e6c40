"""Values as people type them and as TOML and JSON hold them."""

from __future__ import annotations

import tomllib
from typing import Any

__all__ = ["parse_value", "plain"]


def parse_value(text: str) -> Any:
    """A value as TOML would read it, or the text itself.

    >>> parse_value("1e-3"), parse_value(".5"), parse_value("true"), parse_value("adamw")
    (0.001, 0.5, True, 'adamw')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)  # ".5" and "1.", which TOML does not know
    except ValueError:
        return text


def plain(name: str, value: Any) -> Any:
    """A value that TOML and JSON can hold; NumPy's numbers become Python's."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, list | tuple):
        return [plain(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(f"{name}.{key}", item) for key, item in value.items()}
    if not isinstance(value, bool | int | float | str):
        raise ValueError(
            f"{name} is {value!r}; a model argument must be a number, a text, true or false, or a list of those: "
            "name other things and look them up in the builder"
        )
    return value
