"""A run that probes can measure: what they may ask of a Keras model, and all of it taken back afterwards."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import numpy as np

from surefoot import seeds
from surefoot.batching import NoiseSample
from surefoot.integrations.keras.descent import OutOfRoom
from surefoot.integrations.keras.rows import Part
from surefoot.integrations.keras.run import Training
from surefoot.integrations.keras.state import put_back, take
from surefoot.integrations.keras.steps import is_out_of_memory
from surefoot.protocols import StepCost
from surefoot.steering import Settings

__all__ = ["KerasRun"]

# A step that is only to be weighed moves nothing that counts.
TINY_RATE = 1e-12


class KerasRun(Training):
    """A training that is ``RatePerStep``, ``LooksAtNoise``, ``KnowsFixedLoss`` and ``TellsCost``."""

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step and give back the loss before it; not-a-number when it failed."""
        size = min(batch_size, self._num_rows)
        self._take_turn()
        try:
            losses = self._descent.steps(
                self._order.rows(self._samples, size), [size], [Settings(learning_rate)], math.inf
            )
        except OutOfRoom:
            return math.nan
        self._samples += size
        return float(losses[0])

    def look_at(self, learning_rate: float, *, batch_size: int) -> tuple[float, NoiseSample | None]:
        """Take one step as ``step_at`` does; the loss before it, and a look at its rows' gradients."""
        size = min(batch_size, self._num_rows)
        self._take_turn()
        try:
            loss, noise = self._descent.look(self._order.rows(self._samples, size), Settings(learning_rate))
        except OutOfRoom:
            return math.nan, None
        self._samples += size
        return loss, noise

    def fixed_loss(self, num_rows: int) -> float:
        """The mean loss over fixed rows of the validation part.

        Dropout is off. With batch normalisation, which then takes the statistics of these rows, it is on, with the same
        masks every time: Keras has one switch for both.
        """
        rows = self._fixed_rows(num_rows)
        self._take_turn()
        with self._descent.others_kept():
            try:
                loss, _ = self._bench.steps.measure(rows, training=self._network.has_batch_statistics)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return math.nan
        return loss / len(rows) if self._network.loss.is_sum else loss

    def _fixed_rows(self, num_rows: int) -> Part:
        part = self._parts.get("validation") or self._parts["train"]
        rows: Part = part.kept(_FirstDrawn(num_rows))
        return rows

    @property
    def device(self) -> str:
        """Where it trains."""
        found = str(getattr(self._network.trainable[0].value, "device", "cpu"))
        return found.rpartition("device:")[2].lower()

    def step_cost(self, *, batch_size: int, with_memory: bool) -> StepCost | None:
        """Take one step at a rate near 0 and time it; None when it does not fit in memory, which cannot be weighed."""
        del with_memory
        size = min(batch_size, self._num_rows)
        rows = self._order.rows(self._samples, size)
        self._take_turn()
        before = self._descent.micro_batch
        started = time.perf_counter()
        try:
            self._descent.steps(rows, [size], [Settings(TINY_RATE)], math.inf)
        except OutOfRoom:
            return None
        seconds = time.perf_counter() - started
        if self._descent.micro_batch != before:  # it went in parts, which is another step
            self._descent.micro_batch, self._descent.changes = before, []
            return None
        self._samples += size
        return StepCost(seconds)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """A block after which everything is as before it, also on an exception."""
        self._take_turn()
        values, clock = take(self._bench.variables), (self._samples, self._steps, self._first_loss)
        micro_batch = self._descent.micro_batch
        try:
            yield
        finally:
            self._take_turn()
            put_back(self._bench.variables, values)
            self._samples, self._steps, self._first_loss = clock
            self._descent.micro_batch, self._descent.changes = micro_batch, []


class _FirstDrawn:
    """Makes of a part its first rows in an order of its own; equal to another of as many."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FirstDrawn) and other._count == self._count

    def __hash__(self) -> int:
        return hash(("first drawn", self._count))

    def __call__(self, part: Part) -> Part:
        drawn = seeds.stream(0, "fixed rows").permutation(len(part))[: self._count]
        return part.take(np.asarray(drawn))
