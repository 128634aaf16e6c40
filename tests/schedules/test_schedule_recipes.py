"""From a recipe to a schedule and back, and what a recipe refuses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot import schedules as s
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe
from surefoot.testing import check_schedule

SECTIONS: list[dict[str, Any]] = [
    {"name": name} for name in s.SCHEDULES if name != "sequence"
] + [
    {"name": "constant", "value": 0.5, "warmup": 0.0},
    {"name": "linear", "floor": 0.1, "warmup": 0.1},
    {"name": "polynomial", "power": 0.9, "warmup": 0.0},
    {"name": "step", "every": 0.2, "factor": 0.5},
    {"name": "multistep", "milestones": [0.3, 0.6, 0.9], "warmup": 0.1},
    {"name": "inverse_sqrt", "timescale": 0.1, "warmup": 0.1},
    {"name": "power", "delta": 3.0, "power": 2.0},
    {"name": "cosine_restarts", "num_cycles": 4, "growth": 1.0},
    {"name": "triangular", "mode": "exp_range", "last": 0.2, "warmup": 0.05},
    {"name": "one_cycle", "shape": "linear", "warmup": 0.02},
    {"name": "warmup_stable_decay", "cooldown": "cosine", "cooldown_length": 0.3, "warmup": 0.1},
    {"name": "cosine", "warmup": 0.2, "warmup_shape": "exponential", "warmup_start": 0.001},
    {
        "name": "sequence",
        "warmup": 0.1,
        "parts": [
            {"name": "constant", "length": 0.3},
            {"name": "multistep", "milestones": [0.5, 0.6], "length": 0.25},
            {"name": "cosine", "warmup": 0.05, "floor": 0.1},
        ],
    },
]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section["name"])
def test_every_schedule_goes_to_toml_and_comes_back_equal(section: dict[str, Any]) -> None:
    recipe = Recipe(schedule=section)
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe
    assert again.schedule.build() == recipe.schedule.build()
    complete = recipe.complete(num_rows=100)
    assert complete.schedule.build() == recipe.schedule.build()
    assert Recipe.from_toml(complete.to_toml()) == complete
    check_schedule(recipe.schedule.build(), highest=1.0)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section["name"])
def test_every_built_schedule_can_be_written_as_a_section(section: dict[str, Any]) -> None:
    schedule = Recipe(schedule=section).schedule.build()
    written = s.to_recipe(schedule)
    assert Recipe.from_toml(Recipe(schedule={"warmup": 0.0, **written}).to_toml()).schedule.build() == schedule


@pytest.mark.parametrize("reactive", [s.plateau(patience=0.2, mode="max"), s.reduce_then_raise(peak=0.5)])
def test_a_reactive_schedule_can_be_written_and_read_back(reactive: Any) -> None:
    written = s.to_recipe(reactive)
    assert s.reactive(written.pop("name"), written) == reactive


def test_a_schedule_that_no_section_gives_is_refused() -> None:
    with pytest.raises(ValueError, match="horizon must be what its warmup leaves"):
        s.to_recipe(s.cosine(horizon=60_000))
    with pytest.raises(ValueError, match="dataclass"):
        s.to_recipe(lambda position: position)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from([section for section in SECTIONS if "warmup" not in section]), st.floats(0.0, 0.24))
def test_every_length_is_a_share_and_the_warmup_comes_first(section: dict[str, Any], warmup: float) -> None:
    schedule = Recipe(schedule={**section, "warmup": warmup}).schedule.build()
    plain = Recipe(schedule={**section, "warmup": 0.0}).schedule.build()
    if warmup:
        assert math.isclose(schedule(warmup / 2), plain(0.0) / 2)
    assert math.isclose(schedule(warmup), plain(0.0))


def test_milestones_are_places_in_the_training_whatever_the_warmup() -> None:
    for warmup in (0.0, 0.1, 0.25):
        schedule = s.from_recipe("multistep", warmup=warmup, arguments={"milestones": [0.3, 0.8]})
        cuts = [position for position in np.arange(0.005, 1, 0.01) if schedule(position) < schedule(position - 0.01)]
        assert np.allclose(cuts, [0.305, 0.805])


@pytest.mark.parametrize("name", ["cosine", "linear", "polynomial", "cosine_restarts", "warmup_stable_decay"])
def test_a_decay_ends_where_the_training_ends(name: str) -> None:
    for warmup in (0.0, 0.05, 0.3):
        assert s.from_recipe(name, warmup=warmup)(1.0) < 1e-12
        assert s.from_recipe(name, warmup=warmup)(0.999) > 0.0


def test_the_default_warmup_is_a_twentieth_and_none_in_front_of_what_begins_low() -> None:
    assert Recipe().schedule.warmup == 0.05
    assert Recipe(schedule={"name": "warmup_stable_decay"}).schedule.warmup == 0.05
    assert Recipe(schedule={"name": "one_cycle"}).schedule.warmup == 0.0
    assert Recipe(schedule={"name": "triangular"}).complete(10).to_dict()["schedule"]["warmup"] == 0.0


def test_the_mean_multiplier_is_what_the_rates_add_up_to() -> None:
    assert math.isclose(s.mean_multiplier(s.from_recipe("cosine")), 0.5, rel_tol=1e-6)
    assert math.isclose(s.mean_multiplier(s.from_recipe("polynomial", arguments={"power": 2})), 1 / 3, rel_tol=1e-5)
    warmed = s.from_recipe("constant", warmup=0.2)
    assert math.isclose(s.mean_multiplier(warmed), 0.9, rel_tol=1e-6)


@dataclass(frozen=True)
class Halves:
    """Somebody's own schedule."""

    horizon: float = 1.0
    deep: float = 0.5

    def __call__(self, position: Any) -> Any:
        value = np.where(np.asarray(position) < self.horizon / 2, 1.0, self.deep)
        return value if value.ndim else float(value)


class Growing:
    def __call__(self, position: Any) -> Any:
        return -1.0 - position


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("no luck")

    def __call__(self, position: Any) -> Any:
        return position


def test_a_foreign_schedule_is_named_by_its_class() -> None:
    name = f"{__name__}:Halves"
    recipe = Recipe(schedule={"name": name, "deep": 0.25, "warmup": 0.2})
    schedule = recipe.schedule.build()
    assert schedule == s.warmup(Halves(horizon=0.8, deep=0.25), length=0.2)
    assert (schedule(0.1), schedule(0.59), schedule(0.61)) == (0.5, 1.0, 0.25)
    assert Recipe.from_toml(recipe.to_toml()).schedule.build() == schedule
    assert s.to_recipe(schedule) == {"name": name, "warmup": 0.2, "deep": 0.25}


@pytest.mark.parametrize(("section", "complaint"), [
    ({"name": "cosin"}, 'schedule.name is "cosin", which does not exist; did you mean "cosine"?'),
    ({"name": "plateau", "factor": 2}, "schedule.factor must lie"),
    (
        {"name": "sequence", "parts": [{"name": "plateau", "length": 0.5}, {"name": "cosine"}]},
        "has no values of its own",
    ),
    ({"name": "step", "factr": 0.5}, 'schedule.factr is not an argument of "step"; did you mean "factor"?'),
    ({"name": "cosine", "horizon": 2}, "schedule.horizon cannot be set in a recipe"),
    ({"name": "warmup_stable_decay", "warmup_length": 0.1}, "it follows from schedule.warmup"),
    ({"name": "cosine", "floor": 2}, "schedule.floor must lie in [0, 1], not 2"),
    ({"name": "cosine", "floor": True}, "schedule.floor must lie in [0, 1], not True"),
    ({"name": "step", "every": "often"}, "schedule.every must be a finite number above 0, not 'often'"),
    ({"name": "cosine", "warmup": 0, "warmup_start": 0.1}, "need a schedule.warmup above 0"),
    ({"name": "cosine", "warmup_shape": "exponental"}, 'did you mean "exponential"?'),
    ({"name": "cosine", "warmup_shape": "exponential", "warmup_start": 0}, "schedule.warmup_start must be above 0"),
    ({"name": "multistep", "milestones": [0.02, 0.5]}, "schedule.milestones must come after 0.05"),
    ({"name": "multistep", "milestones": [0.5, 0.5]}, "must rise"),
    ({"name": "sequence"}, "schedule.parts must be two or more tables"),
    ({"name": "sequence", "parts": [{"name": "linear"}, {"name": "linear"}]}, "schedule.parts[0] needs a length"),
    (
        {"name": "sequence", "parts": [{"name": "linear", "length": 0.5}, {"name": "cosine", "length": 0.5}]},
        "schedule.parts[1] must not have a length",
    ),
    (
        {"name": "sequence", "parts": [{"name": "linear", "length": 2}, {"name": "cosine"}]},
        "schedule.parts[0].length must be above 0 and below the 0.95 that is left, not 2",
    ),
    (
        {"name": "sequence", "warmup": 0, "parts": [{"name": "linear", "length": 1.0}, {"name": "cosine"}]},
        "schedule.parts[0].length must be above 0 and below the 1 that is left, not 1.0",
    ),
    (
        {"name": "sequence", "parts": [{"name": "linear", "length": 0.5, "floor": 3}, {"name": "cosine"}]},
        "schedule.parts[0].floor must lie in [0, 1], not 3",
    ),
    ({"name": "sequence", "parts": [{"length": 0.5}, {"name": "cosine"}]}, "schedule.parts[0].name must be"),
    ({"name": "no_such_package.at_all:Class"}, "cannot be imported"),
    ({"name": "math:Class"}, "cannot be imported"),
    ({"name": "os:system"}, "is not a class with __call__"),
    ({"name": "subprocess:Popen", "args": "true"}, "is not a class with __call__"),
    ({"name": f"{__name__}:Growing"}, "gave [-1.0, -1.25, -1.5, -1.75, -2.0] for five positions"),
    ({"name": f"{__name__}:Broken"}, "and that failed"),
    ({"name": ":Broken"}, 'named "package.module:Class"'),
])  # fmt: skip
def test_a_recipe_refuses_what_it_cannot_run_in_one_line(section: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(schedule=section)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("make", "complaint"), [
    (lambda: s.constant(0.0), "value must be a finite number above 0, not 0.0"),
    (lambda: s.linear(horizon=-1), "horizon must be a finite number above 0, not -1"),
    (lambda: s.linear(horizon=math.nan), "horizon must be"),
    (lambda: s.linear(horizon=10**400), "horizon must be"),
    (lambda: s.polynomial(power=0), "power must be"),
    (lambda: s.exponential(last=0), "last must be above 0 and at most 1, not 0"),
    (lambda: s.step(factor=1.5), "factor must be above 0 and at most 1, not 1.5"),
    (lambda: s.multistep(0.5), "milestones must be a list of positions"),
    (lambda: s.multistep((0, 0.5)), "every one of milestones must be a finite number above 0, not 0"),
    (lambda: s.inverse_time(delta=0), "delta must be"),
    (lambda: s.inverse_sqrt(timescale="long"), "timescale must be a finite number above 0, not 'long'"),
    (lambda: s.power(floor=-0.1), "floor must lie in [0, 1], not -0.1"),
    (lambda: s.cosine_restarts(num_cycles=2.5), "num_cycles must be a whole number from 1 to 10000, not 2.5"),
    (lambda: s.cosine_restarts(growth=0.5), "growth must be at least 1, not 0.5"),
    (lambda: s.cosine_restarts(num_cycles=50, growth=9), "less than a billionth"),
    (lambda: s.triangular(mode="triangular3"), 'did you mean "triangular"?'),
    (lambda: s.triangular(rise_share=1.0), "rise_share must lie between 0 and 1, not 1.0"),
    (lambda: s.one_cycle(start=0), "start must be above 0"),
    (lambda: s.one_cycle(shape="square"), 'shape is "square", which does not exist; allowed: cosine, linear'),
    (lambda: s.one_cycle().momentum(0.5, low=0.9, high=0.5), "momentum needs 0 <= low <= high < 1"),
    (lambda: s.warmup_stable_decay(100, warmup_length=50, cooldown_length=60), "must fit into the horizon of 100"),
    (lambda: s.warmup_stable_decay(cooldown="sqrt"), 'cooldown is "sqrt"'),
    (lambda: s.warmup("cosine"), "after must be a schedule, a function of a position, not 'cosine'"),
    (lambda: s.warmup(s.cosine), "not the class Cosine; make one with Cosine()"),
    (lambda: s.warmup(s.plateau()), "one that reacts cannot be put inside another"),
    (lambda: s.warmup(length=0), "length must be"),
    (lambda: s.warmup(start=1.5), "start must lie in [0, 1], not 1.5"),
    (lambda: s.sequence(s.cosine(), boundaries=()), "schedules must be a list of two or more"),
    (lambda: s.sequence((s.cosine(), s.plateau()), boundaries=(1,)), "schedules[1] must be a schedule"),
    (lambda: s.sequence((s.cosine(), s.cosine()), boundaries=(1, 2)), "one fewer than the 2 schedules, not 2"),
    (lambda: s.sequence((s.cosine(), s.cosine()), boundaries=(0,)), "boundaries must be a finite number above 0"),
    (lambda: s.plateau(factor=1.0), "factor must lie between 0 and 1, not 1.0"),
    (lambda: s.plateau(patience=0), "patience must be"),
    (lambda: s.plateau(threshold=-1), "threshold must be"),
    (lambda: s.plateau(mode="lower"), 'mode is "lower"'),
    (lambda: s.reduce_then_raise(s.plateau()), "plateau must have a floor above 0"),
    (lambda: s.reduce_then_raise(peak=0.001), "peak must be above the floor 0.01 and at most 1, not 0.001"),
    (lambda: s.reduce_then_raise(num_raises=0), "num_raises must be"),
    (lambda: s.plateau().init().from_dict({"bst": 1}), 'a state has no "bst"; did you mean "best"?'),
    (lambda: s.reactive("plato"), 'there is no reactive schedule "plato"; did you mean "plateau"?'),
    (lambda: s.reactive("plateau", {"patence": 1}), 'did you mean "patience"?'),
])  # fmt: skip
def test_every_constructor_checks_at_the_door(make: Any, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert complaint in str(caught.value)


def test_the_programs_in_the_docs_run_and_give_what_is_said_beside_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"positions": np.linspace(0, 60_000, 5), "MySchedule": s.linear}
    names |= {"epochs": 9, "base": 0.1, "validation_loss": 1.0}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "docs/schedules.md", "exec"), names)
        for position, said in re.findall(r"^rate\(([\d_]+)\) +# ([\d.]+)", block, flags=re.MULTILINE):
            assert names["rate"](float(position)) == pytest.approx(float(said))
    assert names["rate"] == 0.1 * 0.5**2  # of the plateau: 9 epochs without improvement, patience 3


def test_the_recipes_in_the_docs_are_recipes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        check_schedule(Recipe.from_toml(block).schedule.build(), highest=1.0)
