"""Model builders that can be named, so that a saved model can be built again."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from surefoot.errors import TaskError, raised_at

__all__ = ["NamedBuilder", "arguments_of", "file_of", "load_file", "reference_to", "require_builder"]


@dataclass(frozen=True)
class NamedBuilder:
    """A builder found by name when it is called, with some of its arguments given.

    Args:
        reference: ``package.module:function``, or ``path/to/file.py:function``.
        arguments: given at every call, before the caller's own.
    """

    reference: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **arguments: Any) -> Any:
        """A fresh model."""
        return self.function(**{**self.arguments, **arguments})

    @property
    def function(self) -> Callable[..., Any]:
        """What it names."""
        place, _, name = self.reference.rpartition(":")
        module = load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        return functools.reduce(getattr, name.split("."), module)  # type: ignore[return-value] # found by name


def arguments_of(builder: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a builder's arguments, none where it does not tell.

    >>> arguments_of(lambda *, units=32, **others: None)
    ('units',)
    """
    try:
        known = inspect.signature(builder.function if isinstance(builder, NamedBuilder) else builder).parameters
    except (TypeError, ValueError):  # a builtin tells nothing about itself
        return ()
    return tuple(name for name, one in known.items() if one.kind in {one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD})


def require_builder(model: Any) -> None:
    """Raise where a model stands in place of its builder, or something that cannot be called.

    A torch module can be called and builds nothing; it is told by what it has, without loading torch.

    Raises:
        TaskError: it builds no model.
    """
    is_module = not isinstance(model, type) and hasattr(model, "parameters") and hasattr(model, "state_dict")
    if is_module or not callable(model):
        raise TaskError(
            f"model must be a function that builds a fresh model, not {type(model).__name__}; "
            "write model=lambda: MyNetwork() to wrap one"
        )


def reference_to(builder: Callable[..., Any]) -> NamedBuilder | None:
    """How to find ``builder`` again in another process; None for a lambda, a closure or a notebook cell."""
    if isinstance(builder, NamedBuilder):
        return builder
    if isinstance(builder, functools.partial):
        inner = reference_to(builder.func)
        plain = inner is not None and not builder.args and all(_is_plain(v) for v in builder.keywords.values())
        return NamedBuilder(inner.reference, {**inner.arguments, **builder.keywords}) if inner and plain else None
    name = getattr(builder, "__qualname__", "<unnamed>")
    module = sys.modules.get(getattr(builder, "__module__", ""))
    if "<" in name or module is None or module.__name__ == "__main__":
        return None
    file = getattr(module, _LOADED_FROM, None)
    return NamedBuilder(f"{file or module.__name__}:{name}")


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


_LOADED_FROM = "__surefoot_file__"


def file_of(module: ModuleType) -> Path | None:
    """The file to run for what a module defines, where it cannot be imported; None where it can, or has no file."""
    file = getattr(module, _LOADED_FROM, None)
    if file is None and module.__name__ == "__main__" and getattr(module, "__spec__", None) is None:
        file = getattr(module, "__file__", None)
    return None if file is None else Path(file).resolve()


def load_file(path: Path) -> ModuleType:
    """Run a Python file as a module, once a process.

    Raises:
        TaskError: there is no such file, or it raises.
    """
    path = path.resolve()
    name = f"surefoot_file_{path.stem}_{abs(hash(str(path))):x}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise TaskError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} cannot be run as Python")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _LOADED_FROM, str(path))
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise TaskError(f"{path.name} failed at {raised_at(error)}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module
