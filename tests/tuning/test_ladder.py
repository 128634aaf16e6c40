"""What the ladder proposes, and what it makes of what it sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.protocols import Candidate, Searcher
from surefoot.recipe import Recipe
from surefoot.records import Evaluation, Objective, Run
from surefoot.space import choice, log
from surefoot.tuning import Ladder, plan_rungs
from surefoot.tuning.start import Start
from surefoot.tuning.study import best_of

STARTS = (Start("adamw", 0.05, 0.5), Start("sgd", 0.3))
SAMPLES = 20_000


def ladder(trainings: float = 1.9, **changes: Any) -> Ladder:
    arguments = {
        "rungs": plan_rungs(trainings),
        "starts": STARTS,
        "base": Recipe().complete(1000),
        "num_rows": 1000,
        "training_samples": SAMPLES,
        "allowed_samples": round(trainings * SAMPLES),
        "seed": 0,
        **changes,
    }
    return Ladder(**arguments)


def finished(
    candidate: Candidate, value: float, *, samples: int = 1, error: float | None = 0.0, objective: Any = None
) -> Run:
    """A run that ended with this value; one that is not a number is a run that diverged."""
    is_usable = math.isfinite(value)
    objective = objective or Objective()
    look = Evaluation(
        samples=samples,
        epoch=1,
        train_loss=value,
        metrics={objective.name: value},
        learning_rate=0.1,
        batch_size=1,
        seconds=0,
        standard_error=error,
    )
    return candidate.record(
        horizon=samples,
        status="completed" if is_usable else "diverged",
        samples=samples,
        steps=1,
        seconds=0,
        evaluations=(look,),
        best=0 if is_usable else None,
        objective=objective,
    )


def climbed(
    searcher: Searcher,
    value_of: Callable[[Candidate], float],
    *,
    training_samples: int,
    error: float = 0.0,
    objective: Any = None,
) -> list[Run]:
    """Every run that a searcher asks for, with made-up values; a diverged one costs a tenth."""
    runs: list[Run] = []
    while wave := searcher.propose(runs):
        for candidate in wave:
            value = value_of(candidate)
            cost = candidate.share * training_samples * (1.0 if math.isfinite(value) else 0.1)
            runs.append(finished(candidate, value, samples=max(1, math.floor(cost)), error=error, objective=objective))
        assert len(runs) < 500
    return runs


def rate_of(candidate: Candidate | Run) -> float:
    return float(candidate.coordinates["learning_rate"])


def valley_at(best: float, *, steepness: float = 1.0) -> Any:
    return lambda candidate: 1.0 + steepness * math.log(rate_of(candidate) / best) ** 2


@given(st.floats(0.02, 12))
def test_a_plan_spends_its_budget_and_no_more(trainings: float) -> None:
    rungs = plan_rungs(trainings)
    assert sum(rung.runs * rung.share for rung in rungs) == pytest.approx(trainings)
    assert rungs[-1].share <= 1.5 + 1e-9
    assert [rung.share for rung in rungs] == sorted(rung.share for rung in rungs)


def test_nothing_fits_into_nothing() -> None:
    assert plan_rungs(0.0) == plan_rungs(-0.2) == ()
    assert ladder(rungs=()).propose([]) == ()


@given(st.floats(0.05, 3), st.integers(1, 400))
def test_schedules_of_a_handful_of_steps_are_not_planned(trainings: float, num_steps: int) -> None:
    rungs = plan_rungs(trainings, num_steps=num_steps)
    assert all(rung.share * num_steps >= 7.99 for rung in rungs[:-1])
    assert sum(rung.runs * rung.share for rung in rungs) <= trainings * (1 + 1e-9)


@settings(deadline=None, max_examples=8)
@given(st.floats(0.05, 8), st.floats(1e-4, 1), st.floats(0.1, 10))
def test_the_ladder_is_a_pure_function_of_the_runs(trainings: float, best_rate: float, steepness: float) -> None:
    searcher = ladder(trainings)
    runs = climbed(searcher, valley_at(best_rate, steepness=steepness), training_samples=SAMPLES)
    for end in {0, 1, len(runs) // 2, len(runs) - 1}:
        wave = searcher.propose(runs[:end][::-1])
        assert [candidate.number for candidate in wave] == list(range(end, end + len(wave)))
        for candidate, run in zip(wave, runs[end:], strict=False):
            assert (candidate.recipe.to_dict(), candidate.seed, candidate.share) == (run.recipe, run.seed, run.share)


@settings(deadline=None, max_examples=8)
@given(st.floats(0.05, 8), st.floats(1e-5, 10))
def test_the_budget_is_spent_and_never_exceeded(trainings: float, best_rate: float) -> None:
    runs = climbed(ladder(trainings), valley_at(best_rate), training_samples=SAMPLES)
    spent = sum(run.samples for run in runs)
    assert spent <= round(trainings * SAMPLES)
    assert spent >= 0.97 * trainings * SAMPLES - len(runs)


def test_a_wave_keeps_its_numbers_whichever_of_it_is_finished() -> None:
    searcher = ladder()
    wave = searcher.propose([])
    assert [candidate.number for candidate in wave] == [0, 1, 2, 3, 4]
    made = [finished(candidate, 1.0) for candidate in (wave[4], wave[1])]
    assert searcher.propose(made) == tuple(candidate for candidate in wave if candidate.number not in {1, 4})


@pytest.mark.parametrize("best_rate", [0.001, 0.004, 0.02, 0.1])
def test_the_last_run_stands_near_the_best_rate(best_rate: float) -> None:
    def value(candidate: Candidate) -> float:  # the best rate falls with the horizon as it is known to do
        found: float = valley_at(best_rate * candidate.share**-0.29)(candidate)
        return found - 0.3 * math.log(candidate.share) + 5.0 * (candidate.coordinates["optimizer"] == "sgd")

    last = climbed(ladder(starts=(Start("adamw", 0.05), Start("sgd", 0.3))), value, training_samples=SAMPLES)[-1]
    assert last.coordinates["optimizer"] == "adamw"
    assert last.share > 1.0
    assert best_rate / 2 < rate_of(last) < best_rate * 2


def test_a_best_rate_at_the_edge_is_looked_beyond() -> None:
    runs = climbed(ladder(), valley_at(0.001), training_samples=SAMPLES)
    assert min(map(rate_of, runs)) < 0.05 / 9 / 2


def test_what_cannot_be_told_apart_is_met_half_way() -> None:
    searcher = ladder(starts=STARTS[:1])
    runs = climbed(searcher, valley_at(0.015), training_samples=SAMPLES)
    middle = [run for run in runs if run.coordinates["rung"] == 1]
    assert len({run.coordinates["optimizer"] for run in middle}) == 1
    before = [run for run in runs if run.coordinates["rung"] == 0]

    def last_rate(*values: float, error: float) -> float:
        seen = [_with(run, value, error) for run, value in zip(middle, values, strict=True)]
        return rate_of(searcher.propose([*before, *seen])[0])

    apart, alike = last_rate(0.5, 0.9, 0.9, error=0.01), last_rate(0.5, 0.501, 0.9, error=0.1)
    slower = rate_of(middle[1]) / rate_of(middle[0])
    assert alike / apart == pytest.approx(slower**0.5, rel=0.02)


def _with(run: Run, value: float, error: float) -> Run:
    look = run.evaluations[0].model_copy(update={"metrics": {"validation_loss": value}, "standard_error": error})
    return run.model_copy(update={"evaluations": (look,)})


def _with(run: Run, value: float, error: float) -> Run:
    look = run.evaluations[0].model_copy(update={"metrics": {"validation_loss": value}, "standard_error": error})
    return run.model_copy(update={"evaluations": (look,)})


def test_a_longer_horizon_that_gains_nothing_is_not_trained_to_the_end() -> None:
    runs = climbed(ladder(), lambda candidate: 1.0, training_samples=SAMPLES)
    tops = [run for run in runs if run.coordinates["rung"] == 2]
    assert len(tops) == 2
    assert all(0.5 < run.share < 0.75 for run in tops)
    assert tops[0].coordinates["decay"] < tops[1].coordinates["decay"]


def test_the_other_optimizer_is_tried_again_where_the_foot_cannot_tell() -> None:
    def value(candidate: Candidate) -> float:
        return 0.5 - 0.1 * candidate.share - 0.001 * (candidate.coordinates["optimizer"] == "adamw")

    runs = climbed(ladder(), value, training_samples=SAMPLES, error=0.01)
    assert {run.coordinates["optimizer"] for run in runs if run.coordinates["rung"] == 1} == {"adamw", "sgd"}


def test_more_of_an_objective_may_be_better() -> None:
    objective = Objective(name="validation_accuracy", direction="max")
    value = valley_at(0.004)
    last = climbed(ladder(), lambda one: 2.0 - value(one), training_samples=SAMPLES, objective=objective)[-1]
    assert 0.001 < rate_of(last) < 0.008


def test_rates_that_diverged_in_the_probe_are_not_tried() -> None:
    runs = climbed(ladder(starts=(Start("sgd", 1.0, 0.1),)), valley_at(0.1), training_samples=SAMPLES)
    assert max(map(rate_of, runs)) <= 0.05


def test_rates_that_diverged_in_a_run_are_not_tried_again() -> None:
    def value(candidate: Candidate) -> float:
        return math.nan if rate_of(candidate) > 0.04 else 1.0 / rate_of(candidate)

    runs = climbed(ladder(starts=(Start("adamw", 0.05),)), value, training_samples=SAMPLES)
    foot = [run for run in runs if run.coordinates["rung"] == 0]
    lowest = min(rate_of(run) for run in foot if run.best is None)
    assert all(rate_of(run) <= lowest / 2 for run in runs if run.coordinates["rung"] > 0)
    assert runs[-1].best is not None


def test_when_everything_diverges_lower_rates_are_tried_and_then_it_ends() -> None:
    runs = climbed(ladder(), lambda candidate: math.nan, training_samples=SAMPLES)
    rates = [rate_of(run) for run in runs]
    assert len(runs) == plan_rungs(1.9)[0].runs + 3
    assert rates[-3:] == pytest.approx([min(rates[:-3]) / 10**power for power in (1, 2, 3)], rel=0.01)


def test_a_rescue_is_built_upon() -> None:
    runs = climbed(ladder(), lambda one: 1.0 if rate_of(one) < 1e-3 else math.nan, training_samples=SAMPLES)
    assert runs[-1].best is not None
    assert runs[-1].share > 0.5


def test_a_last_run_that_diverges_is_made_up_for() -> None:
    def value(candidate: Candidate) -> float:
        return math.nan if candidate.share > 0.5 and rate_of(candidate) > 0.002 else 1.0 / (0.1 + candidate.share)

    runs = climbed(ladder(), value, training_samples=SAMPLES)
    assert runs[-1].share > 1.0
    assert runs[-1].best is not None


def test_a_last_run_that_does_not_fit_is_made_again_with_half_of_its_batch() -> None:
    searcher = ladder(base=Recipe(batch={"size": 64}).complete(1000))
    runs: list[Run] = []
    while wave := searcher.propose(runs):
        for candidate in wave:
            fits = candidate.share < 0.5 or (candidate.recipe.batch.size or 0) <= 32
            samples = math.floor(candidate.share * SAMPLES) if fits else 1
            run = finished(candidate, 1.0 / (0.1 + candidate.share) if fits else math.nan, samples=samples)
            runs.append(run if fits else run.model_copy(update={"status": "out_of_memory"}))
        assert len(runs) < 50
    assert runs[-2].status == "out_of_memory"
    assert runs[-1].recipe["batch"]["size"] == 32
    assert runs[-1].share > 1.0


def test_batches_that_do_not_fit_are_halved_and_not_tried_again() -> None:
    searcher = ladder(base=Recipe(batch={"size": 64}).complete(1000))
    runs: list[Run] = []
    while wave := searcher.propose(runs):
        for candidate in wave:
            fits = (candidate.recipe.batch.size or 0) <= 16
            run = finished(
                candidate, 1.0 if fits else math.nan, samples=math.floor(candidate.share * SAMPLES) if fits else 1
            )
            runs.append(run if fits else run.model_copy(update={"status": "out_of_memory"}))
    assert [run.recipe["batch"]["size"] for run in runs[:5]] == [64] * 5
    assert runs[-1].recipe["batch"]["size"] == 16
    assert runs[-1].best is not None


def test_a_space_varies_what_it_names() -> None:
    space = {"model.hidden": choice(8, 16, 32), "optimizer.learning_rate": log(1e-3, 2e-3)}
    runs = climbed(ladder(space=space), lambda candidate: candidate.recipe.model["hidden"], training_samples=SAMPLES)
    foot = [run for run in runs if run.coordinates["rung"] == 0]
    assert {run.recipe["model"]["hidden"] for run in foot} == {8, 16, 32}
    assert all(1e-3 <= run.recipe["optimizer"]["learning_rate"] <= 2e-3 for run in runs)
    assert len({run.recipe["optimizer"]["learning_rate"] for run in foot}) > 2
    best = best_of(runs)
    assert best is not None
    assert best.recipe["model"]["hidden"] == 8


def test_rates_that_are_allowed_lie_where_the_probes_point_and_take_less_decay() -> None:
    """The probes point to 0.05 / 3: a range that ends at a tenth of it is searched near that end, with a tenth of c."""
    top = 0.05 / 30
    space = {"model.hidden": choice(8, 16, 32), "optimizer.learning_rate": log(1e-6, top)}
    free, bound = (ladder(space=one, starts=STARTS[:1]).propose([]) for one in ({"model.hidden": choice(8, 16)}, space))
    for candidate in bound:
        assert top / 3.01 <= candidate.coordinates["learning_rate"] <= top
        assert candidate.coordinates["decay"] == pytest.approx(free[0].coordinates["decay"] / 10)


def test_a_list_of_rates_is_gone_through_where_nothing_else_varies() -> None:
    rates = (1e-2, 1e-3, 1e-4)
    alone = ladder(space={"optimizer.learning_rate": choice(*rates)}, starts=STARTS[:1]).propose([])
    assert {candidate.coordinates["learning_rate"] for candidate in alone} == set(rates)
    space = {"optimizer.learning_rate": choice(*rates), "model.hidden": choice(8, 16, 32)}
    beside = ladder(space=space, starts=STARTS[:1]).propose([])
    assert 1e-4 not in {candidate.coordinates["learning_rate"] for candidate in beside}


def test_no_run_is_made_twice_because_few_rates_are_allowed() -> None:
    space = {"optimizer.learning_rate": choice(1e-2, 1e-3, 1e-4), "model.hidden": choice(8, 16, 32)}
    searcher = ladder(space=space, starts=STARTS[:1])
    runs = climbed(searcher, lambda candidate: 1.0 - 0.1 * candidate.share, training_samples=SAMPLES)
    middle = [run.coordinates for run in runs if run.coordinates["rung"] == 1]
    settings = [(one["learning_rate"], one["decay"], one["model.hidden"]) for one in middle]
    assert len(set(settings)) == len(settings) == 3


def test_a_searched_decay_stands_as_it_was_drawn() -> None:
    space = {"optimizer.weight_decay": log(1e-3, 1e-1)}
    runs = climbed(ladder(space=space), lambda candidate: 1.0 - 0.1 * candidate.share, training_samples=SAMPLES)
    assert all(1e-3 <= run.recipe["optimizer"]["weight_decay"] <= 1e-1 for run in runs)
