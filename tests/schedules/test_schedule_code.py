"""The plain PyTorch that a report shows has the same multiplier as the recipe."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest
import torch
from test_schedule_recipes import SECTIONS, Halves

from surefoot.recipe import Recipe
from surefoot.records import Cost, Objective, Study
from surefoot.reports import schedule_code as module
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.reports.schedule_code import schedule_code

MORE: list[dict[str, Any]] = [
    {"name": "linear", "warmup": 0.1, "warmup_start": 0.2},
    {"name": "cosine", "warmup": 0.0, "floor": 0.3},
    {"name": "constant", "warmup": 0.2, "warmup_shape": "exponential"},
    {"name": f"{__name__}:Halves", "deep": 0.1},
]
__all__ = ["Halves"]  # named above by this module


@pytest.fixture(scope="module", autouse=True)
def _late_imports() -> None:
    """The first optimizer of a process imports for seconds; it does so here, outside the tests' own time."""
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()


@pytest.mark.parametrize("section", SECTIONS + MORE, ids=lambda section: section["name"])
def test_the_generated_multiplier_is_the_recipe_s(section: dict[str, Any]) -> None:
    recipe = Recipe(schedule=section).complete(num_rows=100)
    imports, lines = schedule_code(recipe.to_dict()["schedule"])
    names: dict[str, Any] = {"math": math}
    exec(imports + lines, names)
    expected = recipe.schedule.build()
    for position in np.random.default_rng(0).uniform(0.0, 1.0, 200).tolist():
        assert math.isclose(names["multiplier"](position), expected(position), rel_tol=1e-9, abs_tol=1e-12)


def test_common_schedules_need_no_surefoot_and_rare_ones_import_it() -> None:
    own = {"constant", "linear", "polynomial", "exponential", "cosine", "step", "multistep", "inverse_time"}
    own |= {"inverse_sqrt", "power", "warmup_stable_decay"}
    for name in own:
        assert schedule_code({"name": name})[0] == "", name
    for name in ("one_cycle", "triangular", "cosine_restarts"):
        assert schedule_code({"name": name})[0] == "from surefoot import schedules\n"


@pytest.mark.parametrize("name", ["step", "one_cycle"])
def test_the_whole_page_of_code_trains(name: str) -> None:
    recipe = Recipe(schedule={"name": name}, optimizer={"name": "sgd", "learning_rate": 0.05}).complete(num_rows=40)
    study = Study(
        kind="fit", task="line", status="completed", seed=0, rows={"train": 40}, epochs=3.0,
        loss="mean_squared_error", objective=Objective(), runs=(), recipe=recipe.to_dict(), metrics={},
        cost=Cost(trainings=1.0, samples=120, seconds=0.0),
    )  # fmt: skip
    names: dict[str, Any] = {}
    exec(pytorch_code(study), names)
    torch.manual_seed(0)
    inputs = torch.randn(40, 2)
    model = torch.nn.Linear(2, 1)
    names["train"](model, inputs, inputs.sum(1))
    with torch.no_grad():
        assert float(((model(inputs)[:, 0] - inputs.sum(1)) ** 2).mean()) < 1.0


def test_the_examples_run() -> None:
    assert not doctest.testmod(module).failed
