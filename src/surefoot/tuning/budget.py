"""How much may be spent: trainings, or time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from surefoot.errors import BudgetError

__all__ = ["Budget"]

_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_ALLOWED = "a number of trainings above 0 such as 2 or 0.5, or a time such as 90s, 5min or 1h"


@dataclass(frozen=True)
class Budget:
    """A limit in trainings or in seconds; one of the two is None.

    A training is ``epochs × rows`` samples. Every sample that runs forward and backward is counted: probes, lost runs
    and the final model.

    >>> Budget.parse("2"), Budget.parse("5min")
    (Budget(trainings=2.0, seconds=None), Budget(trainings=None, seconds=300.0))
    """

    trainings: float | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, given: str | float) -> Budget:
        """A budget from what a person writes.

        Raises:
            BudgetError: it is not a positive number of trainings or a positive length of time.
        """
        match = re.fullmatch(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*([a-z]*)\s*", str(given).lower())
        number, unit = match.groups() if match else ("", "")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value <= 0 or (unit and unit not in _SECONDS):
            raise BudgetError(f"budget is {str(given)!r}; it must be {_ALLOWED}")
        return cls(seconds=value * _SECONDS[unit]) if unit else cls(trainings=value)

    def __str__(self) -> str:
        if self.trainings is None:
            return f"{self.seconds:g} seconds"
        return "1 training" if self.trainings == 1 else f"{self.trainings:g} trainings"
