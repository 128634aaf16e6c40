"""Files of SQLite, opened to be read, whatever is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from surefoot.diagnosis.readers.opening import begins_with, shown
from surefoot.diagnosis.table import plain
from surefoot.errors import RequestError

__all__ = ["is_database", "opened", "tables_in"]

MARK = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether a file is SQLite's.

    Raises:
        RequestError: it cannot be opened.
    """
    return begins_with(path, MARK)


@contextmanager
def opened(path: Path, *, whose: str) -> Iterator[sqlite3.Connection]:
    """A database that is only read, no query of which may take more than the size of the file allows.

    Args:
        path: of the file.
        whose: it should be: "Optuna's".

    Raises:
        RequestError: something inside of the ``with`` could not be read.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            _bound(database, path.stat().st_size)
            database.text_factory = lambda text: text.decode(errors="replace")
            yield database
    except RequestError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever SQLite and its readers make of cells that are damaged
        why = plain(str(error) or type(error).__name__, longest=300)
        raise RequestError(f"{shown(path)} is no database of {whose} that can be read: {why}") from None


def tables_in(path: Path) -> set[str]:
    """The names of the tables.

    Raises:
        RequestError: it cannot be read.
    """
    with opened(path, whose="Optuna's or MLflow's") as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 10000")
        return {str(name) for (name,) in names}


def _bound(database: sqlite3.Connection, size: int) -> None:
    """A table can be a view that never ends, and a cell can claim any length."""
    room = iter(range(size // 1000 + 1000))
    database.set_progress_handler(lambda: next(room, None) is None, 100_000)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(size, 10**6))
