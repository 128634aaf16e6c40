"""Standardised arrays and filled ones: fitted on the training part, kept with the model, refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import Dataset

import surefoot as sf
from surefoot.errors import TaskError, UnsupportedError
from surefoot.recipe import Recipe
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.tasks import builtin

STANDARD = Recipe(data={"standardize": True})


def uneven(rows: int = 300, seed: int = 0) -> Any:
    """Two classes told apart by a feature in a small unit, beside one in a large unit."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, 3)) * [1e-3, 1e3, 1.0] + [0.0, 5e3, 0.0]
    return inputs, (inputs[:, 0] > 0).astype(int)


def linear() -> nn.Module:
    return nn.Linear(3, 2)


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.float64])
def test_the_units_are_scikit_learns_of_the_training_part(kind: Any) -> None:
    inputs, labels = uneven()
    inputs[:, 2] = 7.0  # a feature that never changes
    given = torch.from_numpy(inputs).to(kind) if isinstance(kind, torch.dtype) else inputs.astype(kind)
    task = sf.Task(linear, (given, labels), test=(given[:20] * 2, labels[:20]))
    found = task.prepared()
    scaler = StandardScaler().fit(np.asarray(task.train[0], dtype=np.float64))
    for one, other in ((task.train, found.train), (task.validation, found.validation), (task.test, found.test)):
        wanted = scaler.transform(np.asarray(one[0], dtype=np.float64))
        np.testing.assert_allclose(np.asarray(other[0]), wanted, rtol=1e-3, atol=1e-5)
        assert other[0].dtype == given.dtype
        assert other[1] is one[1]
    assert task.preparation is None
    assert task.train[0][:, 1].mean() > 4000


def test_missing_values_become_the_training_mean() -> None:
    inputs, labels = uneven()
    holes = np.random.default_rng(1).random(inputs.shape) < 0.1
    inputs[holes] = np.nan
    task = sf.Task(linear, (inputs, labels))
    filled = task.prepared(standardize=False, missing="mean").validation[0]
    imputer = SimpleImputer().fit(task.train[0])
    np.testing.assert_allclose(filled, imputer.transform(task.validation[0]))
    both = task.prepared(standardize=True, missing="mean").validation[0]
    assert (both[np.isnan(task.validation[0])] == 0).all()


def test_a_weight_counts_as_so_many_rows() -> None:
    inputs, labels = uneven(40)
    weights = np.random.default_rng(2).integers(0, 4, size=40)
    weighted = sf.Task(linear, (inputs, labels, weights), validation=(inputs, labels)).prepared().preparation
    repeated = np.repeat(inputs, weights, axis=0)
    twin = sf.Task(linear, (repeated, np.repeat(labels, weights)), validation=(inputs, labels)).prepared().preparation
    assert weighted is not None
    assert twin is not None
    np.testing.assert_allclose(weighted.offset, twin.offset, atol=1e-12)
    np.testing.assert_allclose(weighted.scale, twin.scale)


@pytest.mark.parametrize(("shape", "units"), [((2, 5, 4), 2), ((5, 4), 1), ((2, 3, 5, 4), 2), ((), 1)])
def test_pictures_have_a_unit_a_channel(shape: tuple[int, ...], units: int) -> None:
    inputs = np.random.default_rng(0).normal(size=(30, *shape)) * 3 + 1
    if units == 2:
        inputs[:, 1] *= 100
    found = sf.Task(linear, (inputs, np.arange(30) % 2), validation=(inputs[:4], np.arange(4) % 2)).prepared()
    assert found.preparation is not None
    assert len(found.preparation.offset) == units
    axes = tuple(axis for axis in range(inputs.ndim) if axis != 1 or units == 1)
    np.testing.assert_allclose(found.train[0].mean(axis=axes), 0.0, atol=1e-9)
    np.testing.assert_allclose(found.train[0].std(axis=axes), 1.0)
    np.testing.assert_allclose(found.preparation.encode(inputs[3]), found.train[0][3:4], atol=1e-6)
    np.testing.assert_allclose(found.preparation.encode(inputs[:3]), found.train[0][:3], atol=1e-6)


def test_the_key_teaches_what_raw_units_hide_and_the_model_brings_them_along(tmp_path: Path) -> None:
    train, new = uneven(), uneven(200, seed=1)
    task = sf.Task(linear, train, epochs=10)
    optimizer = {"name": "sgd", "learning_rate": 0.05}
    raw = sf.fit(task, Recipe(optimizer={**optimizer, "learning_rate": 1e-7}))
    result = sf.fit(task, Recipe(optimizer=optimizer, data={"standardize": True}), directory=tmp_path)
    assert raw.metrics["validation_accuracy"] < 0.8
    assert result.metrics["validation_accuracy"] > 0.9
    model = sf.load(tmp_path, model=linear)
    predicted = model.predict(new[0])
    assert np.mean(np.array(predicted) == new[1]) > 0.9
    assert model.predict_probabilities(new[0]).shape == (200, 2)
    prepared = task.prepared().preparation
    assert prepared is not None
    outputs = result.model(torch.from_numpy(prepared.encode(new[0]))).argmax(1).tolist()
    assert outputs == predicted
    assert model.predict(new[0][0]) == predicted[:1]
    with pytest.raises(TaskError, match=r"rows have shape \(200, 2\); the model takes 3 numbers a row"):
        model.predict(new[0][:, :2])
    with pytest.raises(TaskError, match="not finite"):
        model.predict(np.full((1, 3), np.nan))
    assert "data.standardize" in pytorch_code(result.study)


def test_missing_values_train_and_predict(tmp_path: Path) -> None:
    inputs, _ = uneven()
    inputs[::7, 2] = np.nan
    recipe = Recipe(data={"missing": "mean", "standardize": True})
    task = sf.Task(lambda: nn.Linear(3, 1), (inputs, inputs[:, 0] * 1000), epochs=2)
    sf.fit(task, recipe, directory=tmp_path)
    model = sf.load(tmp_path, model=lambda: nn.Linear(3, 1))
    one = model.predict(np.array([[0.0, 5000.0, np.nan]]))
    mean = float(np.nanmean(task.train[0][:, 2]))
    assert one == pytest.approx(model.predict(np.array([[0.0, 5000.0, mean]])), abs=1e-5)


def test_it_can_be_tuned_and_stacked_only_alike() -> None:
    task = sf.Task(linear, uneven(), epochs=20)
    space = {"data.standardize": sf.space.choice(False, True)}
    result = sf.tune(task, budget=1.0, space=space)
    assert result.recipe is not None
    assert {run.recipe["data"]["standardize"] for run in result.study.runs} == {False, True}
    from surefoot.engine import TorchFactory

    factory = TorchFactory(task)
    recipes = [Recipe(data={"standardize": bool(one)}).complete(240) for one in range(2)]
    with pytest.raises(UnsupportedError, match=r"data\.standardize is False in one and True in another"):
        factory.stack([(recipe, 0) for recipe in recipes])
    members = factory.stack([(recipes[1], seed) for seed in range(2)])
    alone = factory.create(recipes[1], seed=0)
    for run in (members[0], alone):
        run.advance(480, should_stop=lambda: False)
    torch.testing.assert_close(members[0].model.weight, alone.model.weight, rtol=1e-4, atol=1e-6)


class Pairs(Dataset[Any]):
    """A dataset."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> Any:
        return torch.ones(3), index % 2


INFINITE = np.where(np.arange(900).reshape(300, 3) == 4, np.inf, 1.0)


@pytest.mark.parametrize(
    ("train", "data", "said"),
    [
        (Pairs(), {"standardize": True}, "data.standardize is for arrays; this task's rows are a"),
        ((np.arange(900).reshape(300, 3), uneven()[1]), {"standardize": True}, "these inputs are whole numbers"),
        ((np.full((300, 3), np.nan), uneven()[1]), {"missing": "mean"}, "feature 0 .from 0 on. has no value in any"),
        (
            (INFINITE, uneven()[1]),
            {"missing": "mean"},
            r"1 of 60 validation inputs are not finite .*replace those rows$",
        ),
    ],
)
def test_what_cannot_be_prepared_is_one_line(train: Any, data: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=said) as caught:
        sf.fit(sf.Task(linear, train, loss="cross_entropy"), Recipe(data=data))
    assert "\n" not in str(caught.value)


def test_a_task_that_is_prepared_already_says_so() -> None:
    with pytest.raises(TaskError, match="the inputs of iris are prepared already"):
        sf.fit(builtin("iris"), STANDARD)
