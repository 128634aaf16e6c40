"""RecipeSearchCV: our search over scikit-learn's estimators with partial_fit."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn import config_context, datasets
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - importing it is how one enables it
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, HalvingRandomSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import surefoot as sf
from surefoot.integrations.sklearn import RecipeSearchCV
from surefoot.integrations.sklearn.families import family_of
from surefoot.integrations.sklearn.folds import FoldsRun
from surefoot.integrations.sklearn.judging import mean_loss
from surefoot.integrations.sklearn.partial_run import PartialRun
from surefoot.integrations.sklearn.rows import Part
from surefoot.integrations.sklearn.varying import space_of
from surefoot.protocols import Steered
from surefoot.protocols.search import never
from surefoot.testing import check_trainable

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 4))
LABELS = np.where(INPUTS[:, 0] + 0.3 * RNG.normal(size=60) > 0, "up", "down")
NUMBERS = 3 * INPUTS[:, 0] - INPUTS[:, 1]
PART = Part(INPUTS, LABELS)

SMALL = {"hidden_layer_sizes": (8,)}
ESTIMATORS = {
    "mlp": MLPClassifier(**SMALL),
    "mlp, sgd": MLPClassifier(**SMALL, solver="sgd"),
    "mlp, numbers": MLPRegressor(**SMALL),
    "linear": SGDClassifier(loss="log_loss"),
    "linear, averaged": SGDClassifier(average=True),
    "linear, numbers": SGDRegressor(),
}


def run_of(estimator: Any, *, recipe: sf.Recipe | None = None, seed: int = 0, epochs: int = 3) -> PartialRun:
    family = family_of(estimator)
    rows = Part(INPUTS, LABELS if is_classifier(estimator) else NUMBERS)
    sections = {**family.sections(estimator), **(recipe or sf.Recipe(batch={"size": 8})).to_dict()}
    if recipe is not None:
        sections["optimizer"] = {**family.sections(estimator)["optimizer"], **sections["optimizer"]}
    return PartialRun(
        clone(estimator),
        family,
        sf.Recipe(**sections).complete(len(rows)),
        {"train": rows, "validation": rows},
        classes=np.unique(LABELS) if is_classifier(estimator) else None,
        scorer=None,
        direction="min",
        seed=seed,
        horizon=epochs * len(rows),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_run_is_a_trainable(name: str) -> None:
    check_trainable(partial(run_of, ESTIMATORS[name]))


@pytest.mark.slow
def test_folds_side_by_side_are_a_trainable() -> None:
    check_trainable(lambda: FoldsRun([run_of(ESTIMATORS["mlp"], seed=seed) for seed in (0, 1)]))


def test_every_fold_hears_what_was_looked_at() -> None:
    reacting = sf.Recipe(
        optimizer={"learning_rate": 0.01},
        schedule={"name": "plateau", "patience": 0.1, "cooldown": 0.0, "factor": 0.5, "warmup": 0.0},
        batch={"size": 20},
    )
    runs = [run_of(ESTIMATORS["mlp"], recipe=reacting, seed=seed, epochs=5) for seed in (0, 1)]
    together = FoldsRun(runs)
    assert isinstance(together, Steered)
    for _ in range(4):
        together.advance(60, should_stop=never)
        together.looked(1.0)
    assert together.changes
    assert [run.changes for run in runs] == [together.changes] * 2


def test_what_diverged_goes_back_and_on_at_a_lower_rate() -> None:
    together = FoldsRun([run_of(ESTIMATORS["linear, numbers"], seed=seed) for seed in (0, 1)])
    together.advance(60, should_stop=never)
    together.mark({"note": 1})
    before = together.evaluate("validation")
    together.advance(60, should_stop=never)
    assert together.retry(0.5, "made up") == {"note": 1}
    assert together.samples_seen == 60
    assert together.evaluate("validation") == before
    assert together.changes[-1].after == 0.5


def recipe(rate: float, decay: float = 0.0, size: int = 60, **optimizer: Any) -> sf.Recipe:
    return sf.Recipe(
        optimizer={"learning_rate": rate, "weight_decay": decay, **optimizer},
        schedule={"name": "constant", "warmup": 0.0},
        batch={"size": size},
    )


def weights_of(run: PartialRun) -> np.ndarray:
    coefs = getattr(run.model, "coefs_", None) or [run.model.coef_]
    return np.concatenate([one.ravel() for one in coefs])


def test_the_rate_of_a_network_really_changes() -> None:
    """A changed learning_rate_init alone does nothing, since the optimizer is made once."""
    run = run_of(ESTIMATORS["mlp, sgd"], recipe=recipe(1e-3, name="sgd", momentum=0.0, nesterov=False))
    moved = []
    for rate in (1e-3, 1e-2):
        with run.restored():
            before = weights_of(run)
            run.step_at(rate, batch_size=60)
            moved.append(np.linalg.norm(weights_of(run) - before))
    assert moved[1] == pytest.approx(10 * moved[0], rel=1e-6)


@pytest.mark.parametrize("size", [10, 60])
def test_decay_is_ours_whatever_the_batch(size: int) -> None:
    """scikit-learn divides alpha by the rows of the batch: the same λ must pull as hard at any size."""
    pulled = []
    for decay in (0.0, 0.5):
        run = run_of(ESTIMATORS["mlp, sgd"], recipe=recipe(0.01, decay, size, name="sgd", momentum=0.0, nesterov=False))
        before = weights_of(run)
        run.step_at(0.01, batch_size=size)
        pulled.append(weights_of(run))
    assert pulled[1] - pulled[0] == pytest.approx(-0.01 * 0.5 * before, rel=1e-9, abs=1e-12)


def test_decay_stands_between_the_steps_of_adam_unless_asked_otherwise() -> None:
    apart, inside, without = (
        run_of(ESTIMATORS["mlp"], recipe=recipe(0.01, decay, name=name))
        for name, decay in (("adamw", 0.5), ("adam", 0.5), ("adamw", 0.0))
    )
    before = weights_of(apart)
    for run in (apart, inside, without):
        run.step_at(0.01, batch_size=60)
    assert weights_of(apart) - weights_of(without) == pytest.approx(-0.005 * before, abs=2e-4)
    assert np.abs(weights_of(inside) - before).max() == pytest.approx(0.01, rel=1e-3)  # Adam's first step


def test_steps_of_single_rows_move_as_one_of_the_batch() -> None:
    """At a low rate B steps at η / B are one step at η over the mean gradient."""
    small = recipe(1e-4, 0.1, name="sgd")
    run = run_of(ESTIMATORS["linear, numbers"], recipe=small)
    run.model.coef_ += 1.0
    errors = INPUTS.sum(axis=1) - NUMBERS
    run.step_at(1e-4, batch_size=60)
    expected = 1.0 - 1e-4 * ((errors[:, None] * INPUTS).mean(axis=0) + 0.1)
    assert run.model.coef_ == pytest.approx(expected, abs=1e-7)


def test_the_schedule_reaches_its_end() -> None:
    run = run_of(ESTIMATORS["mlp"], epochs=5)
    assert run.advance(run.horizon, should_stop=never).learning_rate < 0.001 * 3e-3


def test_losses_are_those_of_scikit_learn() -> None:
    model = MLPClassifier(**SMALL, alpha=0.0, max_iter=3, shuffle=False, random_state=0)
    with pytest.warns(match="hasn't converged"):
        model.fit(INPUTS, LABELS)
    loss = mean_loss(model, INPUTS, LABELS)
    model.partial_fit(INPUTS, LABELS)
    assert loss == pytest.approx(model.loss_)
    margins = SGDClassifier(random_state=0).fit(INPUTS, LABELS)
    signs = np.where(LABELS == "up", 1, -1)
    assert mean_loss(margins, INPUTS, LABELS) == np.maximum(0, 1 - signs * margins.decision_function(INPUTS)).mean()
    assert mean_loss(SGDRegressor(random_state=0).fit(INPUTS, NUMBERS), INPUTS, NUMBERS, NUMBERS**2) >= 0


@pytest.mark.slow
def test_a_network_on_digits() -> None:
    inputs, labels = datasets.load_digits(return_X_y=True)
    search = RecipeSearchCV(MLPClassifier(), epochs=10, random_state=0).fit(inputs[:1200] / 16, labels[:1200])
    assert search.score(inputs[1200:] / 16, labels[1200:]) > 0.91
    assert search.study_.cost.trainings <= 1.001
    assert search.best_estimator_.learning_rate_init == search.best_params_["learning_rate_init"]
    assert search.best_estimator_.shuffle
    again = RecipeSearchCV(MLPClassifier(), recipe=search.best_recipe_, epochs=2, budget=0.5, random_state=0)
    assert again.fit(inputs[:300] / 16, labels[:300]).study_.runs
    results = search.cv_results_
    assert results["rank_test_score"][search.best_index_] <= 2
    assert results["mean_test_score"][search.best_index_] == search.best_score_
    assert len({len(column) for column in results.values()}) == 1
    again = pickle.loads(pickle.dumps(search))  # noqa: S301 - written a line above
    assert np.array_equal(again.predict(inputs), search.predict(inputs))


@pytest.mark.slow
def test_folds_scoring_groups_and_the_estimators_own_parameters() -> None:
    groups = np.arange(60) // 6
    search = RecipeSearchCV(
        MLPClassifier(**SMALL),
        {"activation": ["relu", "tanh"]},
        epochs=10,
        cv=GroupKFold(3),
        scoring="balanced_accuracy",
        random_state=0,
    ).fit(INPUTS, LABELS, groups=groups)
    assert search.n_splits_ == 3
    assert is_classifier(search)
    assert search.study_.objective.name == "validation_score"
    assert {"param_activation", "split2_test_score", "std_test_score"} <= set(search.cv_results_)
    assert search.best_params_["activation"] == search.best_estimator_.activation
    folds = [search.cv_results_[f"split{index}_test_score"][0] for index in range(3)]
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(folds))


@pytest.mark.slow
def test_it_takes_sparse_rows_weights_and_stands_in_a_pipeline() -> None:
    search = RecipeSearchCV(SGDClassifier(class_weight="balanced"), epochs=10, random_state=0)
    search.fit(sparse.csr_matrix(INPUTS), LABELS, sample_weight=np.where(LABELS == "up", 1.0, 3.0))
    assert search.predict(sparse.csr_matrix(INPUTS)).dtype.kind == "U"
    assert not hasattr(search, "predict_proba")
    assert list(search.classes_) == ["down", "up"]
    numbers = make_pipeline(StandardScaler(), RecipeSearchCV(SGDRegressor(), epochs=20, random_state=0))
    assert cross_val_score(numbers, INPUTS, NUMBERS, cv=3).min() > 0.9
    one, two = (RecipeSearchCV(MLPRegressor(**SMALL), epochs=5, random_state=3).fit(INPUTS, NUMBERS) for _ in range(2))
    assert np.array_equal(one.predict(INPUTS), two.predict(INPUTS))


@pytest.mark.parametrize(
    ("estimator", "arguments", "line"),
    [
        (SGDClassifier, {}, r"give an instance: SGDClassifier\(\)"),
        (SGDClassifier(), {"scoring": ["accuracy", "f1"]}, "scoring must be one score"),
        (SGDClassifier(), {"scoring": "accurracy"}, 'no score "accurracy"; did you mean "accuracy"'),
        (SGDClassifier(), {"scoring": "f1"}, "failed at .*ValueError: pos_label=1 is not a valid label"),
        (SGDClassifier(), {"scoring": lambda *_: np.nan}, "the score of the held-out rows is nan: does it"),
        (SGDClassifier(), {"refit": "f1"}, "refit must be True, False or a function"),
        (SGDClassifier(), {"refit": lambda results: len(results["params"]), "epochs": 5}, "refit gave [0-9]+; it must"),
        (SGDClassifier(), {"space": {"alpha": [0.1, 1.0]}}, 'name it "optimizer.weight_decay"'),
        (SGDClassifier(), {"space": {"tol": stats.norm()}}, r'space\["tol"\] is SciPy.s norm; take loguniform'),
        (SGDClassifier(), {"space": {"optimizer.weight_decay": 3}}, "must be one of sf.space.log"),
        (LogisticRegression(), {}, "LogisticRegression cannot be searched; take MLPClassifier"),
        (Perceptron(), {}, "Perceptron cannot be searched"),
        (make_pipeline(StandardScaler(), SGDClassifier()), {}, "put RecipeSearchCV into the pipeline"),
        (MLPClassifier(solver="lbfgs"), {}, 'take "adam" or "sgd"'),
        (MLPClassifier(batch_size=50), {}, "the batch is 50, but there are 48 training rows"),
        (SGDClassifier(), {"budget": 0}, "budget must be a number of trainings above 0"),
        (SGDClassifier(), {"space": {"etaO": sf.space.log(0.1, 1)}}, "etaO"),
        (MLPClassifier(), {"space": {"activaton": ["relu"]}}, 'nor a key of a recipe .*; did you mean "activation"'),
        (MLPClassifier(), {"space": {"activation": ["relu", "foo"]}}, "with activation='foo' at .* Got 'foo' instead"),
        (MLPClassifier(), {"space": {"hidden_layer_sizes": [(4,), (0,)]}}, "hidden_layer_sizes must be > 0"),
        (SGDClassifier(), {"space": {"tol": sf.space.uniform(-1.0, 0.1)}}, "with tol=-1.0 at .*InvalidParameterError"),
        (SGDClassifier(), {"recipe": {"optimizer": {"name": "adamw"}}}, 'trains with "sgd"'),
        (MLPClassifier(), {"recipe": {"optimizer": {"name": "nadamw"}}}, 'trains with "adamw" or "adam"'),
        (SGDClassifier(), {"recipe": {"network": {"averaging": "ema"}}}, "network is not for scikit-learn"),
        (SGDClassifier(), {"recipe": {"batch": {"micro_batch": 2}}}, "batch.micro_batch is not for"),
        (SGDClassifier(), {"recipe": {"batch": {"policy": "noise_scale"}}}, "looks at the noise"),
        (SGDClassifier(), {"recipe": {"optimizer": {"momentum": 0.9}}}, "not for scikit-learn's linear models"),
        (SGDClassifier(loss="nonsense"), {}, "The 'loss' parameter of SGDClassifier must be"),
        (MLPClassifier(hidden_layer_sizes=(0,)), {}, "hidden_layer_sizes must be > 0"),
    ],
)
def test_what_is_wrong_is_one_line(estimator: Any, arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(sf.RequestError, match=line) as raised:
        RecipeSearchCV(estimator, random_state=0, **arguments).fit(INPUTS, LABELS)
    assert "\n" not in str(raised.value)


def test_without_a_refit_there_is_nothing_to_predict_with() -> None:
    search = RecipeSearchCV(SGDClassifier(), epochs=5, refit=False, random_state=0).fit(INPUTS, LABELS)
    assert set(search.best_params_) == {"eta0", "alpha", "learning_rate"}
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(INPUTS)
    with pytest.raises(sf.RequestError, match='one class, "up"'):
        RecipeSearchCV(SGDClassifier()).fit(INPUTS[LABELS == "up"], LABELS[LABELS == "up"])


@pytest.mark.slow
def test_distributions_of_scipy_are_the_ranges_they_are() -> None:
    given = {"batch.size": stats.randint(4, 9), "l1_ratio": stats.uniform(0.2, 0.3), "penalty": ("l2", "elasticnet")}
    assert space_of(given, own=["l1_ratio", "penalty"]) == {
        "batch.size": sf.space.integer(4, 8),
        "model.l1_ratio": sf.space.uniform(0.2, 0.5),
        "model.penalty": sf.space.choice("l2", "elasticnet"),
    }
    search = RecipeSearchCV(SGDClassifier(), given, epochs=10, random_state=0).fit(INPUTS, LABELS)
    assert set(search.cv_results_["param_penalty"]) <= {"l2", "elasticnet"}
    assert all(0.2 <= ratio <= 0.5 for ratio in search.cv_results_["param_l1_ratio"])
    assert search.best_estimator_.l1_ratio == search.best_params_["l1_ratio"]


# What HalvingRandomSearchCV has: for other estimators, of candidates and resources, or of its own affairs.
NOT_HERE = {"score_samples", "transform", "inverse_transform", "set_callbacks", "pre_dispatch"}
NOT_HERE |= {"n_candidates_", "n_remaining_candidates_", "n_resources_", "max_resources_", "min_resources_"}
NOT_HERE |= {"n_iterations_", "n_possible_iterations_", "n_required_iterations_"}


@pytest.mark.slow
def test_it_answers_as_scikit_learns_search_does() -> None:
    distributions = {"alpha": stats.loguniform(1e-5, 1e-1)}
    halving = HalvingRandomSearchCV(SGDClassifier(loss="log_loss"), distributions, cv=2, random_state=0)
    halving.fit(INPUTS, LABELS)
    search = RecipeSearchCV(SGDClassifier(loss="log_loss"), cv=2, epochs=10, random_state=0).fit(INPUTS, LABELS)
    theirs, ours = (
        {name for name in dir(one) if not name.startswith("_") and name not in one.get_params(deep=False)}
        for one in (halving, search)
    )
    assert theirs - ours <= NOT_HERE
    left_out = ("_train_score", "std_fit_time", "_score_time")
    assert {name for name in halving.cv_results_ if not name.endswith(left_out)} <= set(search.cv_results_)
    assert search.predict_log_proba(INPUTS) == pytest.approx(np.log(search.predict_proba(INPUTS)))
    assert clone(search).get_params()["estimator__loss"] == "log_loss"
    assert search.multimetric_ is False


@pytest.mark.slow
def test_whoever_asks_chooses_the_best_run_himself() -> None:
    search = RecipeSearchCV(
        SGDClassifier(), epochs=10, random_state=0, refit=lambda found: int(np.argmin(found["param_alpha"]))
    )
    search.fit(INPUTS, LABELS)
    assert search.best_index_ == np.argmin(search.cv_results_["param_alpha"])
    assert search.best_recipe_.optimizer.weight_decay == search.best_params_["alpha"] == search.best_estimator_.alpha
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]


@pytest.mark.slow
def test_tables_columns_and_weights_on_their_way_through_a_pipeline() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(INPUTS, columns=list("abcd")).assign(word=np.where(NUMBERS > 0, "high", "low"))
    columns = ColumnTransformer([("word", OneHotEncoder(), ["word"])], remainder=StandardScaler())
    search = RecipeSearchCV(SGDClassifier(), epochs=10, random_state=0)
    losses = {"recipesearchcv__estimator__loss": ["hinge", "log_loss"]}
    assert GridSearchCV(make_pipeline(columns, search), losses, cv=2).fit(table, LABELS).best_score_ > 0.6
    with config_context(enable_metadata_routing=True):
        asking = make_pipeline(MinMaxScaler(), clone(search).set_fit_request(sample_weight=True))
        weighted = asking.fit(INPUTS, LABELS, sample_weight=(LABELS == "up") + 0.01)
    assert (weighted.predict(INPUTS) == "up").mean() > 0.2 + (LABELS == "up").mean()
    named = RecipeSearchCV(SGDClassifier(), epochs=5, random_state=0).fit(table[["a", "b"]], LABELS)
    assert list(named.best_estimator_.feature_names_in_) == list(named.feature_names_in_) == ["a", "b"]


@pytest.mark.slow
def test_searching_loads_no_torch() -> None:
    script = """
import sys, numpy as np
from sklearn.linear_model import SGDClassifier
from surefoot.integrations.sklearn import RecipeSearchCV
rows = np.random.default_rng(0).normal(size=(50, 2))
RecipeSearchCV(SGDClassifier(), epochs=5, random_state=0).fit(rows, rows[:, 0] > 0)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_an_interrupted_search_ends_as_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = lambda *given, **named: dataclasses.replace(sf.tune(*given, **named), stopped_by_person=True)  # noqa: E731
    monkeypatch.setattr("surefoot.integrations.sklearn.search.tune", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RecipeSearchCV(SGDClassifier(), epochs=2, random_state=0).fit(INPUTS, LABELS)


def test_all_rows_that_diverge_are_trained_again_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    search = RecipeSearchCV(SGDRegressor(), epochs=5, random_state=0)
    advance = PartialRun.advance

    def once(run: PartialRun, num_samples: int, **others: Any) -> Any:
        done = advance(run, num_samples, **others)
        is_first_of_all_rows = run._num_rows == len(NUMBERS) and not hasattr(search, "failed")
        if is_first_of_all_rows:
            search.failed = True
        return dataclasses.replace(done, failure="diverged", reason="made up") if is_first_of_all_rows else done

    monkeypatch.setattr(PartialRun, "advance", once)
    with pytest.warns(ConvergenceWarning, match="made up; it was trained again at"):
        search.fit(INPUTS, NUMBERS)
    winner = search.study_.runs[search.best_index_]
    assert search.best_recipe_.optimizer.learning_rate == winner.recipe["optimizer"]["learning_rate"] / 3


def checks() -> list[Any]:
    """scikit-learn's own checks, for the search around a classifier and around a regressor."""
    allowed = {
        f"check_sample_weight_equivalence_on_{kind}_data": "mini-batches are shuffled" for kind in ("dense", "sparse")
    }
    found = []
    for inner in (SGDClassifier(loss="log_loss"), SGDRegressor()):
        search = RecipeSearchCV(inner, epochs=5, random_state=0)
        for each, check in estimator_checks_generator(search, expected_failed_checks=allowed, mark="skip"):
            name = f"{getattr(check, 'func', check).__name__} {type(inner).__name__}"
            found.append(pytest.param(each, check, id=name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("search", "check"), checks())
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.SkipTestWarning", "ignore::sklearn.exceptions.ConvergenceWarning"
)
def test_the_search_passes_scikit_learns_checks(search: Any, check: Any) -> None:
    check(search)


class _NeverBoth(SGDClassifier):
    """Refuses two values together that it takes each by itself."""

    def partial_fit(self, *rows: Any, **others: Any) -> Any:
        if self.fit_intercept is False and self.penalty == "l1":
            raise KeyError("both")
        return super().partial_fit(*rows, **others)


def test_what_only_two_values_together_raise_is_one_line_too() -> None:
    space = {"fit_intercept": [True, False], "penalty": ["l2", "l1"]}
    with pytest.raises(
        sf.RequestError, match="the estimator failed with .*penalty='l1'.* at .*KeyError: 'both'"
    ) as told:
        RecipeSearchCV(_NeverBoth(), space, epochs=5, budget=12.0, random_state=0).fit(INPUTS, LABELS)
    assert "\n" not in str(told.value)
