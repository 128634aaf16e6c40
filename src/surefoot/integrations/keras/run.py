"""One recipe in progress on one Keras model: the rate, the batch and the schedule are ours."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from surefoot.integrations.keras.bench import Bench
from surefoot.integrations.keras.compiled import measured_by_keras
from surefoot.integrations.keras.descent import Descent, OutOfRoom
from surefoot.integrations.keras.measuring import measure
from surefoot.integrations.keras.order import Order
from surefoot.integrations.keras.rows import Part
from surefoot.integrations.keras.state import (
    Values,
    put_back,
    read_checkpoint,
    read_weights,
    take,
    write_checkpoint,
    write_weights,
)
from surefoot.protocols import Advance, Certainty, Problem, Split
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.row_order import step_size
from surefoot.steering import Settings, Steering

__all__ = ["Training"]

# As in PyTorch: a loss this many times the first one (or 1, if that is more) is beyond return.
BLOW_UP = 1e3
# Steps of one call: as many as take this long, so that Ctrl-C and budgets are heard soon.
CALL_SECONDS, MOST_STEPS = 0.1, 256
CHECKPOINT = "checkpoint.safetensors"


class Planned(NamedTuple):
    """A step to come: its rows, what the policy asked for, and what the optimizer is set to."""

    size: int
    wanted: int
    settings: Settings


class Training:
    """A ``Trainable`` that is ``Steered``, ``TellsCertainty`` and ``Finishes``: a recipe trained on a Keras model.

    The clock is samples seen, the row order PyTorch's for the same seed, a step's rate the schedule's value at the
    middle of its batch. Many steps go into one call; how many never changes what they do.

    Args:
        problem: the task.
        recipe: complete.
        parts: the task's rows by part.
        bench: where it trains, in turns with others.
        values: of the bench's variables, to begin with.
        order: of the rows.
        horizon: samples the schedule spans.
        finished: hears that the bench's model is given away.
    """

    def __init__(
        self,
        problem: Problem,
        recipe: Recipe,
        parts: dict[Split, Part],
        *,
        bench: Bench,
        values: Values,
        order: Order,
        horizon: int,
        finished: Callable[[Bench], None] = lambda _: None,
    ) -> None:
        self.problem, self.recipe, self.horizon = problem, recipe, horizon
        self._parts, self._bench, self._order, self._finished = parts, bench, order, finished
        self._network, self._num_rows = bench.network, len(parts["train"])
        self._steering = Steering(
            recipe, num_rows=self._num_rows, horizon=horizon, direction=problem.objective.direction
        )
        self._descent = Descent(bench, recipe, parts["train"], wants_dots=self._steering.wants_dots)
        self._away: Values | None = values  # while another run has its turn on the bench
        self._samples = self._steps = 0
        self._first_loss: float | None = None
        self._best: Values | None = None
        self._mark: tuple[dict[str, Any], Values, Values | None] | None = None
        self._step_seconds = CALL_SECONDS
        self.certainty: Certainty | None = None

    @property
    def samples_seen(self) -> int:
        """The clock: samples that ran forward and backward so far."""
        return self._samples

    @property
    def model(self) -> Any:
        """The Keras model, as its builder compiled it, with this run's weights."""
        self._take_turn()
        return self._network.model

    def leave(self) -> None:
        """Keep what the bench's variables hold: another run gets them."""
        self._away = take(self._bench.variables)

    def _take_turn(self) -> None:
        if not self._bench.is_held_by(self):
            assert self._away is not None, "whoever is not on the bench has its values"
            self._bench.hold(self, self._away)
            self._away = None

    # Training

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so."""
        start, goal = self._samples, min(self._samples + num_samples, self.horizon)
        total, rate, wanted, steps = 0.0, 0.0, 0, self._steps
        failure, reason = "", ""
        self._take_turn()
        while self._samples < goal and not failure:
            planned = self._planned(goal, should_stop)
            if not planned:
                break
            try:
                losses = self._call(planned)
            except OutOfRoom as limit:
                failure, reason = "out_of_memory", str(limit)
                break
            last = planned[len(losses) - 1]
            rate, wanted = last.settings.learning_rate, last.wanted
            total += float(np.dot(losses, [one.size for one in planned[: len(losses)]]))
            reason = self._blown_up(float(losses[-1]), rate)
            failure = "diverged" if reason else ""
        samples = self._samples - start
        mean = total / samples if samples else math.nan
        return Advance(samples, self._steps - steps, mean, rate, wanted, failure, reason)  # type: ignore[arg-type] # "" widens

    def _planned(self, goal: int, should_stop: Callable[[], bool]) -> list[Planned]:
        """The steps of the next call, each after asking whether to stop."""
        steering, position, planned = self._steering, self._samples, list[Planned]()
        most = 1 if self._first_loss is None else max(1, min(MOST_STEPS, int(CALL_SECONDS / self._step_seconds)))
        while position < goal and len(planned) < most and not should_stop():
            wanted = steering.batch_size(position)
            size = step_size(wanted, position, num_rows=self._num_rows, horizon=self.horizon)
            planned.append(Planned(size, wanted, steering.settings(position + size / 2, wanted)))
            position += size
            if self._is_look(len(planned)):
                break
        return planned

    def _is_look(self, ahead: int) -> bool:
        """Whether the step before the next ``ahead``-th, counted from 0, ends a call, because one of the two looks."""
        every = self._steering.looks_every
        return every is not None and (self._steps + ahead) % every in {0, 1}

    def _call(self, planned: list[Planned]) -> Any:
        """Take the planned steps; the losses of those that ran."""
        steering, started = self._steering, time.perf_counter()
        every = steering.looks_every
        look = every is not None and self._steps % every == 0
        sizes = [one.size for one in planned]
        rows = self._order.rows(self._samples, sum(sizes))
        try:
            if look:
                loss, noise = self._descent.look(rows, planned[0].settings)
                losses = np.array([loss])
            else:
                losses = self._descent.steps(rows, sizes, [one.settings for one in planned], self._limit)
        finally:
            while self._descent.changes:
                steering.note(self._samples, *self._descent.changes.pop(0))
        seconds = (time.perf_counter() - started) / len(losses)
        self._samples += sum(sizes[: len(losses)])
        self._steps += len(losses)
        if self._first_loss is None:
            self._first_loss = float(losses[0])
        elif not look:
            self._step_seconds = seconds
            if steering.is_timed and len({one.wanted for one in planned} | set(sizes)) == 1:
                steering.timed(sizes[0], seconds)
        if look:
            rate = planned[0].settings.learning_rate
            steering.stepped(self._samples, loss=float(losses[0]), learning_rate=rate, noise=noise)
        return losses

    @property
    def _limit(self) -> float:
        return math.inf if self._first_loss is None else BLOW_UP * max(1.0, abs(self._first_loss))

    def _blown_up(self, loss: float, rate: float) -> str:
        """What is wrong with a batch loss, or ""."""
        where = f"at epoch {self._samples / self._num_rows:.2f}, rate {rate:.3g}"
        if not math.isfinite(loss):
            return f"the loss became {loss} {where}"
        if loss > self._limit:
            return f"the loss rose from {self._first_loss:.3g} to {loss:.3g} {where}"
        return ""

    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, without penalties; {} when it has no rows."""
        part = self._parts.get(split)
        if part is None:
            return {}
        self._take_turn()
        problem = self.problem
        function = None if problem.score is measured_by_keras else problem.score
        score = None if function is None else (problem.score_name, function)
        with self._descent.others_kept():
            found = measure(self._network, self._bench.steps, part, target_scale=problem.target_scale, score=score)
        if split == "validation":
            self.certainty = found.certainty
        return found.metrics

    def finish(self) -> tuple[str, ...]:
        """Give the model away: no other run has a turn on it from now on."""
        self._take_turn()
        self._finished(self._bench)
        return ()

    # Steering

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved so far, and why."""
        return tuple(self._steering.changes)

    @property
    def noise_scale(self) -> float | None:
        """The noise scale in samples, where it is measured and finite."""
        return self._steering.noise_scale

    @property
    def remark(self) -> str:
        """What a moving batch bought on this device, or ""."""
        return self._steering.remark

    def looked(self, value: float) -> None:
        """Hear the validation objective, for schedules and policies that react to it."""
        self._steering.looked(self._samples, value)

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment as one to go back to."""
        self._take_turn()
        self._mark = (self._counters(progress), take(self._bench.variables), self._best)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; its ``progress``, None when there is no mark."""
        if self._mark is None:
            return None
        changes = self._steering.changes
        counters, values, self._best = self._mark
        self._take_turn()
        put_back(self._bench.variables, values)
        progress = self._adopt(counters)
        self._steering.changes = changes
        self._steering.retry(self._samples, factor, reason)
        self.mark(progress)
        return progress

    # Keeping

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        self._take_turn()
        self._best = take(self._bench.model_variables)

    def recall_best(self) -> None:
        """Put the best weights back into the model."""
        if self._best is not None:
            self._take_turn()
            put_back(self._bench.model_variables, self._best)

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs, whole or not at all."""
        self._take_turn()
        states = {"now": take(self._bench.variables)} | ({} if self._best is None else {"best": self._best})
        rest = {"now": self._counters(progress)}
        if self._mark is not None:
            counters, values, best = self._mark
            states |= {"mark": values} | ({} if best is None else {"mark_best": best})
            rest["mark"] = counters
        write_checkpoint(directory / CHECKPOINT, states, rest)

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        found = read_checkpoint(directory / CHECKPOINT)
        if found is None:
            return None
        states, rest = found
        self._take_turn()
        put_back(self._bench.variables, states["now"])
        self._best = states.get("best")
        if "mark" in rest:
            self._mark = (rest["mark"], states["mark"], states.get("mark_best"))
        return self._adopt(rest["now"])

    def save_weights(self, path: Path) -> None:
        """Write the model's weights as safetensors."""
        write_weights(self.model, path, inputs=self._parts["train"].inputs)

    def load_weights(self, path: Path) -> None:
        """Read the model's weights."""
        read_weights(self.model, path)

    def _counters(self, progress: dict[str, Any]) -> dict[str, Any]:
        clock = {"samples": self._samples, "steps": self._steps, "first_loss": self._first_loss}
        rest = {"micro_batch": self._descent.micro_batch, "steering": self._steering.to_json()}
        return {**clock, **rest, "progress": progress}

    def _adopt(self, counters: dict[str, Any]) -> dict[str, Any]:
        self._samples, self._steps = counters["samples"], counters["steps"]
        self._first_loss, self._descent.micro_batch = counters["first_loss"], counters["micro_batch"]
        self._steering.load_json(counters["steering"])
        progress: dict[str, Any] = counters["progress"]
        return progress
