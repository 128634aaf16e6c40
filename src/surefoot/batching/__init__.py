"""How many samples a step looks at: policies, the noise they read, and what else moves when the batch moves.

Policies over positions (``Fixed``, ``LinearRamp``, ...) are functions ``policy(position, num_rows) -> batch size``, and
a recipe can name them. Measured ones (``Measured`` with a reading, ``PlateauGrowth``) are ``init``/``update`` pairs
over immutable state, for a loop that measures. Plain numbers in and out: no framework.
"""

from surefoot.batching.coupling import (
    COUPLINGS,
    HOLD_DECAY,
    Change,
    Knobs,
    couple,
    default_coupling,
    rate_after_jump,
    rate_factor,
)
from surefoot.batching.default import batch_size_for_steps, default_batch_size
from surefoot.batching.goodput import Goodput, goodput
from surefoot.batching.laws import CriticalBatch, adascale_gain, efficiency, fit_critical_batch
from surefoot.batching.limits import Limits
from surefoot.batching.measured import Decision, Measured, MeasuredPolicy, MeasuredState, Observation
from surefoot.batching.noise import NoiseSample, from_examples, from_micro_gradients, from_ranks, from_two_sizes
from surefoot.batching.plateau import PlateauGrowth, PlateauState
from surefoot.batching.policies import BatchPolicy, Fixed, Full, Random, Single, mean_inverse_size
from surefoot.batching.precondition import adam_preconditioner, squared_norm
from surefoot.batching.ramps import AdaBatch, GeometricRamp, GrowthReplacesDecay, LinearRamp, StepRamp
from surefoot.batching.readings import (
    CABS,
    GradientDiversity,
    HalfCosine,
    InnerProductTest,
    NoiseScale,
    NormTest,
    Reading,
    Situation,
)
from surefoot.batching.recipes import (
    OBSERVING,
    POLICIES,
    from_recipe,
    is_constant,
    is_measured,
    observing_from_recipe,
    scaled_arguments,
    within,
)
from surefoot.batching.step_time import StepTime, fit_step_time
from surefoot.batching.stream import NoiseEstimate, NoiseState, NoiseStream

__all__ = [
    "CABS",
    "COUPLINGS",
    "HOLD_DECAY",
    "OBSERVING",
    "POLICIES",
    "AdaBatch",
    "BatchPolicy",
    "Change",
    "CriticalBatch",
    "Decision",
    "Fixed",
    "Full",
    "GeometricRamp",
    "Goodput",
    "GradientDiversity",
    "GrowthReplacesDecay",
    "HalfCosine",
    "InnerProductTest",
    "Knobs",
    "Limits",
    "LinearRamp",
    "Measured",
    "MeasuredPolicy",
    "MeasuredState",
    "NoiseEstimate",
    "NoiseSample",
    "NoiseScale",
    "NoiseState",
    "NoiseStream",
    "NormTest",
    "Observation",
    "PlateauGrowth",
    "PlateauState",
    "Random",
    "Reading",
    "Single",
    "Situation",
    "StepRamp",
    "StepTime",
    "adam_preconditioner",
    "adascale_gain",
    "batch_size_for_steps",
    "couple",
    "default_batch_size",
    "default_coupling",
    "efficiency",
    "fit_critical_batch",
    "fit_step_time",
    "from_examples",
    "from_micro_gradients",
    "from_ranks",
    "from_recipe",
    "from_two_sizes",
    "goodput",
    "is_constant",
    "is_measured",
    "mean_inverse_size",
    "observing_from_recipe",
    "rate_after_jump",
    "rate_factor",
    "scaled_arguments",
    "squared_norm",
    "within",
]
