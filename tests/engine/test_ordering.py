"""Balanced epochs: the shares of every stretch, oversampling, and where neither can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset, random_split

import surefoot as sf
from surefoot import seeds
from surefoot.engine import TorchFactory
from surefoot.engine.rows.data import as_rows
from surefoot.engine.rows.ordering import arrangement
from surefoot.errors import RecipeError, UnsupportedError
from surefoot.recipe import Recipe
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.row_order import oversampled, stratified
from surefoot.training import never

Make = Callable[..., Any]
counts = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def classes_of(sizes: list[int]) -> list[Any]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.random.default_rng(0).permutation(len(labels))
    return [rows[labels == label] for label in range(len(sizes))]


@given(sizes=counts, epoch=st.integers(0, 5), data=st.data())
def test_any_stretch_of_a_stratified_epoch_has_the_classes_shares(sizes: list[int], epoch: int, data: Any) -> None:
    classes = classes_of(sizes)
    order = stratified(classes, seeds.stream(0, "order", epoch))
    num_rows = sum(sizes)
    assert sorted(order) == list(range(num_rows))
    start = data.draw(st.integers(0, num_rows - 1))
    stop = data.draw(st.integers(start + 1, num_rows))
    for rows in classes:
        share = len(rows) / num_rows
        found = np.isin(order[start:stop], rows).sum()
        assert abs(found - share * (stop - start)) < 1 + share * max(0, len(sizes) - 2) + 1e-9


@given(sizes=counts, epoch=st.integers(0, 5))
def test_oversampling_shows_each_class_equally_and_its_rows_evenly(sizes: list[int], epoch: int) -> None:
    classes = classes_of(sizes)
    order = oversampled(classes, seeds.stream(0, "order", epoch))
    assert len(order) == sum(sizes)
    times = Counter(order.tolist())
    shown = [sum(times[row] for row in rows.tolist()) for rows in classes]
    assert max(shown) - min(shown) <= 1
    for rows in classes:
        each = [times[row] for row in rows.tolist()]
        assert max(each) - min(each) <= 1


def rare(rows: int = 600, share: float = 0.05, as_dataset: bool = False) -> Any:
    """Two overlapping classes, one of them rare."""
    generator = np.random.default_rng(0)
    labels = (np.arange(rows) < share * rows).astype(int)[generator.permutation(rows)]
    inputs = (generator.normal(size=(rows, 4)) + 1.2 * labels[:, None]).astype(np.float32)
    return Labelled(inputs, labels) if as_dataset else (inputs, labels)


class Labelled(Dataset[Any]):
    """A dataset that knows its labels, as torchvision's do."""

    def __init__(self, inputs: Any, labels: Any) -> None:
        self.inputs, self.targets = torch.from_numpy(inputs), labels.tolist()

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        return self.inputs[index], self.targets[index]


def linear() -> nn.Module:
    return nn.Linear(4, 2)


def recall(output: Tensor, target: Tensor) -> float:
    return float((output.argmax(1)[target == 1] == 1).float().mean())


def test_oversampling_finds_the_rare_class() -> None:
    task = sf.Task(linear, rare(), validation=rare(2000), epochs=8, objective=("recall", recall, "max"))
    found = {kind: sf.fit(task, Recipe(data={"balance": kind})) for kind in ("none", "oversample")}
    assert found["none"].metrics["validation_recall"] < 0.6
    assert found["oversample"].metrics["validation_recall"] > 0.8
    assert found["oversample"].cost.samples == found["none"].cost.samples
    assert "not in this code, see the recipe: data.balance" in pytorch_code(found["oversample"].study)


class Watched:
    """Cross-entropy that remembers the labels of every training step."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        if output.requires_grad:
            self.seen.append(target.tolist())
        return nn.functional.cross_entropy(output, target)


def test_every_batch_of_a_moving_size_is_stratified() -> None:
    loss = Watched()
    task = sf.Task(linear, rare(), validation=rare(100), loss=loss, epochs=3)
    recipe = Recipe(data={"balance": "stratify"}, batch={"policy": "linear_ramp", "size": 8, "last": 90})
    factory = TorchFactory(task)
    run = factory.create(recipe.complete(factory.num_rows), seed=3)
    run.advance(run.horizon, should_stop=never)
    assert len({len(batch) for batch in loss.seen}) > 5
    for batch in loss.seen:
        assert abs(sum(batch) - 0.05 * len(batch)) < 2  # a batch may reach over the end of an epoch
    assert sum(map(sum, loss.seen)) == 3 * 30


@pytest.mark.parametrize("kind", ["oversample", "stratify"])
def test_the_same_from_arrays_from_datasets_from_workers_and_after_a_resume(kind: str, tmp_path: Path) -> None:
    found = []
    for train, workers, stop in ((rare(), 0, 0), (rare(as_dataset=True), 0, 400), (rare(as_dataset=True), 2, 0)):
        task = sf.Task(linear, train, validation=rare(50), loss="cross_entropy", epochs=2)
        factory = TorchFactory(task)
        recipe = Recipe(data={"balance": kind, "workers": workers}, batch={"size": 32}).complete(600)
        run = factory.create(recipe, seed=1)
        if stop:
            run.advance(stop, should_stop=never)
            run.save_checkpoint(tmp_path, {})
            run = factory.create(recipe, seed=1)
            run.load_checkpoint(tmp_path)
        run.advance(run.horizon, should_stop=never)
        run.release()
        found.append(run.model.weight.detach().clone())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@settings(max_examples=5)
@given(st.integers(0, 100))
def test_labels_are_found_through_splits(seed: int) -> None:
    part, _ = random_split(rare(100, as_dataset=True), [60, 40], torch.Generator().manual_seed(seed))
    task = sf.Task(linear, part, loss="cross_entropy", epochs=1)
    labels = [int(task.train[row][1]) for row in range(len(task.train))]
    factory = TorchFactory(task)
    run = factory.create(Recipe(data={"balance": "oversample"}).complete(len(labels)), seed=0)
    shown = [labels[row] for row in run._loader._order.epoch(0).tolist()]
    assert abs(2 * sum(shown) - len(shown)) <= 1 or not sum(labels)


class Unlabelled(Labelled):
    """A dataset that does not tell its labels."""

    def __init__(self, inputs: Any, labels: Any) -> None:
        super().__init__(inputs, labels)
        self._labels = labels
        del self.targets

    def __getitem__(self, index: int) -> Any:
        return self.inputs[index], int(self._labels[index])


NUMBERS = (rare()[0], np.linspace(0.0, 1.0, 600))
ROWS = torch.from_numpy(rare()[0])


@pytest.mark.parametrize(
    ("train", "loss", "said"),
    [
        (NUMBERS, "mean_squared_error", r'is "oversample", which is for classes, and this task predicts numbers'),
        (NUMBERS, "custom", r"needs a class number a row; these targets have shape \(600,\) and type float32"),
        ((ROWS, ROWS.long()), "custom", r"these targets have shape \(600, 4\)"),
        (Unlabelled(*rare()), "cross_entropy", "needs the label of every row: give arrays, or a dataset with an attri"),
        (TensorDataset(ROWS, ROWS, ROWS), "cross_entropy", "needs the label of every row"),
    ],
)
def test_what_cannot_be_balanced_is_one_line(train: Any, loss: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        arrangement(Recipe(data={"balance": "oversample"}), as_rows(train), loss)
    assert "\n" not in str(caught.value)


def test_it_is_refused_before_anything_is_trained() -> None:
    task = sf.Task(lambda: nn.Linear(4, 1), NUMBERS)
    with pytest.raises(RecipeError, match=r"data\.balance"):
        sf.fit(task, Recipe(data={"balance": "stratify"}))


def test_an_unknown_kind_and_a_stack(make_task: Make) -> None:
    with pytest.raises(RecipeError, match=r'data\.balance is "overample", which does not exist; did you mean "oversam'):
        Recipe(data={"balance": "overample"})
    recipes = [Recipe(data={"balance": "stratify"}).complete(48)] * 2
    with pytest.raises(UnsupportedError, match=r'data\.balance "stratify" arranges the rows'):
        TorchFactory(make_task()).stack([(recipe, seed) for seed, recipe in enumerate(recipes)])
