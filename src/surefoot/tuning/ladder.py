"""The ladder of complete short schedules: many runs at a small share of the horizon, few at a larger one, one in full.

A run whose warmup, cosine and decay fit inside a sixteenth of the horizon ends as a usable model, and its validation
loss is comparable as it stands; a long run that is cut short is not. The best rate falls and the best decay rises as
the horizon grows, so every rung starts from what the one below it found, a little lower and more regularised.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from surefoot import seeds
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe, takes
from surefoot.records import Run
from surefoot.space import Dimension
from surefoot.tuning.decay import with_decay_coordinate

__all__ = ["Ladder", "Rung", "Start", "plan_rungs", "with_optimizer"]

# Where the decay coordinate c = Σ ηλ stands at the foot and at the top of the ladder, measured: see docs/log.md.
DECAY_AT_FOOT, DECAY_AT_TOP = 0.3, 1.5
# The rates of the foot, as multiples of the range test's minimum; each optimizer walks through them in this order.
FOOT_FACTORS = (1 / 3, 1.0, 1 / 9, 3.0, 1 / 27, 3**-0.5, 3**-1.5, 3**0.5, 3**-2.5, 1 / 81)
# From one rung to the next the rate falls by this for four times the horizon.
RATE_FALL = 1.5
MAX_RESCUES = 3
# A schedule of fewer optimizer steps than this tells nothing about its rate.
FEWEST_STEPS = 8
RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: so many runs at this share of the horizon."""

    share: float
    runs: int

    @property
    def name(self) -> str:
        """The share as a fraction."""
        return str(Fraction(self.share).limit_denominator(4096))


@dataclass(frozen=True)
class Start:
    """Where the search begins with an optimizer.

    Attributes:
        optimizer: its name.
        edge: the rate at the minimum of its range test, or a prior's.
        limit: rates from here on diverged, None when that is not known.
    """

    optimizer: str
    edge: float
    limit: float | None = None


def plan_rungs(trainings: float, *, num_steps: float = math.inf) -> tuple[Rung, ...]:
    """The ladder that fits into a budget, planned backwards from its top.

    The longest run that leaves a tenth comes first; of what is left, about half goes to runs of a quarter of it, the
    rest to short ones. A budget for several full runs makes every rung wider; a training of few steps has no short
    ones: a schedule squeezed into a handful of steps tells nothing.

    Args:
        trainings: what may be spent, probes already taken off; nothing fits into 0 or less.
        num_steps: optimizer steps of one training.

    >>> [(rung.name, rung.runs) for rung in plan_rungs(1.9)]
    [('1/16', 6), ('1/4', 2), ('1', 1)]
    >>> [(rung.name, rung.runs) for rung in plan_rungs(1.9, num_steps=40)]
    [('1/4', 3), ('1', 1)]
    """
    if trainings <= 0:
        return ()
    top = 1.0
    while top > 0.9 * trainings:
        top /= 2.0
    divisors = [divisor for divisor in (16, 32, 64) if num_steps * top / divisor >= FEWEST_STEPS]
    num_top = max(1, int(trainings / top / 2.0))
    left = trainings - num_top * top
    middle = min(int((0.6 if divisors else 1.0) * left / (top / 4)), 6 * num_top)
    if num_steps * top / 4 < FEWEST_STEPS:
        middle = 0
        num_top = int(trainings / top)
    left = trainings - num_top * top - middle * top / 4
    short = [Rung(top / divisor, min(int(left * divisor / top + 1e-9), 16 * num_top)) for divisor in divisors]
    foot = next((rung for rung in short if rung.runs >= 4), short[-1] if short else Rung(top / 16, 0))
    return tuple(rung for rung in (foot, Rung(top / 4, middle), Rung(top, num_top)) if rung.runs)


@dataclass(frozen=True)
class Ladder:
    """Proposes the next runs from the runs so far; the same runs always give the same proposal.

    Args:
        rungs: from the foot to the top.
        starts: one an optimizer, the preferred one first.
        base: a complete recipe that supplies everything that is not searched.
        num_rows: of the training data.
        training_samples: samples of one training.
        allowed_samples: what all runs together may cost; a run that no longer fits whole gets a shorter horizon.
        seed: of the study.
        space: further keys that may vary, drawn once at the foot and inherited upwards.
    """

    rungs: tuple[Rung, ...]
    starts: tuple[Start, ...]
    base: Recipe
    num_rows: int
    training_samples: int
    allowed_samples: int
    seed: int
    space: Mapping[str, Dimension] = field(default_factory=dict)

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        """The rest of a rung, whose runs do not depend on each other; one run at a time where a rung failed whole."""
        below: Sequence[Run] = ()
        for index, rung in enumerate(self.rungs):
            earlier = [run for run in runs if run.coordinates["rung"] < index]
            here = sorted((run for run in runs if run.coordinates["rung"] == index), key=lambda run: run.number)
            if len(here) < rung.runs:
                return tuple(self._rung(index, earlier, below, made={run.number for run in here}))
            usable = [run for run in here if run.best is not None]
            if not usable and not below:
                if len(here) - rung.runs >= MAX_RESCUES:
                    return ()
                rescue = self._candidate([*earlier, *here], index, self._rescue(here), place=0)
                return (rescue,) if rescue is not None else ()
            below = usable or below
        return ()

    def _rung(self, index: int, earlier: Sequence[Run], below: Sequence[Run], *, made: set[int]) -> Iterator[Candidate]:
        """Every run of a rung that is not made yet, as long as the budget lasts."""
        rung = self.rungs[index]
        for place in range(rung.runs):
            if len(earlier) + place not in made:
                point = self._foot(place) if index == 0 else self._next(below, place, rung)
                candidate = self._candidate(earlier, index, point, place=place)
                if candidate is None:
                    return
                yield candidate

    def _foot(self, index: int) -> dict[str, Any]:
        """The starting points: the optimizers take turns, each walking through its rates."""
        start = self.starts[index % len(self.starts)]
        turn = index // len(self.starts)
        rate = start.edge * FOOT_FACTORS[turn % len(FOOT_FACTORS)]
        if start.limit is not None:
            rate = min(rate, start.limit / 2)
        allowed = self.space.get(RATE)
        if allowed is not None and allowed.clip(rate) != rate:
            rate = allowed.at((index + 0.5) / self.rungs[0].runs)
        return {"optimizer": start.optimizer, "learning_rate": rate, **self._drawn(index)}

    def _drawn(self, index: int) -> dict[str, Any]:
        """Values for the space's keys, spread evenly over the foot's runs and shuffled key by key."""
        count = self.rungs[0].runs
        found = {}
        for key, dimension in self.space.items():
            if key in {RATE, "optimizer.name"}:
                continue
            order = seeds.stream(self.seed, "space", key).permutation(count)
            found[key] = dimension.at((int(order[index % count]) + 0.5) / count)
        return found

    def _next(self, below: Sequence[Run], index: int, rung: Rung) -> dict[str, Any]:
        """What the rung below teaches: its best point a little lower, then a third of that, then the runners-up."""
        ranked = sorted(below, key=lambda run: run.value if run.objective.direction == "min" else -run.value)
        best = ranked[0].coordinates
        fall = RATE_FALL ** (_quarterings(ranked[0].share, rung.share))
        if index == 1:
            fall *= 3.0
        elif index > 1:
            best = ranked[(index - 1) % len(ranked)].coordinates
        return {**_point(best), "learning_rate": best["learning_rate"] / fall}

    def _rescue(self, failed: Sequence[Run]) -> dict[str, Any]:
        """Everything so far failed: a tenth of the lowest rate that diverged, or half of the batch that did not fit."""
        lowest = min(failed, key=lambda run: float(run.coordinates["learning_rate"]))
        if all(run.status == "out_of_memory" for run in failed):
            smallest = min(int(run.recipe["batch"]["size"]) for run in failed)
            return {**_point(lowest.coordinates), "batch.size": max(1, smallest // 2)}
        return {**_point(lowest.coordinates), "learning_rate": lowest.coordinates["learning_rate"] / 10.0}

    def _candidate(self, earlier: Sequence[Run], index: int, point: dict[str, Any], *, place: int) -> Candidate | None:
        """The run at this point, None when too little of the budget is left for it.

        Those before it in the rung, ``place`` of them, are counted in full, whether they are finished or not.
        """
        number, rung = len(earlier) + place, self.rungs[index]
        spent = sum(run.samples for run in earlier)
        left = (self.allowed_samples - spent) / self.training_samples - place * rung.share
        if left * self.training_samples < 1 or (left < rung.share / 2 and any(run.best is not None for run in earlier)):
            return None
        share = min(rung.share, left)
        rate = _readable(point["learning_rate"])
        point = {**point, "learning_rate": self.space[RATE].clip(rate) if RATE in self.space else rate}
        recipe = self._recipe(point)
        decay = self._decay(index)
        if "optimizer.weight_decay" not in self.space:
            steps = share * self.training_samples * recipe.steps_per_sample(self.num_rows)
            exact = with_decay_coordinate(recipe, decay, num_steps=steps).optimizer.weight_decay
            recipe = recipe.with_changes({"optimizer.weight_decay": _readable(exact)})
            point = {**point, "decay": decay}
        return Candidate(
            number=number,
            name=f"run {number + 1}",
            stage=rung.name,
            share=share,
            recipe=recipe,
            seed=seeds.derive(self.seed, "run", number),
            coordinates={**point, "rung": index},
        )

    def _recipe(self, point: dict[str, Any]) -> Recipe:
        changes = {key: value for key, value in point.items() if "." in key}
        changes["optimizer.name"] = point["optimizer"]
        changes[RATE] = point["learning_rate"]
        base = with_optimizer(self.base, point["optimizer"])
        taken = {key: value for key, value in changes.items() if takes(point["optimizer"], key)}
        return base.with_changes(taken).complete(self.num_rows)

    def _decay(self, index: int) -> float:
        """The decay coordinate of a rung: it rises geometrically from the foot to the top."""
        if len(self.rungs) == 1:
            return DECAY_AT_TOP
        return float(DECAY_AT_FOOT * (DECAY_AT_TOP / DECAY_AT_FOOT) ** (index / (len(self.rungs) - 1)))


def with_optimizer(base: Recipe, name: str) -> Recipe:
    """The base recipe with an optimizer's own defaults, where it is not the base's optimizer."""
    if base.optimizer.name == name:
        return base
    sections = base.to_dict()
    sections["optimizer"] = {"name": name}
    return Recipe(**{**sections, "optimizer": Recipe(**sections).optimizer.complete().model_dump(exclude_none=True)})


def _readable(value: float) -> float:
    """Three digits: a search knows no more, and a person can copy them."""
    return float(f"{value:.3g}")


def _point(coordinates: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in coordinates.items() if key not in {"rung", "decay"}}


def _quarterings(share: float, longer: float) -> float:
    """How many times ``share`` was made four times as long."""
    exponent = 0.0
    while share * 2.0 <= longer * 1.001:
        share *= 2.0
        exponent += 0.5
    return exponent
