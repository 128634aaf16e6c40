"""The page and what it claims."""

from __future__ import annotations

import functools
import json
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

import surefoot as sf
from surefoot import reports, tasks
from surefoot.records import Change
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.reports.thinning import kept_places

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def result() -> Any:
    return sf.tune(tasks.builtin("iris"))


def test_the_page_is_self_contained(result: Any) -> None:
    page = reports.page(result.study)
    assert len(page) < 6_000_000
    outside = page.replace(page[page.index("<script>") : page.index("</script>")], "")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", outside)
    for part in ("The recipe", "Verdicts", "Losses", "What was tried", "range tests", "Every run", "plain PyTorch"):
        assert part in page
    assert page.count('class="plot"') == 6
    order = re.findall(r'<h2 id="([\w-]+)">', page)
    assert order == [
        "recipe", "verdicts", "why", "losses", "every-loss", "rate-and-batch", "range-tests", "ladder", "map", "runs",
        "use", "code",
    ]  # fmt: skip


def test_hostile_names_are_escaped(make_task: Make) -> None:
    name = '</script><script>alert("x")</script>'
    result = sf.fit(make_task(name=name))
    page = reports.page(result.study.model_copy(update={"notes": (name,), "reason": name}))
    assert name not in page
    assert "&lt;/script&gt;" in page


def test_the_summary_fits_a_terminal(result: Any) -> None:
    text = reports.summary(result.study)
    assert "Price" in text
    assert f"{result.metrics['test_accuracy']:.4f}" in text
    assert max(map(len, text.splitlines())) <= 96
    assert max(map(len, reports.summary(result.study, width=60).splitlines())) <= 60


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {
            "optimizer": {"name": "sgd", "weight_decay": 0.01},
            "schedule": {"name": "linear", "floor": 0.1, "warmup": 0.2},
        },
        {"optimizer": {"name": "nadamw"}, "schedule": {"name": "polynomial", "power": 3.0, "warmup": 0}},
        {"optimizer": {"name": "rmsprop"}, "schedule": {"name": "exponential", "last": 0.1}},
        {"optimizer": {"name": "adagrad"}, "schedule": {"name": "constant"}, "loss": {"label_smoothing": 0.1}},
        {"optimizer": {"name": "adam"}, "schedule": {"floor": 0.2}},
        {"optimizer": {"name": "sgd", "momentum": 0.0}, "regularization": {"l1": 1e-3, "l2": 1e-2}},
        {"batch": {"policy": "linear_ramp", "size": 8, "last": 32, "coupling": "none"}},
        {"batch": {"policy": "linear_ramp", "size": 8, "last": 32}},
        {"optimizer": {"name": "schedule_free_adamw", "max_gradient_norm": 5.0}},
        {"optimizer": {"name": "schedule_free_sgd"}, "loss": {"class_weights": [1.0, 2.0, 1.0]}},
        {"optimizer": {"name": "prodigy"}, "schedule": {"name": "cosine"}},
    ],
)
def test_the_code_on_the_page_does_what_the_recipe_does(recipe: dict[str, Any]) -> None:
    task = tasks.builtin("wine")
    result = sf.fit(task, sf.Recipe(**recipe))
    namespace: dict[str, Any] = {}
    exec(compile(pytorch_code(result.study), "page.py", "exec"), namespace)
    assert result.recipe is not None
    schedule = result.recipe.schedule.build()
    for position in (0.0, 0.03, 0.2, 0.5, 0.99) if "multiplier" in namespace else ():
        assert namespace["multiplier"](position) == pytest.approx(schedule(position), abs=1e-9)
    torch.manual_seed(0)
    model = task.model()
    inputs, targets = (torch.as_tensor(values) for values in task.train)
    namespace["train"](model, inputs, targets)
    with torch.no_grad():
        accuracy = (model(inputs).argmax(1) == targets).float().mean().item()
    assert accuracy == pytest.approx(result.metrics["train_accuracy"], abs=0.1)


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute", "huber"])
def test_the_code_on_the_page_for_regression(loss: str) -> None:
    task = tasks.builtin("diabetes")
    result = sf.fit(task, sf.Recipe(loss={"name": loss}))
    namespace: dict[str, Any] = {}
    exec(compile(pytorch_code(result.study), "page.py", "exec"), namespace)
    model = functools.partial(task.model)()
    inputs, targets = (torch.as_tensor(values) for values in task.train)
    before = (model(inputs)[:, 0] - targets).square().mean().item()
    namespace["train"](model, inputs, targets)
    assert (model(inputs)[:, 0] - targets).square().mean().item() < 0.8 * before


def test_the_code_on_the_page_says_what_it_leaves_out() -> None:
    task = tasks.builtin("wine")
    recipe = sf.Recipe(
        loss={"name": "focal", "class_weights": "balanced"},
        initialization={"scheme": "orthogonal"},
        regularization={"l1": 1e-4, "l1_method": "proximal", "groups": [{"parameters": "*.bias", "l2": 0.1}]},
    )
    code = pytorch_code(sf.fit(task, recipe).study)
    (line,) = [line for line in code.splitlines() if line.startswith("# not in this code")]
    for name in ("the loss focal", "loss.class_weights", "regularization.groups", "l1_method", "initialization"):
        assert name in line


@pytest.mark.parametrize(
    "sections",
    [
        {"schedule": {"name": "plateau", "patience": 0.1}},
        {"batch": {"policy": "norm_test", "size": 4, "look_every": 1, "min_looks": 2, "share_of_rows": 1.0}},
        {"batch": {"policy": "growth_replaces_decay", "size": 4}},
        {"batch": {"size": 8, "reference_size": 4, "micro_batch": 5}},
        {"schedule": {"name": "one_cycle"}},
    ],
)
def test_a_recipe_that_moves_is_shown_as_a_loop_that_runs(make_task: Any, sections: dict[str, Any]) -> None:
    task = make_task()
    study = sf.fit(task, sf.Recipe(**sections)).study
    namespace: dict[str, Any] = {}
    exec(compile(pytorch_code(study), "page.py", "exec"), namespace)
    torch.manual_seed(0)
    model = task.model()
    inputs, targets = (torch.as_tensor(part) for part in task.train)
    before = functional.cross_entropy(model(inputs), targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page tells a measured policy nothing
        namespace["train"](model, inputs, targets)
    assert functional.cross_entropy(model(inputs), targets) < before


def test_what_moved_is_told_with_its_reason(make_task: Any, tmp_path: Any) -> None:
    batch = {"policy": "plateau_growth", "size": 4, "patience": 0, "share_of_rows": 1.0}
    study = sf.fit(make_task(epochs=30), sf.Recipe(batch=batch), directory=tmp_path / "out").study
    moved = [line for line in reports.summary(study).splitlines() if line.startswith("Moved")]
    assert any("no improvement on" in line and "batch 4 to 8" in line for line in moved) or len(moved) > 4
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "What moved in the kept run, and why" in page
    assert "no improvement on" in page


def test_a_study_of_hundreds_of_runs_stays_a_page(result: Any) -> None:
    study, kept = result.study, result.study.winning_run
    look = kept.evaluations[0]
    looks = tuple(
        look.model_copy(update={"epoch": 1.0 + at, "samples": 90 * (1 + at), "train_loss": 1.0 + 0.1 * (at % 7)})
        for at in range(3000)
    )
    peak = looks[1234].model_copy(update={"train_loss": 77.0})
    looks = (*looks[:1234], peak, *looks[1235:])
    changes = tuple(
        Change(samples=90 * at, name="batch_size", before=8, after=8 + at % 5, reason="why") for at in range(4000)
    )
    new = {"evaluations": looks, "best": 2999, "changes": changes}
    runs = tuple(kept.model_copy(update={**new, "number": place, "name": f"run {place + 1}"}) for place in range(400))
    page = reports.page(study.model_copy(update={"runs": runs}))
    assert len(page.encode()) < 6_000_000
    losses = json.loads(re.search(r'id="every-loss-plot-data">(.*?)</script>', page).group(1))  # type: ignore[union-attr]
    training = [trace for trace in losses["data"] if trace["line"]["dash"] == "dot"]
    assert all(77.0 in trace["y"] for trace in training)
    assert "changes between them are left out" in page


@given(st.lists(st.floats(allow_infinity=True), max_size=300), st.integers(min_value=4, max_value=50))
def test_a_thinned_curve_keeps_its_ends_and_extremes(values: list[float], most: int) -> None:
    kept = kept_places(values, most)
    assert kept == sorted(set(kept))
    assert len(kept) <= max(most + 1, 5)
    if values:
        assert kept[0] == 0
        assert kept[-1] == len(values) - 1
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        shown = [values[place] for place in kept if math.isfinite(values[place])]
        assert min(shown) == min(finite)
        assert max(shown) == max(finite)
