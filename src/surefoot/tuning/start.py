"""Where the search begins with an optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.recipe import Recipe
from surefoot.space import Choice, Dimension
from surefoot.tuning.point import with_optimizer

__all__ = ["FOOT_FACTORS", "SPACING", "Start", "allowed_rate"]

# The rates of the foot, as multiples of the edge of the range test; each optimizer walks through them in this order.
FOOT_FACTORS = (1 / 3, 1.0, 1 / 9, 3.0, 1 / 27, 3**-0.5, 3**-1.5, 3**0.5, 3**-2.5, 1 / 81)
# How far apart neighbours among them are.
SPACING = 3.0


@dataclass(frozen=True)
class Start:
    """Where the search begins with an optimizer.

    Attributes:
        optimizer: its name.
        edge: the rate at the minimum of its range test, or a prior's.
        limit: rates from here on diverged, None when that is not known.
        unmeasured: what ``edge`` had been without a range test; None where there was none.
    """

    optimizer: str
    edge: float
    limit: float | None = None
    unmeasured: float | None = None

    @property
    def prior(self) -> float:
        """The edge that owes nothing to what was measured."""
        return self.edge if self.unmeasured is None else self.unmeasured

    def usual_rate(self, base: Recipe, num_rows: int) -> float:
        """The rate of a whole training from which nothing was measured: the base recipe's, or the optimizer's own."""
        found = with_optimizer(base, self.optimizer).complete(num_rows).optimizer.learning_rate
        assert found is not None
        return found


def allowed_rate(allowed: Dimension, rate: float, place: float, *, is_alone: bool) -> float:
    """An allowed rate in place of one that is not: near the end of the range that the probes point to, not upon it.

    Where nothing else varies, options are gone through evenly: one of them twice would be a run for nothing.
    """
    nearest = float(allowed.clip(rate))
    if isinstance(allowed, Choice):
        return float(allowed.at(place)) if is_alone else nearest
    return float(allowed.clip(nearest * SPACING ** (place if nearest > rate else -place)))
