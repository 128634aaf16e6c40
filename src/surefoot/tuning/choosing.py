"""Which run next and how far: the best third of every rung goes on, and a model of all runs says which and what is new.

Asynchronous successive halving (Li et al. 2020, arXiv:1810.05934) decides when a run goes on, so a wrong model costs
little; a Gaussian process over points and shares decides which one, and where the next begins. Each decision goes one
rung; whoever trains stops at the first look that is not finite, and what diverged keeps the search away from there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.tuning.improvement import log_expected_improvement
from surefoot.tuning.scores import Scale
from surefoot.tuning.surrogate import Looks, Surrogate, fit_surrogate

__all__ = ["RUNGS", "Decision", "End", "Progress", "choose", "expected_end"]

Array = npt.NDArray[np.float64]

ETA = 3
RUNGS = (1 / 27, 1 / 9, 1 / 3, 1.0)
# Of many runs the model sees the best ones and others evenly chosen by rank, of each its last looks.
MOST_RUNS, LOOKS_EACH = 120, 2
NORMAL_90 = 1.645  # 5 % of a normal lies further above
_ROOM = 1e-6  # a look a rounding error before a rung has reached it


@dataclass(frozen=True)
class Progress:
    """A run so far.

    Attributes:
        point: its coordinates, as ``points.encode`` gives them.
        shares: of the horizon at its looks, rising, in (0, 1].
        values: at its looks, lower being better; one that is not finite ends it as diverged.
    """

    point: Array
    shares: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def share(self) -> float:
        """How far it has come."""
        return self.shares[-1] if self.shares else 0.0

    @property
    def is_lost(self) -> bool:
        """Whether it diverged."""
        return not all(map(math.isfinite, self.values))

    @property
    def lowest(self) -> float:
        """What it has come to, infinite where it diverged or has no look."""
        return math.inf if self.is_lost else min(self.values, default=math.inf)


@dataclass(frozen=True)
class Decision:
    """What to do next: one of ``run`` and ``fresh`` is a number, the other None.

    Attributes:
        run: which of the runs goes on.
        fresh: which of the fresh points begins.
        share: of the horizon to train up to.
    """

    run: int | None
    fresh: int | None
    share: float


@dataclass(frozen=True)
class End:
    """What a run is expected to come to at its best look by the end, with an interval of nine in ten."""

    value: float
    low: float
    high: float


def choose(runs: Sequence[Progress], *, fresh: Array, rungs: Sequence[float] = RUNGS) -> Decision | None:
    """The next step of a search, None when nothing is left to do.

    From the top rung down: a rung at which fewer than a third of the runs that came so far went on lets one go on,
    that with the largest expected improvement of its end over the lowest value so far. When all have, the fresh point
    with the largest begins. Expected improvement is of what a run would come to by the end of the horizon.

    Args:
        runs: all so far, in any order; the order decides only between equals. One that has no look yet goes first.
        fresh: coordinates of points that may begin, one a row; may be empty.
        rungs: shares of the horizon at which runs pause, rising, the last one 1.
    """
    begun = [index for index, run in enumerate(runs) if not run.values]
    if begun:
        return Decision(min(begun, key=lambda index: tuple(runs[index].point)), None, rungs[0])
    if not runs:
        return Decision(None, 0, rungs[0]) if len(fresh) else None
    levels, seen = [_level(run, rungs) for run in runs], _kept(runs)
    model, _ = _model(runs, seen)
    waiting = _waiting(runs, levels, seen, num_rungs=len(rungs))
    if not waiting and len(fresh):
        index = int(np.argmax(_promise(model, points=fresh)))
        return Decision(None, index, rungs[0])
    if not waiting:
        waiting = [index for index in seen if not runs[index].is_lost and levels[index] < len(rungs)]
    if not waiting:
        return _any_paused(runs, levels, rungs)
    owners = np.array([seen.index(index) for index in waiting])
    points = np.stack([runs[index].point for index in waiting])
    index = waiting[int(np.argmax(_promise(model, points=points, owners=owners)))]
    return Decision(index, None, rungs[levels[index]])


def expected_end(runs: Sequence[Progress], index: int) -> End:
    """What one of the runs will come to; no less certain and no higher than what it has already reached.

    A run that diverged, or that nothing is known of, has not-a-number for each. The interval is that of the process; it
    was seen to be too narrow where most runs have not begun to learn (docs/log.md, 2026-11-21).
    """
    run = runs[index]
    if run.is_lost or not run.values:
        return End(math.nan, math.nan, math.nan)
    if run.share >= 1.0 - _ROOM:
        return End(run.lowest, run.lowest, run.lowest)
    seen = _kept(runs)
    seen += [] if index in seen else [index]
    model, scale = _model(runs, seen)
    means, deviations = model.predict(run.point[None], runs=np.array([seen.index(index)]))
    mean, margin = float(means[0]), NORMAL_90 * float(deviations[0])
    low, value, high = (scale.value(score) for score in (mean - margin, mean, mean + margin))
    return End(min(value, run.lowest), min(low, run.lowest), min(high, run.lowest))


def _level(run: Progress, rungs: Sequence[float]) -> int:
    """How many rungs it has come to; a diverged one counts as having come to the rung it was on its way to."""
    return sum(run.share >= rung - _ROOM for rung in rungs) + run.is_lost


def _waiting(runs: Sequence[Progress], levels: list[int], seen: list[int], *, num_rungs: int) -> list[int]:
    """The runs on the highest rung that has let too few go on, empty when there is none."""
    for level in range(num_rungs - 1, -1, -1):
        here = [index for index in seen if levels[index] == level and not runs[index].is_lost]
        num_came, num_left = (sum(other >= rung for other in levels) for rung in (level, level + 1))
        if here and (level == 0 or num_left < num_came // ETA):
            return here
    return []


def _any_paused(runs: Sequence[Progress], levels: list[int], rungs: Sequence[float]) -> Decision | None:
    """The lowest paused run, for when no model can say which."""
    paused = [index for index, run in enumerate(runs) if not run.is_lost and levels[index] < len(rungs)]
    if not paused:
        return None
    index = min(paused, key=lambda index: (runs[index].lowest, tuple(runs[index].point)))
    return Decision(index, None, rungs[levels[index]])


def _kept(runs: Sequence[Progress]) -> list[int]:
    """The runs the model sees, best first: their order depends on what they are and not on when they came."""
    known = [index for index, run in enumerate(runs) if run.values]
    ranked = sorted(known, key=lambda index: (runs[index].lowest, tuple(runs[index].point)))
    best, rest = ranked[: MOST_RUNS // 2], ranked[MOST_RUNS // 2 :]
    if len(rest) > MOST_RUNS - len(best):
        rest = [rest[index] for index in np.linspace(0, len(rest) - 1, MOST_RUNS - len(best)).round().astype(int)]
    return best + rest


def _model(runs: Sequence[Progress], seen: list[int]) -> tuple[Surrogate, Scale]:
    """The process over the last looks of the runs; one that diverged is the worst score at the end of its point."""
    rows: list[tuple[int, float, float]] = []
    for number, index in enumerate(seen):
        run = runs[index]
        if run.is_lost:
            rows.append((number, 1.0, math.inf))
            continue
        lowest = np.minimum.accumulate(run.values)
        rows.extend((number, run.shares[look], float(lowest[look])) for look in _telling(run.shares))
    numbers, shares, values = (np.array(column) for column in zip(*rows, strict=True))
    scale = Scale.of(np.array([runs[index].lowest for index in seen]))
    points = np.stack([runs[seen[number]].point for number in numbers])
    return fit_surrogate(Looks(points, numbers, shares, scale.score(values))), scale


def _telling(shares: tuple[float, ...]) -> list[int]:
    """The last look and those a third as far, a ninth as far and so on, the later the better."""
    found = [len(shares) - 1]
    while len(found) < LOOKS_EACH:
        before = [look for look in range(found[-1]) if shares[look] <= shares[found[-1]] / ETA * 1.1]
        if not before:
            break
        found.append(before[-1])
    return found


def _promise(model: Surrogate, *, points: Array, owners: npt.NDArray[np.int64] | None = None) -> Array:
    """The logarithm of how far each end lies below the lowest score so far, which is 0, in the mean."""
    mean, deviation = model.predict(points, runs=owners)
    return log_expected_improvement(mean, deviation, target=0.0)
