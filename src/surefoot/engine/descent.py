"""One optimizer step on one batch, whole or in parts: gradients added up, looked at, clipped, applied.

Parts come from a batch that does not fit in memory, or from a look at the noise. Their gradients add up to the whole
batch's: each part's mean loss is multiplied by what it is a mean over, and the sum is divided by all of that. A step
that runs out of memory is repeated with parts half as large.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

from surefoot.batching import NoiseSample
from surefoot.engine import optimizers
from surefoot.engine.adding import Sums
from surefoot.engine.dropout import MaskStream, set_stream, stream_of
from surefoot.engine.loss_scale import LossScale, backward, factor_of
from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.noise import PartNorms, RowNorms, has_batch_statistics
from surefoot.engine.objective import Objective
from surefoot.engine.parallel.processes import ALONE, Joined, Processes
from surefoot.engine.parallel.shared_gradient import SharedGradient
from surefoot.engine.penalties import Penalties
from surefoot.engine.slicing import part_of, part_sizes
from surefoot.steering import Settings

__all__ = ["Descent", "Stepped"]


@dataclass(slots=True)
class Stepped:
    """What a step showed.

    Attributes:
        loss: the batch's mean loss before the step, without penalties and smoothing.
        weight: what it is a mean over.
        noise: a look at the noise, when the step took one.
        timing: (rows, seconds) of a step over a part of the batch, as a look in parts shows it.
        trouble: why no further step can help, or "".
    """

    loss: float
    weight: float
    noise: NoiseSample | None = None
    timing: tuple[int, float] | None = None
    trouble: str = ""


class Descent:
    """Takes steps with one model and one optimizer.

    Args:
        model: in training mode when ``step`` is called.
        optimizer: whose gradients are those of ``model``.
        objective: the loss of a batch, and how the model is run for it.
        penalties: what is added to it once a step, and done to the weights after one.
        max_gradient_norm: longer gradients are scaled down to it; None leaves them.
        num_rows: of the training data.
        micro_batch: rows that go through the model at once; None is the whole batch.
        wants_dots: looks also measure the noise along the gradient.
        wants_timing: looks are taken in parts, which tells what a step over fewer rows takes.
        loss_scale: keeps gradients within the range of fp16; None elsewhere.
        processes: those that share every batch.

    Attributes:
        micro_batch: as given; running out of memory halves it.
        changes: (name, before, after, reason) of every time it did, until somebody takes them from here.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        objective: Objective,
        *,
        penalties: Penalties,
        max_gradient_norm: float | None,
        num_rows: int,
        micro_batch: int | None,
        wants_dots: bool = False,
        wants_timing: bool = False,
        loss_scale: LossScale | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.micro_batch = micro_batch
        self._model, self._optimizer, self._objective = model, optimizer, objective
        self._watched = objective.watched
        self._penalties, self._max_gradient_norm = penalties, max_gradient_norm
        self._scale = loss_scale
        self._num_rows = num_rows
        self.changes: list[tuple[str, float, float, str]] = []
        self._wants_dots = wants_dots
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        by_rows = RowNorms.suits(model) and not wants_timing
        self._by_rows = RowNorms(model, wants_dots=wants_dots) if by_rows else None
        self._rest: tuple[Any, ...] | None = None
        self._device = self._parameters[0].device
        self._buffers = list(model.buffers())
        least = 2 if has_batch_statistics(model) else 1
        self._least_look = 2 * least
        self._shared = (
            SharedGradient(
                processes,
                model,
                objective,
                num_rows=num_rows,
                least=least,
                by_rows=self._by_rows,
                wants_dots=wants_dots,
                loss_scale=loss_scale,
            )
            if isinstance(processes, Joined)
            else None
        )

    def share(self, count: int) -> tuple[int, int]:
        """Which rows of a batch of ``count`` this process gives to ``step``: the first, and the one after the last."""
        return (0, count) if self._shared is None else self._shared.share(count)

    def step(
        self,
        batch: Any,
        count: int,
        settings: Settings,
        *,
        look: bool = False,
        may_halve: bool = True,
        position: int = 0,
    ) -> Stepped:
        """One step on a batch of ``count`` rows, which lies on the model's device.

        Args:
            batch: this process's share of it.
            count: rows of all of it.
            settings: of the optimizer.
            look: also look at the noise.
            may_halve: where it does not fit in memory, go on in smaller parts.
            position: the clock where it begins; several processes draw at random by it.

        Raises:
            OutOfRoom: a single row does not fit in memory, or the whole batch where it may not be halved, or the
                optimizer's own step.
        """
        stream, buffers = stream_of(self._device), [buffer.clone() for buffer in self._buffers]
        look = look and self._least_look <= count <= self._num_rows
        while (stepped := self._attempted(batch, count, look=look, position=position)) is None:
            self._clear()
            make_room()
            if not may_halve:
                raise OutOfRoom(f"a batch of {count} does not fit in memory")
            self._halve(count)
            set_stream(self._device, stream)
            for buffer, before in zip(self._buffers, buffers, strict=True):
                buffer.copy_(before)
        started = time.perf_counter()
        stepped.trouble = self._apply(settings)
        if stepped.timing is not None:
            rows, seconds = stepped.timing
            stepped.timing = (rows, seconds + time.perf_counter() - started)
        return stepped

    def counters(self) -> dict[str, Any]:
        """What a checkpoint has to hold, as plain values."""
        scale = None if self._scale is None else self._scale.state()
        return {"micro_batch": self.micro_batch, "loss_scale": scale}

    def load_counters(self, counters: Mapping[str, Any]) -> None:
        """Go on from these; every setting is written anew at the next step, since the optimizer was written into."""
        self.micro_batch, self._rest = counters["micro_batch"], None
        if self._scale is not None:
            self._scale.load(counters["loss_scale"])

    def _attempted(self, batch: Any, count: int, *, look: bool, position: int) -> Stepped | None:
        """The gradients and what they showed; None when they do not fit in memory."""
        if self._shared is not None:
            self._clear()
            added = self._shared.add(batch, count, micro_batch=self.micro_batch, position=position, look=look)
            if added is None:
                return None
            self._add_penalty()
            return Stepped(added.sums.loss, added.sums.plain_weight, added.noise, added.timing)
        try:
            return self._gradients(batch, count, look=look)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _gradients(self, batch: Any, count: int, *, look: bool) -> Stepped:
        """Leave the gradient of the batch's loss and penalty in ``.grad``."""
        self._clear()
        size = self.micro_batch or count
        if size >= count and not look:
            found = self._objective(self._model, batch, count)
            penalty = self._penalties.loss()
            total = found.training + penalty if isinstance(penalty, Tensor) else found.training
            backward(total, self._scale)
            return Stepped(found.plain.item(), found.plain_weight)
        if size >= count and self._by_rows is not None:
            stepped = self._looked_by_rows(batch, count, self._by_rows)
            if stepped is not None:
                return stepped
            self._by_rows = None
            self._clear()
        return self._added_up(batch, count, min(size, (count + 1) // 2) if look else size, look=look)

    def _looked_by_rows(self, batch: Any, count: int, norms: RowNorms) -> Stepped | None:
        """One ordinary pass whose rows are looked at; None, with the random stream put back, where that cannot be."""
        stream = stream_of(self._device)
        with norms.watching():
            found = self._watched(self._model, batch, count)
            backward(found.training, self._scale)
        sample = norms.sample(self._num_rows, count=count, is_sum=found.is_sum, loss_scale=factor_of(self._scale))
        if sample is None:
            set_stream(self._device, stream)
            return None
        self._add_penalty()
        return Stepped(found.plain.item(), found.plain_weight, sample)

    def _added_up(self, batch: Any, count: int, size: int, *, look: bool) -> Stepped:
        """The batch in parts of ``size`` rows, their gradients added up."""
        norms = PartNorms(self._parameters, wants_dots=self._wants_dots) if look else None
        objective = self._watched if look else self._objective
        masks, sums = MaskStream(count, self._device), Sums()
        timing, start, unit = None, 0, 1.0
        for rows in part_sizes(count, size):
            started, stop = time.perf_counter(), start + rows
            part = part_of(batch, start, stop, count=count)
            # compiled code draws masks of its own: functions that are put in place of PyTorch's do not reach it
            with contextlib.nullcontext() if objective.is_compiled else masks.part(start, stop):
                found = objective(self._model, part, rows)
                share = sums.add(found)
                # a loss scale that suits the mean of the whole must suit the parts: no more than a mean there either
                unit = 1.0 if self._scale is None or found.is_sum else float(count)
                if share:  # a part without weight has no gradient, and its mean is not a number
                    backward(found.training * (share / unit), self._scale)
            timing = timing or (rows, time.perf_counter() - started)
            if norms is not None:
                norms.take(rows)
            start = stop
        masks.finish()
        weight = float(count) if sums.is_sum else sums.weight / unit
        if norms is not None:
            norms.put_back()
        noise = None
        if norms is not None and weight:
            noise = norms.sample(self._num_rows, weight=weight, loss_scale=factor_of(self._scale))
        if weight and not sums.is_sum:
            with torch.no_grad():
                torch._foreach_div_([value.grad for value in self._parameters if value.grad is not None], weight)
        self._add_penalty()
        return Stepped(sums.loss, sums.plain_weight, noise, timing if look else None)

    def _clear(self) -> None:
        """What ``zero_grad`` does, in a twentieth of its time."""
        for parameter in self._parameters:
            parameter.grad = None

    def _add_penalty(self) -> None:
        penalty = self._penalties.loss()
        if isinstance(penalty, Tensor):
            backward(penalty, self._scale)

    def _halve(self, count: int) -> None:
        """Half as many rows at once from now on."""
        before = min(self.micro_batch or count, count)
        if self._shared is not None:
            before = self._shared.most_at_once(count, self.micro_batch)
        if before == 1:
            raise OutOfRoom("a single row does not fit in memory")
        self.micro_batch = (before + 1) // 2
        reason = f"{before} rows at once do not fit in memory; the step was repeated"
        if has_batch_statistics(self._model):
            reason += ", and batch normalisation now sees the smaller parts"
        self.changes.append(("micro_batch", before, self.micro_batch, reason))

    def _apply(self, settings: Settings) -> str:
        """Set the optimizer and let it step; once more after making room, where memory ran out before it began.

        What is wrong, where the gradients are not finite at any loss scale, or "".
        """
        if self._scale is not None:
            self._scale.unscale(self._optimizer)
        if self._max_gradient_norm is not None:
            optimizers.clip(self._parameters, self._max_gradient_norm)
        rest = settings[1:]
        if rest != self._rest:
            optimizers.set_knobs(self._optimizer, **settings._asdict())
            self._rest = rest
        else:
            optimizers.set_learning_rate(self._optimizer, settings.learning_rate)
        if not self._has_stepped():
            make_room()
            if not self._has_stepped():
                raise OutOfRoom("the optimizer's step does not fit in memory beside the model")
        if self._scale is not None and self._is_skipped(self._scale):
            return self._scale.trouble
        self._penalties.after_step(self._optimizer)
        return ""

    def _is_skipped(self, scale: LossScale) -> bool:
        """Let the loss scale follow what the step showed; whether it was left out, which is a change to be told."""
        before = scale.factor
        if not scale.update():
            return False
        self.changes.append(("loss_scale", before, scale.factor, "a gradient was not finite; the step was skipped"))
        return True

    def _has_stepped(self) -> bool:
        """Let the optimizer step; False when memory ran out and nothing was changed."""
        writes, known = self._writes(), len(self._optimizer.state)
        try:
            if self._scale is None:
                self._optimizer.step()
            else:
                self._scale.step(self._optimizer)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if writes != self._writes():
                raise OutOfRoom("the optimizer ran out of memory in the middle of its step") from None
            for parameter in list(self._optimizer.state)[known:]:
                del self._optimizer.state[parameter]
            return False
        return True

    def _writes(self) -> list[int]:
        """PyTorch's counts of the writes to every parameter, and to what the optimizer keeps of the first.

        Every optimizer of ours begins a step with one of these; new entries that are not written to do not count.
        """
        kept = self._optimizer.state.get(self._parameters[0], {})
        values = [value for value in kept.values() if isinstance(value, Tensor)]
        return [tensor._version for tensor in (*self._parameters, *values)]
