"""Optuna's samplers and pruners on our ledger."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from surefoot import space, tune
from surefoot.errors import MissingExtraError, RequestError
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Objective, Run
from surefoot.testing import check_searcher, simulated_run
from surefoot.tuning.foreign import Foreign
from surefoot.tuning.setting import Setting
from surefoot.workflows.searching import require_searcher

ROWS, SAMPLES = 1000, 20_000


def setting(trainings: float = 6.0, **changes: Any) -> Setting:
    arguments = {
        "base": Recipe().complete(ROWS),
        "optimizers": ("adamw", "sgd"),
        "num_rows": ROWS,
        "training_samples": SAMPLES,
        "allowed_samples": math.floor(trainings * SAMPLES),
        "seed": 0,
        **changes,
    }
    return Setting(**arguments)


def valley(candidate: Candidate) -> float:
    settings = candidate.recipe.optimizer
    return abs(math.log10((settings.learning_rate or 1.0) / 0.01)) + 0.3 * (settings.name == "sgd")


def searched(name: str, where: Setting) -> list[Run]:
    searcher, runs = Foreign(name, where), list[Run]()
    while wave := searcher.propose(runs):
        runs += [simulated_run(candidate, valley(candidate), training_samples=SAMPLES) for candidate in wave]
    return runs


@pytest.mark.parametrize("name", ["RandomSampler", "TPESampler", "QMCSampler", "NSGAIISampler", "BruteForceSampler"])
@pytest.mark.parametrize("together", [1, 3])
def test_samplers_are_searchers(name: str, together: int) -> None:
    few = {"optimizer.learning_rate": space.choice(1e-3, 1e-2, 1e-1), "batch.size": space.choice(16, 32)}
    few |= {"optimizer.weight_decay": space.choice(0.0, 1e-2, 1e-1)}
    where = setting(5.3, num_together=together, space=few if name == "BruteForceSampler" else {})
    check_searcher(lambda: Foreign(name, where), training_samples=SAMPLES, allowed_samples=where.allowed_samples)


@pytest.mark.parametrize("pruner", ["MedianPruner", "HyperbandPruner", "SuccessiveHalvingPruner", "WilcoxonPruner"])
def test_pruners_leave_a_searcher_one(pruner: str) -> None:
    where = setting(5.3, num_together=2)
    check_searcher(
        lambda: Foreign(f"RandomSampler,pruner={pruner}", where),
        training_samples=SAMPLES,
        allowed_samples=where.allowed_samples,
    )


def test_a_search_for_the_highest_is_one_too() -> None:
    goal = Objective(name="validation_accuracy", direction="max")
    where = setting(objective=goal)
    check_searcher(
        lambda: Foreign("TPESampler", where), training_samples=SAMPLES, allowed_samples=where.allowed_samples,
        objective=goal,
    )  # fmt: skip


def test_the_default_space_is_the_usual_one() -> None:
    runs = searched("RandomSampler", setting(60.0))
    recipes = [Recipe(**run.recipe) for run in runs]
    assert {recipe.optimizer.name for recipe in recipes} == {"adamw", "sgd"}
    for recipe in recipes:
        assert 1e-5 <= (recipe.optimizer.learning_rate or 0.0) <= 10
        assert 16 <= (recipe.batch.size or 0) <= 512
        assert 1e-6 <= recipe.optimizer.weight_decay <= 0.1
    assert len(runs) == 60
    assert {run.share for run in runs} == {1.0}


def test_batches_are_no_larger_than_the_data() -> None:
    where = setting(20.0, num_rows=10, base=Recipe().complete(10))
    assert max(run.recipe["batch"]["size"] for run in searched("RandomSampler", where)) <= 10


def test_the_users_space_changes_the_usual_one() -> None:
    own = {
        "optimizer.learning_rate": space.log(1e-3, 2e-3),
        "model.sizes": space.choice([8, 8], [16]),
        "model.depth": space.integer(1, 3),
        "regularization.l2": space.uniform(0.0, 0.1),
    }
    for run in searched("TPESampler", setting(12.0, space=own, optimizers=("adamw",))):
        assert 1e-3 <= run.recipe["optimizer"]["learning_rate"] <= 2e-3
        assert run.recipe["model"]["sizes"] in ([8, 8], [16])
        assert run.recipe["model"]["depth"] in {1, 2, 3}
        assert run.recipe["optimizer"]["name"] == "adamw"


def test_tpe_is_better_than_chance_at_the_same_price() -> None:
    def median(name: str) -> float:
        found = sorted(min(run.value for run in searched(name, setting(30.0, seed=seed))) for seed in range(5))
        return found[2]

    assert median("TPESampler") < median("RandomSampler")


def test_a_price_is_spent_to_its_end_and_no_further() -> None:
    runs = searched("RandomSampler", setting(2.5))
    assert [run.share for run in runs] == [1.0, 1.0, 0.5]
    assert [run.share for run in searched("RandomSampler", setting(0.1))] == [0.1]
    assert [run.share for run in searched("RandomSampler", setting(2.1))] == [1.0, 1.0]


def test_a_first_proposal_is_what_optuna_itself_would_draw() -> None:
    from surefoot import seeds

    values = Foreign("RandomSampler", setting(optimizers=("sgd",))).propose(())[0].coordinates["values"]
    sampler = optuna.samplers.RandomSampler(seed=seeds.derive(0, "optuna", 0) % 2**32)
    trial = optuna.create_study(sampler=sampler).ask()
    assert values["optimizer.learning_rate"] == trial.suggest_float("rate", 1e-5, 10, log=True)
    assert values["batch.size"] == trial.suggest_int("batch", 16, 512, log=True)


def test_a_pruner_stops_what_is_behind_and_the_price_is_what_ran(make_task: Any, tmp_path: Path) -> None:
    result = tune(
        make_task(epochs=8), budget=6, searcher="optuna:RandomSampler,pruner=MedianPruner,pruner.n_startup_trials=2",
        directory=tmp_path,
    )  # fmt: skip
    assert result.cost.trainings <= 6
    pruned = [run for run in result.study.runs if run.status == "stopped_early"]
    assert pruned
    assert all(run.samples < run.horizon and "MedianPruner asked to stop" in run.reason for run in pruned)
    study = optuna.load_study(study_name="surefoot", storage=f"sqlite:///{tmp_path / 'study.db'}")
    states = {trial.number: trial.state.name for trial in study.trials}
    assert all(states[run.number] == "PRUNED" for run in pruned)
    assert "searched by optuna:RandomSampler" in " ".join(result.study.notes)
    assert result.study.probes == ()


def test_a_stopped_search_goes_on_as_it_would_have(make_task: Any, tmp_path: Path) -> None:
    """The pruner of a resumed run knows the looks before the stop."""
    task, seen = make_task(epochs=8), 0
    arguments: dict[str, Any] = {"budget": 4, "searcher": "optuna:TPESampler,pruner=HyperbandPruner"}
    whole = tune(task, **arguments)

    class Once:
        def __init__(self, at: int) -> None:
            self.at = at

        def __getattr__(self, name: str) -> Any:
            def heard(*given: Any, **more: Any) -> None:
                nonlocal seen
                seen += name == "evaluated"
                if seen == self.at:
                    raise KeyboardInterrupt

            return heard

    for at in (5, 19):
        seen, directory = 0, tmp_path / str(at)
        with pytest.raises(KeyboardInterrupt):
            tune(task, **arguments, directory=directory, observer=Once(at))  # type: ignore[arg-type] # hears all
        resumed = tune(task, **arguments, directory=directory, resume=True)
        assert [(run.value, run.samples, run.reason) for run in resumed.study.runs] == [
            (run.value, run.samples, run.reason) for run in whole.study.runs
        ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("optuna:TPESampl", 'no sampler "TPESampl"; did you mean "TPESampler"?'),
        ("optuna:TPESampler,pruner=Hyperband", 'did you mean "HyperbandPruner"?'),
        ("optuna:TPESampler,pruner", "optuna:Sampler,key=value,pruner=Pruner"),
        ("optuna:TPESampler,sed=3", "TPESampler cannot be made"),
        ("optuna:TPESampler,pruner=PercentilePruner", "PercentilePruner cannot be made"),
        ("tpe", 'there is no searcher "tpe"'),
        (3, "searcher must be a name"),
    ],
)
def test_a_wrong_name_gets_one_line(given: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        require_searcher(given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_a_sampler_lacks_is_named_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(MissingExtraError, match="CmaEsSampler needs the package cmaes; install it with: pip install"):
        require_searcher("optuna:CmaEsSampler")


def test_a_searcher_of_ones_own(make_task: Any) -> None:
    class Two:
        def __init__(self, where: Setting) -> None:
            self.where = where

        def propose(self, runs: Any) -> tuple[Candidate, ...]:
            rates = {0: 0.01, 1: 0.1}
            made = {run.number for run in runs}
            return tuple(
                Candidate(
                    number, f"run {number + 1}", "1", 0.5,
                    self.where.base.with_changes({"optimizer.learning_rate": rate}), number,
                )
                for number, rate in rates.items()
                if number not in made
            )  # fmt: skip

    result = tune(make_task(), budget=1, searcher=Two)
    assert [run.recipe["optimizer"]["learning_rate"] for run in result.study.runs] == [0.01, 0.1]
    assert result.cost.trainings == pytest.approx(1.0)


def test_the_page_on_tuning_runs(make_task: Any) -> None:
    page = (Path(__file__).parents[2] / "docs/tuning.md").read_text(encoding="utf-8")
    codes = [code for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "Halving" in code]
    namespace: dict[str, Any] = {"task": make_task()}
    for code in codes:
        exec(compile(code, "docs/tuning.md", "exec"), namespace)
    assert len(codes) == 2
