"""Drives Trainables to the end of their horizon: evaluations, best weights, early stopping, checkpoints, records.

It knows no framework. An evaluation is due every epoch, and at least four times in a run shorter than that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from surefoot.callbacks import Callback, ask
from surefoot.errors import CallbackError
from surefoot.looks import Ending, is_kept, judged, samples_to_next_look, since_pruned, verdict
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
from surefoot.records import TRAIN_LOSS, Evaluation, Objective, Run

__all__ = ["Conditions", "horizon_of", "never", "train", "train_together"]


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
    return train_together((trainable,), (candidate,), (conditions,))[0]


def train_together(
    trainables: Sequence[Trainable], candidates: Sequence[Candidate], conditions_of: Sequence[Conditions]
) -> tuple[Run, ...]:
    """Train several candidates to their ends, a stretch of each in turn, and give back their records in order.

    For runs that advance together, such as those of a ``StacksRuns``; any others are trained as well. A run's seconds
    are its share of the time, in equal parts among those that are still training, so that all add up to what passed.
    Every run writes its own checkpoints and goes on from them.

    Args:
        trainables: one a candidate.
        candidates: what is trained.
        conditions_of: what surrounds each.
    """
    clock = _SharedClock(len(trainables))
    records: dict[int, Run] = {}
    try:
        courses = dict(
            enumerate(_Course(*each, clock) for each in zip(trainables, candidates, conditions_of, strict=True))
        )
        for course in courses.values():
            course.announce()
        while len(records) < len(courses):
            for number, course in courses.items():
                if number not in records and not course.goes_on():
                    records[number] = course.end()
                    clock.leave()
        return tuple(records[number] for number in courses)
    finally:
        for trainable in trainables:
            _release(trainable)


def _release(trainable: Trainable) -> None:
    if isinstance(trainable, HoldsWorkers):
        trainable.release()


class _SharedClock:
    """Seconds that pass at the rate of one divided by those who share them."""

    def __init__(self, count: int) -> None:
        self._count, self._passed, self._since = count, 0.0, time.perf_counter()

    def __call__(self) -> float:
        return self._passed + (time.perf_counter() - self._since) / max(1, self._count)

    def leave(self) -> None:
        """One fewer shares them from now on."""
        self._passed, self._since = self(), time.perf_counter()
        self._count -= 1


class _Course:
    """A run on its way: stretches of training, and what happens between them."""

    def __init__(
        self, trainable: Trainable, candidate: Candidate, conditions: Conditions, clock: Callable[[], float]
    ) -> None:
        self._trainable, self._candidate, self._conditions = trainable, candidate, conditions
        self._clock = clock
        self._ending: Ending = ("completed", "")
        self._stopping = candidate.recipe.stopping
        saved = trainable.load_checkpoint(conditions.directory) if conditions.directory else None
        self._progress = _Progress.from_json(saved) if saved else _Progress()
        self._started = clock() - self._progress.seconds
        self._pause = _Pause(conditions, self._stopping, self._seconds)
        if not saved:
            self._mark()

    def _seconds(self) -> float:
        """What the run took so far, in every process that had a part in it."""
        return self._clock() - self._started

    def announce(self) -> None:
        """Tell the observer that the run starts."""
        trainable = self._trainable
        self._conditions.observer.started(self._candidate, samples=trainable.samples_seen, horizon=trainable.horizon)

    def goes_on(self) -> bool:
        """Train a stretch; False when the run has ended."""
        if self._trainable.samples_seen >= self._trainable.horizon:
            return False
        ending = self._stretch()
        self._ending = ending or self._ending
        return ending is None

    def end(self) -> Run:
        """Put back the best weights and let the trainable go; the record."""
        trainable, progress = self._trainable, self._progress
        status, reason = self._ending
        if progress.best is not None:
            trainable.recall_best()
        _release(trainable)
        return self._candidate.record(
            horizon=trainable.horizon,
            status=status,
            reason=reason,
            samples=progress.samples,
            steps=progress.steps,
            seconds=self._seconds(),
            evaluations=progress.evaluations,
            best=progress.best,
            objective=self._conditions.objective,
            changes=trainable.changes if isinstance(trainable, Steered) else (),
            remark=trainable.remark if isinstance(trainable, Steered) else "",
        )

    def _stretch(self) -> Ending | None:
        """Train to the next look, or to whatever comes before it; None when the run goes on."""
        trainable, conditions = self._trainable, self._conditions
        due = samples_to_next_look(trainable.samples_seen, conditions.rows, trainable.horizon)
        stretch = trainable.advance(due, should_stop=self._pause.begin(self._progress.steps))
        self._progress = replace(self._progress.after(stretch), seconds=self._seconds())
        if stretch.failure:
            return self._after_failure(stretch.failure, stretch.reason)
        is_over, is_due = trainable.samples_seen >= trainable.horizon, stretch.samples >= due
        is_stopped = conditions.should_stop() and not is_over
        if is_stopped and not is_due:
            self._pause.save(trainable, self._progress)  # before the look, which an undisturbed run would not take
            if self._progress.loss_samples:
                self._look()
            return "interrupted", "asked to stop"
        spent = "" if is_over else self._pause.spent(self._progress.steps)
        if is_due or is_over or spent:
            ending = self._after_look(spent)
            if ending is not None:
                return ending
        if is_stopped or self._pause.is_due():
            self._pause.save(trainable, self._progress)
        return ("interrupted", "asked to stop") if is_stopped else None

    def _after_failure(self, failure: Literal["diverged", "out_of_memory"], reason: str) -> Ending | None:
        """The end, unless the recipe allows to go back to the last good look with a lower rate."""
        retries = self._progress.retries
        if failure == "diverged" and retries < self._stopping.retries and isinstance(self._trainable, Steered):
            saved = self._trainable.retry(self._stopping.retry_factor, reason)
            if saved is not None:
                steps, samples = self._progress.steps, self._progress.samples  # what is lost was paid for
                good = _Progress.from_json(saved)
                self._progress = replace(good, steps=steps, samples=samples, retries=retries + 1)
                return None
        return failure, reason

    def _after_look(self, spent: str) -> Ending | None:
        """Look, then say whether that ends the run."""
        self._look()
        horizon = self._trainable.horizon
        looks = since_pruned(self._progress.evaluations, self._candidate.recipe.network, horizon)
        status, reason = verdict(looks, self._stopping, horizon, self._conditions.objective)
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
        trainable = self._trainable
        look = self._progress.evaluations[-1].model_dump(exclude={"judged", "standard_error"})
        about = {"run": self._candidate.name, "horizon": trainable.horizon, "model": trainable.model}
        try:
            reason = ask(self._conditions.callbacks, **about, **look, history=self._progress.evaluations)
        except CallbackError:
            self._pause.save(trainable, self._progress)
            raise
        return ("stopped_early", reason) if reason else ("completed", "")

    def _mark(self) -> None:
        if self._stopping.retries and isinstance(self._trainable, Steered):
            self._trainable.mark(self._progress.to_json())

    def _look(self) -> None:
        """Evaluate, remember the weights if they are the best so far, tell the observer."""
        trainable, conditions, progress = self._trainable, self._conditions, self._progress
        measured = {
            f"{part}_{name}": value for part in conditions.looks_at for name, value in trainable.evaluate(part).items()
        }
        train_loss = progress.loss_sum / progress.loss_weight if progress.loss_weight else math.nan
        if not conditions.objective.chooses:
            measured = {TRAIN_LOSS: train_loss}
        value = measured[conditions.objective.name]
        certainty = trainable.certainty if conditions.is_cautious and isinstance(trainable, TellsCertainty) else None
        cautious, error = judged(value, certainty, conditions.objective)
        evaluation = Evaluation(
            samples=trainable.samples_seen,
            epoch=trainable.samples_seen / conditions.rows,
            train_loss=train_loss,
            metrics=measured,
            learning_rate=progress.learning_rate,
            batch_size=progress.batch_size,
            seconds=progress.seconds,
            noise_scale=trainable.noise_scale if isinstance(trainable, Steered) else None,
            judged=cautious,
            standard_error=error,
        )
        looks = (*progress.evaluations, evaluation)
        if isinstance(trainable, Steered):
            trainable.looked(value)
        best = progress.best
        before = None if best is None else progress.evaluations[best]
        comparable = since_pruned(looks, self._candidate.recipe.network, trainable.horizon)
        if before is not None and before.samples < comparable[0].samples:
            before = None
        is_end = trainable.samples_seen >= trainable.horizon
        if is_kept(evaluation, before, conditions.objective, is_forgiven=conditions.is_cautious and is_end):
            best = len(looks) - 1
            trainable.keep_best()
        spent = (conditions.spent + progress.samples) / conditions.training_samples
        conditions.observer.evaluated(self._candidate, evaluation, spent=spent)
        if conditions.report is not None:
            conditions.report(evaluation)
        self._progress = replace(progress, evaluations=looks, best=best, loss_sum=0.0, loss_weight=0.0, loss_samples=0)


class _Pause:
    """Stops a stretch of training when somebody asks to stop, a budget is spent or a checkpoint is due."""

    def __init__(self, conditions: Conditions, stopping: Stopping, seconds: Callable[[], float]) -> None:
        self._conditions, self._saved, self._asked = conditions, time.perf_counter(), 0
        self._stopping, self._seconds, self._steps = stopping, seconds, 0

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
        if most_seconds is not None and self._seconds() >= most_seconds:
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
