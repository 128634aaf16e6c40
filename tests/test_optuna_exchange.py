"""Optuna's door: studies in and out, what optuna-dashboard makes of them, objectives of two frameworks, the page."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import surefoot as sf
from surefoot.errors import RequestError
from surefoot.integrations.optuna import SurefootPruner, SurefootSampler, add_runs, recipe_of

ROOT = Path(__file__).parents[1]
NAMES = {"lr": "optimizer.learning_rate", "batch": "batch.size", "optimizer": "optimizer.name"}
SPACE = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "batch": IntDistribution(4, 256, log=True),
    "optimizer": CategoricalDistribution(["adamw", "sgd"]),
}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


def _task() -> sf.Task:
    from sklearn.datasets import load_iris
    from torch import nn

    rows, labels = load_iris(return_X_y=True)
    return sf.Task(lambda: nn.Linear(4, 3), (rows, labels), loss="cross_entropy", epochs=8)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[sf.Result, Path]:
    """A small study of ours, and where it lies."""
    folder = tmp_path_factory.mktemp("studies") / "iris"
    return sf.tune(_task(), budget=1.0, directory=folder), folder


def test_runs_become_trials_another_sampler_goes_on_from(tuned: tuple[sf.Result, Path]) -> None:
    result, folder = tuned
    study, from_files = optuna.create_study(sampler=SurefootSampler(seed=0)), optuna.create_study()
    assert add_runs(study, result, NAMES, space=SPACE) == len(result.study.runs) > 3
    assert add_runs(from_files, folder, NAMES, space=SPACE) == len(result.study.runs)
    assert [trial.params for trial in study.trials] == [trial.params for trial in from_files.trials]
    longest = max(result.study.runs, key=lambda run: run.share)
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    assert longest.value in {trial.value for trial in complete}
    assert len(complete) < len(study.trials)
    assert study.ask(SPACE).params.keys() == SPACE.keys()
    study.sampler = optuna.samplers.TPESampler(seed=0)
    assert study.ask(SPACE).params.keys() == SPACE.keys()


def test_a_trial_is_where_a_tuning_begins(tuned: tuple[sf.Result, Path]) -> None:
    study = optuna.create_study()
    add_runs(study, tuned[0], NAMES, space=SPACE)
    recipe = recipe_of(study.best_trial, NAMES)
    assert recipe.optimizer.learning_rate == study.best_params["lr"]
    assert recipe.batch.size == study.best_params["batch"]
    again = sf.tune(_task(), budget=0.5, recipe=recipe)
    assert again.recipe is not None
    assert again.recipe.optimizer.name == study.best_params["optimizer"]


def test_runs_outside_of_the_ranges_are_left_out(tuned: tuple[sf.Result, Path]) -> None:
    study = optuna.create_study()
    few = {**SPACE, "optimizer": CategoricalDistribution(["adamw"])}
    added = add_runs(study, tuned[0], NAMES, space=few)
    assert added == sum(run.recipe["optimizer"]["name"] == "adamw" for run in tuned[0].study.runs)
    assert 0 < added < len(tuned[0].study.runs)
    assert add_runs(study, tuned[0], NAMES) == added  # the ranges are the study's own by now


def test_wrong_exchanges_are_one_line(tuned: tuple[sf.Result, Path], tmp_path: Path) -> None:
    study, result = optuna.create_study(), tuned[0]
    with pytest.raises(RequestError, match='space has no distribution for "lr"'):
        add_runs(study, result, NAMES)
    with pytest.raises(RequestError, match='"rate" is no key of a recipe'):
        add_runs(study, result, {"lr": "rate"}, space=SPACE)
    with pytest.raises(RequestError, match="validation_loss .min., and the study has the directions maximize"):
        add_runs(optuna.create_study(direction="maximize"), result, NAMES, space=SPACE)
    with pytest.raises(RequestError, match="there are no runs in"):
        add_runs(study, tmp_path, NAMES, space=SPACE)
    add_runs(study, result, NAMES, space=SPACE)
    with pytest.raises(RequestError, match='has no parameter "rate"'):
        recipe_of(study.best_trial, {"rate": "optimizer.learning_rate"})


# optuna-dashboard


def _asked(app: Any, path: str) -> Any:
    """What the dashboard's server answers, without a network."""
    found = list[str]()
    environment = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    body = b"".join(app(environment, lambda status, headers, error=None: found.append(status)))
    assert found == ["200 OK"], body
    return json.loads(body)


@pytest.mark.slow
def test_our_studies_open_in_the_dashboard(tuned: tuple[sf.Result, Path]) -> None:
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    storage = optuna.storages.RDBStorage(f"sqlite:///{tuned[1] / 'study.db'}")
    app = dashboard.wsgi(storage)
    (summary,) = _asked(app, "/api/studies")["study_summaries"]
    assert summary["study_name"] == "surefoot"
    detail = _asked(app, f"/api/studies/{summary['study_id']}")
    assert len(detail["trials"]) == len(tuned[0].study.runs)
    first = {each["name"]: each["param_external_value"] for each in detail["trials"][0]["params"]}
    recipe = tuned[0].study.runs[0].recipe
    assert float(first["learning_rate"]) == recipe["optimizer"]["learning_rate"]
    assert int(first["batch_size"]) == recipe["batch"]["size"]
    assert all(trial["intermediate_values"] for trial in detail["trials"])
    names = {each["name"] for each in _asked(app, "/api/studies/1/param_importances")["param_importances"][0]}
    assert {"learning_rate", "batch_size"} <= names
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.slow
def test_a_study_of_our_sampler_opens_in_the_dashboard(tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'theirs.db'}")
    study = optuna.create_study(
        storage=storage, sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=3), study_name="theirs"
    )

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("lr", 1e-4, 1.0, log=True)
        for step in range(3):
            trial.report(rate if rate < 0.1 else float("nan"), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return rate

    study.optimize(objective, n_trials=8)
    detail = _asked(dashboard.wsgi(storage), "/api/studies/1")
    assert detail["name"] == "theirs"
    assert [trial["state"] for trial in detail["trials"]] == [trial.state.name.title() for trial in study.trials]
    storage.remove_session()
    storage.engine.dispose()


# Objectives


@pytest.mark.slow
def test_a_torch_objective() -> None:
    import torch
    from sklearn.datasets import load_wine
    from sklearn.preprocessing import StandardScaler
    from torch import nn

    rows, labels = load_wine(return_X_y=True)
    inputs = torch.tensor(StandardScaler().fit_transform(rows), dtype=torch.float32)
    targets = torch.tensor(labels)
    held_out = torch.arange(len(targets)) % 4 == 0

    def objective(trial: optuna.Trial) -> float:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(13, trial.suggest_int("hidden", 4, 32)), nn.ReLU(), nn.LazyLinear(3))
        model(inputs[:2])
        rate = trial.suggest_float("learning_rate", 1e-5, 10.0, log=True)
        optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
        size, loss = trial.suggest_categorical("batch_size", [8, 16, 32, 64]), nn.CrossEntropyLoss()
        value = float("nan")
        for epoch in range(1, 10):
            for batch in torch.randperm(int((~held_out).sum())).split(size):
                optimizer.zero_grad()
                loss(model(inputs[~held_out][batch]), targets[~held_out][batch]).backward()
                optimizer.step()
            with torch.no_grad():
                value = float(loss(model(inputs[held_out]), targets[held_out]))
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study = optuna.create_study(sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=9))
    study.optimize(objective, n_trials=20)
    assert study.best_value < 0.2
    assert sum(len(trial.intermediate_values) for trial in study.trials) < 20 * 9 * 0.8


@pytest.mark.slow
def test_the_script_before_and_after(program: Any) -> None:
    theirs = program("examples/optuna", "study_tpe").main(num_trials=6)
    ours = program("examples/optuna", "study_surefoot").main(num_trials=12)
    assert max(theirs.best_value, ours.best_value) < 0.2
    assert _epochs(ours) / len(ours.trials) < 0.8 * _epochs(theirs) / len(theirs.trials)


def _epochs(study: optuna.Study) -> int:
    return sum(len(trial.intermediate_values) for trial in study.trials)


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/coming-from-optuna.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(code, "the page", "exec"), namespace)
    assert namespace["ours"].best_value < 0.3
