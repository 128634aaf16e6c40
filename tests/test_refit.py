"""A refit: the chosen training once more on every row, with nothing held out to choose by."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import Call, small_model

import surefoot as sf
from surefoot.errors import OutputError, RecipeError, TaskError
from surefoot.tasks.union import without_validation

Make = Callable[..., Any]


def decay_sum(recipe: sf.Recipe, rows: int, epochs: float) -> float:
    """Σ ηλ step by step: the slow twin of the coordinate that a refit holds."""
    schedule, position, total = recipe.schedule.build(), 0, 0.0
    horizon = round(rows * epochs)
    while position < horizon:
        size = min(recipe.batch.size or 1, horizon - position, rows - position % rows)
        total += recipe.optimizer.learning_rate * schedule((position + size / 2) / horizon)
        position += size
    return total * recipe.optimizer.weight_decay


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    generator = np.random.default_rng(3)
    labels = generator.integers(3, size=400)
    inputs = generator.normal(size=(400, 4)).astype(np.float32)
    inputs[np.arange(400), labels] += 2
    return inputs, labels


@pytest.fixture(scope="module")
def task(rows: Any) -> sf.Task:
    test = tuple(values[300:] for values in rows)
    return sf.Task(small_model, tuple(values[:300] for values in rows), validation=0.25, test=test, epochs=4)


RECIPE = sf.Recipe(
    optimizer={"weight_decay": 0.2, "learning_rate": 0.02},
    regularization={"l2": 0.01, "groups": [{"parameters": "*.bias", "weight_decay": 0.1}]},
    batch={"size": 25},
)


def test_a_refit_is_the_training_on_all_rows_to_its_end(task: sf.Task, tmp_path: Path) -> None:
    """The same bits as a fit on the joined rows, whatever that one held out and kept."""
    before = sf.fit(task, RECIPE)
    found = sf.refit(before, task, directory=tmp_path / "out")
    union = tuple(np.concatenate(pair) for pair in zip(task.train, task.validation, strict=True))
    seen: list[dict[str, torch.Tensor]] = []

    def keep(event: sf.Event) -> None:
        seen.append({name: value.clone() for name, value in event.model.state_dict().items()})

    assert found.recipe is not None
    sf.fit(sf.Task(small_model, union, validation=task.validation, epochs=4), found.recipe, callbacks=[keep])
    state = found.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in seen[-1].items())
    run = found.study.runs[0]
    assert (run.best, run.samples) == (len(run.evaluations) - 1, 4 * 300)
    assert np.mean(np.array(sf.load(tmp_path / "out").predict(task.test[0])) == task.test[1]) > 0.6


def test_epochs_are_kept_and_so_is_the_sum_of_decay(task: sf.Task) -> None:
    found = sf.refit(RECIPE, task)
    before, now = RECIPE.complete(225), found.recipe
    assert now is not None
    assert now.optimizer.weight_decay == pytest.approx(0.2 * 225 / 300)
    assert decay_sum(now, 300, 4) == pytest.approx(decay_sum(before, 225, 4), rel=1e-3)
    assert now.regularization.l2 == pytest.approx(0.01 * 0.75)
    assert now.regularization.groups[0].weight_decay == pytest.approx(0.075)
    full = sf.refit(RECIPE.with_changes({"batch.policy": "full", "batch.size": 225}), task).recipe
    assert full is not None  # as many steps as before: an epoch is one step
    assert (full.batch.size, full.optimizer.weight_decay) == (300, pytest.approx(0.2))


def test_no_training_loss_is_called_a_validation_loss(task: sf.Task, tmp_path: Path) -> None:
    found = sf.refit(RECIPE, task, directory=tmp_path / "out")
    written = json.loads((tmp_path / "out/result.json").read_text())
    assert set(written["metrics"]) == {"train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    assert "trained on 225 training and 75 validation rows together" in written["notes"][-1]
    header, *lines = (tmp_path / "out/history.csv").read_text().splitlines()
    place = header.split(",").index("validation_loss")
    assert {line.split(",")[place] for line in lines} == {""}
    page = (tmp_path / "out/report.html").read_text()
    assert "No row was held out, so there is no validation loss" in page
    assert "validation_loss" not in json.dumps(found.study.model_dump())


def test_a_training_that_was_best_before_its_end_is_refitted_to_that_share(task: sf.Task) -> None:
    before = sf.fit(task, RECIPE)
    run = before.study.runs[0].model_copy(update={"best": 1})
    earlier = sf.Result(before.study.model_copy(update={"runs": (run,)}), before.model)
    found = sf.refit(earlier, task)
    assert found.recipe is not None
    assert found.recipe.stopping.max_share == 0.5
    assert found.study.runs[0].samples == 2 * 300
    last = found.study.runs[0].evaluations[-1]
    assert last.learning_rate == pytest.approx(run.evaluations[1].learning_rate, rel=0.05)  # the schedule of the whole
    assert found.status == "completed"
    assert "ends after 50 % of the horizon" in found.study.notes[-1]


def test_a_score_of_ones_own_is_reported_still(rows: Any) -> None:
    score = ("share", lambda output, target: float((output.argmax(1) == target).float().mean()), "max")
    parts = {"validation": tuple(values[200:300] for values in rows), "test": tuple(values[300:] for values in rows)}
    task = sf.Task(small_model, tuple(values[:200] for values in rows), **parts, epochs=2, objective=score)
    before, found = sf.fit(task, RECIPE), sf.refit(RECIPE, task)
    assert before.metrics["validation_share"] == pytest.approx(before.metrics["validation_accuracy"])
    assert found.metrics["test_share"] == pytest.approx(found.metrics["test_accuracy"])
    assert "validation_share" not in found.metrics


def test_what_stopped_the_training_before_does_not_stop_the_refit(task: sf.Task) -> None:
    recipe = RECIPE.with_changes({"stopping.patience": 0.1, "stopping.max_steps": 3, "stopping.retries": 2})
    found = sf.refit(recipe, task)
    assert found.study.runs[0].samples == 4 * 300
    assert found.recipe is not None
    assert found.recipe.stopping.retries == 2


def test_max_share_ends_a_plain_training_too(task: sf.Task) -> None:
    found = sf.fit(task, RECIPE.with_changes({"stopping.max_share": 0.3}))
    run = found.study.runs[0]
    assert (run.evaluations[-1].epoch, run.status) == (2.0, "stopped_early")
    assert run.reason == "stopping.max_share = 0.3 of the horizon is reached"
    with pytest.raises(RecipeError, match="stopping.max_share"):
        sf.Recipe(stopping={"max_share": 1.5})


def test_parts_of_every_kind_are_joined(rows: Any) -> None:
    inputs, labels = rows
    weights = np.full(300, 2.0)
    weighted = sf.Task(small_model, (inputs[:300], labels[:300], weights), validation=(inputs[300:], labels[300:]))
    joined = without_validation(weighted)
    assert joined.train[2].tolist() == [2.0] * 300 + [1.0] * 100
    assert joined.validation is None
    assert weighted.validation is not None
    pairs = list(zip(torch.from_numpy(inputs), labels.tolist(), strict=True))
    split = without_validation(sf.Task(small_model, pairs, validation=0.2, loss="cross_entropy"))
    assert sorted(split.train.indices.tolist()) == list(range(400))
    two = without_validation(sf.Task(small_model, pairs[:300], validation=pairs[300:], loss="cross_entropy"))
    assert (len(two.train), two.train[0][1], two.train[399][1]) == (400, labels[0], labels[399])
    tensors = sf.Task(small_model, (torch.from_numpy(inputs), torch.from_numpy(labels)), validation=(inputs, labels))
    assert without_validation(tensors).train[0].shape == (800, 4)
    mixed = sf.Task(small_model, (inputs, labels), validation=pairs, loss="cross_entropy")
    with pytest.raises(TaskError, match="are of two kinds"):
        without_validation(mixed)


def test_what_cannot_be_refitted_is_one_line(task: sf.Task, tmp_path: Path) -> None:
    for change, said in (
        ({"schedule.name": "plateau"}, "schedule.name 'plateau' reacts to the validation loss"),
        ({"batch.policy": "plateau_growth"}, "batch.policy 'plateau_growth' reacts"),
    ):
        with pytest.raises(RecipeError, match=said):
            sf.refit(RECIPE.with_changes(change), task)
    with pytest.raises(OutputError, match=r"records.json is missing"):
        sf.refit(tmp_path, task)
    elsewhere = copy.copy(task)
    elsewhere.backend = "somewhere.else"
    with pytest.raises(TaskError, match="a refit is for tasks that PyTorch trains; task is trained by somewhere.else"):
        sf.refit(RECIPE, elsewhere)
    with pytest.raises(TaskError, match="no validation rows to train on as well; use sf.fit"):
        sf.refit(RECIPE, without_validation(task))


def test_the_command(call: Call) -> None:
    assert call("fit", "iris", "--epochs", "3", "--out", "one")[0] == 0
    code, out, err = call("refit", "one", "iris", "--epochs", "3", "--out", "all")
    assert code == 0
    assert "120\n" in out
    assert "validation loss" not in out + err
    code, _, err = call("refit", "nowhere", "iris")
    assert (code, err) == (2, "Error: there is no result in nowhere: records.json is missing\n")
