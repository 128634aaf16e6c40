"""The seams of the house: what the tuner, the probes and the training loop ask of a framework, and what they tell.

``Trainable`` is a small core with optional capabilities. Whoever needs a capability asks with ``isinstance`` and says
"not supported by ..." when it is absent.
"""

from surefoot.protocols.backend import Backend, OpenedTask
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
from surefoot.protocols.search import Executor, KeepsRuns, Searcher, Supervision, Trained
from surefoot.protocols.trainable import (
    Advance,
    Certainty,
    Finishes,
    HoldsWorkers,
    Split,
    Steered,
    TellsCertainty,
    Trainable,
)

__all__ = [
    "Advance",
    "Backend",
    "Candidate",
    "Certainty",
    "Curved",
    "Eigenvalue",
    "Executor",
    "Finishes",
    "HoldsWorkers",
    "KeepsRuns",
    "KnowsFixedLoss",
    "LooksAtNoise",
    "Observer",
    "OpenedTask",
    "Problem",
    "RatePerStep",
    "Searcher",
    "Silent",
    "Split",
    "StacksRuns",
    "Steered",
    "StepCost",
    "Supervision",
    "TellsCertainty",
    "TellsCost",
    "Together",
    "Trainable",
    "TrainableFactory",
    "Trained",
]
