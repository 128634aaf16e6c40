"""Schedule, batch policy and coupling for ``model.fit`` or a loop of one's own, on the sample clock."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from surefoot.errors import RequestError
from surefoot.integrations.keras.batches import Batches, Visits, num_rows_of, rows_at
from surefoot.integrations.keras.moving import current_rate, movable, move, optimizer_section, require_movable
from surefoot.integrations.keras.optimizers import PyTorchOptimizer
from surefoot.integrations.keras.reactive import monitored
from surefoot.piloting import Course, Piloted, require_epochs, steered_recipe
from surefoot.recipe import Recipe

__all__ = ["Pilot", "attach"]


def attach(
    optimizer: Any,
    rows: Any,
    recipe: Recipe | None = None,
    *,
    epochs: float,
    schedule: str | Mapping[str, Any] | None = None,
    batch: int | str | Mapping[str, Any] | None = None,
    coupling: str | None = None,
    seed: int = 0,
    monitor: str = "val_loss",
) -> Pilot:
    """A pilot that makes batches of the size a policy asks for and sets the optimizer for each of them.

    In ``fit`` it is the data and a callback, in a loop of your own it is what the loop runs over::

        pilot = attach(model.optimizer, (inputs, targets), epochs=20, schedule="cosine", batch="linear_ramp")
        model.fit(pilot.batches, epochs=20, shuffle=False, callbacks=[pilot])

        for inputs, targets in pilot:
            ...

    Args:
        optimizer: of Keras, with the rate, decay and betas that belong to the first batch size. Keras's own can move
            the rate alone; those of ``surefoot.integrations.keras`` move everything.
        rows: arrays of equal length, in a tuple of inputs, targets and perhaps sample weights; each may be a table.
        recipe: supplies the schedule and the batch; its optimizer section is not used, because the optimizer is yours.
        epochs: passes over the rows until the schedule ends, above 0.
        schedule: instead of the recipe's: a name, or a table as in a recipe; as there, ``warmup`` is 0.05 if left out.
        batch: likewise; a number is a fixed batch size.
        coupling: how rate, betas and decay follow a batch that moves: "none", "linear", "sqrt" or "adascale"; left out,
            the policy's and the optimizer's usual rule, as in a recipe.
        seed: of the order of the rows: the one in which PyTorch's door visits them too.
        monitor: what a plateau watches in ``fit``, a name of the epoch's logs; less is better.

    Raises:
        RequestError: an argument is not what it should be, in one line.
    """
    inner = movable(optimizer)
    require_epochs(epochs)
    num_rows = num_rows_of(rows)
    complete = steered_recipe(
        optimizer_section(inner), num_rows=num_rows, recipe=recipe, schedule=schedule, batch=batch, coupling=coupling
    )
    require_movable(inner, complete)
    course = Course(complete, num_rows=num_rows, epochs=epochs, seed=seed)
    return Pilot(inner, rows, complete, course=course, monitor=monitor)


class Pilot(Piloted, keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Makes batches and keeps the optimizer's settings; made by ``attach``.

    A second ``fit`` goes on where the first one stopped, in the middle of an epoch too. With an optimizer of ours the
    state is saved with the model, under ``optimizer.notes["pilot"]``, for ``load_state_dict`` of a pilot that is
    attached in the same way. At its horizon it ends the training, and warns where ``fit`` was to go on.

    Attributes:
        batches: what ``fit`` gets as its data.
    """

    def __init__(self, optimizer: Any, rows: Any, recipe: Recipe, *, course: Course, monitor: str) -> None:
        super().__init__()
        self._optimizer, self._rows, self._recipe, self._course = optimizer, rows, recipe, course
        self._monitor, self._sizes, self._rate = monitor, list[int](), math.nan
        self._visits = Visits(num_rows_of(rows), seed=course.seed)
        strategy = type(getattr(optimizer, "_distribution_strategy", None)).__name__
        is_distributed = strategy not in {"NoneType", "_DefaultDistributionStrategy"}
        self.batches = Batches(rows, seed=course.seed, begins_to_build=is_distributed)

    @property
    def learning_rate(self) -> float:
        """The rate of the last step, or of the optimizer before the first."""
        return current_rate(self._optimizer) if math.isnan(self._rate) else self._rate

    def __iter__(self) -> Iterator[Any]:
        while self.samples < self.horizon:
            yield self._next()

    def on_train_begin(self, logs: Any = None) -> None:
        """See whether this fit can be steered step by step."""
        if self._course.steering.looks_every is not None:
            raise RequestError(
                f'batch policy "{self._recipe.batch.policy}" looks at the noise, which fit does not show: take a loop '
                "of your own with pilot.observe, or surefoot.fit"
            )
        if getattr(self.model, "steps_per_execution", 1) != 1:
            raise RequestError("a pilot sets every step: compile with steps_per_execution=1, or take a ScheduledRate")
        if movable(self.model.optimizer) is not self._optimizer:
            raise RequestError("this pilot was attached to another optimizer: attach it to model.optimizer")
        if self.samples >= self.horizon:
            raise RequestError(
                f"the pilot has reached its horizon of {self.horizon} samples: attach one with more epochs"
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Lay out the batches to the end of the epoch."""
        begin, end = self.samples, self._course.epoch_end
        self._sizes = []
        while begin < end:
            self._sizes.append(self._course.size_at(begin)[1])
            begin += self._sizes[-1]
        self.batches.plan(self.samples, self._sizes)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the optimizer for the step."""
        if batch >= len(self._sizes):
            raise RequestError("fit runs over other data than pilot.batches: model.fit(pilot.batches, ...)")
        if self.batches.is_shuffled:
            raise RequestError("fit shuffles the batches, and their sizes with them: pass shuffle=False")
        if keras.config.backend() == "jax":
            self.model.jax_state_sync()  # JAX's fit works on copies of the variables
        _, settings = self._course.settings()
        move(self._optimizer, settings, self._recipe.optimizer)
        self._rate = settings.learning_rate

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the clock."""
        self._course.passed(self._sizes[batch], self._rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell what watches the loss, keep the state, and end at the horizon."""
        if self._course.watches:
            self._course.report(monitored(self._monitor, logs))
        if isinstance(self._optimizer, PyTorchOptimizer):
            self._optimizer.note("pilot", self.state_dict())
        if self.samples >= self.horizon:
            self.model.stop_training = True
            asked = (self.params or {}).get("epochs") or 0
            if epoch + 1 < asked:
                warnings.warn(
                    f"the pilot ended fit after {epoch + 1} of {asked} epochs, at its horizon of {self.horizon} "
                    "samples: attach one with more epochs",
                    stacklevel=2,
                )

    def _next(self) -> Any:
        """The next batch of a loop of one's own, with the optimizer set for it."""
        self._course.remind(stacklevel=4)
        size, settings = self._course.settings()
        move(self._optimizer, settings, self._recipe.optimizer)
        self._rate = settings.learning_rate
        batch = rows_at(self._rows, self._visits.rows(self.samples, size))
        self._course.passed(size, settings.learning_rate)
        return batch
