"""Values over time: ``schedule(position) -> multiplier`` of the base learning rate.

Position and horizon are in the same unit, samples unless the caller says otherwise. A recipe counts in shares of
the horizon. A multiplier depends on the position alone, never on the batch sizes that led there.
"""

from surefoot.schedules.compose import Warmup
from surefoot.schedules.decay import Constant, Cosine, Exponential, Linear, Polynomial
from surefoot.schedules.recipes import SCHEDULES, from_recipe, mean_multiplier

constant = Constant
cosine = Cosine
exponential = Exponential
linear = Linear
polynomial = Polynomial
warmup = Warmup

__all__ = [
    "SCHEDULES",
    "constant",
    "cosine",
    "exponential",
    "from_recipe",
    "linear",
    "mean_multiplier",
    "polynomial",
    "warmup",
]
