"""Files that are whole or absent: written beside their place, then moved there in one step."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import StorageError

__all__ = ["finite_or_null", "read_json", "replacing", "while_disk_lasts", "write_json", "write_text"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAYS_FULL = (*(f"os error {number}" for number in _FULL), "database or disk is full")  # safetensors, SQLite


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose content takes the place of ``path`` when the block ends without an exception.

    Raises:
        StorageError: the disk is full; what was at ``path`` is there still.
    """
    with while_disk_lasts(path):
        yield from _replacing(path)


@contextlib.contextmanager
def while_disk_lasts(path: Path) -> Iterator[None]:
    """A block that writes ``path``; what it raises because the disk is full becomes one line."""
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        raise StorageError(
            f"the disk is full: cannot write {path}; free some space and resume: what was written before is whole"
        ) from error


def _is_full(error: BaseException | None) -> bool:
    """Whether this, or what it came from, says that the disk is full."""
    if error is None or isinstance(error, StorageError):
        return False
    says_so = any(words in str(error) for words in _SAYS_FULL)
    return says_so or (isinstance(error, OSError) and error.errno in _FULL) or _is_full(error.__cause__)


def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` to ``path`` as JSON; not-a-number and infinities become null."""
    write_text(path, json.dumps(finite_or_null(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``."""
    return json.loads(path.read_text(encoding="utf-8"))


def finite_or_null(value: Any) -> Any:
    """``value`` with every not-a-number and infinity, at any depth, replaced by None.

    >>> finite_or_null({"loss": float("nan"), "curve": (1.0, float("inf"))})
    {'loss': None, 'curve': [1.0, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_null(item) for item in value]
    return value
