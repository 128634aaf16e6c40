"""Drives one Trainable to the end of its horizon: evaluations, best weights, early stopping, checkpoints, a record.

It knows no framework. An evaluation is due every epoch, and at least four times in a run shorter than that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from surefoot.callbacks import Callback, ask
from surefoot.errors import CallbackError
from surefoot.protocols import (
    Advance,
    Candidate,
    HoldsWorkers,
    Observer,
    Silent,
    Split,
    Steered,
    TellsCertainty,
    Trainable,
)
from surefoot.protocols.search import never
from surefoot.recipe import Stopping
from surefoot.records import Evaluation, Objective, Run, RunStatus

__all__ = ["Conditions", "horizon_of", "never", "train"]

MIN_EVALUATIONS = 4
Ending = tuple[RunStatus, str]


def horizon_of(share: float, training_samples: int) -> int:
    """Samples of a run over ``share`` of a training: rounded down, so that shares never add up to more than a budget.

    >>> horizon_of(1 / 16, 1000), horizon_of(1.0, 1000), horizon_of(1e-9, 1000)
    (62, 1000, 1)
    """
    return max(1, math.floor(share * training_samples + 1e-6))


@dataclass(frozen=True)
class Conditions:
    """What surrounds a run.

    Attributes:
        rows: of the training data, the length of an epoch.
        training_samples: the price unit, epochs × rows.
        objective: what decides which look at the run was the best.
        spent: samples spent before this run.
        observer: hears about every evaluation.
        report: likewise, for whoever keeps a few of them.
        should_stop: asked before every step; a run that is stopped keeps its best weights.
        looks_at: the parts of the data that every look measures; the validation part is what decides.
        callbacks: asked after every look; one that answers "stop" ends the run.
        directory: where checkpoints go; None keeps the disk clean.
        checkpoint_seconds: the shortest time between two checkpoints.
        is_cautious: looks are judged with the doubt that a small validation part leaves, and the weights of the end are
            kept unless an earlier look was better by more than its standard error (the one-standard-error rule of
            Breiman et al. 1984, Classification and Regression Trees, section 3.4.3).
    """

    rows: int
    training_samples: int
    objective: Objective
    spent: int = 0
    observer: Observer = field(default_factory=Silent)
    report: Callable[[Evaluation], None] | None = None
    should_stop: Callable[[], bool] = never
    looks_at: tuple[Split, ...] = ("validation",)
    callbacks: tuple[Callback, ...] = ()
    directory: Path | None = None
    checkpoint_seconds: float = 5.0
    is_cautious: bool = False


@dataclass(frozen=True)
class _Progress:
    """What the loop itself knows about a run; it travels inside the checkpoint.

    ``steps`` and ``samples`` count all that ran, those of a lost stretch included; ``loss_sum``, ``loss_weight`` and
    ``loss_samples`` belong to the samples since the last look; rate and batch are those of the last step.
    """

    evaluations: tuple[Evaluation, ...] = ()
    best: int | None = None
    steps: int = 0
    samples: int = 0
    retries: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    batch_size: int = 0
    loss_sum: float = 0.0
    loss_weight: float = 0.0
    loss_samples: int = 0

    def after(self, stretch: Advance) -> _Progress:
        """The progress with a stretch of training added."""
        if not stretch.steps:
            return self
        weight = float(stretch.samples) if stretch.weight is None else stretch.weight
        loss = stretch.loss * weight if weight else 0.0
        return replace(
            self,
            steps=self.steps + stretch.steps,
            samples=self.samples + stretch.samples,
            learning_rate=stretch.learning_rate,
            batch_size=stretch.batch_size,
            loss_sum=self.loss_sum + loss,
            loss_weight=self.loss_weight + weight,
            loss_samples=self.loss_samples + stretch.samples,
        )

    def to_json(self) -> dict[str, Any]:
        looks = [evaluation.model_dump(mode="json") for evaluation in self.evaluations]
        return {**{name: value for name, value in vars(self).items() if name != "evaluations"}, "evaluations": looks}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> _Progress:
        looks = tuple(Evaluation.model_validate(look) for look in value["evaluations"])
        return cls(**{**value, "evaluations": looks})


def train(trainable: Trainable, candidate: Candidate, conditions: Conditions) -> Run:
    """Train a candidate to its end and give back the record; the trainable then holds the best weights.

    A run that finds a checkpoint in ``conditions.directory`` goes on from there.
    """
    try:
        return _trained(trainable, candidate, conditions)
    finally:
        if isinstance(trainable, HoldsWorkers):
            trainable.release()


def _trained(trainable: Trainable, candidate: Candidate, conditions: Conditions) -> Run:
    course = _Course(trainable, candidate, conditions)
    conditions.observer.started(candidate, samples=trainable.samples_seen, horizon=trainable.horizon)
    status, reason = course.run()
    progress = course.progress
    if progress.best is not None:
        trainable.recall_best()
    return Run(
        name=candidate.name,
        number=candidate.number,
        stage=candidate.stage,
        share=candidate.share,
        recipe=candidate.recipe.to_dict(),
        coordinates=candidate.coordinates,
        seed=candidate.seed,
        horizon=trainable.horizon,
        status=status,
        reason=reason,
        samples=progress.samples,
        steps=progress.steps,
        seconds=course.seconds,
        evaluations=progress.evaluations,
        best=progress.best,
        objective=conditions.objective,
        changes=trainable.changes if isinstance(trainable, Steered) else (),
        remark=trainable.remark if isinstance(trainable, Steered) else "",
    )


class _Course:
    """A run on its way: stretches of training, and what happens between them."""

    def __init__(self, trainable: Trainable, candidate: Candidate, conditions: Conditions) -> None:
        self._trainable, self._candidate, self._conditions = trainable, candidate, conditions
        self._stopping = candidate.recipe.stopping
        saved = trainable.load_checkpoint(conditions.directory) if conditions.directory else None
        self.progress = _Progress.from_json(saved) if saved else _Progress()
        self._started = time.perf_counter() - self.progress.seconds
        self._pause = _Pause(conditions, self._stopping, self._started)
        if not saved:
            self._mark()

    @property
    def seconds(self) -> float:
        """What the run took so far, in every process that had a part in it."""
        return time.perf_counter() - self._started

    def run(self) -> Ending:
        """Train until something ends it; how it ended, and why."""
        while self._trainable.samples_seen < self._trainable.horizon:
            ending = self._stretch()
            if ending is not None:
                return ending
        return "completed", ""

    def _stretch(self) -> Ending | None:
        """Train to the next look, or to whatever comes before it; None when the run goes on."""
        trainable, conditions = self._trainable, self._conditions
        due = _samples_to_next_look(trainable.samples_seen, conditions.rows, trainable.horizon)
        stretch = trainable.advance(due, should_stop=self._pause.begin(self.progress.steps))
        self.progress = replace(self.progress.after(stretch), seconds=self.seconds)
        if stretch.failure:
            return self._after_failure(stretch.failure, stretch.reason)
        is_over, is_due = trainable.samples_seen >= trainable.horizon, stretch.samples >= due
        is_stopped = conditions.should_stop() and not is_over
        if is_stopped and not is_due:
            self._pause.save(trainable, self.progress)  # before the look, which an undisturbed run would not take
            if self.progress.loss_samples:
                self._look()
            return "interrupted", "asked to stop"
        spent = "" if is_over else self._pause.spent(self.progress.steps)
        if is_due or is_over or spent:
            ending = self._after_look(spent)
            if ending is not None:
                return ending
        if is_stopped or self._pause.is_due():
            self._pause.save(trainable, self.progress)
        return ("interrupted", "asked to stop") if is_stopped else None

    def _after_failure(self, failure: Literal["diverged", "out_of_memory"], reason: str) -> Ending | None:
        """The end, unless the recipe allows to go back to the last good look with a lower rate."""
        retries = self.progress.retries
        if failure == "diverged" and retries < self._stopping.retries and isinstance(self._trainable, Steered):
            saved = self._trainable.retry(self._stopping.retry_factor, reason)
            if saved is not None:
                steps, samples = self.progress.steps, self.progress.samples  # what is lost was paid for
                good = _Progress.from_json(saved)
                self.progress = replace(good, steps=steps, samples=samples, retries=retries + 1)
                return None
        return failure, reason

    def _after_look(self, spent: str) -> Ending | None:
        """Look, then say whether that ends the run."""
        self._look()
        status, reason = _verdict(self.progress, self._stopping, self._trainable.horizon, self._conditions.objective)
        if status == "diverged":
            return self._after_failure(status, reason)
        if status == "completed" and spent:
            status, reason = "stopped_early", spent
        if status == "completed":
            self._mark()
            status, reason = self._asked()
        return None if status == "completed" else (status, reason)

    def _asked(self) -> Ending:
        """Whether a callback wants the run to stop; a broken one loses no work."""
        trainable, look = (
            self._trainable,
            self.progress.evaluations[-1].model_dump(exclude={"judged", "standard_error"}),
        )
        about = {"run": self._candidate.name, "horizon": trainable.horizon, "model": trainable.model}
        try:
            reason = ask(self._conditions.callbacks, **about, **look, history=self.progress.evaluations)
        except CallbackError:
            self._pause.save(trainable, self.progress)
            raise
        return ("stopped_early", reason) if reason else ("completed", "")

    def _mark(self) -> None:
        if self._stopping.retries and isinstance(self._trainable, Steered):
            self._trainable.mark(self.progress.to_json())

    def _look(self) -> None:
        """Evaluate, remember the weights if they are the best so far, tell the observer."""
        trainable, conditions, progress = self._trainable, self._conditions, self.progress
        measured = {
            f"{part}_{name}": value for part in conditions.looks_at for name, value in trainable.evaluate(part).items()
        }
        value = measured[conditions.objective.name]
        judged, error = self._judged(value) if conditions.is_cautious else (None, None)
        evaluation = Evaluation(
            samples=trainable.samples_seen,
            epoch=trainable.samples_seen / conditions.rows,
            train_loss=progress.loss_sum / progress.loss_weight if progress.loss_weight else math.nan,
            metrics=measured,
            learning_rate=progress.learning_rate,
            batch_size=progress.batch_size,
            seconds=progress.seconds,
            noise_scale=trainable.noise_scale if isinstance(trainable, Steered) else None,
            judged=judged,
            standard_error=error,
        )
        looks = (*progress.evaluations, evaluation)
        if isinstance(trainable, Steered):
            trainable.looked(value)
        best = progress.best
        if self._is_kept(evaluation):
            best = len(looks) - 1
            trainable.keep_best()
        spent = (conditions.spent + progress.samples) / conditions.training_samples
        conditions.observer.evaluated(self._candidate, evaluation, spent=spent)
        if conditions.report is not None:
            conditions.report(evaluation)
        self.progress = replace(progress, evaluations=looks, best=best, loss_sum=0.0, loss_weight=0.0, loss_samples=0)

    def _judged(self, value: float) -> tuple[float | None, float | None]:
        """The objective made cautious and its standard error, each None where it is not known."""
        certainty = self._trainable.certainty if isinstance(self._trainable, TellsCertainty) else None
        if certainty is None or not math.isfinite(value):
            return None, None
        name = self._conditions.objective.name.removeprefix("validation_")
        error = certainty.errors.get(name)
        if name != "loss":
            return None, error
        if error is None:  # the losses of single rows are about as far apart as they are high
            error = abs(value) / math.sqrt(certainty.rows)
        return certainty.cautious(value), error

    def _is_kept(self, look: Evaluation) -> bool:
        """Whether the weights of this look are the ones to keep."""
        objective, best = self._conditions.objective, self.progress.best
        value = _decisive(look, objective)
        if not math.isfinite(value) or best is None:
            return math.isfinite(value)
        record = self.progress.evaluations[best]
        allowed = 0.0
        if self._conditions.is_cautious and look.samples >= self._trainable.horizon:
            allowed = (record.standard_error or 0.0) * (1.0 if objective.direction == "min" else -1.0)
        return objective.is_better(value, _decisive(record, objective) + allowed)


def _decisive(look: Evaluation, objective: Objective) -> float:
    """What decides between two looks."""
    return look.metrics[objective.name] if look.judged is None else look.judged


class _Pause:
    """Stops a stretch of training when somebody asks to stop, a budget is spent or a checkpoint is due."""

    def __init__(self, conditions: Conditions, stopping: Stopping, started: float) -> None:
        self._conditions, self._saved, self._asked = conditions, time.perf_counter(), 0
        self._stopping, self._started, self._steps = stopping, started, 0

    def begin(self, steps: int) -> Callable[[], bool]:
        """The question for the next stretch; a checkpoint that is due lets at least one step pass."""
        self._asked, self._steps = 0, steps
        return self._should_pause

    def _should_pause(self) -> bool:
        self._asked += 1
        if self._conditions.should_stop() or (self._asked > 1 and self.is_due()):
            return True
        steps = self._steps + self._asked - 1
        return steps > 0 and bool(self.spent(steps))

    def spent(self, steps: int) -> str:
        """Which budget of the recipe is used up, or ""."""
        most_steps, most_seconds = self._stopping.max_steps, self._stopping.max_seconds
        if most_steps is not None and steps >= most_steps:
            return f"stopping.max_steps = {most_steps} is reached"
        if most_seconds is not None and time.perf_counter() - self._started >= most_seconds:
            return f"stopping.max_seconds = {most_seconds:g} is reached"
        return ""

    def is_due(self) -> bool:
        """Whether a checkpoint should be written."""
        waited = time.perf_counter() - self._saved
        return self._conditions.directory is not None and waited >= self._conditions.checkpoint_seconds

    def save(self, trainable: Trainable, progress: _Progress) -> None:
        """Write a checkpoint, where there is a place for it."""
        if self._conditions.directory is not None:
            trainable.save_checkpoint(self._conditions.directory, progress.to_json())
            self._saved = time.perf_counter()


def _samples_to_next_look(seen: int, rows: int, horizon: int) -> int:
    """Samples until an evaluation is due: at the end of every epoch, and between where a run is short.

    >>> [_samples_to_next_look(seen, rows=100, horizon=1000) for seen in (0, 30, 100)]
    [100, 70, 100]
    >>> [_samples_to_next_look(seen, rows=100, horizon=200) for seen in (0, 30, 50, 100)]
    [50, 20, 50, 50]
    """
    looks = max(1, math.ceil(MIN_EVALUATIONS * rows / horizon))  # an epoch
    offset = seen % rows
    following = offset * looks // rows + 1
    return math.ceil(following * rows / looks) - offset


def _verdict(progress: _Progress, stopping: Stopping, horizon: int, objective: Objective) -> Ending:
    """Whether the run should go on, from its looks so far."""
    last = progress.evaluations[-1]
    if not math.isfinite(last.metrics["validation_loss"]):
        return (
            "diverged",
            f"the validation loss is {last.metrics['validation_loss']} at epoch {last.epoch:.2f}",
        )
    if stopping.tolerance and len(progress.evaluations) > 1:
        before, now = progress.evaluations[-2].train_loss, last.train_loss
        if abs(before - now) < stopping.tolerance * abs(before):
            return "stopped_early", f"converged: the training loss went from {before:.6g} to {now:.6g} in one look"
    patience = stopping.patience * horizon
    since = _last_improvement(progress.evaluations, objective, stopping.min_improvement)
    if patience and last.samples - since >= patience:
        epoch = last.epoch * since / last.samples
        return "stopped_early", f"{objective.name} did not improve after epoch {epoch:.2f}"
    return "completed", ""


def _last_improvement(evaluations: tuple[Evaluation, ...], objective: Objective, least: float) -> int:
    """The clock at the last look that was better than the best before it by ``least``, relative to that one."""
    best, since = math.nan, 0
    for look in evaluations:
        value = look.metrics[objective.name]
        margin = 0.0 if math.isnan(best) else least * abs(best) * (1 if objective.direction == "min" else -1)
        if math.isfinite(value) and objective.is_better(value, best - margin):
            best, since = value, look.samples
    return since
