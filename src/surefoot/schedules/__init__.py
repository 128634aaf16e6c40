"""Values over time: ``schedule(position) -> multiplier`` of the base learning rate.

Position and horizon are in the same unit, samples unless the caller says otherwise; a length that is left out is a
share, for a horizon of 1. A recipe counts in shares of the horizon. A multiplier depends on the position alone, never
on the batch sizes that led there. The reactive ones, ``plateau`` and ``reduce_then_raise``, look at a measured value
instead and are ``init``/``update`` over a state.
"""

from surefoot.schedules.compose import Sequence, Warmup
from surefoot.schedules.cycles import CosineRestarts, OneCycle, Triangular
from surefoot.schedules.decay import Constant, Cosine, Exponential, Linear, Polynomial
from surefoot.schedules.elementwise import Schedule
from surefoot.schedules.inverse import InverseSqrt, InverseTime, Power
from surefoot.schedules.reactive import Decision, Plateau, PlateauState, ReduceThenRaise
from surefoot.schedules.recipes import REACTIVE, SCHEDULES, default_warmup, from_recipe, mean_multiplier, reactive
from surefoot.schedules.sections import to_recipe
from surefoot.schedules.stairs import MultiStep, Step
from surefoot.schedules.trapezoid import WarmupStableDecay

constant = Constant
cosine = Cosine
cosine_restarts = CosineRestarts
exponential = Exponential
inverse_sqrt = InverseSqrt
inverse_time = InverseTime
linear = Linear
multistep = MultiStep
one_cycle = OneCycle
plateau = Plateau
polynomial = Polynomial
power = Power
reduce_then_raise = ReduceThenRaise
sequence = Sequence
step = Step
triangular = Triangular
warmup = Warmup
warmup_stable_decay = WarmupStableDecay

__all__ = [
    "REACTIVE",
    "SCHEDULES",
    "Decision",
    "PlateauState",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "default_warmup",
    "exponential",
    "from_recipe",
    "inverse_sqrt",
    "inverse_time",
    "linear",
    "mean_multiplier",
    "multistep",
    "one_cycle",
    "plateau",
    "polynomial",
    "power",
    "reactive",
    "reduce_then_raise",
    "sequence",
    "step",
    "to_recipe",
    "triangular",
    "warmup",
    "warmup_stable_decay",
]
