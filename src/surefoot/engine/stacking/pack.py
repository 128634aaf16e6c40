"""Members at the same sample, stacked: a step of all of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.rows.data import TensorRows, step_size
from surefoot.engine.stacking.loss import StackedLoss, StackedObjective
from surefoot.engine.stacking.masks import StackedMasks
from surefoot.engine.stacking.member import Member
from surefoot.engine.stacking.model import Columns, StackedModel
from surefoot.engine.stacking.optimizer import StackedOptimizer, segments
from surefoot.engine.stacking.rows import StackedRows
from surefoot.engine.threads import is_small
from surefoot.steering import Settings

__all__ = ["Pack"]


class Pack:
    """Takes steps with members that stand at one sample and have one batch size.

    Making it turns the members' weights, and what their optimizers remember, into views of the stack.

    Args:
        members: at least one.
        rows: of the training part, best on the members' device.

    Attributes:
        members: as given.
        columns: where each parameter lies in a row of a gradient.
        model: theirs, stacked.
        masks: of their dropout.
        is_single_threaded: whether a step is too small to share between threads.
    """

    def __init__(self, members: Sequence[Member], rows: TensorRows) -> None:
        self.members = list(members)
        for member in members:
            member.pack = self  # whatever held them before is no longer whole
        first, mates = members[0], [member.mate for member in members]
        parts = segments(mates)
        named = dict(first.model.named_parameters())
        self.columns = Columns({name: named[name] for part in parts for name in part.names})
        self.masks = StackedMasks([member.random for member in members], next(first.model.parameters()).device)
        self.model = StackedModel([member.model for member in members], self.columns, self.masks)
        weights = self.model.weights
        self._optimizer = StackedOptimizer(mates, parts, self.columns, weights)
        self._objective = StackedObjective([member.objective for member in members])
        self._wanted = first.batch_size
        self._settings = [member.settings for member in members]
        self.rows = StackedRows(rows, [member.seed for member in members], weights.device)
        self.is_single_threaded = is_small(first.model, rows, first.batch_size * len(members))

    @property
    def is_whole(self) -> bool:
        """Whether it still holds the weights of all its members."""
        return all(member.pack is self for member in self.members)

    def train(self, goal: int, *, should_stop: Callable[[], bool]) -> bool:
        """Take steps up to a sample, or to where they should stop; whether all members can go on.

        Raises:
            OutOfRoom: a step does not fit in memory, and nothing was changed by it.
        """
        first = self.members[0]
        clock, stretch = first.clock, _Stretch(self.members)
        try:
            while clock < goal and not should_stop():
                size = step_size(self._wanted, clock, num_rows=self.rows.num_rows, horizon=first.horizon)
                settings = [of_member(clock + size / 2, self._wanted) for of_member in self._settings]
                found = self._step(clock, size, settings)
                clock += size
                if not stretch.is_fine(size, found, settings):
                    return False
        except _SpoiltError:
            stretch.tell()
            for member in self.members:
                member.fail("out_of_memory", "the optimizer ran out of memory in the middle of its step")
            return False
        finally:
            stretch.tell()
        return True

    def _step(self, clock: int, size: int, settings: list[Settings]) -> StackedLoss:
        found, gradient = self._found(clock, size)
        try:
            with torch.no_grad():
                self._optimizer.step(gradient, settings)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise _SpoiltError from None
        return found

    def gradients(self, batch: tuple[Tensor, ...]) -> tuple[StackedLoss, Tensor]:
        """The members' losses, and their gradients in rows that the next call overwrites."""
        inputs, target, *given = batch
        found = self._objective(self.model(inputs), target, given[0] if given else None)
        return found, self.model.gradients(found.training.sum())

    def _found(self, clock: int, size: int) -> tuple[StackedLoss, Tensor]:
        """The same for the rows that follow; where memory runs out, streams and buffers are put back."""
        streams = self.masks.states()
        buffers = {name: value.clone() for name, value in self.model.buffers.items()}
        try:
            return self.gradients(self.rows.batch(clock, size))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self.masks.put_back(streams)
        for name, value in buffers.items():
            self.model.buffers[name].copy_(value)
        make_room()
        raise OutOfRoom(f"a batch of {len(self.members)} runs does not fit in memory")


class _Stretch:
    """What the members are trained in one go, added up for all until it is told to each."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._limits = [member.most_loss for member in members]
        self._clear()

    def _clear(self) -> None:
        self._samples = self._steps = 0
        self._sums = [0.0] * len(self._members)
        self._weights = [0.0] * len(self._members)
        self._rates: list[float] = []

    def is_fine(self, size: int, found: StackedLoss, settings: Sequence[Settings]) -> bool:
        """Count a step; whether no member's loss has blown up, which is then told and marked."""
        losses, weights = found.plain.tolist(), found.weights
        self._samples, self._steps = self._samples + size, self._steps + 1
        self._sums = [total + loss * weight for total, loss, weight in zip(self._sums, losses, weights, strict=True)]
        self._weights = [total + weight for total, weight in zip(self._weights, weights, strict=True)]
        self._rates = [one.learning_rate for one in settings]
        if all(-math.inf < loss <= limit for loss, limit in zip(losses, self._limits, strict=True)):
            return True
        self.tell()
        outcomes = [member.can_go_on(loss) for member, loss in zip(self._members, losses, strict=True)]
        self._limits = [member.most_loss for member in self._members]
        return all(outcomes)

    def tell(self) -> None:
        """Tell every member what it was trained since it was told last."""
        if self._steps:
            for member, total, weight, rate in zip(self._members, self._sums, self._weights, self._rates, strict=True):
                member.trained(self._samples, self._steps, loss_sum=total, weight=weight, rate=rate)
        self._clear()


class _SpoiltError(Exception):
    """Memory ran out when weights had been moved already."""
