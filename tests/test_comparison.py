"""Recipes side by side: the lesson, grids, and the page that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from surefoot import reports, tasks
from surefoot.errors import RecipeError
from surefoot.records import Study
from surefoot.reports.comparison_figures import curves_figure, heat_figure, line_figure
from surefoot.workflows.lesson import lesson, remarks

Make = Callable[..., Any]
GRID = {"optimizer.learning_rate": [0.01, 1e6], "batch.size": [8, 16, 32]}
SGD = sf.Recipe(optimizer={"name": "sgd"})


def titles(page: Path) -> list[str]:
    return re.findall(r"<h2 id=[^>]*>(.*?)</h2>", page.read_text())


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, sf.Result], Path]:
    task = tasks.builtin("iris")
    task.epochs = 12.0
    place = tmp_path_factory.mktemp("lesson") / "out"
    return sf.compare(task, directory=place), place


@pytest.mark.slow
def test_the_lesson_needs_no_recipes(iris: tuple[dict[str, sf.Result], Path]) -> None:
    results, place = iris
    assert list(results) == ["full_batch", "single_sample", "mini_batch", "plateau", "l2"]
    steps = {name: result.study.runs[0].steps for name, result in results.items()}
    assert steps["full_batch"] == 12
    assert steps["single_sample"] == 12 * 90
    assert steps["mini_batch"] == steps["l2"] == 12 * 6
    page = place / "report.html"
    assert titles(page)[:7] == [
        "Results",
        "What to see",
        "Verdicts",
        "Training loss",
        "Validation loss",
        "Test loss",
        "Test loss against seconds",
    ]
    for sentence in lesson().see.values():
        assert sentence in page.read_text().replace("&#39;", "'")


def test_every_look_of_a_comparison_measures_the_test_part(
    iris: tuple[dict[str, sf.Result], Path], make_task: Make
) -> None:
    results, place = iris
    for name, result in results.items():
        assert all("test_loss" in look.metrics for look in result.study.runs[0].evaluations)
        assert "test_loss" in (place / name / "history.csv").read_text().splitlines()[0]
    without = sf.compare(make_task(), {"one": sf.Recipe()})["one"]
    assert "test_loss" not in without.study.runs[0].evaluations[-1].metrics
    alone = sf.fit(tasks.builtin("iris"), sf.Recipe(stopping={"patience": 0.02}))
    assert "test_loss" not in alone.study.runs[0].evaluations[-1].metrics


def test_the_lessons_recipes_change_one_thing_at_a_time() -> None:
    recipes = {name: recipe.to_dict() for name, recipe in lesson().recipes.items()}
    base = recipes.pop("mini_batch")
    for name, recipe in recipes.items():
        differing = {section for section in {**recipe, **base} if recipe.get(section) != base.get(section)}
        assert len(differing) == 1, f"{name} differs from the mini-batch in {differing}"


def changed(study: Study, **looks: list[float]) -> Study:
    """The study with other values in its run's looks."""
    run = study.runs[0]
    evaluations = list(run.evaluations)
    for name, values in looks.items():
        for index, value in enumerate(values):
            look = evaluations[index]
            own = (
                {name: value} if name in {"train_loss", "learning_rate"} else {"metrics": {**look.metrics, name: value}}
            )
            evaluations[index] = look.model_copy(update=own)
    return study.model_copy(update={"runs": (run.model_copy(update={"evaluations": tuple(evaluations)}),)})


def test_remarks_say_what_the_curves_do_not_show(iris: tuple[dict[str, sf.Result], Path]) -> None:
    studies = {name: result.study for name, result in iris[0].items()}
    said = remarks(lesson().see, studies)
    assert "12 steps where the mini-batch took 72" in said["full_batch"]
    assert "no cut came" in said["plateau"]
    assert "not what the lesson says" not in "".join(said.values())
    smooth, rough = [1 - 0.01 * look for look in range(12)], [1.0 + 0.5 * (look % 2) for look in range(12)]
    contrary = {
        "full_batch": changed(studies["full_batch"], train_loss=[1e-6] * 12),
        "single_sample": changed(studies["single_sample"], validation_loss=smooth),
        "mini_batch": changed(studies["mini_batch"], validation_loss=rough),
        "plateau": changed(
            studies["plateau"], validation_loss=[3 * loss for loss in [*rough[1:], 2.0]], learning_rate=[0.05] * 3
        ),
        "l2": changed(studies["l2"], train_loss=[1e-6] * 12, test_loss=[9.0] * 12),
    }
    contrary["plateau"] = changed(contrary["plateau"], learning_rate=[0.05] * 3 + [0.01] * 9)
    said = remarks(lesson().see, contrary)
    slow = changed(studies["single_sample"], train_loss=[9.0])
    assert "not the faster one by epoch" in remarks(lesson().see, {**contrary, "single_sample": slow})["single_sample"]
    for name in ("full_batch", "single_sample", "l2"):
        assert "not what the lesson says" in said[name], name
    assert "the rate was cut once, first after epoch 3" in said["plateau"]
    assert "did not pay" in said["l2"]
    failed = {**studies, "l2": studies["l2"].model_copy(update={"status": "diverged"})}
    assert "cannot be seen here" in remarks(lesson().see, failed)["l2"]


@pytest.fixture(scope="module")
def gridded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, sf.Result], Path]:
    task = tasks.builtin("iris")
    task.epochs = 3.0
    place = tmp_path_factory.mktemp("grid") / "out"
    return sf.compare(task, grid=GRID, recipe=SGD, directory=place), place


@pytest.mark.slow
def test_a_grid_draws_loss_and_time(gridded: tuple[dict[str, sf.Result], Path]) -> None:
    results, place = gridded
    assert len(results) == 6
    assert titles(place / "report.html")[2:5] == [
        "Validation loss over learning rate and batch size",
        "Test loss over learning rate and batch size",
        "Seconds over learning rate and batch size",
    ]
    studies = {name: result.study for name, result in results.items()}
    grid = reports.Grid(GRID)
    done, ended = heat_figure(grid, studies, "validation_loss").data
    measured = results["optimizer.learning_rate=0.01, batch.size=16"].metrics["validation_loss"]
    assert done.text[0][1] == f"{measured:.4f}"
    assert list(done.y) == ["0.01", "1000000.0"]
    assert list(ended.text[1]) == ["diverged"] * 3
    assert list(ended.text[0]) == [""] * 3
    assert all(shade is None for shade in done.z[1])
    text = grid.table(studies, "validation_loss")
    assert f"{measured:.4f}" in text
    assert text.count("diverged") == 3


@pytest.mark.slow
def test_one_axis_is_a_line_and_three_are_curves_only(make_task: Make, tmp_path: Path) -> None:
    axis = {"optimizer.learning_rate": [0.001, 0.1, 1e6]}
    results = sf.compare(make_task(), grid=axis, recipe=SGD, directory=tmp_path / "one")
    assert titles(tmp_path / "one/report.html")[2:4] == ["Loss over learning rate", "Seconds over learning rate"]
    figure = line_figure(reports.Grid(axis), {name: each.study for name, each in results.items()}, ["validation_loss"])
    assert figure.layout.xaxis.type == "log"
    assert figure.data[0].y[2] is None
    assert figure.data[1].text == ("diverged",)
    three = {"optimizer.learning_rate": [0.1], "batch.size": [8], "optimizer.momentum": [0.5]}
    sf.compare(make_task(), grid=three, recipe=SGD, directory=tmp_path / "three")
    assert titles(tmp_path / "three/report.html")[2] == "Training loss"


def test_twelve_curves_can_be_told_apart_and_more_leave_the_best(make_task: Make) -> None:
    study = sf.fit(make_task()).study
    twelve = curves_figure({str(number): study for number in range(12)}, "validation_loss")
    assert len({(trace.line.color, trace.line.dash) for trace in twelve.data}) == 12
    assert all(trace.showlegend for trace in twelve.data)
    worse = study.model_copy(update={"runs": (study.runs[0].model_copy(update={"best": 0}),)})
    many = {**{f"worse {number}": worse for number in range(3)}, **{str(number): study for number in range(12)}}
    drawn = curves_figure(many, "validation_loss")
    assert {trace.name for trace in drawn.data if not trace.showlegend} == {"worse 0", "worse 1", "worse 2"}


def test_a_run_that_left_the_ground_does_not_flatten_the_others(make_task: Make) -> None:
    study = sf.fit(make_task()).study
    lost = changed(study.model_copy(update={"status": "diverged"}), train_loss=[1e3, 1e4, 1e6, 1e6])
    figure = curves_figure({"fine": study, "lost": lost}, "train_loss")
    top = figure.layout.yaxis.range[1]
    assert (10**top if figure.layout.yaxis.type == "log" else top) < 10


def test_a_comparison_is_verbose_on_request(make_task: Make, capsys: pytest.CaptureFixture[str]) -> None:
    sf.compare(make_task(epochs=2), {"one": SGD, "two": SGD}, verbose=True)
    out = capsys.readouterr().out
    assert "  one: sgd" in out
    assert len(re.findall(r"epoch +\d\.\d\d  train loss", out)) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"recipes": {}, "grid": {"batch.size": [8]}}, "recipes or a grid, not both"),
        ({"recipe": SGD}, "what a grid starts from"),
        ({"grid": {"batch.size": 8}}, "must be a list of values"),
        ({"grid": {"batch.size": [8, 8]}}, "names a value twice"),
        ({"grid": {"batch.sise": [8]}}, "batch.sise"),
    ],
)
def test_a_wrong_comparison_gets_one_line(make_task: Make, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        sf.compare(make_task(), **arguments)


def test_the_numbers_are_written_too(gridded: tuple[dict[str, sf.Result], Path]) -> None:
    written = json.loads((gridded[1] / "result.json").read_text())
    assert [result["status"] for result in written["results"].values()] == ["completed"] * 3 + ["diverged"] * 3
