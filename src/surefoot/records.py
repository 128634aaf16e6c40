"""Frozen records of what happened: an evaluation, a run, a range test, a study; to and from JSON.

Reports, findings and the ledger read nothing else, so whatever they say can be said again from the files alone.
A float that is not a number is null in JSON and not-a-number again when read back.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = [
    "SCHEMA_VERSION",
    "Change",
    "Cost",
    "Evaluation",
    "Finding",
    "Objective",
    "RangeTest",
    "Run",
    "RunStatus",
    "Study",
    "StudyStatus",
]

SCHEMA_VERSION = 1

RunStatus = Literal["completed", "stopped_early", "diverged", "out_of_memory", "interrupted"]
StudyStatus = Literal["completed", "interrupted", "diverged", "out_of_memory"]
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Objective(_Record):
    """What decides between two models: a validation metric and whether less or more of it is better."""

    name: str = "validation_loss"
    direction: Literal["min", "max"] = "min"

    def is_better(self, value: float, than: float) -> bool:
        """Whether ``value`` beats ``than``; a number always beats not-a-number."""
        if math.isnan(value) or math.isnan(than):
            return math.isnan(than) and not math.isnan(value)
        return value < than if self.direction == "min" else value > than


class Evaluation(_Record):
    """One look at a run: where it was, what it measured.

    ``train_loss`` is the mean over the batches since the look before, without penalties and smoothing;
    ``metrics`` holds what the validation data gave; ``noise_scale`` is S/‖G‖² in samples, where it is measured and
    finite.
    """

    samples: int
    epoch: float
    train_loss: Number
    metrics: dict[str, Number]
    learning_rate: float
    batch_size: int
    seconds: float
    noise_scale: float | None = None


class Change(_Record):
    """A setting that moved while a run went on, and why.

    ``samples`` is the clock; ``name`` is batch_size, micro_batch, learning_rate (before the schedule), weight_decay,
    beta1, beta2, epsilon, rate_multiplier (of a reactive schedule) or rate_factor (of retries).
    """

    samples: int
    name: str
    before: float
    after: float
    reason: str


class Run(_Record):
    """One recipe trained on a share of the horizon, from its first sample to its last.

    ``samples`` counts all that ran forward and backward, those of a lost stretch included; ``changes`` are the settings
    that moved, and ``remark`` is what a moving batch bought.
    """

    name: str
    number: int = 0
    stage: str = "fit"
    share: float = 1.0
    recipe: dict[str, Any]
    coordinates: dict[str, Any] = {}
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


class RangeTest(_Record):
    """A learning-rate range test: what was swept, what it says.

    ``low``, ``value`` and ``high`` are None when the sweep does not say; ``reason`` tells why.
    """

    optimizer: str
    batch_size: int
    rates: tuple[float, ...]
    losses: tuple[Number, ...]
    smoothed: tuple[Number, ...]
    low: float | None = None
    value: float | None = None
    high: float | None = None
    diverged_above: float | None = None
    reason: str = ""
    samples: int
    seconds: float


class Cost(_Record):
    """What was spent. One training is ``epochs × rows``; every sample that ran forward and backward counts."""

    trainings: float
    samples: int
    seconds: float


class Finding(_Record):
    """A verdict: what is so, the evidence for it, and what to do about it."""

    verdict: str
    run: str
    evidence: str
    advice: str
    epoch: float | None = None


class Study(_Record):
    """Everything one command did: probes, runs, the model that was kept, what it cost.

    ``guess`` is the validation loss of always giving the same answer: the class shares or the mean of the training
    targets; None where the loss has no such answer.
    """

    schema_version: int = SCHEMA_VERSION
    kind: Literal["tune", "fit"]
    task: str
    status: StudyStatus
    reason: str = ""
    seed: int
    budget: str | None = None
    rows: dict[str, int]
    epochs: float
    loss: str
    objective: Objective
    probes: tuple[RangeTest, ...] = ()
    runs: tuple[Run, ...]
    winner: int | None = None
    recipe: dict[str, Any]
    metrics: dict[str, Number]
    guess: float | None = None
    cost: Cost
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = {}

    @property
    def winning_run(self) -> Run | None:
        """The run whose weights are the result."""
        return next((run for run in self.runs if run.number == self.winner), None)
