"""What every searcher must do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from surefoot.protocols import Candidate, Searcher
from surefoot.records import Evaluation, Objective, Run, RunStatus
from surefoot.training import horizon_of

__all__ = ["check_searcher", "simulated_run"]

MOST_RUNS = 2_000


def check_searcher(
    make: Callable[[], Searcher],
    *,
    training_samples: int,
    allowed_samples: int,
    value: Callable[[Candidate], float] | None = None,
    objective: Objective | None = None,
) -> None:
    """Check that a searcher is pure, keeps its numbers and its budget, ends, and survives runs that fail.

    Args:
        make: gives a fresh searcher of the same setting at every call.
        training_samples: samples of one training, as the searcher was told.
        allowed_samples: what all runs together may cost, as it was told.
        value: what a run comes to; None takes the distance of its rate from 0.01, in decades.
        objective: what decides between two runs; None takes the validation loss.

    Raises:
        AssertionError: the searcher breaks a rule, which the message names.
    """
    goal, comes_to = objective or Objective(), value or _distance
    endings: dict[str, tuple[RunStatus, ...]] = {
        "every run goes well": ("completed",),
        "some runs diverge": ("completed", "diverged", "completed", "completed", "diverged"),
        "every run diverges": ("diverged",),
        "nothing fits in memory": ("out_of_memory",),
        "every run stops early": ("stopped_early",),
    }
    for name, statuses in endings.items():

        def run_of(candidate: Candidate, statuses: tuple[RunStatus, ...] = statuses) -> Run:
            status = statuses[candidate.number % len(statuses)]
            return simulated_run(
                candidate, comes_to(candidate), status=status, training_samples=training_samples, objective=goal
            )

        waves = _searched(make(), run_of, name)
        _check_candidates([candidate for wave in waves for candidate in wave], name)
        _check_purity(make, waves, run_of, name)
        spent = sum(run_of(candidate).samples for wave in waves for candidate in wave)
        assert spent <= allowed_samples, f"{name}: the runs cost {spent} samples, allowed are {allowed_samples}"


def simulated_run(
    candidate: Candidate,
    value: float,
    *,
    status: RunStatus = "completed",
    training_samples: int,
    objective: Objective | None = None,
    looks: int = 4,
) -> Run:
    """The record of a run that was never made: its objective falls by halves to ``value``; a failure has no value.

    Args:
        candidate: what was to be run.
        value: of the objective at the end.
        status: how it ended; a run that diverged took a tenth of its samples, one that did not fit took none.
        training_samples: samples of one training.
        objective: what decides between two runs.
        looks: at the run, evenly spread.
    """
    goal, horizon = objective or Objective(), horizon_of(candidate.share, training_samples)
    is_usable = status in {"completed", "stopped_early"}
    taken = {"diverged": horizon // 10, "out_of_memory": 0, "stopped_early": horizon // 2}.get(status, horizon)
    settings = candidate.recipe.optimizer
    worse = 1.0 if goal.direction == "min" else -1.0
    seen = [
        Evaluation(
            samples=max(1, taken * look // looks), epoch=look / looks, train_loss=value, seconds=0.0,
            metrics={"validation_loss": value, goal.name: value + worse * (2.0**-look - 2.0**-looks)},
            batch_size=candidate.recipe.batch.size or 1, learning_rate=settings.learning_rate or 0.0,
        )
        for look in range(1, looks + 1)
    ]  # fmt: skip
    return candidate.record(
        horizon=horizon, status=status, reason="" if is_usable else f"simulated: {status}", samples=taken,
        steps=max(1, taken // 32), seconds=0.0, evaluations=tuple(seen) if is_usable else (),
        best=looks - 1 if is_usable else None, objective=goal,
    )  # fmt: skip


def _distance(candidate: Candidate) -> float:
    return abs(math.log10((candidate.recipe.optimizer.learning_rate or 1.0) / 0.01))


def _searched(searcher: Searcher, run_of: Callable[[Candidate], Run], name: str) -> list[tuple[Candidate, ...]]:
    """The waves of a whole search."""
    waves: list[tuple[Candidate, ...]] = []
    runs: list[Run] = []
    while wave := searcher.propose(tuple(runs)):
        waves.append(wave)
        runs += [run_of(candidate) for candidate in wave]
        assert len(runs) <= MOST_RUNS, f"{name}: a search must end; this one goes on after {MOST_RUNS} runs"
    return waves


def _check_candidates(candidates: Sequence[Candidate], name: str) -> None:
    numbers = [candidate.number for candidate in candidates]
    assert numbers == list(range(len(numbers))), f"{name}: numbers must count from 0 without gaps, not {numbers[:20]}"
    assert len({candidate.name for candidate in candidates}) == len(candidates), f"{name}: two runs share a name"
    for candidate in candidates:
        assert candidate.share > 0, f"{name}: run {candidate.number} has the share {candidate.share}"
        assert candidate.recipe.optimizer.learning_rate, (
            f"{name}: run {candidate.number} has no rate: complete the recipe"
        )
        text = json.dumps(candidate.coordinates, allow_nan=False)
        assert json.loads(text) == candidate.coordinates, f"{name}: coordinates must survive JSON: {text}"


def _check_purity(
    make: Callable[[], Searcher], waves: Sequence[tuple[Candidate, ...]], run_of: Callable[[Candidate], Run], name: str
) -> None:
    """The same runs give the same wave: in a new searcher, in any order, with any part of the wave made."""
    for place in sorted({0, len(waves) // 2, len(waves) - 1} & set(range(len(waves)))):
        before = [run_of(candidate) for wave in waves[:place] for candidate in wave]
        wave, searcher = waves[place], make()
        assert searcher.propose(before[::-1]) == wave, f"{name}: wave {place} depends on more than the finished runs"
        made = wave[1::2]
        rest = tuple(candidate for candidate in wave if candidate not in made)
        runs = [*(run_of(candidate) for candidate in made), *before]
        assert searcher.propose(runs) == rest, f"{name}: when some of wave {place} are finished, the rest must remain"
        assert searcher.propose(before) == wave, f"{name}: wave {place} depends on what was asked before"
