"""Rows kept together on their way to a batch: stacked where PyTorch's usual collation applies, else as they came."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from surefoot.engine.memory import is_out_of_memory
from surefoot.engine.rows.data import as_tensor
from surefoot.errors import TaskError, raised_at
from surefoot.shards import Run

__all__ = ["Pile", "join", "piled"]


@dataclass(frozen=True)
class Pile:
    """Some rows of a stream.

    Attributes:
        rows: what ``default_collate`` makes of them; or a list of them, for a ``collate_fn`` of the stream's own.
        count: how many.
        is_stacked: which of the two.
    """

    rows: Any
    count: int
    is_stacked: bool

    def part(self, start: int, stop: int) -> Pile:
        """Rows ``start`` to ``stop``."""
        if start == 0 and stop == self.count:
            return self
        rows = _each(lambda values: values[start:stop], [self.rows], is_stacked=self.is_stacked)
        return Pile(rows, stop - start, self.is_stacked)

    def pick(self, numbers: Tensor) -> Pile:
        """The rows with these numbers, in this order."""
        places = numbers.tolist()

        def picked(values: Any) -> Any:
            is_tensor = isinstance(values, Tensor)
            return values.index_select(0, numbers) if is_tensor else [values[place] for place in places]

        return Pile(_each(picked, [self.rows], is_stacked=self.is_stacked), len(numbers), self.is_stacked)

    def is_like(self, other: Pile) -> bool:
        """Whether the stacked tensors hold the same; False where there are none to compare."""
        found: list[bool] = []

        def compare(one: Any, another: Any) -> None:
            found.append(torch.equal(one, another) if isinstance(one, Tensor) else one == another)

        if self.is_stacked and self.count == other.count:
            _each(compare, [self.rows, other.rows])
        return bool(found) and all(found)

    def batch(self, collate: Callable[[list[Any]], Any] | None) -> Any:
        """The rows as a batch."""
        return self.rows if self.is_stacked or collate is None else collate(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        # by value: between processes PyTorch gives every tensor a file of its own, which costs more than these few rows
        rows = pickle.dumps(_each(_as_array, [self.rows], is_stacked=self.is_stacked))
        return {"rows": rows, "count": self.count, "is_stacked": self.is_stacked}

    def __setstate__(self, state: dict[str, Any]) -> None:
        sent = pickle.loads(state["rows"])  # noqa: S301 - from __getstate__
        rows = _each(_as_tensor, [sent], is_stacked=state["is_stacked"])
        for name, value in (state | {"rows": rows}).items():
            object.__setattr__(self, name, value)


def piled(run: Run, *, is_stacked: bool) -> Pile:
    """Rows as they were read, together; arrays become tensors as those of a task in memory do."""
    if isinstance(run, tuple):
        inputs, targets, *weights = (as_tensor(values) for values in run)
        floats = [values if values.is_floating_point() else values.float() for values in weights]
        arrays = [inputs, targets, *floats]
        if is_stacked:
            return Pile(arrays, len(inputs), is_stacked=True)
        return Pile(list(zip(*arrays, strict=True)), len(inputs), is_stacked=False)
    return Pile(default_collate(run) if is_stacked else run, len(run), is_stacked)


def join(piles: Sequence[Pile]) -> Pile:
    """Piles one after another.

    Raises:
        TaskError: their rows differ in shape.
    """
    if len(piles) == 1:
        return piles[0]

    def joined(*values: Any) -> Any:
        return torch.cat(values) if isinstance(values[0], Tensor) else [one for some in values for one in some]

    is_stacked = piles[0].is_stacked
    try:
        rows = _each(joined, [pile.rows for pile in piles], is_stacked=is_stacked)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise TaskError(f"rows of the stream cannot become a batch: {raised_at(error)}") from error
    return Pile(rows, sum(pile.count for pile in piles), is_stacked)


def _as_array(values: Any) -> Any:
    """A tensor as what is pickled fast, where NumPy has its type."""
    is_known = isinstance(values, Tensor) and values.device.type == "cpu" and values.dtype != torch.bfloat16
    return values.detach().numpy() if is_known and values.layout == torch.strided else values


def _as_tensor(values: Any) -> Any:
    return torch.from_numpy(values) if isinstance(values, np.ndarray) else values


def _each(function: Callable[..., Any], nests: Sequence[Any], *, is_stacked: bool = True) -> Any:
    """A function of the tensors, or lists with an entry a row, that stand at one place of several nests."""
    first = nests[0]
    if not is_stacked or isinstance(first, Tensor | np.ndarray):
        return function(*nests)
    if isinstance(first, Mapping):
        return {key: _each(function, [nest[key] for nest in nests]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(_each(function, place) for place in zip(*nests, strict=True)))
    if isinstance(first, list | tuple) and not (first and isinstance(first[0], str | bytes)):
        return [_each(function, place) for place in zip(*nests, strict=True)]
    return function(*nests)  # texts, which PyTorch leaves as they are
