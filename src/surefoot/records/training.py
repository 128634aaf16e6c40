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

    Attributes:
        name: the metric, as ``Evaluation.metrics`` names it.
        direction: "min" where less is better, "max" where more is.
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

    Attributes:
        samples: that ran forward and backward so far; the clock.
        epoch: the same in passes over the training rows.
        train_loss: the mean over the batches since the look before, without penalties and smoothing.
        metrics: what the validation rows gave, by name.
        learning_rate: of the last step.
        batch_size: of the last step, in rows.
        seconds: since the run began.
        noise_scale: S/‖G‖² in samples, where it is measured and finite.
        judged: what decides between looks and runs of a study, the objective made cautious, where that is known.
        standard_error: of the objective, where it is known.
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

    Attributes:
        samples: the clock when it moved.
        name: batch_size, micro_batch, loss_scale, learning_rate (before the schedule), weight_decay, beta1, beta2,
            epsilon, rate_multiplier (of a reactive schedule) or rate_factor (of retries).
        before: its value until then.
        after: its value from then on.
        reason: one line.
    """

    samples: int
    name: str
    before: float
    after: float
    reason: str


class Run(Record):
    """One recipe trained on a share of the horizon, from its first sample to its last.

    Attributes:
        name: what reports call it.
        number: its place in the study, from 0.
        stage: the share of the horizon as reports print it, or "fit".
        share: of the horizon of one whole training.
        recipe: every section, as ``Recipe`` takes them.
        coordinates: what the searcher needs to know it again.
        seed: of its weights and the order of its rows.
        horizon: in samples.
        status: how it ended.
        reason: why, where that is not plain.
        samples: all that ran forward and backward, those of a lost stretch included.
        steps: of the optimizer.
        seconds: it took.
        evaluations: the looks, in order.
        best: the place among them of the look whose weights were kept; None when nothing usable was reached.
        objective: what chose that look.
        changes: the settings that moved.
        remark: what a moving batch bought.
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
    """What was spent: every sample that ran forward and backward counts, evaluation is free.

    Attributes:
        trainings: the price; one training is ``epochs × rows``.
        samples: forward and backward.
        seconds: on the clock.
    """

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
