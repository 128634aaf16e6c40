"""scikit-learn's door: the network estimators do what scikit-learn's own do."""

from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import surefoot as sf
from surefoot.integrations.sklearn import SurefootClassifier, SurefootRegressor
from surefoot.integrations.sklearn.requirement import require_sklearn
from surefoot.integrations.sklearn.settings import KEYS, recipe_of, usual_epochs

# A weight of 2 is the row there twice, but shuffled mini-batches then hold other rows: scikit-learn expects the same
# check to fail for its SGDClassifier and MLPClassifier.
ALLOWED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "mini-batches are shuffled" for kind in ("dense", "sparse")
}
# A higher rate and fewer epochs than by default: the checks fit a hundred times.
QUICK: dict[str, Any] = {"epochs": 10, "learning_rate": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def wine() -> tuple[np.ndarray, np.ndarray]:
    bunch = datasets.load_wine()
    return bunch.data, bunch.target_names[bunch.target]


def checks(estimator: Any) -> list[Any]:
    found = estimator_checks_generator(estimator, expected_failed_checks=ALLOWED, mark="skip")
    return [pytest.param(each, check, id=getattr(check, "func", check).__name__) for each, check in found]


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), checks(SurefootClassifier(**QUICK)))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_classifier_passes_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), checks(SurefootRegressor(**QUICK)))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_regressor_passes_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_labels_are_texts_and_a_fitted_estimator_survives_a_pickle(wine: Any) -> None:
    inputs, labels = wine
    model = SurefootClassifier(**QUICK).fit(inputs, labels)
    assert model.score(inputs, labels) > 0.97
    assert list(model.classes_) == ["class_0", "class_1", "class_2"]
    assert model.predict_log_proba(inputs) == pytest.approx(np.log(model.predict_proba(inputs)))
    assert np.isfinite(model.predict_log_proba(inputs * 1e6)).all()
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - written a line above
    assert np.array_equal(again.predict_proba(inputs), model.predict_proba(inputs))
    assert again.network_ is not model.network_
    assert again.recipe_ == model.recipe_
    assert clone(model).set_params(recipe=model.recipe_).fit(inputs, labels).recipe_ == model.recipe_


def test_a_pruned_network_survives_a_pickle(wine: Any) -> None:
    settings = {"network.pruning": "structured", "network.sparsity": 0.5}
    model = SurefootClassifier(**QUICK, settings=settings).fit(*wine)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - written a line above
    assert np.array_equal(again.predict_proba(wine[0]), model.predict_proba(wine[0]))


def test_the_same_seed_is_the_same_network(wine: Any) -> None:
    one, two = (SurefootClassifier(**QUICK).fit(*wine) for _ in range(2))
    other = SurefootClassifier(**{**QUICK, "random_state": 1}).fit(*wine)
    assert np.array_equal(one.predict_proba(wine[0]), two.predict_proba(wine[0]))
    assert not np.array_equal(one.predict_proba(wine[0]), other.predict_proba(wine[0]))


def test_it_is_the_training_that_sf_fit_makes(wine: Any) -> None:
    inputs, labels = wine
    model = SurefootClassifier(epochs=3, random_state=7, standardize=False).fit(inputs / 1000, labels)
    seed = int(np.random.RandomState(7).randint(np.iinfo(np.int32).max))
    task = sf.Task(
        sf.tasks.builder.NamedBuilder("surefoot.tasks.models:mlp", {"inputs": 13, "outputs": 3}),
        (rows := (inputs / 1000, np.unique(labels, return_inverse=True)[1])),
        validation=rows,
        epochs=3,
    )
    assert sf.fit(task, seed=seed).metrics["train_loss"] == model.study_.metrics["train_loss"]


@pytest.mark.slow
def test_it_works_in_a_grid_search_over_a_pipeline(wine: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), SurefootClassifier(**QUICK, standardize=False))
    name = "surefootclassifier"
    grid = {f"{name}__model__hidden": [2, 32], f"{name}__optimizer": ["sgd", "adamw"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(*wine)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_[f"{name}__model__hidden"] == 32
    assert search.best_estimator_[-1].recipe_.model == {"hidden": 32}
    assert clone(search.best_estimator_[-1]).settings == {"model.hidden": 32}


def test_every_key_of_a_recipe_is_a_parameter() -> None:
    usual = sf.Recipe().complete(100).model_dump()
    keys = {f"{section}__{key}": value for section, values in usual.items() for key, value in values.items()}
    assert len(keys) > 50
    for name, value in keys.items():
        estimator = clone(SurefootRegressor().set_params(**{name: value}))
        assert estimator.get_params()[name] == value
        section, key = name.split("__")
        assert recipe_of(None, {}, estimator.settings).model_dump()[section][key] == value
    assert {key.replace(".", "__") for key in KEYS.values()} <= set(keys)
    with pytest.raises(sf.RequestError, match=r'schedule and settings\["schedule.name"\] are the same lever'):
        SurefootClassifier(schedule="cosine").set_params(schedule__name="linear").fit([[0.0], [1.0]], [0, 1])


@pytest.mark.slow
def test_it_takes_a_table_of_words_and_numbers_behind_a_column_transformer() -> None:
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    table = pandas.DataFrame(
        {"size": generator.normal(50, 10, 120), "town": generator.choice(["Ulm", "Bonn"], 120), "age": np.arange(120.0)}
    )
    price = 3 * table["size"] + 40 * (table["town"] == "Bonn")
    columns = ColumnTransformer([("town", OneHotEncoder(), ["town"])], remainder="passthrough")
    network = SurefootRegressor(epochs=40, learning_rate=0.02, random_state=0)
    assert cross_val_score(make_pipeline(columns, network), table, price, cv=3).min() > 0.9
    alone = SurefootRegressor(**QUICK).fit(table[["size", "age"]], price)
    assert list(alone.feature_names_in_) == ["size", "age"]
    with pytest.raises(ValueError, match="feature names should match"):
        alone.predict(table[["age", "size"]])


def test_sparse_rows_train_as_dense_ones_without_an_offset(wine: Any) -> None:
    inputs, labels = np.where(wine[0] > np.median(wine[0], axis=0), wine[0], 0.0), wine[1]
    rows, weights = sparse.csr_matrix(inputs), np.where(labels == "class_1", 3.0, 1.0)
    scaled = StandardScaler(with_mean=False).fit(inputs, sample_weight=weights).transform(inputs)
    thin = SurefootClassifier(**QUICK, validation_fraction=0).fit(rows, labels, sample_weight=weights)
    thick = SurefootClassifier(**QUICK, standardize=False).fit(scaled, labels, sample_weight=weights)
    assert thin.predict_proba(rows) == pytest.approx(thick.predict_proba(scaled), abs=1e-5)
    assert type(thin.network_[0]) is sf.SparseLinear
    again = pickle.loads(pickle.dumps(thin))  # noqa: S301 - written a line above
    assert again.predict_proba(inputs) == pytest.approx(thin.predict_proba(rows), abs=1e-6)
    usual = SurefootClassifier(**QUICK).fit(inputs, labels)
    assert usual.predict_proba(rows) == pytest.approx(usual.predict_proba(inputs), abs=1e-6)


@pytest.mark.slow
def test_sparse_rows_are_searched_and_predicted_behind_an_encoder() -> None:
    words = np.random.default_rng(0).choice(["a", "b", "c", "d"], size=(150, 3))
    numbers = 2.0 * (words[:, 0] == "a") - (words[:, 1] == "b")
    encoder = OneHotEncoder(handle_unknown="ignore")
    search = make_pipeline(encoder, SurefootRegressor(budget=1, epochs=30, random_state=0)).fit(words, numbers)
    assert search.score(words, numbers) > 0.9
    assert np.isfinite(search.predict([["unknown"] * 3])).all()


def test_weights_of_rows_and_classes_multiply(wine: Any) -> None:
    inputs, labels = wine
    twice = np.where(labels == "class_1", 2.0, 1.0)
    by_row = SurefootClassifier(**QUICK).fit(inputs, labels, sample_weight=twice)
    by_class = SurefootClassifier(**QUICK, class_weight={"class_0": 1, "class_1": 2, "class_2": 1}).fit(inputs, labels)
    assert np.array_equal(by_row.predict_proba(inputs), by_class.predict_proba(inputs))
    counts = {name: float((labels[20:] == name).sum()) for name in np.unique(labels)}
    by_hand = {name: len(labels[20:]) / (3 * count) for name, count in counts.items()}
    balanced, given = (
        SurefootClassifier(**QUICK, class_weight=weights).fit(inputs[20:], labels[20:])
        for weights in ("balanced", by_hand)
    )
    assert np.array_equal(balanced.predict_proba(inputs), given.predict_proba(inputs))
    kept = labels != "class_1"
    nothing = SurefootClassifier(**QUICK).fit(inputs, labels, sample_weight=kept.astype(float))
    assert "class_1" not in nothing.predict(inputs)


def test_a_network_of_ones_own(wine: Any) -> None:
    from torch import nn

    def build(*, inputs: int, outputs: int, width: int = 4) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))

    model = SurefootClassifier(model=build, **QUICK, settings={"model.width": 9}).fit(*wine)
    assert model.network_[0].out_features == 9
    without_sizes = SurefootClassifier(model=lambda: nn.Linear(13, 3), **QUICK)
    assert without_sizes.fit(*wine).score(*wine) > 0.9
    with pytest.raises(sf.errors.TaskError, match="builds a fresh model, not Linear; write model=lambda: "):
        SurefootClassifier(model=nn.Linear(13, 3)).fit(*wine)
    assert without_sizes.fit(sparse.coo_array(wine[0]), wine[1]).score(*wine) > 0.9


def test_several_numbers_a_row_and_counts() -> None:
    inputs = np.linspace(-1, 1, 60).reshape(-1, 1)
    targets = np.column_stack([100 * inputs[:, 0], 1e-3 * inputs[:, 0] ** 2])
    model = SurefootRegressor(epochs=60, learning_rate=0.02, random_state=0).fit(inputs, targets)
    assert model.predict(inputs).shape == (60, 2)
    assert model.score(inputs, targets) > 0.9
    counts = np.random.default_rng(0).poisson(np.exp(1 + inputs[:, 0]))
    rates = SurefootRegressor(**QUICK, settings={"loss.name": "poisson"}).fit(inputs, counts).predict(inputs)
    assert rates.min() > 0
    assert rates[-1] > 2 * rates[0]


@pytest.mark.slow
def test_a_budget_searches(wine: Any) -> None:
    space = {"model.hidden": sf.space.choice(8, 32)}
    model = SurefootClassifier(budget=1, space=space, epochs=20, random_state=0).fit(*wine)
    assert model.study_.kind == "tune"
    assert model.study_.rows["validation"] == 36
    assert model.study_.cost.trainings <= 1.01
    assert model.score(*wine) > 0.95


def test_a_recipe_comes_as_an_object_as_sections_or_from_a_file(tmp_path: Path, wine: Any) -> None:
    recipe = sf.Recipe(batch={"size": 20}, stopping={"max_steps": 3})
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    for given in (recipe, recipe.to_dict(), path, str(path)):
        model = SurefootClassifier(recipe=given, learning_rate=0.5, epochs=2).fit(*wine)
        assert model.recipe_.batch.size == 20
        assert model.recipe_.optimizer.learning_rate == 0.5
        assert model.study_.runs[0].steps == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"optimizer": "adm"}, "did you mean"),
        ({"learning_rate": -1}, "optimizer.learning_rate"),
        ({"batch_size": 500}, "there are 178 training rows"),
        ({"learning_rate": 0.1, "settings": {"optimizer.learning_rate": 0.1}}, "are the same lever"),
        ({"settings": {"optimzer.momentum": 0.9}}, 'there is no section "optimzer"; did you mean "optimizer"'),
        ({"settings": 3}, "settings must be a mapping"),
        ({"settings": {"loss.name": "huber"}}, "not for a classifier"),
        ({"settings": {"data.standardize": True}}, "set standardize="),
        ({"recipe": 3}, "recipe must be"),
        ({"recipe": {"optimizer": "sgd"}}, r'recipe\["optimizer"\] must be a mapping'),
        ({"recipe": {"batches": {}}}, 'no section "batches"'),
        ({"space": {"model.hidden": sf.space.choice(8, 16)}}, "give it a budget"),
        ({"validation_fraction": 1.5}, "validation_fraction is 1.5"),
        ({"validation_fraction": "a"}, "validation_fraction is 'a'"),
        ({"validation_fraction": 0.001}, "leaves a part without rows"),
        ({"model": 3}, "model must be a function"),
        ({"epochs": 0}, "epochs must be a number above 0"),
        ({"learning_rate": 1e30, "standardize": False}, "try a lower learning_rate"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: dict[str, Any], line: str, wine: Any) -> None:
    with pytest.raises(sf.RequestError, match=line) as raised:
        SurefootClassifier(**arguments).fit(*wine)
    assert "\n" not in str(raised.value)


def test_what_is_wrong_with_the_data_is_said(wine: Any) -> None:
    inputs, labels = wine
    with pytest.raises(ValueError, match='one class, "class_0"'):
        SurefootClassifier().fit(inputs[:10], labels[:10])
    with pytest.raises(ValueError, match="0 in every row"):
        SurefootClassifier(class_weight=dict.fromkeys(np.unique(labels), 0)).fit(inputs, labels)
    with pytest.raises(NotFittedError):
        SurefootClassifier().predict(inputs)
    with pytest.raises(NotFittedError):
        _ = SurefootClassifier().network_
    with pytest.raises(ValueError, match='no parameter "modle__hidden"; did you mean "model"'):
        SurefootClassifier().set_params(modle__hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'learningrate'"):
        SurefootClassifier().set_params(learningrate=3)
    with pytest.raises(AttributeError, match="predict_proba"):
        SurefootClassifier(settings={"loss.name": "hinge"}).predict_proba(inputs)


def test_whoever_interrupts_keeps_the_best_model_so_far(wine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = lambda *given, **named: dataclasses.replace(sf.fit(*given, **named), stopped_by_person=True)  # noqa: E731
    monkeypatch.setattr("surefoot.integrations.sklearn.network.fit", interrupted)
    with pytest.warns(UserWarning, match="was interrupted"):
        assert SurefootClassifier(**QUICK).fit(*wine).score(*wine) > 0.9


def test_small_tables_have_more_epochs() -> None:
    epochs = [usual_epochs(sf.Recipe(), rows) for rows in (2, 50, 100, 240, 1000, 100_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert (epochs[0], epochs[-1]) == (60, 20)


@pytest.mark.slow
def test_importing_the_door_loads_no_torch() -> None:
    script = "import sys, surefoot.integrations.sklearn; print('torch' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_without_pytorch_fitting_names_the_extra() -> None:
    script = """
import sys
from surefoot.integrations.sklearn import SurefootClassifier
sys.modules["torch"] = None
try:
    SurefootClassifier().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "training needs PyTorch; install it with: pip install 'surefoot[torch]'\n"


def test_a_missing_or_an_old_scikit_learn_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.4.2")
    with pytest.raises(sf.errors.MissingExtraError, match=r"1\.6 or newer, and 1\.4\.2 is installed"):
        require_sklearn()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(sf.errors.MissingExtraError, match=r"pip install 'surefoot\[sklearn\]'"):
        require_sklearn()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs/coming-from-scikit-learn.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(code, "the page", "exec"), namespace)
    first, second = capsys.readouterr().out.splitlines()
    rate, trainings = map(float, first.split())
    assert re.search(r"'learning_rate_init'.* 0\.9", second)
    assert 1e-5 < rate < 1
    assert trainings <= 2.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_script_before_and_after(program: Any) -> None:
    theirs = program("examples/sklearn", "digits_grid_search").main(max_iter=2, folds=2)
    ours = program("examples/sklearn", "digits_surefoot").main(epochs=10)
    assert theirs["score"] > 0.5
    assert min(found["score"] for found in ours.values()) > 0.93
