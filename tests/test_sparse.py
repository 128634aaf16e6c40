"""Sparse rows train as their dense twins do, never with their zeros; what cannot be is one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn
from torch.utils.data import Dataset

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.rows.data import SparseRows, as_rows
from surefoot.engine.slicing import part_of
from surefoot.errors import RecipeError, TaskError
from surefoot.sparse import CsrRows

ROWS, COLUMNS = 240, 60


def rows_and_labels(seed: int = 0, rows: int = ROWS) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    matrix = scipy.sparse.random_array((rows, COLUMNS), density=0.1, format="csr", rng=generator, dtype=np.float64)
    return matrix, (matrix.sum(axis=1) > np.median(np.asarray(matrix.sum(axis=1)))).astype(int)


def thin(hidden: int = 8) -> nn.Module:
    return nn.Sequential(sf.SparseLinear(COLUMNS, hidden), nn.ReLU(), nn.Linear(hidden, 2))


def plain(hidden: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(COLUMNS, hidden), nn.ReLU(), nn.Linear(hidden, 2))


def trained(model: Any, inputs: Any, targets: Any, recipe: sf.Recipe, *rest: Any) -> Any:
    task = sf.Task(model, (inputs, targets, *rest), validation=0.25, epochs=3)
    return sf.fit(task, recipe, seed=1)


def difference(one: Any, other: Any) -> float:
    found = 0.0
    for mine, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        mine = mine.T if mine.shape != theirs.shape else mine
        found = max(found, float((mine - theirs).detach().abs().max()))
    return found


RECIPES = {
    "fixed": sf.Recipe(batch={"size": 16}),
    "micro-batches": sf.Recipe(batch={"size": 16, "micro_batch": 5}),
    "measured": sf.Recipe(batch={"policy": "norm_test", "size": 8, "look_every": 2}),
    "oversampled": sf.Recipe(batch={"size": 16}, data={"balance": "oversample"}),
    "drawn anew": sf.Recipe(batch={"size": 16}, initialization={"scheme": "orthogonal"}),
    "averaged": sf.Recipe(batch={"size": 16}, optimizer={"name": "schedule_free_sgd"}),
}


@pytest.mark.parametrize("model", [thin, plain])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_a_training_is_that_of_the_dense_twin(recipe: sf.Recipe, model: Callable[..., nn.Module]) -> None:
    matrix, labels = rows_and_labels()
    # looks at single rows of dense layers differ from those at halves, which sparse rows have; so has our layer
    twin = thin if recipe is RECIPES["measured"] else plain
    dense, sparse = trained(twin, matrix.toarray(), labels, recipe), trained(model, matrix, labels, recipe)
    assert dense.study.runs[0].changes == sparse.study.runs[0].changes
    assert difference(sparse, dense) < 1e-6
    assert sparse.metrics == pytest.approx(dense.metrics, abs=1e-6)


def test_weights_of_samples_count_as_with_dense_rows() -> None:
    matrix, labels = rows_and_labels()
    weights = np.random.default_rng(1).random(ROWS)
    found = [
        trained(model, inputs, labels, RECIPES["fixed"], weights)
        for model, inputs in ((thin, matrix), (plain, matrix.toarray()))
    ]
    assert difference(*found) < 1e-6


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    factory = TorchFactory(sf.Task(thin, rows_and_labels(), epochs=3))
    recipe = RECIPES["fixed"].complete(factory.num_rows)
    straight, first, second = (factory.create(recipe, seed=3) for _ in range(3))
    straight.advance(10_000, should_stop=lambda: False)
    first.advance(100, should_stop=lambda: False)
    first.save_checkpoint(tmp_path, {})
    second.load_checkpoint(tmp_path)
    second.advance(10_000, should_stop=lambda: False)
    for mine, theirs in zip(second.model.parameters(), straight.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_any_format_of_the_same_values_is_the_same_rows() -> None:
    matrix, labels = rows_and_labels()
    doubled = scipy.sparse.coo_array((np.ones(4), ([0, 0, 1, 1], [3, 3, 2, 0])), shape=(2, 4))  # 3 twice in row 0
    assert CsrRows("X", doubled).matrix.nnz == 3
    prints = {
        TorchFactory(sf.Task(thin, (values, labels))).fingerprint
        for values in (
            matrix,
            matrix.tocoo(),
            matrix.tocsc(),
            matrix.astype(np.float32),
            scipy.sparse.csr_matrix(matrix),
        )
    }
    assert len(prints) == 1
    other, _ = rows_and_labels(seed=1)
    assert TorchFactory(sf.Task(thin, (other, labels))).fingerprint not in prints


def test_parts_of_a_batch_are_its_rows() -> None:
    matrix, labels = rows_and_labels(rows=10)
    rows = as_rows((matrix, labels))
    assert isinstance(rows, SparseRows)
    batch = rows.take(torch.tensor([4, 4, 0, 9, 7]))
    inputs, targets = part_of(batch, 1, 4, count=5)
    assert torch.equal(inputs.to_dense(), torch.from_numpy(matrix.toarray()[[4, 0, 9]]).float())
    assert targets.tolist() == labels[[4, 0, 9]].tolist()
    assert pickle.loads(pickle.dumps(inputs)).layout == torch.sparse_csr  # noqa: S301


def test_the_layer_and_its_gradients_are_those_of_a_dense_one() -> None:
    torch.manual_seed(0)
    ours = sf.SparseLinear(COLUMNS, 3).double()
    theirs = nn.Linear(COLUMNS, 3).double()
    theirs.load_state_dict({"weight": ours.weight.T, "bias": ours.bias})
    rows = as_rows(rows_and_labels(rows=7))
    assert isinstance(rows, SparseRows)
    inputs = rows.inputs[:7]
    ours(inputs).square().sum().backward()
    theirs(inputs.to_dense().double()).square().sum().backward()
    assert torch.allclose(ours.weight.grad.T, theirs.weight.grad) and torch.allclose(ours.bias.grad, theirs.bias.grad)
    assert torch.allclose(ours(inputs), ours(inputs.to_dense().double()))


def test_a_row_of_zeros_is_the_bias() -> None:
    layer = sf.SparseLinear(4, 2)
    rows = as_rows((scipy.sparse.csr_array((3, 4)), np.zeros(3)))
    assert isinstance(rows, SparseRows)
    assert torch.equal(layer(rows.inputs[:3]), layer.bias.expand(3, 2))


def test_a_saved_model_predicts_sparse_and_dense_rows(tmp_path: Path) -> None:
    matrix, labels = rows_and_labels()
    sf.fit(sf.Task(thin, (matrix, labels), epochs=5), directory=tmp_path / "run")
    model = sf.load(tmp_path / "run")
    assert model.predict(matrix) == model.predict(matrix.toarray()) == model.predict(matrix.tocoo())
    assert model.predict_probabilities(matrix[:3]).shape == (3, 2)
    with pytest.raises(TaskError, match=r"the rows have shape \(2, 3\); the model takes 60 numbers a row"):
        model.predict(scipy.sparse.csr_array((2, 3)))


def test_sparse_rows_are_tuned_and_probed() -> None:
    task = sf.Task(thin, rows_and_labels(), epochs=6)
    assert sf.tune(task, budget=1.0).status == "completed"
    assert sf.probe(task).learning_rate is not None


def test_sparse_rows_are_refitted_and_measured() -> None:
    task = sf.Task(thin, rows_and_labels(), epochs=1)
    result = sf.fit(task, RECIPES["fixed"])
    again = sf.refit(result, task)
    assert again.study.rows["train"] == ROWS
    measured = sf.measure(result, task)
    assert measured.forms[0].metrics["accuracy"] == pytest.approx(result.metrics["validation_accuracy"])


class Bags(Dataset[Any]):
    """Rows of words of their own number, put together as ``nn.EmbeddingBag`` takes them."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, row: int) -> Any:
        return [row % 7] * (1 + row % 3), row % 2

    @staticmethod
    def collate_fn(rows: list[Any]) -> Any:
        words = torch.tensor([word for bag, _ in rows for word in bag])
        lengths = torch.tensor([0] + [len(bag) for bag, _ in rows])
        return (words, lengths.cumsum(0)[:-1]), torch.tensor([label for _, label in rows])


class Summed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(7, 2, mode="mean")

    def forward(self, batch: Any) -> Any:
        return self.words(*batch)


def test_bags_of_indices_train_whole_and_say_that_they_cannot_be_cut() -> None:
    task = sf.Task(Summed, Bags(), validation=Bags(), loss="cross_entropy", epochs=2)
    assert sf.fit(task, sf.Recipe(batch={"size": 8})).status == "completed"
    with pytest.raises(TaskError, match=r"holds a tensor of shape .*, which cannot be split by rows: micro-batches"):
        sf.fit(task, sf.Recipe(batch={"size": 8, "micro_batch": 4}))


def with_value(value: float) -> Any:
    matrix, labels = rows_and_labels()
    matrix.data[:2] = value
    return matrix, labels


@pytest.mark.parametrize(
    ("train", "recipe", "message"),
    [
        (lambda: with_value(np.nan), {}, "train inputs are not finite (NaN or infinite)"),
        (lambda: (rows_and_labels()[0], rows_and_labels()[1][:-1]), {}, "train has 240 inputs and 239 targets"),
        (
            lambda: (rows_and_labels()[0], rows_and_labels()[0]),
            {},
            "train targets are sparse, which only inputs can be",
        ),
        (lambda: (torch.eye(4).to_sparse(), np.zeros(4)), {}, "train inputs are a sparse tensor"),
        (lambda: (rows_and_labels()[0], rows_and_labels()[1] + 1), {}, "labels run from 1 to 2, but the model has 2"),
        (rows_and_labels, {"data": {"noise": 0.1}}, "data.noise would fill the zeros of sparse rows: leave it out"),
        (
            rows_and_labels,
            {"data": {"standardize": True}},
            "data.standardize is for dense arrays; it would fill the zeros",
        ),
        (rows_and_labels, {"data": {"workers": 2}}, "data.workers is for datasets"),
    ],
)
def test_what_cannot_be_is_one_line(train: Callable[[], Any], recipe: dict[str, Any], message: str) -> None:
    with pytest.raises((TaskError, RecipeError)) as caught:
        sf.fit(sf.Task(thin, train()), sf.Recipe(**recipe))
    assert message in str(caught.value) and "\n" not in str(caught.value)
