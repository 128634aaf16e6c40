"""Which learning rate and batch size fit this model on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from surefoot import reports, seeds
from surefoot.batching import HOLD_DECAY, NoiseSample
from surefoot.curves.ends import horizon_factor
from surefoot.curves.sweep import BELOW_MINIMUM
from surefoot.errors import UnsupportedError
from surefoot.language import language as spoken_in
from surefoot.probes import capacity, range_test, read_noise, sharpness, short_trainings
from surefoot.probes.frontier import frontier, suggest_batch
from surefoot.probes.noise_scale import last_known
from surefoot.probes.short_trainings import MOST_TRAININGS, Looks
from surefoot.probes.suggestion import (
    Witness,
    at_batch,
    from_range_test,
    from_short_trainings,
    highest_rate,
    prior,
    suggest_rate,
)
from surefoot.protocols import TrainableFactory
from surefoot.recipe import Recipe
from surefoot.records import (
    Capacity,
    NoiseReading,
    ProbeReport,
    RangeTest,
    Sharpness,
    ShortTrainings,
    Suggestion,
)
from surefoot.tasks import Task
from surefoot.tuning.decay import with_decay_coordinate
from surefoot.workflows.backend import open_task, require_recipe, require_seed
from surefoot.workflows.company import require_one_process
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.measuring import PROBE_BATCH, allowance
from surefoot.workflows.result import versions

__all__ = ["Probe", "probe"]

Measured = TypeVar("Measured")

# Set by eye: how what a probe may cost is shared out; what one part leaves, the next may take.
SWEEP_SHARE, SHORT_SHARE, SHARPNESS_SHARE = 0.15, 0.65, 0.1
FEWEST_SWEEP_STEPS, USUAL_SWEEP_STEPS, MOST_SEEDS = 24, 48, 3
FEWEST_SHORT_STEPS, MOST_SHORT_STEPS = 12, 512
# Rows a step of a probe: halved, down to the smallest, until it can pay for so many steps.
SMALLEST_BATCH, ENOUGH_STEPS = 4, 160
# Rows that the curvature is taken over, such that so many products are affordable.
FEWEST_CURVED_ROWS, MOST_CURVED_ROWS, USUAL_PRODUCTS = 8, 256, 8
# No batch is larger than one of so many of all rows: an epoch must hold some steps.
LARGEST_SHARE = 4
# The decay that does well nearly everywhere, in its own coordinate (docs/log.md, 2026-11-20).
DECAY = 1.5


@dataclass(frozen=True)
class Probe:
    """What a probe says.

    Attributes:
        record: what was measured and what it suggests.
    """

    record: ProbeReport

    def __str__(self) -> str:
        """What it says, as the command prints it."""
        return reports.probe_text(self.record)

    @property
    def learning_rate(self) -> Suggestion:
        """The suggested rate at the recipe's own batch size: ``.low``, ``.value``, ``.high``, and the ``.reason``."""
        return self.record.learning_rate

    @property
    def weight_decay(self) -> Suggestion:
        """The suggested decay for that rate and the recipe's own batch size, in the optimizer's units."""
        return self.record.weight_decay

    @property
    def batch_size(self) -> Suggestion:
        """The suggested batch size; the rate that goes with it is in ``record.frontier``."""
        return self.record.batch_size

    @property
    def noise_scale(self) -> NoiseReading | None:
        """The gradient noise scale after a short descent, or now where that is all that is known."""
        return last_known(self.record.noise)

    @property
    def range_test(self) -> RangeTest | None:
        """The sweep and how it reads; None where it was not affordable."""
        return self.record.range_test

    @property
    def capacity(self) -> Capacity | None:
        """Speed and memory against batch size."""
        return self.record.capacity

    @property
    def sharpness(self) -> Sharpness | None:
        """The top of the Hessian's spectrum."""
        return self.record.sharpness

    @property
    def trainings(self) -> float:
        """The price."""
        return self.record.trainings

    @property
    def reason(self) -> str:
        """What the suggested rate follows from, or why there is none."""
        return self.record.learning_rate.reason

    def report(self, path: str | Path, *, language: str = "en") -> Path:
        """Write what was measured as a page (.html), in English or Chinese ("zh"), or as a picture (.png)."""
        with spoken_in(language):
            return reports.write_probe(self.record, Path(path))


def probe(task: Task, recipe: Recipe | None = None, *, seed: int = 0) -> Probe:
    """Which learning rate, decay and batch size fit this model on this machine; nothing that was measured is changed.

    All of it together costs at most 15 % of a training that has fewer than 4,000 steps, 5 % of a longer one, and says
    what it cost. Ctrl-C ends it with what is known by then.

    Args:
        task: what to train on.
        recipe: its optimizer, batch and schedule are probed; None takes the defaults. Its rate is not looked at.
        seed: of the initial weights and the order of the rows.

    Raises:
        TaskError: the task cannot be trained with this recipe.
    """
    require_one_process("probe", "probe without torchrun, then train in several with surefoot fit")
    seed = require_seed(seed)
    factory, complete = open_task(task, require_recipe(recipe))
    with interruptible() as should_stop:
        return Probe(_Probing(factory, complete, seed, should_stop).report(task.name))


@dataclass
class _Probing:
    """One probe in progress.

    Attributes:
        spent: samples so far.
        notes: what was left out, and why.
    """

    factory: TrainableFactory
    recipe: Recipe
    seed: int
    should_stop: Callable[[], bool]
    spent: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.allowed = allowance(self.factory, self.recipe)
        self.batch_size = min(self.recipe.batch.first_size(self.factory.num_rows), self.factory.num_rows)
        self.probe_batch = PROBE_BATCH
        while self.probe_batch > SMALLEST_BATCH and self.allowed < ENOUGH_STEPS * self.probe_batch:
            self.probe_batch //= 2
        self.probe_batch = min(self.probe_batch, self.batch_size)

    def report(self, task: str) -> ProbeReport:
        """Measure everything that is affordable, and say what follows."""
        started = time.perf_counter()
        early, late = list[NoiseSample](), Looks()
        sweep = self._asked(lambda: self._sweep(early))
        edge = None if sweep is None or sweep.value is None else BELOW_MINIMUM * sweep.value
        curvature = list[Sharpness]()
        short = self._asked(lambda: self._short(sweep, late, curvature))
        room = self._asked(self._capacity)
        noise = self._noise(early, late, short)
        ratio = self.batch_size / self.probe_batch
        highest = highest_rate(edge=edge, curvature_limit=_limit(curvature), ratio=ratio)
        rate = self._rate(sweep, short, noise, highest, room)
        points = frontier(
            noise,
            room,
            optimizer=self.recipe.optimizer.name,
            batch_size=self.batch_size,
            learning_rate=rate,
            samples=self.factory.training_samples,
            highest=highest,
        )
        size = suggest_batch(points, room)
        if rate.value is not None and size.value is not None and size.value != self.batch_size:
            self.notes.append(f"learning rate and decay are for the recipe's batch of {self.batch_size}")
        if self.should_stop():
            self.notes.append("stopped before everything was measured")
        return ProbeReport(
            task=task,
            seed=self.seed,
            recipe=self.recipe.to_dict(),
            range_test=sweep,
            short_trainings=short,
            noise=noise,
            capacity=room,
            sharpness=curvature[0] if curvature else None,
            learning_rate=rate,
            weight_decay=self._decay(rate),
            batch_size=size,
            frontier=tuple(
                point.model_copy(update={"is_suggested": point.batch_size == size.value}) for point in points
            ),
            notes=tuple(self.notes),
            trainings=self.spent / self.factory.training_samples,
            samples=self.spent,
            seconds=time.perf_counter() - started,
            versions=versions(),
        )

    def _asked(self, measure: Callable[[], Measured | None]) -> Measured | None:
        """What a probe measures; None and a note where the framework cannot be asked for it."""
        try:
            return measure()
        except UnsupportedError as error:
            self.notes.append(str(error))
            return None

    def _sweep(self, looks: list[NoiseSample]) -> RangeTest | None:
        """Range tests of as many seeds as are affordable."""
        steps = int(SWEEP_SHARE * self.allowed / self.probe_batch)
        count = min(MOST_SEEDS, steps // USUAL_SWEEP_STEPS)
        if count < 1:
            steps, count = min(USUAL_SWEEP_STEPS, max(steps, FEWEST_SWEEP_STEPS)), 1
        if steps * self.probe_batch > self.allowed:
            self.notes.append(
                f"no range test: it takes {FEWEST_SWEEP_STEPS * self.probe_batch} samples, and a probe of a training "
                f"of {self.factory.training_samples} may take {int(self.allowed)}"
            )
            return None
        runs = (
            self.factory.create(self.recipe, seed=seeds.derive(self.seed, "probe", index)) for index in range(count)
        )
        test = range_test(
            runs,
            optimizer=self.recipe.optimizer.name,
            batch_size=self.probe_batch,
            num_steps=min(steps // count, USUAL_SWEEP_STEPS),
            looks=looks,
            should_stop=self.should_stop,
        )
        self.spent += test.samples
        return test

    def _short(self, sweep: RangeTest | None, looks: Looks, curvature: list[Sharpness]) -> ShortTrainings | None:
        """Short complete trainings around what the sweep and the usual rates say."""
        affordable = (SWEEP_SHARE + SHORT_SHARE) * self.allowed - self.spent
        steps = min(MOST_SHORT_STEPS, int(affordable / self.probe_batch / MOST_TRAININGS))
        if self.should_stop() or steps < FEWEST_SHORT_STEPS:
            self.notes.append("no short trainings: they would have cost too much")
            return None
        known = [prior(self.recipe.optimizer, batch_size=self.probe_batch)]
        if sweep is not None and sweep.value is not None:
            known.append(from_range_test(sweep.value))
        value = suggest_rate(*known).value
        assert value is not None
        horizon = self.factory.training_samples / self.probe_batch
        run = self.factory.create(self.recipe, seed=seeds.derive(self.seed, "probe", 0))

        def measure_curvature() -> None:
            affordable = int(SHARPNESS_SHARE * self.allowed)
            rows = min(MOST_CURVED_ROWS, self.factory.num_rows, affordable // (2 * USUAL_PRODUCTS + 1))
            if rows < FEWEST_CURVED_ROWS:
                self.notes.append("no sharpness: it would have cost too much")
                return
            found = self._asked(
                lambda: sharpness(
                    run,
                    optimizer=self.recipe.optimizer,
                    batch_size=rows,
                    max_samples=affordable,
                    l2=self.recipe.regularization.l2,
                    should_stop=self.should_stop,
                )
            )
            curvature.extend([found] if found is not None else [])

        found = short_trainings(
            run,
            center=value / horizon_factor(steps / horizon),
            batch_size=self.probe_batch,
            num_steps=steps,
            horizon=horizon,
            highest=_ceiling(sweep),
            looks=looks,
            after_first=measure_curvature,
            should_stop=self.should_stop,
        )
        self.spent += found.samples + sum(one.samples for one in curvature)
        return found

    def _capacity(self) -> Capacity | None:
        """Speed and memory with what is left."""
        if self.should_stop():
            return None
        found = capacity(
            self.factory.create(self.recipe, seed=seeds.derive(self.seed, "probe", 0)),
            max_samples=max(0, int(self.allowed - self.spent)),
            num_rows=self.factory.num_rows,
            smallest=self.probe_batch,
            largest=max(self.batch_size, self.factory.num_rows // LARGEST_SHARE),
            should_stop=self.should_stop,
        )
        self.spent += found.samples
        return found

    def _noise(self, early: list[NoiseSample], late: Looks, short: ShortTrainings | None) -> tuple[NoiseReading, ...]:
        """The noise scale now, and near the end of the short training that ended lowest."""
        readings = [read_noise(early, samples_seen=0)]
        ends = {} if short is None else dict(zip(short.rates, short.ends, strict=True))
        held = [rate for rate in late if math.isfinite(ends.get(rate, math.nan))]
        if short is not None and held:
            best = min(held, key=ends.__getitem__)
            seen = short.steps * short.batch_size
            readings.append(read_noise(late[best], samples_seen=seen))
        return tuple(readings)

    def _rate(
        self,
        sweep: RangeTest | None,
        short: ShortTrainings | None,
        noise: Sequence[NoiseReading],
        highest: float | None,
        room: Capacity | None,
    ) -> Suggestion:
        """One rate from everything that speaks; none where nothing was measured that says one."""
        witnesses = list[Witness]()
        if sweep is not None and sweep.value is not None:
            witnesses.append(from_range_test(sweep.value))
        if short is not None and short.value is not None:
            witnesses.append(from_short_trainings(short.value, samples=short.steps * short.batch_size))
        if not witnesses:
            return Suggestion(reason=_why_nothing(sweep, short, room))
        found = suggest_rate(*witnesses, prior(self.recipe.optimizer, batch_size=self.probe_batch))
        known = last_known(noise)
        return at_batch(
            found,
            self.recipe.optimizer.name,
            measured_at=self.probe_batch,
            batch_size=self.batch_size,
            noise_scale=None if known is None else known.value,
            limit=highest,
        )

    def _decay(self, rate: Suggestion) -> Suggestion:
        """The decay whose coordinate c = Σ ηλ over the training is the usual one."""
        if rate.value is None or rate.low is None or rate.high is None:
            return Suggestion(reason="it depends on the learning rate")
        name = self.recipe.optimizer.name
        if name not in HOLD_DECAY:
            return Suggestion(reason=f"{name} divides the decay by its moments, or finds its own rate; adamw does not")
        steps = self.factory.training_samples * self.recipe.steps_per_sample(self.factory.num_rows)
        low, value, high = (
            with_decay_coordinate(
                self.recipe.with_changes({"optimizer.learning_rate": each}), DECAY, num_steps=steps
            ).optimizer.weight_decay
            for each in (rate.high, rate.value, rate.low)
        )
        return Suggestion(low=low, value=value, high=high, reason=f"Σ ηλ = {DECAY:g} over the training")


def _ceiling(sweep: RangeTest | None) -> float:
    """No short training's peak is above this."""
    return math.inf if sweep is None or sweep.diverged_above is None else sweep.diverged_above


def _limit(curvature: Sequence[Sharpness]) -> float | None:
    """The rate that the curvature forbids; one that was divided by young moments says too little to be used."""
    return curvature[0].limit if curvature and not curvature[0].is_preconditioned else None


def _why_nothing(sweep: RangeTest | None, short: ShortTrainings | None, room: Capacity | None) -> str:
    """Why there is no rate to suggest."""
    if room is not None and room.largest is None and room.limited_by == "memory":
        return room.reason or "not even the smallest batch fits in memory"
    reasons = dict.fromkeys(part.reason for part in (sweep, short) if part is not None and part.reason)
    return "; ".join(reasons) or "so short a training can pay for no probe: give more epochs"
