"""Where each row of a log stands: at its epoch, its step, or its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.log import Unit
from surefoot.diagnosis.table import Cells

__all__ = ["Place", "dense", "placed"]

Values = npt.NDArray[np.float64]
Place = Callable[[npt.NDArray[Any]], Values]  # rows in, places out; not finite where a row has none
MOSTLY = 0.9
# Where at least so many rows have a step, the others stand at the last one before them, as validation rows do.
HALF = 0.5


def placed(epochs: Cells | None, steps: Cells | None, num_rows: int) -> tuple[Unit, int, Place]:
    """The unit of places, what the log calls its first epoch, and the place of a row.

    Rows stand at their epochs where most have another one or steps begin anew with each, else at their steps; where
    neither was logged, at their number. Places count from 1.
    """
    by_epoch, by_step = _known(epochs, num_rows), _carried(steps, num_rows)
    if by_epoch is not None and (
        by_step is None or len(np.unique(by_epoch)) > 0.5 * num_rows or _restart(by_step, by_epoch)
    ):
        counts_from_0 = _counts_from_0(by_epoch)
        at = _spread(by_epoch) + (1.0 if counts_from_0 else 0.0)
        return "epoch", 0 if counts_from_0 else 1, lambda rows: at[rows]
    if by_step is not None:
        return "step", 1, lambda rows: by_step[rows]
    return "row", 1, lambda rows: rows + 1.0


def dense(cells: Cells, num_rows: int) -> Values:
    """A column as an array, not-a-number in its blanks."""
    values = np.full(num_rows, np.nan)
    values[cells.rows] = cells.values
    return values


def _known(cells: Cells | None, num_rows: int) -> Values | None:
    """A column of places, not-a-number where it has none; None where too few rows have one."""
    if cells is None or not num_rows:
        return None
    values = dense(cells, num_rows)
    values[~np.isfinite(values)] = np.nan
    return values if np.isfinite(values).sum() >= MOSTLY * num_rows else None


def _carried(steps: Cells | None, num_rows: int) -> Values | None:
    """The steps of rows, that of the last row which has one where a row has none."""
    if steps is None or len(steps.rows) < HALF * num_rows:
        return None
    values = dense(steps, num_rows)
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(num_rows), -1))
    return np.where(last >= 0, values[last], np.nan)


def _restart(steps: Values, epochs: Values) -> bool:
    """Whether steps are counted anew in every epoch."""
    begins = epochs[1:] > epochs[:-1]
    return bool((begins & (steps[1:] <= steps[:-1])).sum() > 0.5 * begins.sum())


def _counts_from_0(epochs: Values) -> bool:
    """Whether whole epochs are counted from 0: the row of the first one says how it ended."""
    said = epochs[~np.isnan(epochs)]
    return bool(said[0] == 0.0 and (said == np.floor(said)).all())


def _spread(epochs: Values) -> Values:
    """Rows of one epoch at even parts of it, so that none replaces another."""
    starts = np.flatnonzero(np.append(True, epochs[1:] != epochs[:-1]))
    counts = np.diff(np.append(starts, len(epochs)))
    if (counts == 1).all():
        return epochs
    parts = (np.arange(len(epochs)) - np.repeat(starts, counts)) / np.repeat(counts, counts)
    return np.asarray(epochs + parts)
