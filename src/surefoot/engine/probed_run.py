"""A run that probes can measure: everything they may ask for, and all of it taken back afterwards."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from surefoot.batching import NoiseSample
from surefoot.engine import snapshot
from surefoot.engine.descent import Stepped
from surefoot.engine.measuring import curvature
from surefoot.engine.measuring.fixed_rows import FixedRows
from surefoot.engine.measuring.weighing import Weighing, device_name
from surefoot.engine.memory import OutOfRoom
from surefoot.engine.network import averaging
from surefoot.engine.parallel.processes import ALONE, Processes
from surefoot.engine.randomness import isolated
from surefoot.engine.rows.data import Rows
from surefoot.engine.run import Training
from surefoot.engine.threads import limited_threads
from surefoot.errors import TaskError
from surefoot.protocols import Eigenvalue, Problem, Split, StepCost
from surefoot.recipe import Recipe
from surefoot.steering import Settings

__all__ = ["TorchRun"]


class TorchRun(Training):
    """A training with every capability of a probe: ``RatePerStep``, ``LooksAtNoise`` and the others.

    Args:
        problem: the task.
        recipe: complete, with nothing left to a default.
        parts: the task's rows by part; "test" may be absent.
        seed: of everything random in this run.
        horizon: samples the schedule spans.
        processes: those that train this run together; probes measure one that trains alone.
    """

    def __init__(
        self,
        problem: Problem,
        recipe: Recipe,
        parts: dict[Split, Rows],
        *,
        seed: int,
        horizon: int,
        processes: Processes = ALONE,
    ) -> None:
        self._asked = 0  # rows of the latest step of a probe, 0 outside of one
        super().__init__(problem, recipe, parts, seed=seed, horizon=horizon, processes=processes)
        self._weighing = Weighing(
            self._model, self._optimizer, self._descent, recipe=recipe, rows=parts["train"], seed=seed
        )
        self._fixed = FixedRows(self._model, self._optimizer, self._objective, parts, device=self._device)

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step at ``learning_rate`` and give back the loss before it; not-a-number when it failed."""
        stepped = self._stepped(learning_rate, batch_size, look=False)
        return math.nan if stepped is None else stepped.loss

    def look_at(self, learning_rate: float, *, batch_size: int) -> tuple[float, NoiseSample | None]:
        """Take one step as ``step_at`` does; the loss before it, and a look at its rows' gradients."""
        stepped = self._stepped(learning_rate, batch_size, look=True)
        return (math.nan, None) if stepped is None else (stepped.loss, stepped.noise)

    def _stepped(self, learning_rate: float, batch_size: int, *, look: bool) -> Stepped | None:
        """A step over as many rows, None when it does not fit in memory."""
        size = self._make_ready(batch_size)
        with isolated(self._random), limited_threads(to_one=self._single_thread):
            try:
                stepped = self._descent.step(self._batch(size), size, Settings(learning_rate), look=look)
            except OutOfRoom:
                return None
        self._samples += size
        return stepped

    def fixed_loss(self, num_rows: int) -> float:
        """The mean loss over fixed rows of the validation part, or of the training part where there is none."""
        with limited_threads(to_one=self._single_thread):
            return self._fixed.loss(num_rows)

    def top_eigenvalue(self, *, batch_size: int, max_products: int, preconditioned: bool) -> Eigenvalue | None:
        """The largest eigenvalue of the loss's Hessian over the next ``batch_size`` rows, in training mode.

        Raises:
            TaskError: the loss cannot be differentiated twice, or its graph does not fit in memory.
        """
        size = self._make_ready(batch_size)
        with isolated(self._random), limited_threads(to_one=self._single_thread):
            try:
                found = curvature.top_eigenvalue(
                    self._model,
                    self._optimizer,
                    self._objective,
                    self._batch(size),
                    size,
                    max_products=max_products,
                    preconditioned=preconditioned,
                    seed=self.seed,
                )
            except OutOfRoom as limit:
                raise TaskError(str(limit)) from None
        self._samples += size
        return found

    @property
    def device(self) -> str:
        """The accelerator's name, or the CPU with its threads."""
        return device_name(self._device)

    def step_cost(self, *, batch_size: int, with_memory: bool) -> StepCost | None:
        """Take one step at a rate near 0 and weigh it; None when it does not fit in memory."""
        size = self._make_ready(batch_size)
        to_one = self._weighing.is_single_threaded(size, by_default=self._single_thread)
        with isolated(self._random), limited_threads(to_one=to_one):
            try:
                cost = self._weighing.step(self._samples, size, fetch=self._batch, with_memory=with_memory)
            except OutOfRoom:
                return None
        self._samples += size
        return cost

    def _make_ready(self, batch_size: int) -> int:
        """Go to the next place with ``batch_size`` rows before the epoch's end, ready to train; the rows there are."""
        rows = self._num_rows
        size = min(batch_size, rows)
        left = rows - self._samples % rows
        if left < size:
            self._samples += left
        self._model.train()
        averaging.averaging_mode(self._optimizer, training=True)
        self._asked = size
        return size

    def _planned(self, position: int, *, num_rows: int) -> int:
        """A probe goes on as it began, with whole batches within an epoch."""
        if not self._asked:
            return super()._planned(position, num_rows=num_rows)
        return self._asked if num_rows - position % num_rows >= self._asked else 0

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """A block after which weights, buffers, optimizer, gradients, modes, streams and clock are as before it."""
        before = self._snapshot({})
        modes, gradients = snapshot.training_modes(self._model), snapshot.gradients(self._model)
        try:
            yield
        finally:
            before.put_back(self._model, self._optimizer)
            self._adopt(before)
            self._asked = 0
            self._descent.changes.clear()
            self.release()
            for module, mode in modes:
                module.training = mode
            for parameter, gradient, wants_gradient in gradients:
                parameter.grad = gradient
                parameter.requires_grad_(wants_gradient)
