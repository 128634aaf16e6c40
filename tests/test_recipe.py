"""Recipes: validation in one line, TOML there and back, defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import RecipeError, RequestError
from surefoot.recipe import Recipe, parse_value
from surefoot.space import check, choice, integer, log, uniform


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"optimizr": {}}, 'no section "optimizr"; did you mean "optimizer"'),
        ({"optimizer": {"learning_rat": 1}}, 'no key "optimizer.learning_rat"; did you mean "learning_rate"'),
        ({"optimizer": {"name": "adamm"}}, 'optimizer.name is "adamm", which does not exist; did you mean "adam"'),
        ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate is 0: it should be greater than 0"),
        ({"optimizer": {"learning_rate": float("nan")}}, "should be a finite number"),
        ({"optimizer": {"name": "adam", "momentum": 0.9}}, 'optimizer.momentum is not used by "adam"'),
        ({"schedule": {"name": "cosin"}}, 'schedule.name is "cosin", which does not exist; did you mean "cosine"'),
        ({"schedule": {"flor": 0.1}}, 'schedule.flor is not an argument of "cosine"; did you mean "floor"'),
        ({"schedule": {"floor": 3}}, "floor must lie in [0, 1]"),
        ({"schedule": {"warmup": 1.0}}, "schedule.warmup is 1.0"),
        ({"batch": {"size": 0}}, "batch.size is 0"),
        ({"loss": {"name": "mse"}}, 'loss.name is "mse", which does not exist'),
        ({"model": 3}, "model is 3"),
    ],
)
def test_a_wrong_recipe_gets_one_line(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(**sections)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_file_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.from_file(tmp_path / "absent.toml")
    path = tmp_path / "broken.toml"
    path.write_text("[optimizer\n")
    with pytest.raises(RecipeError, match="not TOML"):
        Recipe.from_file(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not UTF-8"):
        Recipe.from_file(path)


recipes = st.builds(
    lambda name, rate, decay, schedule, warmup, size: Recipe(
        optimizer={"name": name, "learning_rate": rate, "weight_decay": decay},
        schedule={"name": schedule, "warmup": warmup},
        batch={"size": size},
        model={"hidden": size},
    ),
    st.sampled_from(["sgd", "adam", "adamw", "nadamw", "rmsprop", "adagrad"]),
    st.floats(1e-9, 1e3),
    st.floats(0, 10),
    st.sampled_from(["constant", "linear", "cosine", "polynomial", "exponential"]),
    st.floats(0, 0.9),
    st.integers(1, 10_000),
)


@given(recipes, st.integers(1, 10**6))
def test_toml_there_and_back(recipe: Recipe, rows: int) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    complete = recipe.complete(rows)
    assert Recipe.from_toml(complete.to_toml()) == complete
    assert complete.complete(rows) == complete
    assert complete.optimizer.learning_rate == recipe.optimizer.learning_rate


def test_complete_says_everything_a_run_needs() -> None:
    complete = Recipe().complete(1000).to_dict()
    assert complete["optimizer"] == {
        "name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
    }  # fmt: skip
    assert complete["batch"] == {"policy": "fixed", "size": 16}
    assert Recipe(batch={"policy": "full"}).complete(1000).batch.size == 1000
    assert Recipe(batch={"policy": "single", "size": 8}).complete(1000).batch.size == 1


def test_changes_by_dotted_key() -> None:
    changed = Recipe().with_changes({"optimizer.name": "sgd", "optimizer.momentum": 0.5, "model.hidden": 64})
    assert changed.optimizer.momentum == 0.5
    assert changed.model == {"hidden": 64}
    with pytest.raises(RecipeError, match='no section "batches"; did you mean "batch"'):
        Recipe().with_changes({"batches.size": 3})
    with pytest.raises(RecipeError, match="names a section"):
        Recipe().with_changes({"batch": 3})


def test_values_as_typed() -> None:
    assert parse_value("16") == 16
    assert parse_value('"16"') == "16"
    assert parse_value("[1, 2]") == [1, 2]
    assert parse_value("cosine") == "cosine"


def test_a_space_is_checked_at_the_door() -> None:
    assert check({"model.hidden": choice(32, 64), "optimizer.momentum": uniform(0.5, 0.9)})
    with pytest.raises(RequestError, match="greater than or equal to 1"):
        check({"batch.size": integer(0, 64)})
    with pytest.raises(RequestError, match='no key "optimizer.lr"'):
        check({"optimizer.lr": log(1e-3, 1)})
    for near in ("units", "unit"):
        with pytest.raises(RequestError, match='did you mean "model.units", an argument of the model?'):
            check({near: choice(32, 64)}, arguments=("batch", "units"))
    with pytest.raises(RequestError, match='did you mean "batch"?'):
        check({"btch": choice(32, 64)}, arguments=("batch", "units"))
    assert check({"optimizer.learning_rate": log(1e-3, 1)}, arguments=("learning_rate",))
    with pytest.raises(RequestError, match="must be one of sf.space"):
        check({"batch.size": (16, 32)})  # type: ignore[dict-item]
    for wrong in (lambda: log(0, 1), lambda: log(2, 1), lambda: uniform(1, 0), lambda: integer(3, 2), choice):
        with pytest.raises(RequestError):
            wrong()


@given(st.floats(0, 0.999999))
def test_dimensions_stay_inside(fraction: float) -> None:
    assert 1e-4 <= log(1e-4, 1).at(fraction) <= 1.0
    assert integer(3, 5).at(fraction) in {3, 4, 5}
    assert choice("a", "b").at(fraction) in {"a", "b"}
    assert log(1e-4, 1).clip(5.0) == 1.0
    assert choice(16, 32, 64).clip(40) == 32
    assert choice(0.01, 0.001, 0.0001).clip(0.005) == 0.01  # by ratio: a rate is not brought to a fifth of itself
    assert choice(0.0, 0.2, 0.5).clip(0.3) == 0.2
