"""Every public name stands in the reference, or the build breaks.

A public name is one in the ``__all__`` of a room that is open to others. mkdocstrings leaves out what has no docstring,
so a name without one has no place on any page, and is found here like one that no page asks for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

# Rooms whose names are for the house alone: what they do is reached through `surefoot` or the commands.
CLOSED = {
    "surefoot.__main__",
    "surefoot.callbacks",
    "surefoot.cli",
    "surefoot.engine",
    "surefoot.files",
    "surefoot.installed",
    "surefoot.looks",
    "surefoot.piloting",
    "surefoot.reports",
    "surefoot.rescaling",
    "surefoot.row_order",
    "surefoot.seeds",
    "surefoot.shards",
    "surefoot.sparse",
    "surefoot.steering",
    "surefoot.streams",
    "surefoot.training",
    "surefoot.workflows",
}
# Names that say themselves: the version, and rooms that have a page of their own.
PLAIN = {"surefoot.__version__", "surefoot.errors", "surefoot.schedules", "surefoot.space"}

_shown: set[str] = set()


def on_pre_build(**_: Any) -> None:
    """Begin anew: a server builds many times."""
    _shown.clear()


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Note which names the page has a heading for."""
    if page.file.src_uri.startswith("api/"):
        _shown.update(re.findall(r'<h[1-6] id="(surefoot[\w.]*)"', html))
        _shown.update(re.findall(r'<a id="(surefoot[\w.]*)"', html))
    return html


def on_post_build(*, config: Any, **_: Any) -> None:
    """Compare.

    Raises:
        PluginError: a public name is not in the reference.
    """
    source = Path(config.config_file_path).parent / "src"
    origins = imports(source)
    shown = {origin(name, origins) for name in _shown}
    missing = sorted(name for name in public_names(source) - PLAIN if origin(name, origins) not in shown)
    if missing:
        raise PluginError(
            f"not in the reference: {', '.join(missing)}. Give each a docstring, and its room a page in docs/api/; "
            "a room for the house alone is named in docs_build/reference.py"
        )


def public_names(source: Path) -> set[str]:
    """``module.name`` of everything in the ``__all__`` of an open room."""
    return {f"{room}.{name}" for room, path in rooms(source) for name in exported(path)}


def imports(source: Path) -> dict[str, str]:
    """Where each room has its names from."""
    found = {}
    for room, path in rooms(source):
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.ImportFrom):
                found.update({f"{room}.{alias.name}": f"{statement.module}.{alias.name}" for alias in statement.names})
    return found


def origin(name: str, origins: Mapping[str, str]) -> str:
    """The module that defines a name, which a page may show under any of its names.

    >>> origin("house.room.door", {"house.room.door": "house.room.doors.door"})
    'house.room.doors.door'
    """
    while name in origins and origins[name] != name:
        name = origins[name]
    return name


def rooms(source: Path) -> Iterator[tuple[str, Path]]:
    """Every open room with its file: the package, what lies directly in it, and the doors."""
    package = source / "surefoot"
    yield "surefoot", package / "__init__.py"
    for folder in (package, package / "integrations"):
        for path in sorted([*folder.glob("*.py"), *folder.glob("*/__init__.py")]):
            inner = path.parent if path.name == "__init__.py" else path.with_suffix("")
            name = ".".join(inner.relative_to(source).parts)
            if inner not in (package, package / "integrations") and name not in CLOSED:
                yield name, path


def exported(path: Path) -> list[str]:
    """The ``__all__`` of a module, read without importing it."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else ()
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(statement.value))
    return []
