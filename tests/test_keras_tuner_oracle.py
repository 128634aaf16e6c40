"""Our search as an oracle of Keras Tuner, on objectives that are computed instead of trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from surefoot.errors import RequestError
from surefoot.integrations.keras import SurefootOracle

# Keras Tuner 1.4.8 names threads by a method that Python 3.10 deprecated, in every call of an oracle
pytestmark = pytest.mark.filterwarnings("ignore:(currentThread|getName)\\(\\) is deprecated:DeprecationWarning")
LOSS = keras_tuner.Objective("val_loss", "min")
BEST = math.log10(3e-3)


class Computed(keras_tuner.engine.base_tuner.BaseTuner):
    """Asks the oracle as every tuner does; a trial's value is a function of its values."""

    value: Callable[[dict[str, Any]], float]

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        return {self.oracle.objective.name: self.value(trial.hyperparameters.values)}


def space() -> Any:
    found = keras_tuner.HyperParameters()
    found.Float("lr", 1e-5, 1.0, sampling="log")
    found.Choice("activation", ["relu", "tanh"])
    found.Int("units", 1, 20, parent_name="activation", parent_values=["relu"])
    return found


def bowl(values: dict[str, Any]) -> float:
    """Lower near a rate of 0.003 and after more epochs; it diverges above 0.1."""
    rate = math.log10(values["lr"])
    late = 2.0 / values.get("tuner/epochs", 9)
    return math.nan if rate > -1.0 else (rate - BEST) ** 2 + 0.3 * (values["activation"] == "tanh") + late


def searched(oracle: Any, directory: Path, value: Callable[[dict[str, Any]], float] = bowl) -> Any:
    tuner = Computed(oracle, directory=directory, project_name="study")
    tuner.value = value
    tuner.search(verbose=0)
    return tuner


def epochs_of(oracle: Any) -> int:
    every = [trial.hyperparameters.values for trial in oracle.trials.values()]
    return sum(values["tuner/epochs"] - values["tuner/initial_epoch"] for values in every)


def test_the_best_third_goes_on_and_the_budget_is_kept(tmp_path: Path) -> None:
    oracle = SurefootOracle(LOSS, max_epochs=9, budget=3.0, seed=0, hyperparameters=space())
    tuner = searched(oracle, tmp_path)
    assert 2 * 9 < epochs_of(oracle) <= 3 * 9
    best = tuner.get_best_hyperparameters()[0].values
    assert abs(math.log10(best["lr"]) - BEST) < 0.5
    assert best["tuner/epochs"] == 9
    for trial in oracle.trials.values():
        values = trial.hyperparameters.values
        if "tuner/trial_id" in values:
            before = oracle.trials[values["tuner/trial_id"]].hyperparameters.values
            assert values["tuner/initial_epoch"] == before["tuner/epochs"] < values["tuner/epochs"]
            assert values["lr"] == before["lr"]
        assert ("units" in values) == (values["activation"] == "relu")


def test_many_that_diverge_do_not_end_a_search(tmp_path: Path) -> None:
    """Keras Tuner raises RuntimeError after three scores of NaN in a row."""
    oracle = SurefootOracle(LOSS, max_trials=12, seed=0, hyperparameters=space())
    tuner = searched(oracle, tmp_path, lambda values: math.nan if len(oracle.trials) < 6 else bowl(values))
    assert len(oracle.trials) == 12
    assert math.isfinite(tuner.oracle.get_best_trials()[0].score)


def test_a_first_trial_that_diverges_does_not_end_a_search_of_one_training(tmp_path: Path) -> None:
    oracle = SurefootOracle(LOSS, max_epochs=9, budget=1.0, seed=3, hyperparameters=space())
    tuner = searched(oracle, tmp_path)
    first, *others = tuner.oracle.trials.values()
    assert math.isinf(first.score) and any(math.isfinite(trial.score) for trial in others)
    assert epochs_of(oracle) <= 9


def test_what_is_better_is_as_the_objective_says(tmp_path: Path) -> None:
    oracle = SurefootOracle("val_accuracy", max_epochs=9, budget=3.0, seed=0, hyperparameters=space())
    tuner = searched(oracle, tmp_path, lambda values: -bowl(values))
    assert abs(math.log10(tuner.get_best_hyperparameters()[0].values["lr"]) - BEST) < 0.5


def test_a_saved_search_goes_on_where_it_stood(tmp_path: Path) -> None:
    def oracle(budget: float) -> Any:
        return SurefootOracle(LOSS, max_epochs=9, budget=budget, seed=0, hyperparameters=space())

    searched(oracle(1.0), tmp_path / "parts")
    again = searched(oracle(1.0), tmp_path / "parts").oracle
    assert epochs_of(again) <= 9
    num_before = len(again.trials)
    more = searched(oracle(2.0), tmp_path / "parts").oracle
    assert len(more.trials) > num_before
    assert epochs_of(more) <= 18


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_seed_gives_the_same_trials(tmp_path: Path, seed: int) -> None:
    both = [
        searched(
            SurefootOracle(LOSS, max_epochs=9, budget=2.0, seed=seed, hyperparameters=space()), tmp_path / name
        ).oracle
        for name in ("first", "second")
    ]
    one, other = ([trial.hyperparameters.values for trial in oracle.trials.values()] for oracle in both)
    assert one == other


def test_a_space_of_few_points_ends(tmp_path: Path) -> None:
    few = keras_tuner.HyperParameters()
    few.Choice("units", [1, 2, 3])
    oracle = SurefootOracle(LOSS, max_trials=50, seed=0, hyperparameters=few)
    searched(oracle, tmp_path, lambda values: float(values["units"]))
    assert sorted(trial.hyperparameters.values["units"] for trial in oracle.trials.values()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"max_epochs": 0}, "max_epochs must be a whole number of at least 1, not 0"),
        ({"max_epochs": 5, "budget": "2min"}, "budget must be a number of trainings above 0"),
        ({"objective": ["val_loss", "val_accuracy"]}, "objective must be one"),
    ],
)
def test_what_cannot_be_done_is_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(RequestError, match=line):
        SurefootOracle(**{"objective": "val_loss", **changes})
