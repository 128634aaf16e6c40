"""Arrays in units of their own: mean and deviation of the training rows, and their mean where a value is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.errors import TaskError
from surefoot.tasks.preparation import ArrayPreparation

__all__ = ["encoded", "fitted"]


def fitted(inputs: Any, weights: Any, *, standardize: bool, fills: bool) -> ArrayPreparation:
    """How to prepare rows like these: by feature, (rows, features), or by channel, (rows, channels, height, width).

    Pictures without channels, (rows, height, width), and rows of a single number have one unit for all.

    Args:
        inputs: floats of the training rows.
        weights: a number of at least 0 a row, which then counts as so many rows; or None.
        standardize: subtract the mean and divide by the standard deviation.
        fills: put the mean where a value is missing (NaN).

    Raises:
        TaskError: the inputs are no floats, or a feature has no value in any training row.
    """
    asked = "data.standardize" if standardize else "data.missing"
    values = _floats(inputs, asked)
    by_channel = values.ndim not in {1, 3}
    channels = values.reshape(len(values), values.shape[1] if by_channel else 1, -1)
    known = np.isfinite(channels)
    shares = known if weights is None else known * _numpy(weights).astype(np.float64).reshape(-1, 1, 1)
    counts = shares.sum(axis=(0, 2))
    if not counts.all():
        what = f"feature {int(np.argmin(counts))} (from 0 on)" if by_channel else "the inputs"
        raise TaskError(f"{asked} needs a mean, and {what} has no value in any training row: leave that feature out")
    mean = np.where(known, channels, 0.0)
    mean = (mean * shares).sum(axis=(0, 2)) / counts
    centred = np.where(known, channels - mean[:, None], 0.0)
    scale = np.sqrt((centred**2 * shares).sum(axis=(0, 2)) / counts)
    zeros, ones = np.zeros_like(mean), np.ones_like(scale)
    return ArrayPreparation(
        offset=tuple((mean if standardize else zeros).tolist()),
        scale=tuple((np.where(scale > 0, scale, ones) if standardize else ones).tolist()),
        fill=tuple(mean.tolist()) if fills else (),
        num_features=channels.shape[1],
        row_dimensions=values.ndim - 1,
        only_inputs=True,
    )


def encoded(preparation: ArrayPreparation, inputs: Any) -> Any:
    """The inputs prepared, in the type they came in: an array or a tensor of the same kind of float."""
    made = preparation.apply(_numpy(inputs).astype(np.float64))
    return inputs.new_tensor(made) if hasattr(inputs, "new_tensor") else made.astype(inputs.dtype)


def _floats(inputs: Any, asked: str) -> npt.NDArray[np.float64]:
    if not hasattr(inputs, "dtype") or not hasattr(inputs, "ndim") or hasattr(inputs, "tocsr"):
        raise TaskError(f"{asked} is for arrays of floats, not {type(inputs).__name__}: leave it out")
    if "float" not in str(inputs.dtype):
        raise TaskError(
            f"{asked} is for floats, and these inputs are whole numbers ({inputs.dtype}), such as codes of words: "
            "leave it out, or give floats where they are quantities"
        )
    return _numpy(inputs).astype(np.float64)


def _numpy(values: Any) -> npt.NDArray[Any]:
    """The values as an array, of a tensor too."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)
