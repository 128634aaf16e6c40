"""Records of a training: its looks, what moved, what it cost, what was found."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from surefoot.records.base import Number, Record

__all__ = ["TRAIN_LOSS", "Change", "Cost", "Evaluation", "Finding", "Objective", "Run", "RunStatus"]

TRAIN_LOSS = "train_loss"
"""The metric of the rows that are trained on, as records name it."""
RunStatus = Literal["completed", "stopped_early", "diverged", "out_of_memory", "interrupted"]
"""How a run ended; "stopped_early" by its recipe, a callback or the search, with its weights kept."""


class Objective(Record):
    """What decides between two models: a validation metric and whether less or more of it is better.

    A model that was trained on all rows has none: its objective is called ``train_loss``, and the end is what is kept.
    """

    name: str = "validation_loss"
    direction: Literal["min", "max"] = "min"

    @property
    def chooses(self) -> bool:
        """Whether looks can be held against each other: not by the loss of training, where no row was held out."""
        return self.name != TRAIN_LOSS

    def is_better(self, value: float, than: float) -> bool:
        """Whether ``value`` beats ``than``; a number always beats not-a-number."""
        if math.isnan(value) or math.isnan(than):
            return math.isnan(than) and not math.isnan(value)
        return value < than if self.direction == "min" else value > than


class Evaluation(Record):
    """One look at a run: where it was, what it measured.

    ``train_loss`` is the mean over the batches since the look before, without penalties and smoothing;
    ``metrics`` holds what the validation data gave; ``noise_scale`` is S/‖G‖² in samples, where it is measured and
    finite. ``judged`` is what decides between looks and runs of a study, the objective made cautious, and
    ``standard_error`` that of the objective, where they are known.
    """

    samples: int
    epoch: float
    train_loss: Number
    metrics: dict[str, Number]
    learning_rate: float
    batch_size: int
    seconds: float
    noise_scale: float | None = None
    judged: float | None = None
    standard_error: float | None = None


class Change(Record):
    """A setting that moved while a run went on, and why.

    ``samples`` is the clock; ``name`` is batch_size, micro_batch, loss_scale, learning_rate (before the schedule),
    weight_decay, beta1, beta2, epsilon, rate_multiplier (of a reactive schedule) or rate_factor (of retries).
    """

    samples: int
    name: str
    before: float
    after: float
    reason: str


class Run(Record):
    """One recipe trained on a share of the horizon, from its first sample to its last.

    ``samples`` counts all that ran forward and backward, those of a lost stretch included; ``changes`` are the settings
    that moved, and ``remark`` is what a moving batch bought.
    """

    name: str
    number: int = 0
    stage: str = "fit"
    share: float = 1.0
    recipe: dict[str, Any]
    coordinates: dict[str, Any] = Field(default_factory=dict)
    seed: int
    horizon: int
    status: RunStatus
    reason: str = ""
    samples: int
    steps: int
    seconds: float
    evaluations: tuple[Evaluation, ...]
    best: int | None = None
    objective: Objective = Objective()
    changes: tuple[Change, ...] = ()
    remark: str = ""

    @property
    def best_evaluation(self) -> Evaluation | None:
        """The look whose weights were kept, or None when nothing usable was reached."""
        return None if self.best is None else self.evaluations[self.best]

    @property
    def value(self) -> float:
        """The objective at the best look; not-a-number when nothing usable was reached."""
        found = self.best_evaluation
        return math.nan if found is None else found.metrics[self.objective.name]

    @property
    def judged(self) -> float:
        """What decides between the runs of a study: ``value``, made cautious where that is known."""
        found = self.best_evaluation
        return self.value if found is None or found.judged is None else found.judged


class Cost(Record):
    """What was spent. One training is ``epochs × rows``; every sample that ran forward and backward counts."""

    trainings: float
    samples: int
    seconds: float


class Finding(Record):
    """A verdict: what is so, the evidence for it, and what to do about it.

    Attributes:
        verdict: its name, as docs/diagnosing.md defines it.
        run: what it is about.
        evidence: the numbers it was read off.
        advice: what to change, and by how much.
        epoch: where it begins, where that can be said in epochs.
        certainty: how sure it is; None where it is a plain fact.
    """

    verdict: str
    run: str
    evidence: str
    advice: str
    epoch: float | None = None
    certainty: Literal["certain", "likely", "possible"] | None = None
