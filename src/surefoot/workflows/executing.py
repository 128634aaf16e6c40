"""Where the runs of a study are made: in this process, or in worker processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from surefoot.errors import RequestError, TaskError
from surefoot.protocols import Executor, TrainableFactory
from surefoot.tasks import Task
from surefoot.tasks.portable import read_task, write_task
from surefoot.tuning.executor import InProcess
from surefoot.tuning.workers import Workers
from surefoot.workflows.backend import backend

__all__ = ["executing", "notes_of", "open_in_worker", "require_workers"]

_OPENER = "surefoot.workflows.executing:open_in_worker"


def require_workers(workers: int) -> int:
    """The number of worker processes, 0 for none.

    Raises:
        RequestError: it is not a whole number from 0.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 0:
        raise RequestError(f"workers must be a whole number from 0, such as {os.cpu_count() or 1}, not {workers!r}")
    return workers


@contextlib.contextmanager
def executing(task: Task, workers: int) -> Iterator[Executor]:
    """A block with the executor of a study; no worker outlives it.

    Args:
        task: what the runs are trained on.
        workers: how many processes; 0 and 1 need none but this one.
    """
    if workers <= 1:
        yield InProcess()
        return
    with tempfile.TemporaryDirectory(prefix="surefoot-task-") as folder:
        path = Path(folder) / "task"
        try:
            write_task(task, path)
        except TaskError as error:
            yield InProcess(notes=(f"the runs were made one by one, not by {workers} workers: {error}",))
            return
        with Workers(workers, _OPENER, (path,)) as executor:
            yield executor


def notes_of(executor: Executor) -> tuple[str, ...]:
    """What a person may not expect of how the runs were made: ``executor.notes``, where there are any."""
    found: tuple[str, ...] = tuple(getattr(executor, "notes", ()))
    return found


def open_in_worker(path: Path) -> TrainableFactory:
    """The factory of the task in a file, in a worker process."""
    task = read_task(path)
    return backend(task.backend).open_task(task)
