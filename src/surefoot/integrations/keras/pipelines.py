"""A ``tf.data`` pipeline whose batch size moves: cut anew, on TensorFlow's side, by the plan of a policy.

Keras counts the steps of an epoch once and keeps to that number, so a pipeline of moving batches is given to ``fit`` as
one long run: the pipeline repeats itself, and ``steps_per_epoch`` says how many steps Keras calls an epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from surefoot.errors import RequestError
from surefoot.integrations.keras.schedules import planned_sizes

__all__ = ["Planned", "planned_batches"]


class Planned(NamedTuple):
    """A pipeline of planned batches.

    Attributes:
        dataset: gives every batch of the whole training, one after the other.
        epochs: for ``fit``.
        steps_per_epoch: for ``fit``; the last of Keras's epochs may be shorter, when ``fit`` says so and ends.
        sizes: rows of every batch.
    """

    dataset: Any
    epochs: int
    steps_per_epoch: int
    sizes: tuple[int, ...]


def planned_batches(
    dataset: Any,
    *,
    rows: int,
    epochs: int,
    batch: int | str | Mapping[str, Any],
    schedule: Any = "cosine",
) -> Planned:
    """Batches of the sizes that a policy plans, from a pipeline of single rows.

    Each pass of the pipeline is an epoch of the plan, and its batches end with it: every row comes once in each. A
    ``shuffle`` inside the pipeline draws anew for every pass. The same ``rows``, ``epochs`` and ``batch`` make the
    ``ScheduledRate`` that belongs to it::

        planned = planned_batches(pipeline, rows=60_000, epochs=20, batch="linear_ramp")
        rate = ScheduledRate(0.1, "cosine", rows=60_000, epochs=20, batch="linear_ramp")
        model.compile(SGD(rate, momentum=0.9), loss=...)
        model.fit(planned.dataset, epochs=planned.epochs, steps_per_epoch=planned.steps_per_epoch)

    Args:
        dataset: a ``tf.data.Dataset`` of rows, not yet in batches, that begins anew when it is repeated.
        rows: how many one pass gives, at least 1.
        epochs: passes over them, a whole number of at least 1.
        batch: a policy of batch sizes that has a plan, by name or as a table of a recipe, or a fixed size.
        schedule: as of ``ScheduledRate``, for the policy that grows where the rate would fall.

    Raises:
        RequestError: an argument is not what it should be, in one line.
    """
    if not hasattr(dataset, "rebatch"):
        raise RequestError(f"dataset must be a tf.data.Dataset of single rows, not {type(dataset).__name__}")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise RequestError(f"epochs must be a whole number of at least 1, not {epochs!r}")
    counted = int(dataset.cardinality())
    if counted >= 0 and counted != rows:
        raise RequestError(
            f"rows is {rows}, and the pipeline has {counted} elements: give one of single rows, before .batch(...)"
        )
    sizes = planned_sizes(schedule, rows=rows, epochs=epochs, batch=batch)
    steps = math.ceil(len(sizes) / epochs)
    # TensorFlow goes round the sizes of a rebatch; as many rows as they take, and it goes round once
    cut = dataset.repeat(epochs).batch(int(sizes.max())).rebatch(np.asarray(sizes, dtype=np.int64))
    return Planned(cut, epochs, steps, tuple(int(size) for size in sizes))
