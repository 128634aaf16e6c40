"""One training of several that advance together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from surefoot.engine.evaluation import Evaluator
from surefoot.engine.objective import Objective
from surefoot.engine.penalties import Penalties
from surefoot.engine.randomness import RandomState
from surefoot.engine.rows.data import Rows
from surefoot.engine.run import BLOW_UP, Training
from surefoot.engine.stacking.model import own_memory
from surefoot.engine.stacking.optimizer import Mate
from surefoot.protocols import Advance, Problem, Split
from surefoot.recipe import Recipe
from surefoot.steering import Settings

__all__ = ["Convoy", "Member"]


class Convoy(Protocol):
    """Those that a member advances with."""

    def train(self, leader: Member, num_samples: int, *, should_stop: Callable[[], bool]) -> None:
        """Train a member and whoever stands where it stands; what each did is in its tally."""
        ...

    def look(self, member: Member, split: Split) -> bool:
        """Look at a member and whoever is stacked with it; False where only it can look at itself."""
        ...


@dataclass
class _Tally:
    """What a member was trained and has not told yet."""

    samples: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    weight: float = 0.0
    rate: float = 0.0
    batch_size: int = 0
    failure: Literal["", "diverged", "out_of_memory"] = ""
    reason: str = ""

    def add(self, done: Advance) -> None:
        """Count a stretch that the member trained by itself."""
        weight = done.weight or 0.0
        self.samples, self.steps = self.samples + done.samples, self.steps + done.steps
        self.loss_sum, self.weight = self.loss_sum + (done.loss * weight if weight else 0.0), self.weight + weight
        self.failure, self.reason = done.failure, done.reason
        if done.steps:
            self.rate, self.batch_size = done.learning_rate, done.batch_size

    def told(self) -> Advance:
        """All of it."""
        return Advance(
            self.samples,
            self.steps,
            self.loss_sum / self.weight if self.weight else math.nan,
            self.rate,
            self.batch_size,
            self.failure,
            self.reason,
            self.weight,
        )


class Member(Training):
    """A training that advances with others.

    The first member that is asked to advance takes along whoever stands at the same sample; each of those gives back
    what it was trained when it is asked itself, which may be less than it was asked for.

    Args:
        problem: the task.
        recipe: complete.
        parts: the task's rows by part.
        seed: of everything random in this run.
        horizon: samples the schedule spans.
        convoy: those that it advances with.

    Attributes:
        joins: whether it goes where others lead; one that failed or left does not.
        pack: that holds its weights now, None where it has memory of its own.
        mate: what a stacked optimizer needs of it.
    """

    def __init__(
        self,
        problem: Problem,
        recipe: Recipe,
        parts: dict[Split, Rows],
        *,
        seed: int,
        horizon: int,
        convoy: Convoy,
    ) -> None:
        super().__init__(problem, recipe, parts, seed=seed, horizon=horizon)
        self.parts = parts
        self.joins = True
        self.pack: object = None
        penalties = Penalties.of(self._model, recipe)
        self.mate = Mate(self._model, self._optimizer, penalties, recipe.optimizer.max_gradient_norm)
        self._convoy = convoy
        self._tally: _Tally | None = None
        self._looks: dict[Split, tuple[int, dict[str, float]]] = {}

    @property
    def samples_seen(self) -> int:
        """The clock, as far as it has been told."""
        return self._samples - (self._tally.samples if self._tally else 0)

    @property
    def clock(self) -> int:
        """Samples that ran forward and backward."""
        return self._samples

    @property
    def is_waiting(self) -> bool:
        """Whether it goes along with a leader now."""
        return self.joins and self._tally is None

    @property
    def objective(self) -> Objective:
        """The loss of a batch."""
        return self._objective

    @property
    def evaluator(self) -> Evaluator:
        """What looks at it alone."""
        return self._evaluator

    @property
    def random(self) -> RandomState:
        """What the model draws from."""
        return self._random

    @property
    def batch_size(self) -> int:
        """Rows of a step, as the recipe has it; the end of an epoch cuts it."""
        return self._steering.batch_size(self._samples)

    @property
    def settings(self) -> Callable[[float, int], Settings]:
        """Of a step, by the clock at its middle and the batch size."""
        return self._steering.settings

    @property
    def most_loss(self) -> float:
        """Up to where a batch loss is nothing to look at; below any before the first one."""
        return -math.inf if self._first_loss is None else BLOW_UP * max(1.0, abs(self._first_loss))

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train together with the others, or tell what was trained already."""
        if self._tally is None:
            self._convoy.train(self, num_samples, should_stop=should_stop)
        tally, self._tally = self._tally or _Tally(), None
        return tally.told()

    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, measured for all that are stacked when the first of them asks."""
        if self._looked_at(split) is None and not (self.pack is not None and self._convoy.look(self, split)):
            return super().evaluate(split)
        return dict(self._looked_at(split) or {})

    def seen(self, split: Split, metrics: dict[str, float]) -> None:
        """Hear what a look showed."""
        self._looks[split] = (self._samples, metrics)

    def _looked_at(self, split: Split) -> dict[str, float] | None:
        clock, metrics = self._looks.get(split, (-1, None))
        return metrics if clock == self._samples else None

    def train_alone(self, goal: int, *, should_stop: Callable[[], bool]) -> None:
        """Train up to a sample without the others."""
        self.leave_pack()
        done = super().advance(goal - self._samples, should_stop=should_stop)
        self._told_later().add(done)
        self.joins = self.joins and not done.failure

    def trained(self, samples: int, steps: int, *, loss_sum: float, weight: float, rate: float) -> None:
        """Hear of steps that the pack took."""
        tally = self._told_later()
        self._samples, self._steps = self._samples + samples, self._steps + steps
        tally.samples, tally.steps = tally.samples + samples, tally.steps + steps
        tally.loss_sum, tally.weight = tally.loss_sum + loss_sum, tally.weight + weight
        tally.rate, tally.batch_size = rate, self.batch_size

    def can_go_on(self, loss: float) -> bool:
        """Look at the loss of the step it was told of last; whether it has not blown up."""
        reason = self._blown_up(loss, self._told_later().rate)
        if reason:
            self.fail("diverged", reason)
        return not reason

    def fail(self, failure: Literal["diverged", "out_of_memory"], reason: str) -> None:
        """Stop here."""
        tally = self._told_later()
        tally.failure, tally.reason = failure, reason
        self.joins = False
        self.leave_pack()

    def leave_pack(self) -> None:
        """Hold the weights, and what the optimizer remembers, in memory of its own."""
        self._looks.clear()
        if self.pack is not None:
            own_memory(self._model, self._optimizer)
            self.pack = None

    def release(self) -> None:
        """Leave the others, who go on without it."""
        self.joins = False
        self.leave_pack()
        super().release()

    def recall_best(self) -> None:
        """Put the best weights back."""
        self._looks.clear()
        super().recall_best()

    def load_weights(self, path: Path) -> None:
        """Read the model's weights from safetensors."""
        self._looks.clear()
        super().load_weights(path)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; the others meet it again where it catches up."""
        self.leave_pack()
        progress = super().retry(factor, reason)
        self.joins = self.joins or progress is not None
        return progress

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        self.leave_pack()
        return super().load_checkpoint(directory)

    def _told_later(self) -> _Tally:
        if self._tally is None:
            self._tally = _Tally()
        return self._tally
