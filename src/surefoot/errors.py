"""Every exception Surefoot raises on purpose.

    SurefootError
    ├── StorageError (also OSError)       a file or a database cannot be written; the command exits with 1
    ├── DisagreementError                 an exported model gives other outputs than the model; exits with 1
    ├── ProcessLostError                  one of several processes that train together is gone; likewise
    └── RequestError (also ValueError)    the request was wrong; the command exits with 2
        ├── RecipeError                   a key or a value of a recipe
        ├── TaskError                     the task: its model, its loss, its data
        ├── BudgetError                   the budget
        ├── OutputError                   the folder that should receive the result
        ├── CallbackError                 a callback of yours raised, or answered what is no answer
        ├── ExportError                   a trained model cannot be written in the form that was asked for
        ├── UnsupportedError              what is asked of a trainable is none of its capabilities
        └── MissingExtraError             an optional dependency is not installed

A training that diverges, that does not fit in memory or that is interrupted is not an error: it is a result
with a status and a reason.
"""

from __future__ import annotations

import difflib
import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "BudgetError",
    "CallbackError",
    "DisagreementError",
    "ExportError",
    "MissingExtraError",
    "OutputError",
    "ProcessLostError",
    "RecipeError",
    "RequestError",
    "StorageError",
    "SurefootError",
    "TaskError",
    "UnsupportedError",
    "nearest",
    "raised_at",
]


# Lines of a framework's message that name calls and nodes of a graph, not what is wrong.
_SURROUNDS = re.compile(
    r"\s*(Graph execution error|Detected at node|File .*, line \d|Exception encountered when calling|\[\[)"
)


class SurefootError(Exception):
    """The root of the tree: catch this to catch everything Surefoot raises on purpose."""


class StorageError(SurefootError, OSError):
    """What should be kept cannot be written: the disk is full, or the database is gone. What was kept stays whole."""


class DisagreementError(SurefootError):
    """What was exported gives other outputs than the model it came from; nothing was kept."""


class ProcessLostError(SurefootError):
    """A process of several that train together is gone, and the others cannot go on without it.

    Args:
        rank: of the process that noticed.
        size: how many there were.
        missing: the ranks of those that do not answer, as far as that can be told.
        advice: what to do, in the message behind who is gone.

    Attributes:
        is_said_elsewhere: whether a process of lower rank is left, which says it for all.
    """

    def __init__(self, *, rank: int, size: int, missing: tuple[int, ...] = (), advice: str = "") -> None:
        self.rank, self.size, self.missing = rank, size, missing
        who = ", ".join(map(str, missing))
        gone = f"process{'es' if len(missing) > 1 else ''} {who} of {size}" if missing else f"one of {size} processes"
        super().__init__(f"{gone} {'do' if len(missing) > 1 else 'does'} not answer any more{advice}")

    @property
    def is_said_elsewhere(self) -> bool:
        """Whether a process of lower rank is left."""
        return bool(self.missing) and any(rank not in self.missing for rank in range(self.rank))


class RequestError(SurefootError, ValueError):
    """What was asked for cannot be done; the message says what came, what is allowed and what to do."""


class RecipeError(RequestError):
    """A recipe has a key that does not exist or a value that is not allowed."""


class TaskError(RequestError):
    """A task cannot be trained: its model, its loss, its data or its target is wrong."""


class UnsupportedError(RequestError):
    """A trainable lacks the capability that a probe or a policy needs."""


class ExportError(RequestError):
    """A trained model cannot be fused, quantised or written in the form that was asked for."""


class BudgetError(RequestError):
    """A budget is not a positive number of trainings or a positive length of time."""


class OutputError(RequestError):
    """The output folder cannot be used."""


class CallbackError(RequestError):
    """A callback raised an exception, or gave back something else than None or "stop"."""


class MissingExtraError(RequestError, ImportError):
    """An optional dependency is missing; the message names the extra to install."""


def nearest(given: object, allowed: Iterable[str]) -> str:
    """Finish a message about an unknown name that was ``given``: what is ``allowed``, the likely one first.

    >>> nearest("cosin", ["cosine", "linear"])
    'did you mean "cosine"? Allowed: cosine, linear'
    >>> nearest("zzz", ["cosine", "linear"])
    'allowed: cosine, linear'
    """
    names = sorted(allowed)
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(given).lower(), lowered, n=1, cutoff=0.6)
    listing = ", ".join(names)
    return f'did you mean "{lowered[close[0]]}"? Allowed: {listing}' if close else f"allowed: {listing}"


def raised_at(error: BaseException) -> str:
    """Where and what ``error`` somebody else's code raised, in one line: ``my_model.py:12: ValueError: ...``."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_installed(frame.filename)]
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}: " if own else ""
    text = _telling(str(error))
    return f"{place}{type(error).__name__}: {text}" if text else f"{place}{type(error).__name__}"


def _telling(message: str) -> str:
    r"""A message in one line, without the calls and the nodes that TensorFlow and Keras put around it.

    >>> _telling("Graph execution error:\n  File 'b.py', line 1\nIncompatible shapes\n\t [[{a}]]")
    'Incompatible shapes'
    """
    plain = re.sub(r"\x1b\[[\d;]*m", "", message)  # Keras writes its messages in bold
    lines = plain.partition("Arguments received by")[0].splitlines()
    return " ".join(" ".join(line for line in lines if not _SURROUNDS.match(line)).split()) or " ".join(plain.split())


def _is_installed(filename: str) -> bool:
    """Whether a file belongs to Surefoot, to an installed package or to Python itself."""
    paths = sysconfig.get_paths()
    roots = [Path(__file__).parent, *(Path(paths[name]) for name in ("stdlib", "purelib", "platlib"))]
    return filename.startswith("<") or any(Path(filename).is_relative_to(root) for root in roots)
