"""Opening a file that may be anything: what it is, and its text in lines of bounded length."""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from surefoot.diagnosis.table import LONGEST_PATH, plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["LONGEST_LINE", "Lines", "beginning_of", "begins_with", "kind_of", "require_text", "shown", "text_of"]

# A line of a log names some tens of columns; what is longer is cut, so that one line never fills the memory.
LONGEST_LINE = 2**18
# JSON is read as a whole; a log of this size says nothing that a tenth of it would not.
LARGEST_TEXT = 2**30
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95}\]cq]")
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstandard"}


def shown(path: Path) -> str:
    """A path as messages show it."""
    return plain(str(path), longest=LONGEST_PATH)


def kind_of(path: Path) -> str:
    """What lies at a path: "folder" or "file".

    Raises:
        RequestError: it is neither, or not there.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RequestError(f"{shown(path)} does not exist") from None
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a NUL in it
        raise RequestError(f"{shown(path)} cannot be read: {getattr(error, 'strerror', '') or error}") from None
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise RequestError(f"{shown(path)} is a pipe or a device; write its content to a file first")
    return "file"


def begins_with(path: Path, mark: bytes) -> bool:
    """Whether these are the first bytes of a file.

    Raises:
        RequestError: it cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(mark)) == mark
    except OSError as error:
        raise RequestError(f"{shown(path)} cannot be read: {error.strerror or error}") from None


def require_text(path: Path) -> str:
    """The encoding of a text file, by its mark; UTF-8 where it has none.

    Raises:
        RequestError: it cannot be opened, or is no text.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(1024)
    except OSError as error:
        raise RequestError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    packed = next((name for mark, name in _PACKED.items() if start.startswith(mark)), None)
    if packed is not None:
        raise RequestError(f"{shown(path)} is packed with {packed}; unpack it and give what was in it")
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    if _PICKLE.match(start):
        raise RequestError(
            f"{shown(path)} is a pickle, which runs what is in it when it is opened; open it yourself and give "
            "sf.diagnose what was in it, or write it as JSON"
        )
    if encoding == "utf-8" and b"\0" in start:
        raise RequestError(
            f"{shown(path)} is not text; logs are CSV, JSON, JSON lines, TensorBoard event files or an Optuna database"
        )
    return encoding


class Lines:
    r"""The lines of a text file; afterwards, what was wrong with them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("epoch,loss\n1,0.5")
    ...     list(Lines(path))
    ['epoch,loss', '1,0.5']
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoding = require_text(path)
        self.num_cut = 0
        self.num_broken = 0

    def __iter__(self) -> Iterator[str]:
        with self._path.open(encoding=self._encoding, errors="replace") as stream:
            while line := stream.readline(LONGEST_LINE):
                if not line.endswith("\n") and len(line) >= LONGEST_LINE:
                    self.num_cut += 1
                    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                        pass
                self.num_broken += line.count("\ufffd")
                yield line.rstrip("\n")

    def notes(self) -> list[str]:
        """What could not be read, a sentence each."""
        notes = [_broken(self.num_broken, self._encoding)] if self.num_broken else []
        if self.num_cut:
            notes.append(
                say(
                    "lines longer than {most:,} characters were cut there: {count}",
                    most=LONGEST_LINE,
                    count=self.num_cut,
                )
            )
        return notes


def text_of(path: Path) -> tuple[str, list[str]]:
    """All that is in a text file, and what could not be read of it.

    Raises:
        RequestError: it cannot be opened, is no text, or is too large.
    """
    encoding = require_text(path)
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        raise RequestError(
            f"{shown(path)} has {size / 2**30:.1f} GiB, and JSON is read up to 1 GiB; write one JSON object a line "
            "(.jsonl) or CSV, which may be of any size"
        )
    text = path.read_bytes().decode(encoding, errors="replace")
    broken = text.count("\ufffd")
    return text, [_broken(broken, encoding)] if broken else []


def _broken(count: int, encoding: str) -> str:
    return say("characters that are not {encoding} were replaced: {count}", encoding=encoding, count=count)


def beginning_of(path: Path) -> str:
    """The first letters of a text, by which JSON is told from CSV.

    Raises:
        RequestError: it cannot be opened, or is no text.
    """
    with path.open(encoding=require_text(path), errors="replace") as stream:
        return stream.read(LONGEST_LINE).lstrip()
