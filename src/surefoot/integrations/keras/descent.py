"""Optimizer steps on batches, whole or in parts whose gradients are added up, with looks at the noise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from surefoot.batching import NoiseSample, from_micro_gradients
from surefoot.integrations.keras.bench import Bench
from surefoot.integrations.keras.rows import Part
from surefoot.integrations.keras.state import put_back, take
from surefoot.integrations.keras.steps import is_out_of_memory
from surefoot.recipe import Recipe
from surefoot.row_order import Indices
from surefoot.steering import Settings

__all__ = ["Descent", "OutOfRoom"]


class OutOfRoom(Exception):  # noqa: N818 - a result with a reason, as everywhere here
    """A step does not fit in memory, whatever its parts."""


class Descent:
    """Takes steps on a bench.

    Args:
        bench: whose variables are those of the run when a step is taken.
        recipe: complete.
        train: the training rows.
        wants_dots: looks also measure the noise along the gradient.

    Attributes:
        micro_batch: rows that go through the model at once, None for the whole batch; running out of memory halves it.
        changes: (name, before, after, reason) of every time it did, until somebody takes them from here.
    """

    def __init__(self, bench: Bench, recipe: Recipe, train: Part, *, wants_dots: bool) -> None:
        self._bench, self._recipe, self._wants_dots = bench, recipe, wants_dots
        self._num_rows, self._weights = len(train), train.weights
        self.micro_batch = recipe.batch.micro_batch
        self.changes: list[tuple[str, float, float, str]] = []
        self._proven = 0  # rows at once that are known to fit
        self._least_look = 4 if bench.network.has_batch_statistics else 2

    def steps(self, rows: Indices, sizes: Sequence[int], settings: Sequence[Settings], limit: float) -> Any:
        """Several steps; the mean loss before each, of as many as ran.

        Raises:
            OutOfRoom: a single row does not fit in memory.
        """
        largest = max(sizes)
        if self.micro_batch is not None and largest > self.micro_batch:
            return self._in_parts(rows[: sizes[0]], settings[0])
        is_proven = largest <= self._proven
        count = len(sizes) if is_proven else 1
        losses = self._whole(rows[: sum(sizes[:count])], sizes[:count], settings[:count], limit, is_proven=is_proven)
        if losses is None:
            self._halve(sizes[0])
            return self._in_parts(rows[: sizes[0]], settings[0])
        self._proven = max(self._proven, *sizes[:count])
        return losses

    def _whole(
        self, rows: Indices, sizes: Sequence[int], settings: Sequence[Settings], limit: float, *, is_proven: bool
    ) -> Any:
        """Steps on whole batches; None when the first, whose size was not tried before, does not fit in memory."""
        network = self._bench.network
        knobs = np.array([network.knobs(one, self._recipe) for one in settings])
        with contextlib.nullcontext() if is_proven else self.others_kept(only_on_error=True):
            try:
                losses = self._bench.steps.run(rows, sizes, knobs, limit * (max(sizes) if network.loss.is_sum else 1))
            except Exception as error:
                if is_proven or not is_out_of_memory(error):
                    raise
                losses = None
        if losses is None or not network.loss.is_sum:
            return losses
        return losses / np.array(sizes[: len(losses)])

    def look(self, rows: Indices, settings: Settings) -> tuple[float, NoiseSample | None]:
        """One step in two parts or more, and what their gradients show; None where the batch has too few rows.

        Raises:
            OutOfRoom: a single row does not fit in memory.
        """
        count = len(rows)
        if not self._least_look <= count <= self._num_rows:
            return float(self.steps(rows, [count], [settings], np.inf)[0]), None
        added = self._fitting(rows, min(self.micro_batch or count, (count + 1) // 2), keeps=self._wants_dots)
        self._bench.steps.apply(added.gradient, self._bench.network.knobs(settings, self._recipe))
        return added.loss, added.noise(self._num_rows)

    def _in_parts(self, rows: Indices, settings: Settings) -> Any:
        """One step whose gradient is added up from parts that fit in memory."""
        assert self.micro_batch is not None, "a batch is parted once it did not fit, or was asked to be"
        added = self._fitting(rows, self.micro_batch, keeps=False)
        self._bench.steps.apply(added.gradient, self._bench.network.knobs(settings, self._recipe))
        return np.array([added.loss])

    def _fitting(self, rows: Indices, size: int, *, keeps: bool) -> Added:
        """The batch added up from parts of at most ``size`` rows, or of half as many until they fit in memory."""
        while True:
            with self.others_kept(only_on_error=True):
                try:
                    return self._added_up(rows, size, keeps=keeps)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
            size = self._halve(size)

    def _added_up(self, rows: Indices, size: int, *, keeps: bool) -> Added:
        """The batch's loss and gradient from its parts, each with its share of the batch's mean, or sum."""
        loss = self._bench.network.loss
        parts = np.array_split(rows, -(-len(rows) // size))
        weights = self._weights if loss.is_weighted_mean else None
        amounts = [float(len(part)) if weights is None else float(weights[part].sum()) for part in parts]
        whole = 1.0 if loss.is_sum else sum(amounts) or 1.0
        added = Added([len(part) for part in parts], amounts, 1.0 / whole)
        for part, amount in zip(parts, amounts, strict=True):
            share = 1.0 if loss.is_sum else amount / whole
            found, gradient = self._bench.steps.gradient(part, share=share, penalty_share=len(part) / len(rows))
            added.add(found * share / (len(rows) if loss.is_sum else 1.0), gradient, keeps=keeps)
        return added

    @contextlib.contextmanager
    def others_kept(self, *, only_on_error: bool = False) -> Iterator[None]:
        """A block after which moving averages and random states are as before it, or only when it fails."""
        others = self._bench.network.others
        values = take(others) if others else []
        try:
            yield
        except BaseException:
            put_back(others, values)
            raise
        if not only_on_error:
            put_back(others, values)

    def _halve(self, rows: int) -> int:
        """Half as many rows at once from now on."""
        if rows == 1:
            raise OutOfRoom("a single row does not fit in memory")
        self.micro_batch = (rows + 1) // 2
        reason = f"{rows} rows at once do not fit in memory; the step was repeated"
        if self._bench.network.has_batch_statistics:
            reason += ", and batch normalisation now sees the smaller parts"
        self.changes.append(("micro_batch", rows, self.micro_batch, reason))
        return self.micro_batch


@dataclass
class Added:
    """A batch in parts.

    Attributes:
        sizes: rows of each.
        amounts: what each counts by in the batch's mean: rows, or their weights.
        unit: what a part's gradient was multiplied by, beside its amount: 1 over all amounts, or 1 for a sum.
        loss: the batch's mean.
        gradient: of the batch.
        norms: ‖·‖² of each part's share of it.
        kept: these shares themselves, where they were asked for.
    """

    sizes: list[int]
    amounts: list[float]
    unit: float
    loss: float = 0.0
    gradient: list[Any] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    kept: list[list[Any]] = field(default_factory=list)

    def add(self, loss: float, gradient: list[Any], *, keeps: bool) -> None:
        """Count a part."""
        self.loss += loss
        self.norms.append(_dot(gradient, gradient))
        self.kept += [gradient] if keeps else []
        pairs = zip(self.gradient, gradient, strict=True)
        self.gradient = [_sum(*pair) for pair in pairs] if self.gradient else gradient

    def noise(self, num_rows: int) -> NoiseSample:
        """What the parts show, each as the mean gradient of its rows."""
        units = [amount * self.unit for amount in self.amounts]
        whole = sum(units)
        dots = [
            _dot(one, self.gradient) / (unit * whole) for one, unit in zip(self.kept, units, strict=bool(self.kept))
        ]
        return from_micro_gradients(
            [norm / unit**2 for norm, unit in zip(self.norms, units, strict=True)],
            sizes=self.sizes,
            mean_squared_norm=_dot(self.gradient, self.gradient) / whole**2,
            dots=dots or None,
            num_rows=num_rows,
        )


def _sum(left: Any, right: Any) -> Any:
    return right if left is None else left if right is None else left + right


def _dot(left: Sequence[Any], right: Sequence[Any]) -> float:
    """The product of two gradients, each taken as one vector."""
    pairs = [(one, other) for one, other in zip(left, right, strict=True) if one is not None and other is not None]
    return float(sum(float(ops.sum(one * other)) for one, other in pairs))
