"""The ladder where its first runs know no more than a constant answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surefoot as sf
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Objective, Run, lead
from surefoot.space import choice
from surefoot.testing import check_searcher, simulated_run
from surefoot.tuning import Ladder, plan_rungs
from surefoot.tuning.standstill import is_unreadable, stands_still
from surefoot.tuning.start import Start

GUESS = math.log(2)
STARTS = (Start("adamw", 0.0003, 0.5, unmeasured=0.07), Start("sgd", 0.3))
SAMPLES = 20_000
Value = Callable[[Candidate], float]


def ladder(trainings: float = 0.9, **changes: Any) -> Ladder:
    arguments = {
        "rungs": plan_rungs(trainings),
        "starts": STARTS,
        "base": Recipe().complete(1000),
        "num_rows": 1000,
        "training_samples": SAMPLES,
        "allowed_samples": round(trainings * SAMPLES),
        "seed": 0,
        "guess": GUESS,
        **changes,
    }
    return Ladder(**arguments)


def noisy(run: Run, error: float) -> Run:
    """A run whose looks know how uncertain they are."""
    looks = [look.model_copy(update={"standard_error": error}) for look in run.evaluations]
    return run.model_copy(update={"evaluations": tuple(looks)})


def climbed(searcher: Ladder, value_of: Value, *, error: float = 0.005) -> list[list[Run]]:
    """The runs that a ladder asks for, rung by rung."""
    runs: list[Run] = []
    while wave := searcher.propose(runs):
        runs += [noisy(simulated_run(one, value_of(one), training_samples=SAMPLES), error) for one in wave]
        assert len(runs) < 200
    return [list(rung) for _, rung in groupby(runs, key=lambda run: run.coordinates["rung"])]


def on_the_level(candidate: Candidate) -> float:
    """Less by noise alone, the least where the rate is lowest."""
    return GUESS + 0.01 * float(candidate.coordinates["learning_rate"]) ** 0.5


def leaves_at(share: float) -> Value:
    """On the level, but for long runs, which end lower the higher their rate is."""

    def value(candidate: Candidate) -> float:
        moved = 0.1 * math.log(1e4 * float(candidate.coordinates["learning_rate"]))
        return on_the_level(candidate) - (moved if candidate.share > share else 0.0)

    return value


def rates(runs: Sequence[Run]) -> list[float]:
    return [float(run.coordinates["learning_rate"]) for run in runs]


def test_runs_on_the_level_of_a_constant_answer_are_not_followed() -> None:
    foot, longer, top = climbed(ladder(), on_the_level)
    plan = plan_rungs(0.9)
    assert len(foot) == plan[0].runs  # no run beyond the lowest rate, though it looks best
    assert len(longer) == 2
    assert all(run.share > 2 * plan[1].share for run in longer)
    assert rates(longer) == pytest.approx([0.003 * longer[0].share ** -0.22, 0.0233 * 7.04**-0.22], rel=0.05)
    assert [run.coordinates["optimizer"] for run in (*longer, *top)] == ["adamw"] * 3
    assert len(top) == 1
    assert rates(top) == pytest.approx([0.003 * top[0].share ** -0.22], rel=0.01)


def test_the_first_run_that_leaves_the_level_is_followed() -> None:
    _, longer, top = climbed(ladder(), leaves_at(0.1))
    assert max(rates(longer)) / 2 < rates(top)[0] < max(rates(longer))
    assert len(top) == 1
    assert top[0].share > 0.45


def test_a_rate_that_looks_better_than_a_lower_one_is_followed_on_the_level() -> None:
    def value(candidate: Candidate) -> float:  # the noise of a look is far larger than this
        return GUESS - 1e-5 * float(candidate.coordinates["learning_rate"])

    foot, middle, _ = climbed(ladder(starts=(Start("adamw", 0.01),)), value)
    assert max(rates(foot)) == pytest.approx(0.01 * 27)  # looked beyond twice
    assert middle[0].share == pytest.approx(plan_rungs(0.9)[1].share)
    assert max(rates(middle)) > 0.05


def test_nothing_changes_where_a_run_knows_more_than_a_constant_answer() -> None:
    value = leaves_at(0.0)
    assert climbed(ladder(1.9), value) == climbed(ladder(1.9, guess=None), value)


def test_a_short_top_beside_a_level_is_not_split() -> None:
    _, *_, top = climbed(ladder(1.9), lambda one: GUESS - 0.001 - 0.02 * (one.share > 0.1))
    assert len(top) == 1


@settings(deadline=None, max_examples=12)
@given(st.floats(0.05, 8), st.floats(0.0, 1.0))
def test_a_level_keeps_the_ladder_pure_and_within_its_budget(trainings: float, share: float) -> None:
    searcher = ladder(trainings)
    runs = [run for rung in climbed(searcher, leaves_at(share)) for run in rung]
    spent = sum(run.samples for run in runs)
    assert 0.9 * trainings * SAMPLES - len(runs) <= spent <= round(trainings * SAMPLES)
    for end in {0, 1, len(runs) // 2, len(runs) - 1}:
        wave = searcher.propose(runs[:end][::-1])
        assert [candidate.number for candidate in wave] == list(range(end, end + len(wave)))
        for candidate, run in zip(wave, runs[end:], strict=False):
            assert (candidate.recipe.to_dict(), candidate.seed, candidate.share) == (run.recipe, run.seed, run.share)


@pytest.mark.parametrize("trainings", [0.3, 2.0])
def test_a_level_survives_runs_that_fail_and_a_space(trainings: float) -> None:
    space = {"batch.size": choice(16, 32, 64), "model.hidden": choice(8, 64)}
    check_searcher(
        lambda: ladder(trainings, space=space),
        training_samples=SAMPLES,
        allowed_samples=round(trainings * SAMPLES),
        value=on_the_level,
    )
    _, longer, *_ = climbed(ladder(2.0, space=space), on_the_level)
    assert {run.recipe["model"]["hidden"] for run in longer} <= {8, 64}


def test_a_level_of_another_optimizer_alone() -> None:
    def value(candidate: Candidate) -> float:
        return math.nan if candidate.coordinates["optimizer"] == "adamw" else on_the_level(candidate)

    _, longer, top = climbed(ladder(), value)
    assert {run.coordinates["optimizer"] for run in longer} == {"adamw"}
    assert top


def test_the_recipe_of_a_whole_training_is_the_usual_one_where_nothing_was_learned() -> None:
    searcher = ladder(0.3)
    foot, *_ = climbed(searcher, on_the_level)
    assert searcher.at_full_length(foot[0]).optimizer.learning_rate == pytest.approx(0.003)


def test_a_rate_of_ones_own_is_kept_on_a_level() -> None:
    base = Recipe(optimizer={"name": "adamw", "learning_rate": 0.02}).complete(1000)
    _, longer, _ = climbed(ladder(base=base, starts=(Start("adamw", 0.06),)), on_the_level)
    assert rates(longer)[0] == pytest.approx(0.02 * longer[0].share ** -0.22, rel=0.01)


def test_a_lead_counts_in_standard_errors() -> None:
    [candidate, *_] = ladder().propose([])
    run = simulated_run(candidate, 0.6, training_samples=SAMPLES)
    assert lead(noisy(run, 0.05), 0.7) == pytest.approx(2.0)
    assert lead(noisy(run, 0.0), 0.7) == math.inf
    assert lead(noisy(run, 0.0), 0.6) == 0.0
    assert stands_still([noisy(run, 0.11)], 0.7)
    assert not stands_still([noisy(run, 0.09)], 0.7)
    assert not stands_still([noisy(run, 0.11)], None)
    assert not stands_still([], 0.7)


def test_another_objective_looks_at_the_loss_beside_it() -> None:
    accuracy = Objective(name="validation_accuracy", direction="max")

    def run(candidate: Candidate, right: float, **beside: float) -> Run:
        made = simulated_run(candidate, right, training_samples=SAMPLES, objective=accuracy)
        looks = [look.model_copy(update={"metrics": {**look.metrics, **beside}}) for look in made.evaluations]
        return made.model_copy(update={"evaluations": tuple(looks)})

    wave = ladder().propose([])
    level = [run(one, 0.5 + 0.01 * one.number, validation_loss=GUESS + 0.01) for one in wave]
    assert is_unreadable(level, GUESS)
    assert not stands_still([*level[1:], run(wave[0], 0.5, validation_loss=0.95 * GUESS)], GUESS)
    assert not stands_still([run(one, 0.5) for one in wave], GUESS)


def test_the_readme_s_network_learns_at_a_price_of_one() -> None:
    """Its label is the sign of a product: no run over a fortieth of the horizon learns anything; once .515."""
    rows = np.random.default_rng(0).normal(size=(1000, 20)).astype("float32")
    task = sf.Task(model=network, train=(rows, (rows[:, 0] * rows[:, 1] > 0).astype(int)), epochs=20)
    result = sf.tune(task, budget=1)
    foot = [run for run in result.study.runs if run.coordinates["rung"] == 0]
    assert stands_still(foot, result.study.guess)
    assert result.metrics["validation_accuracy"] > 0.85
    assert result.cost.trainings <= 1.0


def network() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
