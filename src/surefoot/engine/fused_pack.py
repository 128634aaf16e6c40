"""Members at the same sample, stacked: a step of all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surefoot.engine.data import TensorRows
from surefoot.engine.dropout import masked_by
from surefoot.engine.fused_member import Member
from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.stacked_loss import StackedLoss, StackedObjective
from surefoot.engine.stacked_masks import StackedMasks
from surefoot.engine.stacked_model import Columns, StackedModel
from surefoot.engine.stacked_optimizer import StackedOptimizer, segments
from surefoot.engine.stacked_rows import StackedRows
from surefoot.engine.threads import is_small

__all__ = ["Pack"]


class Pack:
    """Takes steps with members that stand at one sample and have one batch size.

    Making it turns the members' weights, and what their optimizers remember, into views of the stack.

    Args:
        members: at least one.

    Attributes:
        members: as given.
        columns: where each parameter lies in a row of a gradient.
        model: theirs, stacked.
        masks: of their dropout.
        is_single_threaded: whether a step is too small to share between threads.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        for member in members:
            member.pack = self  # whatever held them before is no longer whole
        first, mates = members[0], [member.mate for member in members]
        parts = segments(mates)
        named = dict(first.model.named_parameters())
        self.columns = Columns({name: named[name] for part in parts for name in part.names})
        self.model = StackedModel([member.model for member in members], self.columns)
        weights = self.model.weights
        self._optimizer = StackedOptimizer(mates, parts, self.columns, weights)
        self._objective = StackedObjective([member.objective for member in members])
        rows = first.parts["train"]
        assert isinstance(rows, TensorRows), "require_stackable looked at them"
        self.rows = StackedRows(rows, [member.seed for member in members], weights.device)
        self.masks = StackedMasks([member.random for member in members], weights.device)
        self.is_single_threaded = is_small(first.model, rows, first.batch_size * len(members))
        self._gradient = torch.empty_like(weights)

    @property
    def is_whole(self) -> bool:
        """Whether it still holds the weights of all its members."""
        return all(member.pack is self for member in self.members)

    def step(self) -> bool:
        """One step of all members; whether all of them can go on.

        Raises:
            OutOfRoom: it does not fit in memory, and nothing was changed.
        """
        first = self.members[0]
        size = first.next_size
        settings = [member.settings(size) for member in self.members]
        batch = self.rows.batch(first.clock, size)
        found, gradient = self._found(batch)
        try:
            with torch.no_grad():
                self._optimizer.step(gradient, settings)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            for member in self.members:
                member.fail("out_of_memory", "the optimizer ran out of memory in the middle of its step")
            return False
        told = zip(self.members, found.plain.tolist(), found.weights, settings, strict=True)
        outcomes = [member.stepped(size, loss, weight, setting.learning_rate) for member, loss, weight, setting in told]
        return all(outcomes)

    def gradients(self, batch: tuple[Tensor, ...]) -> tuple[StackedLoss, Tensor]:
        """The members' losses, and their gradients in rows that the next call overwrites."""
        inputs, target, *given = batch
        with masked_by(self.masks):
            output = self.model(inputs)
        found = self._objective(output, target, given[0] if given else None)
        gradients = self.model.gradients(found.training.sum())
        return found, self.columns.joined(gradients, out=self._gradient)

    def _found(self, batch: tuple[Tensor, ...]) -> tuple[StackedLoss, Tensor]:
        """The same; where memory runs out, streams and buffers are put back."""
        streams = self.masks.states()
        buffers = {name: value.clone() for name, value in self.model.buffers.items()}
        try:
            return self.gradients(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self.masks.put_back(streams)
        for name, value in buffers.items():
            self.model.buffers[name].copy_(value)
        make_room()
        raise OutOfRoom(f"a batch of {len(self.members)} runs does not fit in memory")
