"""The processes that train one model together, and what they tell each other; alone, nothing is told and nothing costs.

PyTorch's ``torch.distributed`` does the work: gloo between CPUs, nccl with a GPU a process. Whatever is decided by a
clock, a signal or a file is decided by process 0 and told to the others.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist

# Its functions have the group of that moment for a default: imported later, they would hold every connection open.
import torch.distributed.nn.functional
from torch import Tensor

from surefoot.engine.memory import OutOfRoom
from surefoot.errors import ProcessLostError, SurefootError, TaskError, raised_at

__all__ = ["ALONE", "Alone", "FailedElsewhereError", "Joined", "Processes", "join"]

# How long those that are left wait for each other when one is gone: a step of theirs may still be running.
ROLL_CALL_SECONDS = 5.0
# Process 0 may keep the store in which they find each other: it leaves after the others have read it.
LAST_WORD_SECONDS = 0.5

T = TypeVar("T")


class FailedElsewhereError(TaskError):
    """A part of the work failed in another process; all of them raise this at the same place and stay together."""


class Processes(Protocol):
    """Those that train together.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are.
    """

    rank: int
    size: int

    def question(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """A question that process 0 answers for all, to be asked before every step."""
        ...

    def told(self, value: T) -> T:
        """Process 0's value of anything that can be pickled."""
        ...

    def gathered(self, value: T) -> list[T]:
        """Everybody's value, in the order of their ranks."""
        ...

    def add(self, values: Tensor) -> Tensor:
        """The sum over all processes, in the place of these values."""
        ...

    def take_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of process 0."""
        ...

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with their mean; whole numbers with those of process 0."""
        ...

    def together(self, action: Callable[[], T]) -> T:
        """What an action of this process gives; where it fails in any process it fails in all.

        Raises:
            OutOfRoom: somewhere it did not fit in memory.
            FailedElsewhereError: it raised something else.
        """
        ...


class Alone:
    """One process: there is nobody to tell."""

    rank, size = 0, 1

    def question(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """The question."""
        return ask

    def told(self, value: T) -> T:
        """The value."""
        return value

    def gathered(self, value: T) -> list[T]:
        """The only value."""
        return [value]

    def add(self, values: Tensor) -> Tensor:
        """The values."""
        return values

    def take_first(self, tensors: Iterable[Tensor]) -> None:
        """Leave them."""

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Leave them."""

    def together(self, action: Callable[[], T]) -> T:
        """What the action gives."""
        return action()


ALONE = Alone()


class Joined:
    """Two processes or more, joined by ``torch.distributed``.

    Every method must be called by all of them in the same order.

    Raises:
        ProcessLostError: from any method, when another process is gone.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._ask: Callable[[], bool] = lambda: False
        self._wish: bool | None = None
        self._missed: tuple[int, ...] | None = None
        self._granted: bool | None = None
        is_gloo = dist.get_backend() == "gloo"
        # what is told lies in ordinary memory, which nccl cannot send
        self._plain: Any = dist.group.WORLD if is_gloo else dist.new_group(backend="gloo")

    def question(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """A question that process 0 answers for all: the first time by a message, then with the sums of each step.

        The answer before a step is thus asked for during the step before it.
        """
        self._ask, self._wish, self._granted = ask, None, None

        def answered() -> bool:
            granted, self._wish, self._granted = self._granted, None, None
            return self.told(ask() if self.rank == 0 else False) if granted is None else granted

        return answered

    def wish(self) -> bool:
        """What process 0 answers now; asked once a step, however often that is tried."""
        if self._wish is None:
            self._wish = self.rank == 0 and self._ask()
        return self._wish

    def grant(self, is_so: bool) -> None:
        """Take what the sums of a step said for the answer."""
        self._granted = is_so

    def told(self, value: T) -> T:
        """Process 0's value of anything that can be pickled."""
        values = [value]
        with self._in_reach():
            dist.broadcast_object_list(values, 0, group=self._plain, device=torch.device("cpu"))
        return values[0]

    def gathered(self, value: T) -> list[T]:
        """Everybody's value, in the order of their ranks."""
        values: list[Any] = [None] * self.size
        with self._in_reach():
            dist.all_gather_object(values, value, group=self._plain)
        return values

    def add(self, values: Tensor) -> Tensor:
        """The sum over all processes, in the place of these values."""
        with self._in_reach():
            dist.all_reduce(values, group=self._of(values))
        return values

    def take_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of process 0."""
        with self._in_reach(), torch.no_grad():
            for tensor in tensors:
                values = tensor.detach().contiguous()
                dist.broadcast(values, 0, group=self._of(values))
                tensor.copy_(values)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with their mean; whole numbers with those of process 0."""
        with torch.no_grad():
            for tensor in tensors:
                if tensor.is_floating_point():
                    tensor.copy_(self.add(tensor.detach().clone() / self.size))
                else:
                    self.take_first([tensor])

    def together(self, action: Callable[[], T]) -> T:
        """What an action of this process gives; where it fails in any process it fails in all."""
        result, error = attempt(action)
        failures = self.add(torch.tensor([float(error is not None)]))
        if failures.item():
            self.fail(error)
        return result  # type: ignore[return-value] # without an error there is a result

    def fail(self, error: Exception | None) -> None:
        """Raise in every process what went wrong in some of them; ``error`` is this one's, None where all went well."""
        is_room = isinstance(error, OutOfRoom)
        said = self.gathered(None if error is None else (is_room, str(error) if is_room else _line(error)))
        reports = {rank: report for rank, report in enumerate(said) if report is not None}
        rank, (is_room, text) = next(iter(reports.items()))
        if all(only_room for only_room, _ in reports.values()):
            raise OutOfRoom(text) from error
        if error is not None and self.rank == 0:
            raise error
        raise FailedElsewhereError(f"process {rank} of {self.size}: {text}") from error

    def leave(self) -> None:
        """Close the connections at the end, when nobody has anything left to say; once is enough."""
        self._plain = None  # a group that somebody still holds is not closed when it is destroyed
        if dist.is_initialized():
            dist.destroy_process_group()

    def _of(self, values: Tensor) -> Any:
        return dist.group.WORLD if values.is_cuda else self._plain

    @contextlib.contextmanager
    def _in_reach(self) -> Iterator[None]:
        """A block that speaks with the others."""
        if self._missed is not None:  # whoever cleans up after a loss hears of the same one
            raise ProcessLostError(rank=self.rank, size=self.size, missing=self._missed)
        try:
            yield
        except RuntimeError as error:  # all that PyTorch's backends raise when a connection breaks
            traceback.clear_frames(error.__traceback__)  # they hold connections that are to be let go of
            self._missed = self._missing()
            raise ProcessLostError(rank=self.rank, size=self.size, missing=self._missed) from error

    def _hang_up(self) -> None:
        """Let go of every connection, so that those that wait for this process notice as well."""
        self._plain = None
        dist.destroy_process_group()
        gc.collect()

    def _missing(self) -> tuple[int, ...]:
        """Who does not answer a roll call of those that noticed; () where nobody can be asked."""
        try:
            store = dist.distributed_c10d._get_default_store()
            names = [f"surefoot/here/{rank}" for rank in range(self.size)]
            store.set(names[self.rank], "yes")
            self._hang_up()
            deadline = time.monotonic() + ROLL_CALL_SECONDS
            while True:
                missing = tuple(rank for rank, name in enumerate(names) if not store.check([name]))
                if len(missing) <= 1 or time.monotonic() > deadline:
                    time.sleep(LAST_WORD_SECONDS if self.rank == 0 else 0.0)
                    return missing
                time.sleep(0.05)
        except RuntimeError:  # whoever is gone kept the store
            return (1 - self.rank,) if self.size == 2 else ()


@functools.cache
def join() -> Joined:
    """Meet the other processes that the environment speaks of, once a process; a group that is there is taken."""
    if not dist.is_initialized():
        gpus, here = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
        if gpus:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", os.environ["RANK"])) % gpus)
        dist.init_process_group("nccl" if gpus >= here else "gloo")
        joined = Joined()
        atexit.register(joined.leave)  # a connection that is open when the interpreter ends has threads that do not
        return joined
    return Joined()


def attempt(action: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What an action gives, or what it raises."""
    try:
        return action(), None
    except ProcessLostError:
        raise
    except Exception as error:  # noqa: BLE001 - the user's own code
        return None, error


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, SurefootError) else raised_at(error)
