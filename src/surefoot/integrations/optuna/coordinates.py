"""Parameters as fractions, which points are drawn in, and as coordinates, in which distance means difference.

The best rate of one batch size is not that of another. So the rate's coordinate is the logarithm of η (B₀/B)^γ with γ
0, ½ or 1: along the valley of good pairs it does not change, and what a trial says of its own batch size it says of all
others. The best rate also falls with the length of a training, as s^-0.22 (docs/log.md, 2026-11-21): a look after a
share s counts at the rate that would be its equal at the end, η s^0.22.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from surefoot.integrations.optuna.roles import Roles, numbers_of

__all__ = ["Axis", "Coordinates"]

Array = npt.NDArray[np.float64]

RATE_EXPONENT = 0.22
# Two numbers may as well be names: only from three on their order is taken to mean something.
FEWEST_ORDERED = 3
_BELOW_ONE = math.nextafter(1.0, 0.0)
_ENDS = np.array([0.0, _BELOW_ONE])


@dataclass(frozen=True)
class Axis:
    """One parameter.

    Attributes:
        distribution: Optuna's.
        order: the places of a categorical's options from small to large where they are numbers, else None.
    """

    distribution: BaseDistribution
    order: tuple[int, ...] | None = None

    @classmethod
    def of(cls, distribution: BaseDistribution, *, is_role: bool = False) -> Axis:
        """The axis of a distribution; options that are numbers are ordered, if there are three or they are a role."""
        numbers = numbers_of(distribution)
        if numbers is None or not (is_role or len(numbers) >= FEWEST_ORDERED):
            return cls(distribution)
        return cls(distribution, tuple(int(place) for place in np.argsort(numbers, kind="stable")))

    @property
    def num_options(self) -> int:
        """Of a category without order, 0 for anything else."""
        is_category = isinstance(self.distribution, CategoricalDistribution) and self.order is None
        return len(self.distribution.choices) if is_category else 0  # type: ignore[attr-defined] # checked above

    def value(self, fraction: float) -> Any:
        """What stands at a fraction in [0, 1)."""
        one = self.distribution
        if isinstance(one, CategoricalDistribution):
            place = min(int(fraction * len(one.choices)), len(one.choices) - 1)
            return one.choices[place if self.order is None else self.order[place]]
        low, high = self._bounds()
        found = low + fraction * (high - low)
        found = math.exp(found) if one.log else found  # type: ignore[attr-defined] # floats and integers have it
        if isinstance(one, IntDistribution):
            found = one.low + one.step * round((found - one.low) / one.step)
            return int(min(max(found, one.low), one.high))
        assert isinstance(one, FloatDistribution)
        if one.step is not None:
            found = one.low + one.step * round((found - one.low) / one.step)
        return float(min(max(found, one.low), one.high))

    def fraction(self, value: Any) -> float:
        """Where a value stands, in [0, 1); one outside of the range at its edge."""
        one = self.distribution
        if isinstance(one, CategoricalDistribution):
            place = one.choices.index(value)
            place = place if self.order is None else self.order.index(place)
            return (place + 0.5) / len(one.choices)
        low, high = self._bounds()
        found = math.log(max(float(value), 1e-300)) if one.log else float(value)  # type: ignore[attr-defined] # as above
        return min(max((found - low) / (high - low), 0.0), _BELOW_ONE) if high > low else 0.5

    def _bounds(self) -> tuple[float, float]:
        """Between which fractions run, integers with half a step to either side."""
        one = self.distribution
        assert isinstance(one, FloatDistribution | IntDistribution)
        margin = 0.5 * one.step if isinstance(one, IntDistribution) else 0.0
        low, high = one.low - margin, one.high + margin
        return (math.log(low), math.log(high)) if one.log else (low, high)


@dataclass(frozen=True)
class Coordinates:
    """A space of parameters.

    Args:
        space: in the order of the columns.
        roles: which of them are the rate and the batch size.
    """

    space: Mapping[str, BaseDistribution]
    roles: Roles

    @cached_property
    def axes(self) -> dict[str, Axis]:
        """By parameter."""
        special = {self.roles.learning_rate, self.roles.batch_size}
        return {name: Axis.of(one, is_role=name in special) for name, one in self.space.items()}

    @property
    def has_valley(self) -> bool:
        """Whether there are a rate and a batch size to go together."""
        return self.roles.learning_rate is not None and self.roles.batch_size is not None

    @property
    def rate_column(self) -> int:
        """Where the rate stands among the fractions."""
        assert self.roles.learning_rate is not None
        return list(self.space).index(self.roles.learning_rate)

    @property
    def _batch_column(self) -> int:
        assert self.roles.batch_size is not None
        return list(self.space).index(self.roles.batch_size)

    def fractions(self, values: Mapping[str, Any]) -> Array:
        """A row, from a trial's parameters."""
        return np.array([axis.fraction(values[name]) for name, axis in self.axes.items()])

    def values(self, fractions: Sequence[float] | Array) -> dict[str, Any]:
        """A trial's parameters, from a row."""
        pairs = zip(self.axes.items(), fractions, strict=True)
        return {name: axis.value(float(fraction)) for (name, axis), fraction in pairs}

    def encode(self, fractions: Array, *, exponent: float, shares: Array | None = None) -> Array:
        """Coordinates, one point a row.

        Args:
            fractions: one point a row.
            exponent: γ, of the batch size in the rate that goes with it.
            shares: of a whole training, at which the points were looked at; None for its end.
        """
        axes, columns = self.axes, list[Array]()
        for column, (name, axis) in enumerate(axes.items()):
            if axis.num_options:
                chosen = np.minimum((fractions[:, column] * axis.num_options).astype(int), axis.num_options - 1)
                columns.extend((chosen == option) * np.sqrt(0.5) for option in range(axis.num_options))
            elif name == self.roles.learning_rate:
                columns.append(self._rate(fractions, exponent, shares))
            else:
                columns.append(fractions[:, column])
        return np.stack(columns, axis=1) if columns else np.empty((len(fractions), 0))

    def at_batch(self, fractions: Array, batches: Array, *, exponent: float) -> Array:
        """The points with other batch sizes, given as fractions, their rates following along the valley."""
        found = fractions.copy()
        found[:, self._batch_column] = batches
        batch, (low, high) = self.roles.batch_size, self._logarithms(self.roles.learning_rate, _ENDS)
        ratio = self._logarithms(batch, batches) - self._logarithms(batch, fractions[:, self._batch_column])
        found[:, self.rate_column] += exponent * ratio / (high - low)
        return found

    def _rate(self, fractions: Array, exponent: float, shares: Array | None) -> Array:
        """The fraction of η (B₀/B)^γ s^0.22, 0 and 1 being the ends of the rate's own range."""
        low, high = self._logarithms(self.roles.learning_rate, _ENDS)
        moved = self._logarithms(self.roles.learning_rate, fractions[:, self.rate_column])
        if self.roles.batch_size is not None and exponent:
            middle = self._logarithms(self.roles.batch_size, _ENDS).mean()
            sizes = self._logarithms(self.roles.batch_size, fractions[:, self._batch_column])
            moved = moved - exponent * (sizes - middle)
        if shares is not None:
            moved = moved + RATE_EXPONENT * np.log(shares)
        return np.asarray((moved - low) / (high - low))

    def _logarithms(self, name: str | None, fractions: Array) -> Array:
        assert name is not None
        axis = self.axes[name]
        return np.log([float(axis.value(float(fraction))) for fraction in fractions])
