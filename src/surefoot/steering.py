"""What every step of a training uses: its batch size, its rate, its optimizer's memories; and why they moved.

Everything that decides stands on the lower floors; here they meet the recipe and the clock. Plain numbers in and out:
whichever framework trains asks before a step, tells after it, and keeps the state in its checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any, NamedTuple

from surefoot.batching import Change as Moved
from surefoot.batching import Knobs, NoiseSample, Observation, StepTime, couple, fit_step_time, is_constant, is_measured
from surefoot.batching.coupling import rate_after_jump
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.schedules import one_cycle

__all__ = ["LOOK_OFTEN", "LOOK_SELDOM", "Settings", "Steering"]

# After a jump of the batch the rate goes to its new value over this share of the horizon (Goyal et al. 2017 take 5
# epochs of 90 for a jump of 32; ours are by 2 at most).
JUMP_LENGTH = 0.02
# Steps between two looks at the noise, such that looking costs about 3 % of a training at most (measured: docs/log.md,
# 2026-11-21): of a batch in parts, or where a look is long beside a small network's step; of single rows in any other.
LOOK_SELDOM, LOOK_OFTEN = 64, 12
# Timings kept for each batch size, and how many of them make a median.
MOST_TIMINGS, ENOUGH_TIMINGS = 32, 8


class Settings(NamedTuple):
    """What the optimizer is set to for a step; None leaves a value as it is."""

    learning_rate: float
    weight_decay: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    momentum: float | None = None


@dataclass(frozen=True)
class _State:
    """What has been decided so far, as plain numbers.

    Attributes:
        batch_size: of a policy that observes.
        noise_scale: B_s at the last change, None before it or where it was not finite.
        multiplier: of the reactive schedule.
        factor: of the rate, after retries.
        jump_from: the base rate before the last change of the batch.
        jump_at: the clock at that change; None before the first.
        timings: the last seconds a step took, by batch size.
        step_time: (overhead, seconds a row) that were fitted to them, for goodput; a resumed run goes on with these.
    """

    batch_size: int
    noise_scale: float | None = None
    multiplier: float = 1.0
    factor: float = 1.0
    jump_from: float = 0.0
    jump_at: int | None = None
    timings: dict[str, list[float]] = field(default_factory=dict)
    step_time: tuple[float, float] | None = None


class Steering:
    """The settings of every step of one run.

    Args:
        recipe: complete.
        num_rows: of the training data.
        horizon: of the run, in samples.
        direction: whether less ("min") or more ("max") of the objective is better.
        look_every: steps between two looks at the noise, where the recipe does not say.
    """

    def __init__(
        self, recipe: Recipe, *, num_rows: int, horizon: int, direction: str = "min", look_every: int = LOOK_SELDOM
    ) -> None:
        self._recipe, self._num_rows, self._horizon = recipe, num_rows, horizon
        self._look_every = recipe.batch.look_every or look_every
        self._sign = 1.0 if direction == "min" else -1.0
        self.changes: list[Change] = []
        optimizer, batch = recipe.optimizer, recipe.batch
        assert optimizer.learning_rate is not None, "a run takes a complete recipe"
        self._rule = batch.rule(optimizer.name)
        limit = batch.max_learning_rate
        self._first = min(batch.first_size(num_rows), num_rows)
        self._schedule, self._reactive = recipe.schedule.build(), recipe.schedule.reactive()
        self._policy = batch.build(num_rows, schedule=self._schedule)
        self._observing = batch.observing(num_rows=num_rows, horizon=horizon) if batch.is_observing else None
        self._base = Knobs(
            optimizer.learning_rate, optimizer.weight_decay, optimizer.beta1, optimizer.beta2, optimizer.epsilon
        )
        if batch.reference_size is not None and batch.coupling != "none":
            rule = batch.coupling
            self._base, moved = _coupled(
                self._base, batch.reference_size, self._first, optimizer.name, rule, limit=limit
            )
            for one in moved:
                reason = f"{one.reason}; the recipe's belongs to {batch.reference_size}"
                self.note(0, one.name, one.before, one.after, reason)
        self._momentum = _momentum_of(self._schedule, recipe)
        self._coupled: dict[tuple[int, float | None], Knobs] = {}
        self._state = _State(self._first)
        self._watched = self._reactive.init() if self._reactive else None
        self._seen = self._observing.init() if self._observing else None
        self._heard = 0
        self._is_timed = not is_constant(batch.policy)
        self._is_still = self._rule == "none" and batch.reference_size is None
        self._await_step_time()

    @property
    def looks_every(self) -> int | None:
        """Steps between two looks at the noise; None where no look is wanted."""
        return self._look_every if is_measured(self._recipe.batch.policy) else None

    @property
    def wants_dots(self) -> bool:
        """Whether a look should measure the part of the noise along the gradient."""
        return self._recipe.batch.policy == "inner_product_test"

    @property
    def noise_scale(self) -> float | None:
        """B_s as far as it is known now, in samples; None where it is not measured, or too noisy to be finite."""
        if self.looks_every is None or self._observing is None or self._seen is None:
            return None
        estimate = self._observing.stream.estimate(self._seen.noise)
        found = math.inf if estimate is None else float(estimate.noise_scale)
        return found if math.isfinite(found) else None

    @property
    def is_timed(self) -> bool:
        """Whether it wants to hear what steps take."""
        return self._is_timed

    def batch_size(self, samples: int) -> int:
        """How many rows the step at ``samples`` should look at; the end of an epoch may cut it."""
        if self._observing is not None:
            return self._state.batch_size
        return int(self._policy(samples / self._horizon, num_rows=self._num_rows))

    def settings(self, middle: float, batch_size: int) -> Settings:
        """What the optimizer is set to for a step with its middle at ``middle`` samples.

        Args:
            middle: the clock at the middle of the batch.
            batch_size: what ``batch_size`` answered for this step.
        """
        state = self._state
        multiplier = float(self._schedule(middle / self._horizon)) * state.multiplier * state.factor
        knobs = self._knobs(batch_size)
        rate = knobs.learning_rate
        if state.jump_at is not None:
            since = middle - state.jump_at
            rate = rate_after_jump(state.jump_from, rate, samples_since=since, length=JUMP_LENGTH * self._horizon)
        momentum = None if self._momentum is None else float(self._momentum(middle / self._horizon))
        if self._is_still and momentum is None:
            return Settings(rate * multiplier)  # the optimizer was built with the rest
        if momentum is None or knobs.beta1 is None:
            return Settings(rate * multiplier, knobs.weight_decay, knobs.beta1, knobs.beta2, knobs.epsilon, momentum)
        return Settings(rate * multiplier, knobs.weight_decay, momentum, knobs.beta2, knobs.epsilon)

    def stepped(self, samples: int, *, loss: float, learning_rate: float, noise: NoiseSample | None) -> None:
        """Hear what a step showed; ``samples`` is the clock after it. Steps without a look need not be told of."""
        if self._observing is None:
            return
        size, passed = self._state.batch_size, samples - self._heard
        self._heard = samples
        seen = Observation(size, self._num_rows, noise, loss, learning_rate, None, passed)
        self._seen, decision = self._observing.update(self._seen, seen)
        if decision.batch_size is not None:
            self._move_batch(samples, decision.batch_size, decision.reason)

    def looked(self, samples: int, value: float) -> None:
        """Hear the validation objective at a look."""
        value *= self._sign
        if self._reactive is not None:
            self._watched, answer = self._reactive.update(self._watched, value, position=samples / self._horizon)
            unit = " of the horizon" if answer.action == "cut" else ""
            self.note(samples, "rate_multiplier", self._state.multiplier, answer.multiplier, answer.reason + unit)
            self._state = replace(self._state, multiplier=answer.multiplier)
        if self._observing is not None and self.looks_every is None:
            seen = Observation(self._state.batch_size, self._num_rows, metric=value)
            self._seen, decision = self._observing.update(self._seen, seen)
            if decision.batch_size is not None:
                self._move_batch(samples, decision.batch_size, decision.reason)

    def timed(self, batch_size: int, seconds: float) -> None:
        """Hear what a step over so many rows took."""
        kept = self._state.timings.setdefault(str(batch_size), [])
        kept.append(seconds)
        if len(kept) > MOST_TIMINGS:
            del kept[0]
        if len(kept) == ENOUGH_TIMINGS:
            self._fit_step_time()

    def retry(self, samples: int, factor: float, reason: str) -> None:
        """Go on at a lower rate; the clock has gone back to ``samples``."""
        after = self._state.factor * factor
        self.note(samples, "rate_factor", self._state.factor, after, reason)
        self._state = replace(self._state, factor=after)

    def note(self, samples: int, name: str, before: float, after: float, reason: str) -> None:
        """Write down a change, where it is one."""
        if before != after:
            self.changes.append(Change(samples=samples, name=name, before=before, after=after, reason=reason))

    @property
    def remark(self) -> str:
        """What the moving batch bought on this device, or ""."""
        if not self._is_timed or self._recipe.batch.policy == "random":
            return ""
        usual = self._usual_times()
        if self._observing is not None:  # a look in parts times sizes that were never chosen
            chosen = {self._first, *(int(change.after) for change in self.changes if change.name == "batch_size")}
            usual = {size: seconds for size, seconds in usual.items() if size in chosen}
        if self._observing is not None and not any(change.name == "batch_size" for change in self.changes):
            looks, needed = self._looks_taken(), getattr(self._observing, "min_looks", 0)
            if self.looks_every is not None and looks < needed:
                return (
                    f"the batch stayed at {self._first}: {looks} looks at the noise are too few to tell, it takes "
                    f"{needed}; a lower batch.look_every takes more"
                )
            return f"the batch stayed at {self._first}: nothing that was measured asked for another size"
        if len(usual) < 2:
            return ""
        small, large = min(usual), max(usual)
        ratio = (usual[large] / large) / (usual[small] / small)
        pays = "larger batches save time here" if ratio < 0.9 else "larger batches save steps here, but hardly any time"
        return f"a sample takes {ratio:.2f} times as long at batch {large} as at {small}: {pays}"

    def _looks_taken(self) -> int:
        return 0 if self._seen is None or self.looks_every is None else int(self._seen.noise.looks)

    def to_json(self) -> dict[str, Any]:
        """Everything that going on needs, as plain values."""
        return {
            "state": asdict(self._state),
            "heard": self._heard,
            "watched": None if self._watched is None else self._watched.to_dict(),
            "seen": None if self._seen is None else self._seen.to_json(),
            "changes": [change.model_dump() for change in self.changes],
        }

    def load_json(self, value: dict[str, Any]) -> None:
        """Go on from what ``to_json`` wrote."""
        self._state, self._heard = _State(**value["state"]), value["heard"]
        if self._watched is not None:
            self._watched = type(self._watched).from_dict(value["watched"])
        if self._seen is not None:
            self._seen = type(self._seen).from_json(value["seen"])
        self.changes = [Change.model_validate(change) for change in value["changes"]]
        self._await_step_time()

    def _knobs(self, batch_size: int) -> Knobs:
        """The optimizer's settings at a batch size, before the schedule."""
        if self._rule == "none":
            return self._base
        key = (batch_size, self._state.noise_scale)
        if key not in self._coupled:
            self._coupled[key] = self._couple(batch_size)[0] if batch_size != self._first else self._base
        return self._coupled[key]

    def _couple(self, batch_size: int) -> tuple[Knobs, tuple[Moved, ...]]:
        scale, batch = self._state.noise_scale, self._recipe.batch
        name = self._recipe.optimizer.name
        limit = batch.max_learning_rate
        return _coupled(self._base, self._first, batch_size, name, self._rule, noise_scale=scale, limit=limit)

    def _move_batch(self, samples: int, size: int, reason: str) -> None:
        """Take another batch size, and what goes with it."""
        before, rate = self._state, self.settings(samples, self._state.batch_size).learning_rate
        old = self._knobs(before.batch_size)
        multiplier = float(self._schedule(samples / self._horizon)) * before.multiplier * before.factor
        found = self.noise_scale
        scale = None if found is None else max(found, 1.0)  # a batch has at least one row
        jump_from = rate / multiplier if multiplier > 0 else old.learning_rate
        self._state = replace(before, batch_size=size, noise_scale=scale, jump_from=jump_from, jump_at=samples)
        self.note(samples, "batch_size", before.batch_size, size, reason)
        new = self._knobs(size)
        why = {} if new is self._base else {moved.name: moved.reason for moved in self._couple(size)[1]}
        for name in ("learning_rate", "weight_decay", "beta1", "beta2", "epsilon"):
            is_cycled = name == "beta1" and self._momentum is not None
            if getattr(new, name) is not None and not is_cycled:
                reason = why.get(name, "as the recipe has it")
                self.note(samples, name, getattr(old, name), getattr(new, name), reason)

    def _await_step_time(self) -> None:
        """Goodput needs the time of a step at two sizes; until it has them it lets the batch be."""
        if self._recipe.batch.policy != "goodput" or self._observing is None:
            return
        if self._state.step_time is None:
            self._observing = replace(self._observing, reading=_says_nothing)
            return
        batch, fitted = self._recipe.batch, StepTime(*self._state.step_time)
        self._observing = batch.observing(num_rows=self._num_rows, horizon=self._horizon, step_time=fitted)

    def _fit_step_time(self) -> None:
        """Fit what steps take, once enough are timed at two sizes, and anew when another size has its timings."""
        usual = self._usual_times()
        if self._recipe.batch.policy == "goodput" and len(usual) > 1:
            fitted = fit_step_time(list(usual), list(usual.values()))
            self._state = replace(self._state, step_time=(fitted.overhead, fitted.per_row))
            self._await_step_time()

    def _usual_times(self) -> dict[int, float]:
        """The median seconds of a step, by batch size."""
        timings = self._state.timings.items()
        return {int(size): median(kept) for size, kept in timings if len(kept) >= ENOUGH_TIMINGS}


def _coupled(
    knobs: Knobs,
    size: int,
    new_size: int,
    optimizer: str,
    rule: str | None,
    *,
    noise_scale: float | None = None,
    limit: float | None = None,
) -> tuple[Knobs, tuple[Moved, ...]]:
    """The settings for another batch, and what moved; AdaScale without a measured noise takes it for endless."""
    return couple(
        knobs,
        optimizer=optimizer,
        batch_size=size,
        new_batch_size=new_size,
        coupling=rule,
        noise_scale=1e12 if noise_scale is None and rule == "adascale" else noise_scale,
        learning_rate_limit=limit,
    )


def _says_nothing(estimate: Any, situation: Any, /) -> float:
    del estimate, situation
    return math.nan


_says_nothing.grows_only = False  # type: ignore[attr-defined] # what a reading has


def _momentum_of(schedule: Any, recipe: Recipe) -> Any:
    """How a one-cycle schedule moves the optimizer's momentum, where it has one to move."""
    has_momentum = recipe.optimizer.momentum or recipe.optimizer.beta1
    return schedule.momentum if isinstance(schedule, one_cycle) and has_momentum else None
