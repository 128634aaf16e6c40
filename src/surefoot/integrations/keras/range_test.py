"""The learning-rate range test as a callback: one step at each of many rates, and everything as before afterwards."""

from __future__ import annotations

import math
import time
from typing import Any

import keras
import numpy as np

from surefoot.curves import read_sweep
from surefoot.curves.sweep import has_blown_up
from surefoot.errors import RequestError
from surefoot.integrations.keras.moving import movable, optimizer_section
from surefoot.probes.range_test import HIGHEST_RATE, LOWEST_RATE, NOISY_MEMORY
from surefoot.records import RangeTest as Record

__all__ = ["RangeTest"]


class RangeTest(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Sweeps the rate upwards during a ``fit``, ends it, and reads off the band that fits.

    Smith 2017 (arXiv:1506.01186), section 3.3, judged as ``sf.probe`` judges it. At the end of that fit the weights,
    the optimizer's memories and its rate are what they were, and ``result`` is filled::

        test = RangeTest()
        model.fit(inputs, targets, batch_size=32, epochs=100, callbacks=[test])  # ends by itself
        model.optimizer.learning_rate = test.result.value

    Args:
        num_steps: how many rates, at least 10.
        lowest: the first rate.
        highest: the last rate, above ``lowest``. Rates are evenly spaced on a logarithmic scale; a loss that blows up
            ends the sweep before it.

    Attributes:
        result: ``.value``, ``.low`` and ``.high`` are rates, ``.reason`` says why they are None where they are; None
            until a fit has ended.
    """

    def __init__(self, *, num_steps: int = 100, lowest: float = LOWEST_RATE, highest: float = HIGHEST_RATE) -> None:
        super().__init__()
        if isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 10:
            raise RequestError(f"num_steps must be a whole number of at least 10, not {num_steps!r}")
        if not 0.0 < lowest < highest < math.inf:
            raise RequestError(f"lowest and highest must be 0 < lowest < highest, not {lowest} and {highest}")
        self._rates = np.geomspace(lowest, highest, num_steps).tolist()
        self._losses: list[float] = []
        self._kept: list[tuple[Any, Any]] = []
        self._started, self._rows = 0.0, list[int]()
        self.result: Record | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep what the sweep will change."""
        optimizer = movable(self.model.optimizer)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        variables = [*self.model.variables, *self.model.optimizer.variables, *optimizer.variables]
        self._kept = [(one, np.array(keras.ops.convert_to_numpy(one.value))) for one in variables]
        self._losses, self._rows, self._started, self.result = [], [], time.perf_counter(), None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the rate, and forget the losses before: Keras logs a mean over the epoch."""
        if keras.config.backend() == "jax":
            self.model.jax_state_sync()
        self.model.reset_metrics()
        movable(self.model.optimizer).learning_rate = self._rates[len(self._losses)]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the loss, and end the fit where the sweep ends."""
        self._losses.append(float((logs or {})["loss"]))
        if keras.config.backend() == "jax":
            self.model.jax_state_sync()
        mean = next(metric for metric in self.model.metrics if metric.name == "loss")
        self._rows.append(int(keras.ops.convert_to_numpy(mean.count.value)))
        if len(self._losses) == len(self._rates) or has_blown_up(self._losses):
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        """Put everything back, and read the curve."""
        optimizer = movable(self.model.optimizer)
        name, size = str(optimizer_section(optimizer)["name"]), len(self._losses)
        for variable, value in self._kept:
            variable.assign(value)
        reading = read_sweep(self._rates[:size], self._losses, memory=NOISY_MEMORY)
        self.result = Record(
            optimizer=name,
            batch_size=max(self._rows),
            rates=tuple(self._rates[:size]),
            losses=tuple(self._losses),
            curves=(tuple(self._losses),),
            smoothed=reading.smoothed,
            low=reading.low,
            value=reading.value,
            high=reading.high,
            diverged_above=reading.diverged_above,
            reason=reading.reason,
            samples=sum(self._rows),
            seconds=time.perf_counter() - self._started,
        )
