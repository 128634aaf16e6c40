"""From the question to the answer, in Python: tune, fit, probe, compare, load."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot as sf
from conftest import small_model
from surefoot import tasks
from surefoot.errors import OutputError, RecipeError, TaskError

Make = Callable[..., Any]
OUTPUTS = {"recipe.toml", "result.json", "history.csv", "model.safetensors", "model.json", "report.html", "study.db"}


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    cost = {key: value for key, value in result["cost"].items() if key != "seconds"}
    return {**{key: value for key, value in result.items() if key != "versions"}, "cost": cost}


def test_tune_gives_a_model_a_recipe_and_a_folder(make_task: Make, tmp_path: Path) -> None:
    task = make_task(rows=200, epochs=10)
    result = sf.tune(task, budget=2.0, directory=tmp_path / "out")
    assert result.status == "completed"
    assert result.recipe is not None
    assert {path.name for path in (tmp_path / "out").iterdir()} >= OUTPUTS
    assert result.cost.trainings <= 2.0
    assert result.cost.samples == sum(run.samples for run in result.study.runs) + sum(
        test.samples for test in result.study.probes
    )
    written = json.loads((tmp_path / "out/result.json").read_text())
    assert set(written) >= {"schema_version", "status", "recipe", "metrics", "cost", "findings", "seed", "versions"}
    assert sf.Recipe.from_file(tmp_path / "out/recipe.toml") == result.recipe
    header, *lines = (tmp_path / "out/history.csv").read_text().splitlines()
    expected = "run,stage,samples,epoch,train_loss,validation_loss,learning_rate,batch_size,seconds"
    assert header.startswith(expected)
    assert len(lines) == sum(len(run.evaluations) for run in result.study.runs)
    loaded = sf.load(tmp_path / "out")
    predicted = loaded.predict(task.validation[0])
    right = np.mean(np.array(predicted) == task.validation[1])
    assert right == pytest.approx(result.metrics["validation_accuracy"])


def test_the_same_seed_gives_the_same_result(make_task: Make, tmp_path: Path) -> None:
    for name in ("one", "two"):
        sf.tune(make_task(rows=120, epochs=6), seed=3, directory=tmp_path / name)
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert without_times(one) == without_times(two)
    assert (tmp_path / "one/model.safetensors").read_bytes() == (tmp_path / "two/model.safetensors").read_bytes()
    other = sf.tune(make_task(rows=120, epochs=6), seed=4)
    assert other.metrics != one["metrics"]


@pytest.mark.parametrize("budget", [0.05, 0.3, 1.0, 1.25, 2.0, 4.0])
def test_a_budget_is_never_exceeded(make_task: Make, budget: float) -> None:
    result = sf.tune(make_task(rows=100, epochs=5), budget=budget)
    assert result.cost.trainings <= budget + 1e-9
    assert result.model is not None


def test_a_time_budget_ends_in_time(make_task: Make) -> None:
    result = sf.tune(make_task(rows=2000, epochs=400), budget="2s")
    assert result.cost.seconds < 8
    assert result.model is not None


def test_without_a_directory_nothing_stays_on_disk(
    make_task: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = sf.fit(make_task())
    assert not list(tmp_path.iterdir())
    assert result.report(tmp_path / "page.html").stat().st_size > 1000


def test_fit_uses_what_the_recipe_says(make_task: Make) -> None:
    recipe = sf.Recipe(optimizer={"name": "sgd", "learning_rate": 0.05}, batch={"policy": "full"}, model={"hidden": 3})
    result = sf.fit(make_task(epochs=6), recipe)
    assert result.recipe is not None
    assert result.recipe.optimizer.name == "sgd"
    assert result.study.runs[0].steps == 6
    assert result.model[0].out_features == 3
    assert result.cost.trainings == 1.0


def test_a_space_and_a_recipe_steer_the_search(make_task: Make) -> None:
    result = sf.tune(
        make_task(rows=100, epochs=5),
        space={"model.hidden": sf.space.choice(4, 16)},
        recipe=sf.Recipe(optimizer={"name": "sgd"}, batch={"size": 10}),
    )
    for run in result.study.runs:
        assert run.recipe["optimizer"]["name"] == "sgd"
        assert run.recipe["batch"]["size"] == 10
        assert run.recipe["model"]["hidden"] in {4, 16}
    assert {run.recipe["model"]["hidden"] for run in result.study.runs} == {4, 16}


def test_compare_trains_each_recipe_alike(make_task: Make, tmp_path: Path) -> None:
    recipes = {"slow": sf.Recipe(optimizer={"learning_rate": 1e-4}), "fast <&>": sf.Recipe()}
    results = sf.compare(make_task(), recipes, directory=tmp_path / "out")
    assert list(results) == ["slow", "fast <&>"]
    assert results["fast <&>"].metrics["train_loss"] < results["slow"].metrics["train_loss"]
    page = (tmp_path / "out/report.html").read_text()
    assert "fast &lt;&amp;&gt;" in page
    assert "fast <&>" not in page.split("</head>")[1]
    assert (tmp_path / "out/slow/model.safetensors").exists()
    written = json.loads((tmp_path / "out/result.json").read_text())
    assert set(written["results"]) == set(recipes)
    with pytest.raises(RecipeError, match="nothing to compare"):
        sf.compare(make_task(), {})
    with pytest.raises(RecipeError, match="would share a folder"):
        sf.compare(make_task(), {"a b": sf.Recipe(), "a_b": sf.Recipe()})


def test_a_model_whose_every_run_diverges_is_a_result(make_task: Make, tmp_path: Path) -> None:
    task = make_task(loss=lambda output, target: output.sum() * math.nan)
    result = sf.tune(task, directory=tmp_path / "out")
    assert result.status == "diverged"
    assert result.model is None
    assert result.recipe is None
    assert result.metrics == {}
    assert {finding.verdict for finding in result.findings} >= {"diverged"}
    page = (tmp_path / "out/report.html").read_text()
    assert "No run reached a usable model" in page
    assert not (tmp_path / "out/model.safetensors").exists()
    assert json.loads((tmp_path / "out/result.json").read_text())["recipe"] == {}


@pytest.mark.usefixtures("quick_to_make_room")
def test_an_all_out_of_memory_study_says_so(make_task: Make) -> None:
    calls = 0

    def loss(output: Any, target: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 3:  # the look at the door takes a loss, a step and an evaluation
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return output.sum()

    result = sf.tune(make_task(loss=loss, rows=100))
    assert result.status == "out_of_memory"
    assert next(iter(result.findings)).verdict == "out of memory"


@pytest.fixture
def quick_to_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection takes half a second beside all that the tests have loaded."""
    monkeypatch.setattr("surefoot.engine.memory.gc.collect", lambda: 0)


@pytest.mark.usefixtures("quick_to_make_room")
def test_a_batch_that_does_not_fit_goes_through_in_parts(make_task: Make) -> None:
    from torch import nn

    def loss(output: Any, target: Any) -> Any:
        if len(target) > 6:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return nn.functional.cross_entropy(output, target)

    result = sf.tune(make_task(loss=loss, rows=100))
    assert result.status == "completed"
    assert result.recipe is not None
    assert result.recipe.batch.size == 16
    run = result.study.winning_run
    assert run is not None
    assert [change.name for change in run.changes] == ["micro_batch"] * len(run.changes)
    assert run.changes[-1].after <= 6


def test_a_second_result_needs_a_word(make_task: Make, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sf.fit(make_task(), directory=out)
    (out / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="is not empty; resume=True goes on .* overwrite=True starts anew"):
        sf.fit(make_task(), directory=out)
    sf.fit(make_task(), directory=out, overwrite=True)
    assert (out / "mine.txt").read_text() == "keep"
    again = sf.fit(make_task(), directory=out, resume=True)
    assert again.cost.trainings == 1.0
    with pytest.raises(OutputError, match="started with seed 0, not 1"):
        sf.fit(make_task(), directory=out, resume=True, seed=1)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="holds no study to resume"):
        sf.fit(make_task(), directory=foreign, resume=True)
    with pytest.raises(OutputError, match="give one of the two"):
        sf.fit(make_task(), directory=out, resume=True, overwrite=True)
    with pytest.raises(OutputError, match="cannot write into"):
        sf.fit(make_task(), directory=foreign / "mine.txt" / "deeper")


def test_a_wrong_request_leaves_no_folder(make_task: Make, tmp_path: Path) -> None:
    with pytest.raises(TaskError):
        sf.fit(make_task(loss=lambda output, target: output), directory=tmp_path / "out")
    with pytest.raises(TaskError):
        sf.tune(make_task(), recipe=sf.Recipe(batch={"size": 999}), directory=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(TaskError, match="task must be a surefoot.Task, not str"):
        sf.tune("digits")


def test_a_table_predicts_in_its_own_words(tmp_path: Path) -> None:
    text = "size,colour,price\n" + "".join(
        f"{row % 17},{['red', 'blue'][row % 2]},{100 + 3 * (row % 17) + 20 * (row % 2)}.5\n" for row in range(200)
    )
    (tmp_path / "houses.csv").write_text(text)
    task = tasks.resolve(str(tmp_path / "houses.csv"), column="price", epochs=60)
    result = sf.tune(task, directory=tmp_path / "out")
    assert result.metrics["test_r2"] > 0.9
    model = sf.load(tmp_path / "out")
    small, large = model.predict([{"size": 2, "colour": "red"}, {"size": "16", "colour": "blue"}])
    assert small == pytest.approx(106, abs=8)
    assert large == pytest.approx(168, abs=8)
    with pytest.raises(TaskError, match="this model predicts numbers"):
        model.predict_probabilities([{"size": 2, "colour": "red"}])


def test_load_says_what_is_missing(make_task: Make, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no model in"):
        sf.load(tmp_path)
    task = make_task(model=lambda hidden=8: small_model(hidden))
    sf.fit(task, directory=tmp_path / "out")
    with pytest.raises(TaskError, match="cannot be found by name; give it"):
        sf.load(tmp_path / "out")
    with pytest.raises(TaskError, match="cannot build the model"):
        sf.load(tmp_path / "out", model=lambda: small_model(9))
    model = sf.load(tmp_path / "out", model=small_model)
    assert len(model.predict(task.validation[0])) == len(task.validation[1])
    assert model.predict_probabilities(task.validation[0]).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(TaskError, match=r"the rows have shape \(2, 7\)"):
        model.predict(np.ones((2, 7), dtype=np.float32))
    (tmp_path / "out/model.json").write_text("{}")
    with pytest.raises(OutputError, match="cannot be read"):
        sf.load(tmp_path / "out")


def test_diagnosis_names_the_epoch_where_overfitting_begins() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(40, 10)).astype(np.float32)
    labels = generator.integers(2, size=40)
    task = tasks.Task(
        tasks.NamedBuilder("surefoot.tasks.models:mlp", {"inputs": 10, "outputs": 2, "hidden": 64}),
        (inputs, labels), validation=(generator.normal(size=(40, 10)).astype(np.float32), labels), epochs=60,
    )  # fmt: skip
    result = sf.fit(task, sf.Recipe(optimizer={"learning_rate": 0.01}))
    found = next(finding for finding in result.findings if finding.verdict == "overfitting")
    assert found.epoch is not None
    assert found.epoch < 30
    healthy = sf.fit(tasks.builtin("digits"), sf.Recipe(optimizer={"learning_rate": 0.003}))
    assert [finding.verdict for finding in healthy.findings] == ["nothing wrong"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_digits_reaches_96_percent(seed: int) -> None:
    result = sf.tune(tasks.builtin("digits"), seed=seed)
    assert result.metrics["test_accuracy"] >= 0.96
    assert result.cost.trainings <= 2.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("iris", "test_accuracy", 0.93),
        ("wine", "test_accuracy", 0.93),
        ("breast_cancer", "test_accuracy", 0.93),
        ("diabetes", "test_r2", 0.40),
    ],
)
def test_small_tasks_in_the_mean_of_five_splits(name: str, metric: str, least: float) -> None:
    results = [sf.tune(tasks.builtin(name, split=split)) for split in range(5)]
    assert np.mean([result.metrics[metric] for result in results]) >= least
    assert max(result.cost.trainings for result in results) <= 2.0


@pytest.mark.parametrize(("rows", "epochs"), [(10, 1), (4, 1), (48, 0.1), (30, 3), (16, 17)])
def test_the_smallest_tasks_keep_to_their_budget(make_task: Make, rows: int, epochs: float) -> None:
    parts = {"train": make_task(rows=rows).train, "validation": make_task(rows=rows).validation}
    result = sf.tune(make_task(**parts, epochs=epochs, model=lambda: small_model(norm=True)))
    assert result.cost.trainings <= 2.0


def test_a_spent_time_is_not_an_interruption(make_task: Make) -> None:
    import time

    def slow(output: Any, target: Any) -> Any:
        from torch import nn

        time.sleep(0.01)
        return nn.functional.cross_entropy(output, target)

    result = sf.tune(make_task(rows=400, epochs=20, loss=slow), budget="3s")
    assert result.status == "completed"
    assert not result.stopped_by_person
    nothing = sf.tune(make_task(rows=400, epochs=20, loss=slow), budget="0.05s")
    assert nothing.model is None
    assert "the time was spent" in nothing.study.reason


def test_a_run_that_diverges_half_way_keeps_its_model_and_says_so(make_task: Make) -> None:
    from torch import nn

    class Fragile(nn.Linear):
        steps = 0

        def forward(self, rows: Any) -> Any:
            self.steps += self.training
            return super().forward(rows) * (float("nan") if self.steps > 20 else 1.0)

    result = sf.fit(make_task(model=lambda: Fragile(4, 3), epochs=20))
    assert result.status == "diverged"
    assert result.model is not None


def test_resuming_is_for_the_same_request_only(make_task: Make, tmp_path: Path) -> None:
    sf.fit(make_task(), directory=tmp_path / "out")
    with pytest.raises(OutputError, match="started with kind 'fit', not 'tune'"):
        sf.tune(make_task(), directory=tmp_path / "out", resume=True)
    with pytest.raises(OutputError, match="started with data"):
        sf.fit(make_task(seed=5), directory=tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"batch.size": sf.space.log(8, 32)}, "should be a valid integer"),
        ({"batch.size": sf.space.choice(8, 4096)}, "reaches 4096, but there are"),
        ({"loss.name": sf.space.choice("huber")}, "cannot be compared"),
        ({"model.layer": sf.space.choice(len)}, "a model argument must be a number"),
    ],
)
def test_a_space_is_refused_before_anything_runs(make_task: Make, tmp_path: Path, space: Any, said: str) -> None:
    with pytest.raises(sf.RequestError) as caught:
        sf.tune(make_task(), space=space, directory=tmp_path / "out")
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_space_may_name_what_only_one_optimizer_takes(make_task: Make, tmp_path: Path) -> None:
    space = {"optimizer.momentum": sf.space.uniform(0.5, 0.9), "model.hidden": sf.space.choice(*np.array([4, 8]))}
    result = sf.tune(make_task(rows=120, epochs=6), space=space, directory=tmp_path / "out", seed=np.int64(3))
    assert result.status == "completed"
    momenta = {run.recipe["optimizer"].get("momentum") for run in result.study.runs}
    assert None in momenta
    assert len(momenta) > 2


def test_a_model_that_learned_nothing_is_not_called_fine(make_task: Make) -> None:
    generator = np.random.default_rng(0)
    train = (generator.normal(size=(300, 4)).astype("float32"), generator.integers(3, size=300))
    result = sf.fit(make_task(train=train, epochs=3), sf.Recipe(optimizer={"learning_rate": 1e-4}))
    assert {finding.verdict for finding in result.findings} == {"learned almost nothing"}
    rising = sf.fit(make_task(), sf.Recipe(optimizer={"name": "sgd", "learning_rate": 1e6}))
    assert "keep sgd below a learning rate of 1e+06" in rising.findings[0].advice


def test_objectives_are_tried_at_the_door(make_task: Make) -> None:
    with pytest.raises(TaskError, match='"validation_r2" is not measured on this task'):
        sf.fit(make_task(objective="validation_r2"))
    with pytest.raises(TaskError, match="the validation failed at test_workflows.py"):
        sf.fit(make_task(objective=("worse", lambda output, target: 1 / 0, "max")))
    with pytest.raises(RecipeError, match=r"recipe must be a surefoot\.Recipe, not dict"):
        sf.fit(make_task(), {"optimizer": {}})  # type: ignore[arg-type]
