"""Where Optuna keeps a study: a SQLite file of the study's own, or a database by URL.

SQLite in its write-ahead mode: whoever looks on (optuna-dashboard) never waits and never makes a run wait, and a
process killed at any instant loses nothing. Optuna's journal file is as fast, but a kill in the middle of a line makes
it unreadable; measured: see docs/log.md, 2026-11-21.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage

from surefoot import files
from surefoot.errors import MissingExtraError, RequestError, StorageError

__all__ = ["open_file", "open_url", "quiet", "storing"]

# How long a write waits for another program that writes the same file; SQLite's own default is 5 s.
PATIENCE_SECONDS = 60.0
_DRIVERS = {"psycopg2": "psycopg2-binary", "psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}


def open_file(path: Path) -> RDBStorage:
    """The storage in a SQLite file, made where there is none.

    Raises:
        StorageError: it cannot be made or opened.
    """
    with storing(str(path), path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # the file remembers it
        return _opened(f"sqlite:///{path.resolve()}", connect_args={"timeout": PATIENCE_SECONDS})


def open_url(url: str) -> RDBStorage:
    """The storage behind a URL such as ``postgresql://user:password@host/database``.

    Raises:
        RequestError: the URL is none, its driver is not installed, or nobody answers there.
    """
    kind = url.partition("://")[0]
    if "://" not in url:
        raise RequestError(f'storage must be a URL such as postgresql://user:password@host/database, not "{url}"')
    try:
        return _opened(url, pool_pre_ping=True)
    except ImportError as error:
        driver = _missing_driver(error)
        package = _DRIVERS.get(driver, driver)
        raise MissingExtraError(
            f"a storage at {kind}:// needs the driver {driver}; install it with: pip install {package}"
        ) from None
    except Exception as error:
        if not _is_of_the_database(error):
            raise
        raise RequestError(f"the storage at {_without_password(url)} cannot be opened: {_first_line(error)}") from None


def _opened(url: str, **engine: Any) -> RDBStorage:
    with quiet():
        storage = RDBStorage(url, engine_kwargs=engine)
    if url.startswith("sqlite"):
        from sqlalchemy import event

        storage.engine.dispose()  # those that are open know nothing of what follows
        event.listen(storage.engine, "connect", _hurry)
    return storage


def _hurry(connection: sqlite3.Connection, record: object) -> None:
    """No waiting for the disk at every write: a power failure may lose the last of them, a kill may not.

    What counts is in the runs' own records, which do wait; the ledger writes what is missing when it is opened.
    """
    del record
    connection.execute("PRAGMA synchronous=NORMAL")


@contextlib.contextmanager
def storing(place: str, path: Path | None) -> Iterator[None]:
    """A block that writes to the storage; what goes wrong there becomes one line.

    Raises:
        StorageError: the disk is full, or the database does not answer.
    """
    try:
        with files.while_disk_lasts(path) if path is not None else contextlib.nullcontext():
            yield
    except Exception as error:
        if isinstance(error, StorageError) or not _is_of_the_database(error):
            raise
        raise StorageError(
            f"the study cannot be written to {place}: {_first_line(error)}; what was written before is whole: "
            "resume when it can be written again"
        ) from error


def _is_of_the_database(error: BaseException) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError | sqlite3.Error | optuna.exceptions.StorageInternalError)


def _first_line(error: BaseException) -> str:
    """What the database itself said."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _missing_driver(error: BaseException | None) -> str:
    """The module that was looked for first: Optuna says only that something is missing."""
    name = ""
    while error is not None:
        name = (error.name if isinstance(error, ImportError) else None) or name
        error = error.__cause__ or error.__context__
    return name or "of that database"


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Optuna's chatter off, then as it was."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
