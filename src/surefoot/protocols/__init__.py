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
from surefoot.protocols.problem import Problem, TrainableFactory
<<<<<<< HEAD
from surefoot.protocols.trainable import Advance, Certainty, HoldsWorkers, Split, Steered, TellsCertainty, Trainable
=======
from surefoot.protocols.search import Executor, KeepsRuns, Searcher, Supervision, Trained
from surefoot.protocols.trainable import Advance, HoldsWorkers, Split, Steered, Trainable
>>>>>>> a7465cb32b7ecad2a2f56bbfea036eabd8213c64

__all__ = [
    "Advance",
    "Candidate",
    "Certainty",
    "Curved",
    "Eigenvalue",
    "Executor",
    "HoldsWorkers",
    "KeepsRuns",
    "KnowsFixedLoss",
    "LooksAtNoise",
    "Observer",
    "Problem",
    "RatePerStep",
    "Searcher",
    "Silent",
    "Split",
    "Steered",
    "StepCost",
<<<<<<< HEAD
    "TellsCertainty",
=======
    "Supervision",
>>>>>>> a7465cb32b7ecad2a2f56bbfea036eabd8213c64
    "TellsCost",
    "Together",
    "Trainable",
    "TrainableFactory",
    "Trained",
]
