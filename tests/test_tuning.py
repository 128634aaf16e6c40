"""The ladder, its price, its ledger."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.engine import TorchFactory
from surefoot.errors import BudgetError
from surefoot.protocols import Supervision
from surefoot.recipe import Recipe
from surefoot.records import Objective
from surefoot.tuning import Budget, Ladder, Ledger, climb, plan_rungs
from surefoot.tuning.decay import decay_coordinate, with_decay_coordinate
from surefoot.tuning.start import Start

Make = Callable[..., Any]
STARTS = (Start("adamw", 0.05, 0.5), Start("sgd", 0.3))


def ladder_of(factory: TorchFactory) -> Ladder:
    return Ladder(
        rungs=plan_rungs(1.9),
        starts=STARTS,
        base=Recipe().complete(factory.num_rows),
        num_rows=factory.num_rows,
        training_samples=factory.training_samples,
        allowed_samples=2 * factory.training_samples,
        seed=0,
    )


@given(
    st.sampled_from(["sgd", "adamw", "adam"]),
    st.floats(1e-4, 1),
    st.floats(0.01, 10),
    st.floats(10, 1e5),
    st.floats(0, 0.5),
)
def test_decay_there_and_back(name: str, rate: float, decay: float, steps: float, warmup: float) -> None:
    recipe = Recipe(optimizer={"name": name, "learning_rate": rate}, schedule={"warmup": warmup})
    changed = with_decay_coordinate(recipe, decay, num_steps=steps)
    assert decay_coordinate(changed, num_steps=steps) == pytest.approx(decay)


def test_decay_is_the_sum_of_rates_times_decay() -> None:
    recipe = Recipe(optimizer={"name": "adamw", "learning_rate": 0.01}, schedule={"name": "constant", "warmup": 0.0})
    assert with_decay_coordinate(recipe, 1.5, num_steps=300).optimizer.weight_decay == pytest.approx(1.5 / (300 * 0.01))
    momentum = Recipe(optimizer={"name": "sgd", "learning_rate": 0.01, "momentum": 0.9}, schedule={"name": "constant"})
    one, other = (with_decay_coordinate(r, 1.0, num_steps=300).optimizer.weight_decay for r in (recipe, momentum))
    assert other == pytest.approx(0.1 * one, rel=0.06)


def test_the_momentum_of_schedule_free_carries_no_decay() -> None:
    free = Recipe(optimizer={"name": "schedule_free_sgd", "learning_rate": 0.1, "weight_decay": 0.01})
    warmup = 0.1 * 0.01 * 100 * (1 - 0.05 / 2)
    assert decay_coordinate(free, num_steps=100) == pytest.approx(warmup, rel=1e-3)


@pytest.mark.parametrize("given_", ["0", "-1", "nan", "inf", "two", "", "5 parsecs", "0s", "-3min", "1e400"])
def test_a_wrong_budget_gets_one_line(given_: str) -> None:
    with pytest.raises(BudgetError, match="it must be a number of trainings above 0"):
        Budget.parse(given_)


@pytest.mark.parametrize(
    ("given_", "trainings", "seconds"),
    [
        ("2", 2.0, None),
        (0.5, 0.5, None),
        ("90s", None, 90.0),
        ("5 min", None, 300.0),
        ("1.5h", None, 5400.0),
        ("1e1", 10, None),
    ],
)
def test_budgets_as_typed(given_: Any, trainings: float | None, seconds: float | None) -> None:
    assert Budget.parse(given_) == Budget(trainings, seconds)


def test_the_ledger_is_an_optuna_study(make_task: Make, tmp_path: Path) -> None:
    factory = TorchFactory(make_task(epochs=8))
    searcher = ladder_of(factory)
    ledger = Ledger(tmp_path, factory.objective)
    outcome = climb(factory, searcher, ledger, Supervision())
    study = optuna.load_study(study_name="surefoot", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert len(study.trials) == len(outcome.runs)
    assert outcome.best is not None
    assert study.best_value == outcome.best.value
    assert study.best_trial.number == outcome.best.number
    assert {trial.state for trial in study.trials} == {optuna.trial.TrialState.COMPLETE}
    assert study.trials[-1].intermediate_values
    assert study.trials[-1].params["learning_rate"] == outcome.runs[-1].recipe["optimizer"]["learning_rate"]
    kept = [path.parent.name for path in tmp_path.glob("runs/*/model.safetensors")]
    assert kept == [f"{outcome.best.number:03d}"]
    assert Ledger(tmp_path, factory.objective).runs == outcome.runs


@pytest.mark.parametrize("interrupted_at", [0, 5, 20, 40])
def test_a_study_goes_on_where_it_was_stopped(make_task: Make, tmp_path: Path, interrupted_at: int) -> None:
    factory = TorchFactory(make_task(epochs=8))
    searcher = ladder_of(factory)
    whole = climb(factory, searcher, Ledger(None, factory.objective), Supervision())
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > interrupted_at

    supervision = Supervision(should_stop=should_stop, checkpoint_seconds=0.0)
    stopped = climb(factory, searcher, Ledger(tmp_path, factory.objective), supervision)
    assert stopped.stopped
    resumed = climb(factory, searcher, Ledger(tmp_path, factory.objective), Supervision())
    assert [run.value for run in resumed.runs] == [run.value for run in whole.runs]
    assert resumed.trainable is not None
    assert whole.trainable is not None
    assert resumed.trainable.evaluate("validation") == whole.trainable.evaluate("validation")


def test_diverged_runs_are_told_as_pruned(make_task: Make, tmp_path: Path) -> None:
    task = make_task(loss=lambda output, target: output.mean() * math.nan)
    factory = TorchFactory(task)
    searcher = ladder_of(factory)
    outcome = climb(factory, searcher, Ledger(tmp_path, Objective()), Supervision())
    assert outcome.best is None
    assert {run.status for run in outcome.runs} == {"diverged"}
    study = optuna.load_study(study_name="surefoot", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert {trial.state for trial in study.trials} == {optuna.trial.TrialState.PRUNED}
    assert study.trials[0].user_attrs["status"] == "diverged"
