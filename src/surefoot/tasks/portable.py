"""A task in a file, for worker processes: its data as they are, its functions by name.

A function of a file that was given as a target, or of the program that was started, lies in no module that another
process could import; such a one is found by running its file, which a guarded program (``if __name__ == "__main__"``)
survives without training anything.
"""

from __future__ import annotations

import functools
import pickle
import sys
from pathlib import Path
from typing import Any

from surefoot.errors import TaskError
from surefoot.tasks.builder import file_of, load_file
from surefoot.tasks.task import Task

__all__ = ["read_task", "write_task"]


def write_task(task: Task, path: Path) -> None:
    """Write a task so that ``read_task`` finds it in another process on this machine.

    Raises:
        TaskError: it holds what cannot be found by name: a lambda, a function within a function, a notebook's.
    """
    try:
        with path.open("wb") as file:
            _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TaskError(f"the task cannot be found by name from another process: {error}") from None


def read_task(path: Path) -> Task:
    """The task that ``write_task`` wrote on this machine, for this user."""
    with path.open("rb") as file:
        found = pickle.load(file)  # noqa: S301 - written a moment ago by the process that started this one
    assert isinstance(found, Task)
    return found


class _Pickler(pickle.Pickler):
    """Writes functions and classes of files by file and name."""

    def reducer_override(self, obj: Any) -> Any:
        name, module = getattr(obj, "__qualname__", ""), sys.modules.get(getattr(obj, "__module__", None) or "")
        is_definition = isinstance(obj, type) or (callable(obj) and hasattr(obj, "__code__"))
        if not is_definition or module is None or "<" in name:
            return NotImplemented
        file = file_of(module)
        if file is None and module.__name__ == "__main__":
            raise pickle.PicklingError(f"{name} is defined where no other process can find it, as in a notebook")
        return NotImplemented if file is None else (_from_file, (str(file), name))


def _from_file(file: str, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), load_file(Path(file)))
