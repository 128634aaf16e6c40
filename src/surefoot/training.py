"""Drives one Trainable to the end of its horizon: evaluations, best weights, early stopping, checkpoints, a record.

It knows no framework. An evaluation is due every epoch, and at least four times in a run shorter than that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from surefoot.callbacks import Callback, ask
from surefoot.errors import CallbackError
from surefoot.protocols import Advance, Candidate, Observer, Silent, Split, Trainable
from surefoot.records import Evaluation, Objective, Run, RunStatus

__all__ = ["Conditions", "horizon_of", "never", "train"]

MIN_EVALUATIONS = 4


def horizon_of(share: float, training_samples: int) -> int:
    """Samples of a run over ``share`` of a training: rounded down, so that shares never add up to more than a budget.

    >>> horizon_of(1 / 16, 1000), horizon_of(1.0, 1000), horizon_of(1e-9, 1000)
    (62, 1000, 1)
    """
    return max(1, math.floor(share * training_samples + 1e-6))


def never() -> bool:
    """The answer of whoever does not want a run to stop."""
    return False


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


@dataclass(frozen=True)
class _Progress:
    """What the loop itself knows about a run; it travels inside the checkpoint.

    ``loss_sum`` and ``loss_samples`` belong to the samples since the last look.
    """

    evaluations: tuple[Evaluation, ...] = ()
    best: int | None = None
    steps: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_samples: int = 0

    def after(self, stretch: Advance) -> _Progress:
        """The progress with a stretch of training added."""
        loss = stretch.loss * stretch.samples if stretch.samples else 0.0
        return replace(
            self,
            steps=self.steps + stretch.steps,
            loss_sum=self.loss_sum + loss,
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
    progress = _resumed(trainable, conditions)
    conditions.observer.started(candidate, samples=trainable.samples_seen, horizon=trainable.horizon)
    status: RunStatus = "completed"
    reason, started = "", time.perf_counter() - progress.seconds
    pause = _Pause(conditions)
    while trainable.samples_seen < trainable.horizon:
        due = _samples_to_next_look(trainable.samples_seen, conditions.rows, trainable.horizon)
        stretch = trainable.advance(due, should_stop=pause.begin())
        progress = replace(progress.after(stretch), seconds=time.perf_counter() - started)
        if stretch.failure:
            status, reason = stretch.failure, stretch.reason
            break
        is_over = trainable.samples_seen >= trainable.horizon
        is_stopped, is_due = conditions.should_stop() and not is_over, stretch.samples >= due
        if is_stopped and not is_due:
            pause.save(trainable, progress)  # before the look below, which an undisturbed run would not take
            progress = _look(trainable, candidate, conditions, progress, stretch) if progress.loss_samples else progress
            status, reason = "interrupted", "asked to stop"
            break
        if is_due or is_over:
            progress = _look(trainable, candidate, conditions, progress, stretch)
            status, reason = _verdict(progress, candidate, trainable.horizon, conditions.objective)
            if status == "completed":
                status, reason = _asked(trainable, candidate, conditions, progress, pause)
            if status != "completed":
                break
        if is_stopped or pause.is_due():
            pause.save(trainable, progress)
        if is_stopped:
            status, reason = "interrupted", "asked to stop"
            break
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
        samples=trainable.samples_seen,
        steps=progress.steps,
        seconds=time.perf_counter() - started,
        evaluations=progress.evaluations,
        best=progress.best,
        objective=conditions.objective,
    )


class _Pause:
    """Stops a stretch of training when somebody asks to stop or a checkpoint is due."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions, self._saved, self._asked = conditions, time.perf_counter(), 0

    def begin(self) -> Callable[[], bool]:
        """The question for the next stretch; a checkpoint that is due lets at least one step pass."""
        self._asked = 0
        return self._should_pause

    def _should_pause(self) -> bool:
        self._asked += 1
        return self._conditions.should_stop() or (self._asked > 1 and self.is_due())

    def is_due(self) -> bool:
        """Whether a checkpoint should be written."""
        waited = time.perf_counter() - self._saved
        return self._conditions.directory is not None and waited >= self._conditions.checkpoint_seconds

    def save(self, trainable: Trainable, progress: _Progress) -> None:
        """Write a checkpoint, where there is a place for it."""
        if self._conditions.directory is not None:
            trainable.save_checkpoint(self._conditions.directory, progress.to_json())
            self._saved = time.perf_counter()


def _resumed(trainable: Trainable, conditions: Conditions) -> _Progress:
    saved = trainable.load_checkpoint(conditions.directory) if conditions.directory else None
    return _Progress.from_json(saved) if saved else _Progress()


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


def _look(
    trainable: Trainable, candidate: Candidate, conditions: Conditions, progress: _Progress, stretch: Advance
) -> _Progress:
    """Evaluate, remember the weights if they are the best so far, tell the observer."""
    measured = {
        f"{part}_{name}": value for part in conditions.looks_at for name, value in trainable.evaluate(part).items()
    }
    evaluation = Evaluation(
        samples=trainable.samples_seen,
        epoch=trainable.samples_seen / conditions.rows,
        train_loss=progress.loss_sum / progress.loss_samples,
        metrics=measured,
        learning_rate=stretch.learning_rate,
        batch_size=stretch.batch_size,
        seconds=progress.seconds,
    )
    looks = (*progress.evaluations, evaluation)
    best, objective = progress.best, conditions.objective
    value = evaluation.metrics[objective.name]
    record = math.nan if best is None else progress.evaluations[best].metrics[objective.name]
    if math.isfinite(value) and objective.is_better(value, record):
        best = len(looks) - 1
        trainable.keep_best()
    spent = (conditions.spent + trainable.samples_seen) / conditions.training_samples
    conditions.observer.evaluated(candidate, evaluation, spent=spent)
    if conditions.report is not None:
        conditions.report(evaluation)
    return replace(progress, evaluations=looks, best=best, loss_sum=0.0, loss_samples=0)


def _asked(
    trainable: Trainable, candidate: Candidate, conditions: Conditions, progress: _Progress, pause: _Pause
) -> tuple[RunStatus, str]:
    """Whether a callback wants the run to stop; a broken one loses no work."""
    look = dict(progress.evaluations[-1])
    try:
        reason = ask(conditions.callbacks, run=candidate.name, horizon=trainable.horizon, model=trainable.model, **look)
    except CallbackError:
        pause.save(trainable, progress)
        raise
    return ("stopped_early", reason) if reason else ("completed", "")


def _verdict(progress: _Progress, candidate: Candidate, horizon: int, objective: Objective) -> tuple[RunStatus, str]:
    """Whether the run should go on, from its looks so far."""
    last = progress.evaluations[-1]
    if not math.isfinite(last.metrics["validation_loss"]):
        return (
            "diverged",
            f"the validation loss is {last.metrics['validation_loss']} at epoch {last.epoch:.2f}",
        )
    patience = candidate.recipe.stopping.patience * horizon
    best_samples = progress.evaluations[progress.best].samples if progress.best is not None else 0
    if patience and last.samples - best_samples >= patience:
        return (
            "stopped_early",
            f"{objective.name} did not improve after epoch {last.epoch * best_samples / last.samples:.2f}",
        )
    return "completed", ""
