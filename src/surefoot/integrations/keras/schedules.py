"""Every schedule that needs no watching as one of Keras's ``LearningRateSchedule``, on the sample clock.

Keras counts steps, Surefoot samples. The rows, the epochs and the batch say which step sees which samples, so the rate
of every step is computed once, in 64 bits, by the schedule itself, and looked up by the step's number: nothing is
interpolated and nothing depends on how exactly a float32 can count. A table takes 4 bytes a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from surefoot import schedules
from surefoot.errors import RecipeError, RequestError
from surefoot.recipe import Recipe
from surefoot.row_order import step_size

__all__ = ["ScheduledRate", "planned_sizes", "section_of"]

_registered: Callable[..., Any] = keras.saving.register_keras_serializable(package="surefoot")


@_registered
class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc] # Keras has no types
    """The learning rate of every step of a training, for any optimizer of Keras.

    The multiplier is read at the middle of each batch, as everywhere in Surefoot, so a warmup never begins with a step
    of size zero. Past the last epoch the rate stays where it ended. For momentum with a moving rate take an optimizer
    of ours as well: Keras's keeps old rates in its velocity. Where the rate should follow a batch that moves, take
    ``attach``, which does both.

    Args:
        learning_rate: the base rate, above 0, which the schedule multiplies.
        schedule: a name of ``surefoot.schedules``, a table as in a recipe, or a schedule over shares of the horizon. A
            name or a table has a warmup of 0.05 unless it says otherwise, as in a recipe.
        rows: of the training data, at least 1.
        epochs: passes over them until the schedule ends, above 0.
        batch: rows a step, as ``fit(batch_size=...)`` makes them: the last batch of an epoch is what is left. Or a
            policy of batch sizes, by name or as a table of a recipe, for batches that ``attach`` makes.

    Raises:
        RequestError: an argument is not what it should be, in one line.

    >>> rate = ScheduledRate(0.1, {"name": "cosine", "warmup": 0}, rows=1000, epochs=5, batch=100)
    >>> len(rate), [round(float(rate(step)), 4) for step in (0, 24, 49, 60)]
    (50, [0.1, 0.0516, 0.0, 0.0])
    """

    def __init__(
        self,
        learning_rate: float,
        schedule: Any = "cosine",
        *,
        rows: int,
        epochs: float,
        batch: int | str | Mapping[str, Any] = 32,
    ) -> None:
        if not (_is_number(learning_rate) and 0.0 < learning_rate < math.inf):
            raise RequestError(f"learning_rate must be a number above 0, not {learning_rate!r}")
        self._section = section_of(schedule)
        self._rows, self._epochs, self._batch = rows, epochs, batch
        self._rate = float(learning_rate)
        sizes = planned_sizes(self._section, rows=rows, epochs=epochs, batch=batch)
        multipliers = _multipliers(Recipe(schedule=self._section).schedule.build(), sizes)
        self._length = len(sizes)
        self._table = ops.convert_to_tensor(self._rate * multipliers, dtype=keras.config.floatx())

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0; ``step`` may be a tensor in a compiled function."""
        number = ops.minimum(ops.cast(step, "int32"), self._length - 1)
        return ops.take(self._table, number)

    def __len__(self) -> int:
        return self._length

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        batch = dict(self._batch) if isinstance(self._batch, Mapping) else self._batch
        return {
            "learning_rate": self._rate,
            "schedule": self._section,
            "rows": self._rows,
            "epochs": self._epochs,
            "batch": batch,
        }


def section_of(schedule: Any) -> dict[str, Any]:
    """A recipe's ``[schedule]`` section for a schedule, its name or its section.

    Raises:
        RequestError: no section describes it, or it reacts to the loss.
    """
    if isinstance(schedule, str):
        section: dict[str, Any] = {"name": schedule}
    elif isinstance(schedule, Mapping):
        section = dict(schedule)
    else:
        try:
            section = {"warmup": 0.0, **schedules.to_recipe(schedule)}
        except ValueError as error:
            raise RequestError(f"schedule must be a name, a table or a schedule over shares: {error}") from None
    if section.get("name") in schedules.REACTIVE:
        raise RequestError(
            f'"{section["name"]}" reacts to the loss and has no rates of its own: take the callback ReactiveRate'
        )
    return section


def _horizon(rows: Any, epochs: Any) -> int:
    """Samples of a training.

    Raises:
        RequestError: one of the two is no number above 0.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise RequestError(f"rows must be a whole number of at least 1, not {rows!r}")
    if not (_is_number(epochs) and 0 < epochs < math.inf):
        raise RequestError(f"epochs must be a number above 0, not {epochs!r}")
    return max(1, round(float(epochs) * rows))


def planned_sizes(
    schedule: Any, *, rows: int, epochs: float, batch: int | str | Mapping[str, Any]
) -> npt.NDArray[np.int64]:
    """How many rows each step of a training sees; the arguments are those of ``ScheduledRate``.

    Raises:
        RequestError: an argument is not what it should be, or the policy follows the training and has no plan.
    """
    section = section_of(schedule)
    horizon = _horizon(rows, epochs)
    if not isinstance(batch, str | Mapping):
        if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= rows:
            raise RequestError(f"batch must be a whole number from 1 to the {rows} rows, not {batch!r}")
        epoch = np.full(-(-rows // batch), batch, dtype=np.int64)
        epoch[-1] = rows - batch * (len(epoch) - 1)
        ends = np.minimum(np.cumsum(np.tile(epoch, -(-horizon // rows))), horizon)
        planned: npt.NDArray[np.int64] = np.diff(ends, prepend=0)
        return planned[planned > 0]
    recipe = Recipe(schedule=section, batch={"policy": batch} if isinstance(batch, str) else dict(batch))
    if recipe.batch.is_observing:
        raise RecipeError(f'batch policy "{recipe.batch.policy}" follows the training and has no plan: use attach')
    policy = recipe.complete(rows).batch.build(rows, schedule=recipe.schedule.build())
    sizes, seen = [], 0
    while seen < horizon:
        sizes.append(step_size(int(policy(seen / horizon, num_rows=rows)), seen, num_rows=rows, horizon=horizon))
        seen += sizes[-1]
    return np.array(sizes)


def _multipliers(schedule: Any, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    ends = np.cumsum(sizes)
    return np.asarray(schedule((ends - sizes / 2) / ends[-1]), dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
