"""The ladder of complete short schedules: many short runs, a few longer ones, then one as long as what is left.

A run whose warmup, schedule and decay fit inside a twentieth of the horizon ends as a usable model, and its validation
loss is comparable as it stands; a long run that is cut short is not. What a rung taught is carried to the next with
the trend that is known (the best rate falls and the best decay rises with the horizon) and only as far as the
difference between its runs can be believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot import seeds
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Run, belief, gains, ranked
from surefoot.space import Dimension, active
from surefoot.tuning.plan import MOST_SHARE, Rung
from surefoot.tuning.point import BATCH, RATE, Point, is_like, point_of, rate_of
from surefoot.tuning.standstill import is_unreadable, longer_rungs, stands_still
from surefoot.tuning.start import FOOT_FACTORS, SPACING, Start, allowed_rate
from surefoot.tuning.valley import valley

__all__ = ["Ladder"]

# The decay coordinate c = Σ ηλ of a run over so many epochs, and how it rises with them: half way between a constant c
# and the constant timescale in epochs that Wang and Aitchison 2024 (arXiv:2405.13698) find (docs/log.md, 2026-11-21).
DECAY, DECAY_EPOCHS, DECAY_EXPONENT = 2.2, 15.0, 0.5
# Fewer rows than this want more of it, by this power of how many times fewer they are (docs/log.md, 2026-11-21).
ENOUGH_ROWS, ROWS_EXPONENT = 1000.0, 0.2
# How the best rate falls with the horizon, between not at all and the 0.32 of Bjorck et al. 2024 (docs/log.md,
# 2026-11-21).
RATE_EXPONENT = -0.22
# A rung above the foot tries the best point, a slower one, since early looks err towards high rates, and one more
# decayed; first another optimizer's best, where the foot does not tell the two apart with this certainty.
MORE_DECAY, SLOWER = 3.0, 1 / 2.5
CERTAIN, OPTIMIZER_DRIFT = 0.9, 0.15
# At the top the preferred optimizer is taken unless another one was better with this certainty.
CONVINCED, LITTLE_DRIFT = 0.8, 0.05
# Two rates may change places from the middle to the top by about this share of their values.
RATE_DRIFT = 0.12
# When the best rate of the foot is the highest or the lowest that was tried, the next one beyond it is tried too.
MOST_WIDENINGS = 2
MAX_RESCUES = 3
# A rung above another that gains less than this share of the loss says that longer runs gain next to nothing.
LEAST_GAIN = 0.05
# A last run shorter than this is not worth starting beside what there is.
LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Ladder:
    """Proposes the next runs from the runs so far; the same runs always give the same proposal.

    Args:
        rungs: from the foot to the top; the last one's runs take what is left.
        starts: one an optimizer, the preferred one first.
        base: a complete recipe that supplies everything that is not searched.
        num_rows: of the training data.
        training_samples: samples of one training.
        allowed_samples: what all runs together may cost; a run that no longer fits whole gets a shorter horizon.
        seed: of the study.
        space: further keys that may vary, drawn once at the foot and inherited upwards.
        decay: c of a whole training to begin with; None takes what the epochs and the rows want.
        guess: the validation loss of always giving the same answer; None where it is not known.
    """

    rungs: tuple[Rung, ...]
    starts: tuple[Start, ...]
    base: Recipe
    num_rows: int
    training_samples: int
    allowed_samples: int
    seed: int
    space: Mapping[str, Dimension] = field(default_factory=dict)
    decay: float | None = None
    guess: float | None = None

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        """The runs to make next, none of which waits for another; an empty tuple when the ladder is climbed."""
        done: list[Run] = []
        while wave := self._wave(done):
            numbers = {candidate.number for candidate in wave}
            finished = sorted((run for run in runs if run.number in numbers), key=lambda run: run.number)
            if len(finished) < len(wave):
                known = {run.number for run in finished}
                return tuple(candidate for candidate in wave if candidate.number not in known)
            done += finished
        return ()

    def at_full_length(self, run: Run) -> Recipe:
        """The recipe of a whole training at the point of a run that was shorter or longer."""
        point = self._brought(point_of(run), from_share=run.share, to_share=1.0)
        if stands_still([run], self.guess):
            point = self._undecayed(self._usual([run], share=1.0)[0])
        point = point.within(self.space)
        return point.recipe(self.base, num_rows=self.num_rows, samples=self.training_samples)

    def _wave(self, done: Sequence[Run]) -> tuple[Candidate, ...]:
        """The runs that follow once all of ``done`` have ended."""
        foot = [run for run in done if run.coordinates["rung"] == 0]
        if len(self.rungs) > 1 and len(foot) >= self.rungs[0].runs and is_unreadable(foot, self.guess):
            left = (self.allowed_samples - sum(run.samples for run in foot)) / self.training_samples
            return replace(self, rungs=longer_rungs(self.rungs, left=left))._next(done)
        return self._next(done)

    def _next(self, done: Sequence[Run]) -> tuple[Candidate, ...]:
        """Likewise, with the plan that holds now."""
        if not self.rungs:
            return ()
        level = max((int(run.coordinates["rung"]) for run in done), default=-1)
        here = [run for run in done if run.coordinates["rung"] == level]
        if level < 0:
            return self._candidates(done, 0, self._foot())
        if not ranked(done):
            rescues = len(here) - self.rungs[level].runs
            return self._candidates(done, level, [self._rescue(done)]) if rescues < MAX_RESCUES else ()
        if level + 1 < len(self.rungs):
            if is_unreadable(here, self.guess) if level == 0 else stands_still(done, self.guess):
                return self._candidates(done, level + 1, self._anew(done, level + 1))
            wider = self._wider(here) if level == 0 else None
            if wider is not None and len(here) < self.rungs[0].runs + MOST_WIDENINGS:
                return self._candidates(done, 0, [wider])
            points = self._top(done) if level + 2 == len(self.rungs) else self._middle(here, level + 1)
            return self._candidates(done, level + 1, points)
        return self._candidates(done, level, self._again(here))

    # What to try

    def _foot(self) -> list[Point]:
        """The starting points: the optimizers take turns, each walking through its rates."""
        count = self.rungs[0].runs
        points = []
        for index in range(count):
            start = self.starts[index % len(self.starts)]
            rate = start.edge * FOOT_FACTORS[index // len(self.starts) % len(FOOT_FACTORS)]
            rate = min(rate, self._limit(start.optimizer, ()))
            values = self._drawn(index, count, start.optimizer)
            allowed = self.space.get(RATE)
            if allowed is not None and allowed.clip(rate) != rate:
                rate = allowed_rate(allowed, rate, (index + 0.5) / count, is_alone=not values)
            why = "where the probes and the usual rates point"
            decay = self._decay(self.rungs[0].share) * self._slowed(start)
            point = Point(start.optimizer, rate, decay, values, why)
            points.append(self._at_its_batch(point))
        return points

    def _at_its_batch(self, point: Point) -> Point:
        """A point whose rate belongs to the base recipe's batch, with the rate that its own batch size asks for."""
        if BATCH not in point.values:
            return point
        return point.at_batch(point.values[BATCH], before=self.base.batch.first_size(self.num_rows))

    def _drawn(self, index: int, count: int, optimizer: str) -> dict[str, Any]:
        """Values for the space's keys, spread evenly over the foot's runs and shuffled key by key."""
        found = {}
        for key, dimension in self.space.items():
            if key in {RATE, "optimizer.name"}:
                continue
            order = seeds.stream(self.seed, "space", key).permutation(count)
            found[key] = dimension.at((int(order[index]) + 0.5) / count)
        drawn = active(self.space, {"optimizer.name": optimizer, **found})
        return {key: value for key, value in drawn.items() if key in found}

    def _wider(self, foot: Sequence[Run]) -> Point | None:
        """A rate beyond those that were tried, where the best one is the last on its side; None where it is not."""
        best = ranked(foot)[0]
        rates = sorted(rate_of(run) for run in foot if is_like(run, best))
        if len(rates) < 2 or RATE in self.space:
            return None
        lower, upper = best.coordinates["learning_rate"] / SPACING, best.coordinates["learning_rate"] * SPACING
        if rate_of(best) == rates[-1] and upper < self._limit(best.coordinates["optimizer"], foot):
            return replace(point_of(best), rate=upper, why=f"the highest rate so far was the best: {best.name}")
        if rate_of(best) != rates[0]:
            return None
        return replace(point_of(best), rate=lower, why=f"the lowest rate so far was the best: {best.name}")

    def _middle(self, below: Sequence[Run], level: int) -> list[Point]:
        """The best point of the rung below, brought to a longer horizon, and others beside it."""
        order = ranked(below)
        rung = self.rungs[level]
        best = self._carried(order[0], below, rung.share)
        points = [best]
        other = next((run for run in order if run.coordinates["optimizer"] != best.optimizer), None)
        if other is not None and belief(order[0], other, drift=OPTIMIZER_DRIFT) < CERTAIN:
            points.append(self._carried(other, below, rung.share))
        points.append(best.moved(rate=SLOWER, why=f"{order[0].name} at a lower rate, since short runs err upwards"))
        points.append(best.moved(decay=MORE_DECAY, why=f"{order[0].name} with more decay"))
        points += [self._carried(run, [run], rung.share) for run in order[1:] if not is_like(run, order[0])]
        points.append(best.moved(rate=SLOWER, decay=MORE_DECAY, why=f"{order[0].name}, slower and more decayed"))
        points.append(best.moved(rate=1 / SLOWER, why=f"{order[0].name} at a higher rate"))
        points = self._told_apart(points)
        return [points[index % len(points)] for index in range(rung.runs)]

    def _top(self, done: Sequence[Run]) -> list[Point]:
        """What all that was learned says of a run as long as is left."""
        rung = self.rungs[-1]
        level = len(self.rungs) - 2
        below = [run for run in done if run.coordinates["rung"] == level]
        below = below if ranked(below) else list(done)
        best = self._chosen(below)
        point = self._leaning(best, below)
        point = self._brought(point, from_share=best.share, to_share=self._share(done, rung.runs))
        points = [
            point,
            point.moved(decay=2.0, why=f"{best.name} with more decay"),
            point.moved(rate=0.5, why=f"{best.name} at a lower rate"),
            point.moved(rate=0.5, decay=2.0, why=f"{best.name}, slower and more decayed"),
        ]
        points = self._told_apart(points)
        shorter = ranked([run for run in done if run.coordinates["rung"] < level])
        count = rung.runs
        if count == 1 and shorter and not stands_still(shorter, self.guess) and not _pays(best, shorter[0]):
            count = 2  # a longer horizon gained next to nothing: two shorter runs, one of them more decayed
        return [points[index % len(points)] for index in range(count)]

    def _anew(self, done: Sequence[Run], level: int) -> list[Point]:
        """A rung's points where nothing can be carried on; at the top the untuned recipe is what is left to trust."""
        runs = self.rungs[level].runs
        if level < len(self.rungs) - 1:
            points = self._usual(done, share=self.rungs[level].share)
        else:
            points = [self._undecayed(point) for point in self._usual(done, share=self._share(done, runs))]
        return [points[index % len(points)] for index in range(runs)]

    def _undecayed(self, point: Point) -> Point:
        """The point without a decay that the user did not ask for: on a level it holds the weights back."""
        is_asked_for = self.decay is not None or self.base.optimizer.weight_decay > 0.0
        return point if is_asked_for else replace(point, decay=0.0)

    def _usual(self, done: Sequence[Run], *, share: float) -> list[Point]:
        """The optimizers at their usual rates and higher, the preferred one first.

        That one is of Adam's kind unless the user says otherwise: its steps do not shrink with a plateau's gradient.
        """
        why = "no run so far learned more than a constant answer: longer, at a usual rate"
        points = []
        for start in self.starts:
            usual = start.usual_rate(self.base, self.num_rows) * share**RATE_EXPONENT
            higher = start.prior * FOOT_FACTORS[0] * (share / self.rungs[0].share) ** RATE_EXPONENT
            own = [point_of(run).values for run in ranked(done) if run.coordinates["optimizer"] == start.optimizer]
            own = own or [self._drawn(0, 1, start.optimizer)]
            decay = self._decay(share) * self._slowed(start)
            for index, rate in enumerate((usual, max(higher, SPACING * usual))):
                point = Point(start.optimizer, rate, decay, own[index % len(own)], why)
                points.append(self._at_its_batch(point))
        return self._told_apart(points)

    def _chosen(self, below: Sequence[Run]) -> Run:
        """The run to build the top on: the best one, or the preferred optimizer's where that can hardly be told."""
        order = ranked(below)
        for start in self.starts:
            run = next((run for run in order if run.coordinates["optimizer"] == start.optimizer), None)
            if run is not None and belief(order[0], run, drift=LITTLE_DRIFT) < CONVINCED:
                return run
        return order[0]

    def _again(self, top: Sequence[Run]) -> list[Point]:
        """What to do with what is left when the top has run: once more where all of it failed, else be content."""
        lost = [run for run in top if run.status in {"diverged", "out_of_memory"}]
        if len(lost) < len(top) or len(lost) >= MAX_RESCUES:
            return []
        last = lost[-1]
        if last.status == "out_of_memory":
            return [replace(point_of(last), why=f"{last.name} did not fit in memory")]
        return [point_of(last).moved(rate=1 / SPACING, why=f"{last.name} diverged")]

    def _rescue(self, failed: Sequence[Run]) -> Point:
        """Everything so far failed: a tenth of the lowest rate that diverged, or half of the batch that did not fit."""
        lowest = min(failed, key=rate_of)
        if all(run.status == "out_of_memory" for run in failed):
            smallest = min(int(run.recipe["batch"]["size"]) for run in failed)
            point = point_of(lowest).at_batch(max(1, smallest // 2), before=smallest)
            return replace(point, why=f"a batch of {smallest} does not fit in memory")
        return point_of(lowest).moved(rate=0.1, why="everything so far diverged")

    # How far what was learned goes

    def _carried(self, run: Run, below: Sequence[Run], share: float) -> Point:
        """A run's point at a longer horizon, its rate read from all runs that differ from it in nothing else."""
        alike = [other for other in ranked(below) if is_like(other, run)]
        point = replace(point_of(run), rate=valley(alike or [run]), why=f"{run.name}, brought to a longer horizon")
        return self._brought(point, from_share=run.share, to_share=share)

    def _leaning(self, best: Run, others: Sequence[Run]) -> Point:
        """The best point, drawn towards those beside it as far as they cannot be told from it."""
        point = point_of(best)
        rate = decay = 1.0
        for other in ranked(others)[1:]:
            beside = point_of(other)
            if beside.optimizer != point.optimizer or beside.values != point.values:
                continue
            doubt = 1.0 - belief(best, other, drift=RATE_DRIFT)
            if math.isclose(beside.decay, point.decay):
                rate *= (beside.rate / point.rate) ** doubt
            elif math.isclose(beside.rate, point.rate):
                decay *= (beside.decay / point.decay) ** doubt
        why = f"{best.name}, brought to what is left"
        if (rate, decay) != (1.0, 1.0):
            why += "; drawn towards its neighbours as far as they could not be told apart"
        return point.moved(rate=rate, decay=decay, why=why)

    def _brought(self, point: Point, *, from_share: float, to_share: float) -> Point:
        """A point at another horizon: the best rate falls with it, the best decay rises."""
        longer = to_share / from_share
        return point.moved(rate=longer**RATE_EXPONENT, decay=longer**DECAY_EXPONENT)

    def _told_apart(self, points: Sequence[Point]) -> list[Point]:
        """The points without those that the allowed rates make the same as an earlier one."""
        if RATE not in self.space:
            return list(points)
        inside = [replace(point.within(self.space), why="") for point in points]
        return [point for index, point in enumerate(points) if inside[index] not in inside[:index]]

    def _decay(self, share: float) -> float:
        """The c that a run over this share begins with."""
        if self.decay is not None:
            return float(self.decay * share**DECAY_EXPONENT)
        epochs = share * self.training_samples / self.num_rows
        few = max(1.0, ENOUGH_ROWS / self.num_rows)
        return float(DECAY * few**ROWS_EXPONENT * (epochs / DECAY_EPOCHS) ** DECAY_EXPONENT)

    def _slowed(self, start: Start) -> float:
        """How far the allowed rates lie below those where the probes point: the best c falls with the rate.

        At a third of the best rate the best c was a third, on three tasks of three (docs/log.md, 2026-11-20).
        """
        usual = start.edge * FOOT_FACTORS[0]
        return 1.0 if RATE not in self.space else min(1.0, float(self.space[RATE].clip(usual)) / usual)

    def _limit(self, optimizer: str, runs: Sequence[Run]) -> float:
        """Half of the lowest rate that is known to diverge."""
        known = [start.limit for start in self.starts if start.optimizer == optimizer and start.limit is not None]
        seen = [rate_of(run) for run in runs if run.status == "diverged" and run.coordinates["optimizer"] == optimizer]
        return min((*known, *seen), default=math.inf) / 2.0

    # What fits

    def _share(self, done: Sequence[Run], runs: int) -> float:
        """The share of each of so many last runs: what is left, and at most ``MOST_SHARE``."""
        left = (self.allowed_samples - sum(run.samples for run in done)) / self.training_samples
        return min(MOST_SHARE, left / runs)

    def _candidates(self, done: Sequence[Run], level: int, points: Sequence[Point]) -> tuple[Candidate, ...]:
        """The runs at these points, as many as fit; none where too little of the budget is left."""
        rung, is_top = self.rungs[level], level == len(self.rungs) - 1
        least = min(LEAST_SHARE, rung.share / 2) if any(run.best is not None for run in done) else 0.0
        while points:
            share = self._share(done, len(points))
            share = share if is_top else min(rung.share, share)
            if share * self.training_samples >= 1 and share >= least:
                break
            points = points[:-1]
        else:
            return ()
        return tuple(
            self._candidate(len(done) + slot, share, level, self._possible(point, done).within(self.space))
            for slot, point in enumerate(points)
        )

    def _possible(self, point: Point, done: Sequence[Run]) -> Point:
        """The point below the batches that did not fit and the rates that diverged where all else was the same."""
        too_large = min((int(run.recipe["batch"]["size"]) for run in done if run.status == "out_of_memory"), default=0)
        size = int(point.values.get(BATCH, self.base.batch.first_size(self.num_rows)))
        if too_large and size >= too_large:
            point = point.at_batch(max(1, too_large // 2), before=size)
        alike = [run for run in done if point_of(run).values == point.values]
        return replace(point, rate=min(point.rate, self._limit(point.optimizer, alike)))

    def _candidate(self, number: int, share: float, level: int, point: Point) -> Candidate:
        recipe = point.recipe(self.base, num_rows=self.num_rows, samples=share * self.training_samples)
        return Candidate(
            number=number,
            name=f"run {number + 1}",
            stage=f"{share:.2g}",
            share=share,
            recipe=recipe,
            seed=seeds.derive(self.seed, "run", number),
            coordinates={**point.coordinates(), "rung": level},
        )


def _pays(longer: Run, shorter: Run) -> bool:
    """Whether the longer run was better by more than a look's error and by more than next to nothing."""
    return gains(longer, shorter) and abs(longer.judged - shorter.judged) > LEAST_GAIN * abs(shorter.judged)
