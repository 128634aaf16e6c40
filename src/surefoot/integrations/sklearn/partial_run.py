"""One recipe in progress on one estimator with ``partial_fit``: the rate, the batch and the schedule are ours."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn

from surefoot import seeds
from surefoot.errors import UnsupportedError
from surefoot.integrations.sklearn.families import DECOUPLED, Family, Step
from surefoot.integrations.sklearn.judging import mean_loss
from surefoot.integrations.sklearn.rows import Part
from surefoot.integrations.sklearn.state import State, read_states, write_states
from surefoot.protocols import Advance, Split
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.steering import Settings, Steering

__all__ = ["PartialRun"]

# Calls of partial_fit in a run: one costs as much as a few small steps, and in a sixty-fourth of the horizon no
# schedule moves far. Batches within a call share its rate, that of its middle.
CALLS = 64
# As in PyTorch: a loss this many times the first one (or 1, if that is more) is beyond return.
BLOW_UP = 1e3
CHECKPOINT = "checkpoint.safetensors"


class PartialRun:
    """A ``Trainable`` that is ``Steered`` and ``RatePerStep``, over an estimator's ``partial_fit``.

    Args:
        estimator: fresh.
        family: how it is trained by steps.
        recipe: complete.
        parts: "train", and what it is looked at on.
        classes: all labels, None for a regressor.
        scorer: ``scorer(estimator, X, y)``, or None.
        direction: of the objective.
        seed: of the initial weights and the order of the rows.
        horizon: samples the schedule spans.
    """

    def __init__(
        self,
        estimator: Any,
        family: Family,
        recipe: Recipe,
        parts: dict[Split, Part],
        *,
        classes: Any,
        scorer: Callable[..., float] | None,
        direction: str,
        seed: int,
        horizon: int,
    ) -> None:
        self._family, self._recipe, self._parts, self._scorer = family, recipe, parts, scorer
        self._seed, self.horizon = seed, horizon
        self._num_rows, self._is_decoupled = len(parts["train"]), recipe.optimizer.name == DECOUPLED
        self._steering = Steering(recipe, num_rows=self._num_rows, horizon=horizon, direction=direction)
        if self._steering.looks_every is not None:
            raise UnsupportedError(
                f'batch.policy "{recipe.batch.policy}" looks at the noise in the gradients, which scikit-learn does '
                "not show: take a policy that does not measure"
            )
        self._estimator = estimator
        train, draw = parts["train"], seeds.derive(seed, "model") % 2**32
        with self._quiet():
            family.begin(estimator, (train.inputs, train.targets), recipe, classes=classes, seed=draw)
        self._samples = 0
        self._first_loss: float | None = None
        self._best: State | None = None
        self._order: tuple[int, npt.NDArray[np.int64]] | None = None
        self._mark: tuple[dict[str, Any], State, State | None] | None = None

    @property
    def samples_seen(self) -> int:
        """The clock: samples that were trained on so far."""
        return self._samples

    @property
    def model(self) -> Any:
        """The estimator."""
        return self._estimator

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so."""
        start, goal = self._samples, min(self._samples + num_samples, self.horizon)
        losses, rate, steps, wanted, reason = 0.0, 0.0, 0, 0, ""
        with self._quiet():
            while self._samples < goal and not reason and not should_stop():
                wanted = self._steering.batch_size(self._samples)
                size, count = self._stretch(wanted)
                settings = self._settings(self._samples + size * count / 2, wanted)
                rate = settings.learning_rate
                loss, reason = self._trained(settings, Step(size, count, self._is_decoupled))
                losses, steps = losses + loss * size * count, steps + count
        samples = self._samples - start
        mean = losses / samples if samples else math.nan
        return Advance(samples, steps, mean, rate, wanted, "diverged" if reason else "", reason)

    def _stretch(self, wanted: int) -> tuple[int, int]:
        """The size of the next batches, and how many of it go into one call: a function of the clock alone."""
        left = min(self._num_rows - self._samples % self._num_rows, self.horizon - self._samples)
        if wanted >= left:
            return left, 1
        return wanted, max(1, min(left, self.horizon // CALLS) // wanted)

    def _settings(self, middle: float, wanted: int) -> Settings:
        settings = self._steering.settings(middle, wanted)
        if settings.weight_decay is None:
            settings = settings._replace(weight_decay=self._recipe.optimizer.weight_decay)
        return settings

    def _trained(self, settings: Settings, step: Step) -> tuple[float, str]:
        """Train on the next rows, all of one epoch: their loss, and what is wrong with it, or ""."""
        num_rows = step.batch_size * step.count
        rows = self._rows(num_rows)
        try:
            loss = self._family.train(self._estimator, self._parts["train"][rows], settings, step)
        except ValueError as error:
            if not any(word in str(error) for word in ("non-finite", "overflow", "NaN", "infinity")):
                raise
            loss = math.nan
        self._samples += num_rows
        if self._first_loss is None:
            self._first_loss = loss
        where = f"at epoch {self._samples / self._num_rows:.2f}, rate {settings.learning_rate:.3g}"
        if not math.isfinite(loss):
            return loss, f"the loss became {loss} {where}"
        if loss > BLOW_UP * max(1.0, abs(self._first_loss)):
            return loss, f"the loss rose from {self._first_loss:.3g} to {loss:.3g} {where}"
        return loss, ""

    def _rows(self, count: int) -> npt.NDArray[np.int64]:
        epoch, offset = divmod(self._samples, self._num_rows)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, seeds.stream(self._seed, "order", epoch).permutation(self._num_rows)
        return self._order[1][offset : offset + count]

    def evaluate(self, split: Split) -> dict[str, float]:
        """The loss and the score on a part of the data; {} when it has no rows."""
        part = self._parts.get(split)
        if part is None:
            return {}
        with self._quiet():
            try:
                measured = {"loss": mean_loss(self._estimator, part.inputs, part.targets, part.weights)}
                if self._scorer is not None:
                    measured["score"] = float(self._scorer(self._estimator, part.inputs, part.targets))
            except ValueError:
                if State.take(self._estimator).is_finite:
                    raise
                # weights that are not finite have no predictions
                return {"loss": math.nan} | ({} if self._scorer is None else {"score": math.nan})
        return measured

    # Probes

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step and give back the loss before it; not-a-number when it failed."""
        left = self._num_rows - self._samples % self._num_rows
        size = min(batch_size, left)
        settings = Settings(learning_rate, weight_decay=self._recipe.optimizer.weight_decay)
        with self._quiet():
            return self._trained(settings, Step(size, 1, self._is_decoupled))[0]

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """A block after which everything is as before it, also on an exception."""
        state, clock = State.take(self._estimator), (self._samples, self._first_loss)
        try:
            yield
        finally:
            state.put_back(self._estimator)
            self._samples, self._first_loss = clock

    # Steering

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved so far, and why."""
        return tuple(self._steering.changes)

    @property
    def noise_scale(self) -> float | None:
        """It is not measured."""
        return None

    @property
    def remark(self) -> str:
        """What a moving batch bought on this device: not known."""
        return ""

    def looked(self, value: float) -> None:
        """Hear the validation objective, for schedules and policies that react to it."""
        self._steering.looked(self._samples, value)

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment as one to go back to."""
        self._mark = (self._counters(progress), State.take(self._estimator), self._best)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; its ``progress``, None when there is no mark."""
        if self._mark is None:
            return None
        changes = self._steering.changes
        counters, state, self._best = self._mark
        state.put_back(self._estimator)
        progress = self._adopt(counters)
        self._steering.changes = changes
        self._steering.retry(self._samples, factor, reason)
        self.mark(progress)
        return progress

    # Keeping

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        self._best = State.take(self._estimator)

    def recall_best(self) -> None:
        """Put the best weights back into the estimator."""
        if self._best is not None:
            self._best.put_back(self._estimator)

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs; a mark to go back to is not kept."""
        states = {"now": State.take(self._estimator)} | ({} if self._best is None else {"best": self._best})
        write_states(directory / CHECKPOINT, states, self._counters(progress))

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        if not (directory / CHECKPOINT).is_file():
            return None
        states, counters = read_states(directory / CHECKPOINT)
        states["now"].put_back(self._estimator)
        self._best = states.get("best")
        return self._adopt(counters)

    def save_weights(self, path: Path) -> None:
        """Write what the estimator has learned as safetensors."""
        write_states(path, {"now": State.take(self._estimator)}, {})

    def load_weights(self, path: Path) -> None:
        """Read what the estimator has learned."""
        read_states(path)[0]["now"].put_back(self._estimator)

    def _counters(self, progress: dict[str, Any]) -> dict[str, Any]:
        clock = {"samples": self._samples, "first_loss": self._first_loss}
        return {**clock, "steering": self._steering.to_json(), "progress": progress}

    def _adopt(self, counters: dict[str, Any]) -> dict[str, Any]:
        self._samples, self._first_loss = counters["samples"], counters["first_loss"]
        self._steering.load_json(counters["steering"])
        progress: dict[str, Any] = counters["progress"]
        return progress

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """Rows and parameters were checked at the door, and a run that diverges is a result, not a warning."""
        checks = {"skip_parameter_validation": True, "assume_finite": True}
        with sklearn.config_context(**checks), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
