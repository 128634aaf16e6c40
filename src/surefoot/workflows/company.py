"""A training in several processes, started with torchrun: who leads, who follows, and what cannot be shared."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.errors import ProcessLostError, RequestError, TaskError
from surefoot.protocols import TrainableFactory
from surefoot.tasks import Task
from surefoot.workflows.backend import engine
from surefoot.workflows.interrupt import ignored
from surefoot.workflows.result import Result

__all__ = ["Launch", "advising", "in_company", "launched", "notes_of", "require_one_process"]

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """What the environment says of the processes that were started together.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are, at least two.
    """

    rank: int
    size: int


def launched() -> Launch | None:
    """How this process was started: None where it is alone.

    Raises:
        RequestError: the environment speaks of several processes, but not of where they meet.
    """
    rank, size, *_ = found = [os.environ.get(name) for name in _NEEDED]
    if rank is None or size is None or size == "1":
        return None
    missing = [name for name, value in zip(_NEEDED, found, strict=True) if not value]
    if missing or not (rank.isdecimal() and size.isdecimal() and int(rank) < int(size)):
        wrong = f"{', '.join(missing)} missing" if missing else f"RANK {rank} and WORLD_SIZE {size}"
        raise RequestError(
            f"the environment speaks of several processes, with {wrong}; start them with: "
            "torchrun --nproc-per-node=2 -m surefoot fit TARGET"
        )
    return Launch(int(rank), int(size))


def require_one_process(command: str, instead: str) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        RequestError: there are several.
    """
    launch = launched()
    if launch is not None:
        raise RequestError(f"{command} runs in one process, not in {launch.size}; {instead}")


def in_company(task: Task, work: Callable[[TrainableFactory | None], Result]) -> Result:
    """What ``work`` gives, done together with the processes that were started with this one.

    Args:
        task: the same in all of them.
        work: everything above the run, given the factory of its runs; None where this process is alone.
    """
    if launched() is None:
        return work(None)
    if not isinstance(task, Task):
        raise TaskError(f"task must be a surefoot.Task, not {type(task).__name__}")
    backend = engine()
    processes = backend.join()
    factory = backend.TorchFactory(task, processes)
    if processes.rank == 0:
        answer: Result = backend.lead(factory, processes, work, _told)
        return answer
    with ignored():
        (study, directory, is_stopped), model = backend.follow(factory, processes)
    return Result(study, model, directory, stopped_by_person=is_stopped, process=processes.rank)


def notes_of(factory: TrainableFactory) -> tuple[str, ...]:
    """What to know of a result of several processes."""
    size = getattr(factory, "num_processes", 1)
    return () if size == 1 else (f"trained by {size} processes, which shared every batch",)


@contextlib.contextmanager
def advising(factory: TrainableFactory, directory: Path | None) -> Iterator[None]:
    """A block in which a process that is gone is told of together with what to do."""
    try:
        yield
    except ProcessLostError as error:
        kept = f"--resume goes on from the checkpoint in {directory}, with any number of processes"
        advice = kept if directory else "nothing was kept, as there is no directory to keep it in"
        at = f" at epoch {getattr(factory, 'epoch', 0.0):.2f}"
        raise ProcessLostError(
            rank=error.rank, size=error.size, missing=error.missing, advice=f"{at}; {advice}"
        ) from None


def _told(result: Result) -> Any:
    return result.study, result.directory, result.stopped_by_person
