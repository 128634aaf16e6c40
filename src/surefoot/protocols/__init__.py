"""The seams of the house: what the tuner, the probes and the training loop ask of a framework, and what they tell.

``Trainable`` is a small core with optional capabilities. Whoever needs a capability asks with ``isinstance`` and says
"not supported by ..." when it is absent.
"""

from surefoot.protocols.observer import Candidate, Observer, Silent, Together
from surefoot.protocols.probed import (
    Curved,
    Eigenvalue,
    KnowsFixedLoss,
    LooksAtNoise,
    RatePerStep,
    StepCost,
    TellsCost,
)
from surefoot.protocols.problem import Problem, StacksRuns, TrainableFactory
from surefoot.protocols.trainable import Advance, HoldsWorkers, Split, Steered, Trainable

__all__ = [
    "Advance",
    "Candidate",
    "Curved",
    "Eigenvalue",
    "HoldsWorkers",
    "KnowsFixedLoss",
    "LooksAtNoise",
    "Observer",
    "Problem",
    "RatePerStep",
    "Silent",
    "Split",
    "StacksRuns",
    "Steered",
    "StepCost",
    "TellsCost",
    "Together",
    "Trainable",
    "TrainableFactory",
]
