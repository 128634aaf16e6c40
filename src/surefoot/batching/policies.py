"""Batch-size policies: ``policy(position, num_rows) -> batch size``.

Full-batch descent, single-sample descent and mini-batch descent are one thing with a different policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from surefoot.errors import nearest

__all__ = ["POLICIES", "Fixed", "Full", "Single", "from_recipe"]


@dataclass(frozen=True)
class Fixed:
    """The same batch size at every step.

    Args:
        size: samples a step, at least 1.

    >>> Fixed(32)(0.5, num_rows=1000)
    32
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"batch.size must be at least 1, not {self.size!r}")

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position
        return min(self.size, num_rows)


@dataclass(frozen=True)
class Single:
    """One random sample a step: stochastic gradient descent in the strict sense.

    >>> Single()(0.5, num_rows=1000)
    1
    """

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position, num_rows
        return 1


@dataclass(frozen=True)
class Full:
    """Every row in every step: gradient descent.

    >>> Full()(0.5, num_rows=1000)
    1000
    """

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position
        return num_rows


POLICIES: dict[str, Callable[[int], Fixed | Single | Full]] = {
    "fixed": Fixed,
    "single": lambda _size: Single(),
    "full": lambda _size: Full(),
}


def from_recipe(policy: str, *, size: int) -> Fixed | Single | Full:
    """The policy that a recipe's ``[batch]`` section names."""
    if policy not in POLICIES:
        raise ValueError(f'batch.policy is "{policy}", which does not exist; {nearest(policy, POLICIES)}')
    return POLICIES[policy](size)
