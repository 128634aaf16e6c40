"""Batches by the clock: each row once an epoch, the same from memory, in process, from workers and after a resume."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset, random_split

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.rows import loading
from surefoot.engine.rows.data import DatasetRows, TensorRows, as_rows, rows_at, step_size
from surefoot.engine.rows.loading import in_order, open_loader
from surefoot.errors import RecipeError, TaskError
from surefoot.recipe import Recipe
from surefoot.tasks.resolve import resolve
from surefoot.tasks.split import Subset

ROWS = 23
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves a process behind."""
    yield
    assert multiprocessing.active_children() == []


class Augmented:
    """Rows that know their number and draw from every global stream."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> Any:
        noise = [random.random(), np.random.rand(), float(torch.rand(()))]  # noqa: NPY002 - what users do
        return torch.tensor([float(index), *noise], dtype=torch.float64), index % 3


def walk(loader: Any, sizes: list[int], start: int = 0) -> list[Any]:
    """The batches of these sizes, one after another."""
    found, position = [], start
    for size in sizes:
        batch, count = loader.batch(position, size)
        assert count == size
        found.append(batch)
        position += size
    return found


def loader_of(dataset: Any, workers: int = 0, size: int = 4) -> Any:
    return open_loader(DatasetRows(dataset), seed=3, plan=lambda _: size, workers=workers)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.integers(2, 30),
    st.integers(1, 400),
    st.integers(0, 70),
)
@settings(max_examples=60, deadline=None)
def test_memory_gives_what_its_twin_gives(sizes: list[int], rows: int, block: int, start: int) -> None:
    values = torch.arange(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "BLOCK_BYTES", block)
        loader = open_loader(TensorRows(values.double(), values, values.float()), seed=5, plan=lambda _: 0)
        position = start
        for size in sizes:
            expected = rows_at(position, size, seed=5, num_rows=rows)
            (inputs, targets, weights), count = loader.batch(position, size)
            assert count == size
            assert torch.equal(targets, expected)
            assert torch.equal(inputs, expected.double()) and torch.equal(weights, expected.float())
            position += size


def test_what_a_model_writes_into_its_batch_harms_nobody() -> None:
    values = torch.arange(10.0)
    loader = open_loader(TensorRows(values, values), seed=0, plan=lambda _: 0)
    first = loader.batch(0, 4)[0][0].clone()
    loader.batch(0, 4)[0][0].zero_()
    assert torch.equal(loader.batch(0, 4)[0][0], first), "asked again, as after an error, it is fresh"
    assert torch.equal(values, torch.arange(10.0))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_size_that_moves_within_an_epoch_gives_each_row_once(workers: int) -> None:
    loader = loader_of(Augmented(), workers)
    sizes = [4, 4, 9, 1, 5, 3, 20, 4, 4, 15]  # 23 rows an epoch; the third batch on is against the plan
    try:
        seen = [int(row) for inputs, _ in walk(loader, sizes) for row in inputs[:, 0]]
    finally:
        loader.close()
    for epoch in range(3):
        assert sorted(seen[epoch * ROWS : (epoch + 1) * ROWS]) == list(range(ROWS))


def test_any_number_of_workers_gives_the_same_and_moves_no_stream() -> None:
    sizes = [4, 4, 9, 3, 3, 4, 4, 15]
    torch.manual_seed(1)
    found = []
    for workers in (0, 1, 2):
        loader = loader_of(Augmented(), workers)
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
        found.append(walk(loader, sizes))
        loader.close()
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
        assert before[:2] == after[:2] and torch.equal(before[2], after[2])
    for other in found[1:]:
        for (inputs, targets), (expected, labels) in zip(other, found[0], strict=True):
            assert torch.equal(inputs, expected) and torch.equal(targets, labels)
    assert found[0][0][0][:, 1:].unique().numel() == 12, "every row draws something else"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resume_by_samples_gives_the_same_batches(workers: int) -> None:
    whole, rest = loader_of(Augmented(), workers), loader_of(Augmented(), workers)
    expected = walk(whole, [5, 5, 5, 8, 8, 8])[2:]
    found = walk(rest, [5, 8, 8, 8], start=10)
    whole.close()
    rest.close()
    for (inputs, _), (wanted, _) in zip(found, expected, strict=True):
        assert torch.equal(inputs, wanted)


def test_workers_stay_through_epochs_and_changes_and_start_again_after_a_close() -> None:
    loader = loader_of(Augmented(), 1)
    walk(loader, [4] * 3)
    (first,) = multiprocessing.active_children()
    walk(loader, [7, 7, 30], start=12)
    assert multiprocessing.active_children() == [first]
    loader.close()
    assert multiprocessing.active_children() == []
    walk(loader, [4])
    loader.close()


def test_a_plan_may_end_before_the_training_does() -> None:
    loader = open_loader(DatasetRows(Augmented()), seed=3, plan=lambda at: 4 if at < 8 else 0, workers=1)
    assert len(walk(loader, [4, 4, 4, 4])) == 4
    loader.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_evaluation_sees_every_row_in_its_own_order(workers: int) -> None:
    loader = open_loader(
        DatasetRows(Augmented()), seed=0, plan=lambda at: min(10, ROWS - at), workers=workers, is_shuffled=False
    )
    for _ in range(2):
        counted = [(batch[0][:, 0].tolist(), count) for batch, count in in_order(loader, ROWS, 10)]
        assert [count for _, count in counted] == [10, 10, 3]
        assert [row for rows, _ in counted for row in rows] == list(range(ROWS))
    loader.close()


Pair = namedtuple("Pair", ["text", "label"])


class Nested(Augmented):
    def __getitem__(self, index: int) -> Any:
        return {"pair": Pair(torch.tensor(index), float(index)), "rest": (np.float32(1), [index, "word"])}


class Collating(Augmented):
    def __getitem__(self, index: int) -> Any:
        return list(range(index))

    def collate_fn(self, items: list[Any]) -> Any:
        return nn.utils.rnn.pad_sequence([torch.tensor(item) for item in items], batch_first=True)


class AtOnce(Augmented):
    def __getitem__(self, index: int) -> Any:
        raise AssertionError("one by one is slow")

    def __getitems__(self, indices: list[int]) -> Any:
        return [(torch.tensor(index), random.random()) for index in indices]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_any_make(workers: int) -> None:
    rows = rows_at(0, 4, seed=3, num_rows=ROWS)
    loaders = [loader_of(dataset, workers) for dataset in (Nested(), Collating(), AtOnce())]
    nested, padded, (at_once, _) = (walk(loader, [4])[0] for loader in loaders)
    for loader in loaders:
        loader.close()
    assert type(nested["pair"]) is Pair and torch.equal(nested["pair"].text, rows)
    assert nested["rest"][1][1] == ["word"] * 4 or nested["rest"][1][1] == ("word",) * 4
    assert padded.shape == (4, int(rows.max()))
    assert torch.equal(at_once, rows)


@pytest.mark.parametrize("held", [Subset, torch.utils.data.Subset])
def test_some_rows_of_a_dataset_keep_its_ways(held: Any) -> None:
    kept = np.arange(5, 23)
    assert walk(loader_of(held(Collating(), kept)), [18])[0].shape == (18, 22)
    rows, _ = walk(loader_of(held(AtOnce(), kept)), [18])[0]
    assert sorted(rows.tolist()) == kept.tolist()


class Broken(Augmented):
    def __init__(self, how: Callable[[], Any]) -> None:
        self.how = how

    def __getitem__(self, index: int) -> Any:
        return (torch.zeros(4), 0) if index != 20 else self.how()


def raising() -> Any:
    raise ValueError("the picture\nis torn")


def dying() -> Any:
    os._exit(3)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_row_is_one_line_with_its_number(workers: int) -> None:
    for dataset in (Broken(raising), Subset(Broken(raising), np.arange(22, 18, -1))):
        loader = loader_of(dataset, workers)
        with pytest.raises(TaskError) as caught:
            walk(loader, [4] * 6)
        assert "reading row 20 failed at test_loading.py:" in str(caught.value)
        assert "ValueError: the picture is torn" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "workers", "said"),
    [
        (Broken(lambda: (torch.zeros(5), 0)), 0, "cannot become a batch: .*stack expects each tensor to be equal size"),
        (Broken(lambda: (lambda: 0, 0)), 0, "cannot become a batch: TypeError: "),
    ],
)
def test_rows_that_do_not_fit_together(dataset: Any, workers: int, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        walk(loader_of(dataset, workers), [23])


class Unsendable(Augmented):
    def collate_fn(self, items: list[Any]) -> Any:
        return lambda: items


def test_a_batch_that_cannot_be_sent_is_not_waited_for() -> None:
    with pytest.raises(TaskError, match="a batch cannot be sent by a worker, set data.workers = 0: .*[pP]ickle"):
        walk(loader_of(Unsendable(), 1), [4])
    assert callable(walk(loader_of(Unsendable(), 0), [4])[0])


def test_a_dataset_that_cannot_be_sent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: "spawn")
    with pytest.raises(TaskError, match="the dataset cannot be sent to worker processes .*set data.workers = 0"):
        walk(loader_of(Broken(lambda: 0), 1), [4])


@pytest.mark.slow  # PyTorch asks every five seconds whether a silent worker still lives
def test_a_worker_that_dies_is_one_line() -> None:
    with pytest.raises(TaskError, match=r"a worker process .* ended with exit code 3; data.workers = 0"):
        walk(loader_of(Broken(dying), 1), [4] * 6)


@pytest.mark.slow
def test_a_terminated_worker_is_started_again() -> None:
    loader = loader_of(Augmented(), 1)
    first = walk(loader, [4])
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGTERM)
    worker.join()
    found = first + walk(loader, [4] * 5, start=4)
    loader.close()
    for (inputs, _), (expected, _) in zip(found, walk(loader_of(Augmented()), [4] * 6), strict=True):
        assert torch.equal(inputs, expected)


def test_a_pair_of_tensors_in_a_dataset_is_rows_in_memory() -> None:
    pair = TensorDataset(torch.zeros(5, 2), torch.zeros(5))
    assert isinstance(as_rows(pair), TensorRows)
    assert isinstance(as_rows(random_split(pair, [3, 2])[0]), DatasetRows)


def network() -> Any:
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 3)).double()


def augmented_task(**changes: Any) -> sf.Task:
    arguments = {"validation": Augmented(), "loss": "cross_entropy", "epochs": 3, **changes}
    return sf.Task(network, Augmented(), **arguments)


def test_a_training_is_the_same_with_workers() -> None:
    found = []
    for workers in (0, 2):
        recipe = Recipe(batch={"policy": "random", "size": 6}, data={"workers": workers})
        result = sf.fit(augmented_task(), recipe, seed=4)
        found.append((result.metrics, [value.tolist() for value in result.model.state_dict().values()]))
        assert multiprocessing.active_children() == []
    assert found[0] == found[1]


def test_an_error_in_training_leaves_no_process() -> None:
    calls = iter(range(100))

    def loss(output: Any, target: Any) -> Any:
        if next(calls) > 6:
            raise RuntimeError("a bug of theirs")
        return nn.functional.cross_entropy(output, target)

    with pytest.raises(RuntimeError, match="a bug of theirs"):
        sf.fit(augmented_task(loss=loss), Recipe(batch={"size": 6}, data={"workers": 1}))


def test_a_probe_reads_no_more_than_it_looks_at() -> None:
    """Workers read ahead what the probe will ask for, not what the training would have."""
    factory = TorchFactory(augmented_task())
    run = factory.create(Recipe(batch={"size": 16}, data={"workers": 1}).complete(ROWS), seed=0)
    with run.restored():
        run.step_at(1e-3, batch_size=4)
        sizes = {run._planned(position, num_rows=factory.num_rows) for position in range(0, 12, 4)}
    assert sizes == {4}
    assert run._planned(0, num_rows=factory.num_rows) == 16


def test_a_range_test_leaves_no_process() -> None:
    factory = TorchFactory(augmented_task())
    run = factory.create(Recipe(data={"workers": 1}).complete(ROWS), seed=0)
    with run.restored():
        losses = [run.step_at(1e-3, batch_size=5) for _ in range(6)]
    assert multiprocessing.active_children() == []
    plain = factory.create(Recipe().complete(ROWS), seed=0)
    assert losses == [plain.step_at(1e-3, batch_size=5) for _ in range(6)]


def test_workers_for_arrays_are_refused(make_task: Make) -> None:
    with pytest.raises(RecipeError, match="data.workers is for datasets"):
        TorchFactory(make_task()).check(Recipe(data={"workers": 2}))
    with pytest.raises(RecipeError, match="data.workers is -1"):
        Recipe(data={"workers": -1})


def test_the_step_at_the_horizons_edge() -> None:
    assert step_size(4, 18, num_rows=10, horizon=21) == 3, "a lone row joins the step before it"
    assert step_size(4, 21, num_rows=10, horizon=21) == 0


def weighted(weights: Any, rows: int = 30, **changes: Any) -> sf.Task:
    generator = np.random.default_rng(0)
    inputs, labels = generator.normal(size=(rows, 4)), generator.integers(3, size=rows)
    return sf.Task(network, (inputs, labels, weights), epochs=2, **changes)


def test_weights_travel_with_their_rows() -> None:
    task = weighted(np.arange(30))
    inputs, labels, weights = task.train
    whole = weighted(np.arange(30), validation=(inputs, labels)).train
    assert np.array_equal(whole[0][weights], inputs) and len(task.validation[2]) == 6
    batch, _ = open_loader(TorchFactory(task).parts["train"], seed=0, plan=lambda _: 0).batch(0, 5)
    order = rows_at(0, 5, seed=0, num_rows=24)
    assert torch.equal(batch[2], torch.as_tensor(weights)[order].float())
    other = weighted(np.arange(30)[::-1].copy())
    assert TorchFactory(task).fingerprint != TorchFactory(other).fingerprint


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.ones(29), "train has 30 inputs and 29 weights"),
        (np.ones((30, 1)), r"the train weights have shape \(24, 1\); one a row is needed"),
        (-np.ones(30), "the train weights go down to -1"),
        (np.full(30, np.nan), "24 of 24 train weights are not finite"),
        (np.zeros(30), "the train weights are all 0"),
        (["a"] * 30, "train weights holds values of type"),
    ],
)
def test_weights_that_make_no_sense(weights: Any, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        TorchFactory(weighted(weights))


class Triples(Augmented):
    def __getitem__(self, index: int) -> Any:
        return torch.zeros(4), index % 3, float(index)


def test_a_dataset_may_give_triples() -> None:
    (_, _, weights), _ = loader_of(Triples()).batch(0, 4)
    assert weights.tolist() == rows_at(0, 4, seed=3, num_rows=ROWS).tolist()


def evaluated(task: sf.Task) -> dict[str, float]:
    factory = TorchFactory(task)
    run = factory.create(Recipe().complete(factory.num_rows), seed=0)
    assert isinstance(run, TorchRun)
    return run.evaluate("validation")


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_a_row_of_weight_two_counts_as_two_rows(loss: str) -> None:
    generator = np.random.default_rng(1)
    inputs, weights = generator.normal(size=(40, 4)), generator.integers(0, 4, size=40)
    targets = generator.integers(3, size=40) if loss == "cross_entropy" else generator.normal(size=(40, 3))
    copies = np.repeat(np.arange(40), weights)
    found = [
        evaluated(sf.Task(lambda: nn.Linear(4, 3), (inputs, targets), validation=part, loss=loss))
        for part in ((inputs, targets, weights), (inputs[copies], targets[copies]))
    ]
    for metrics in found:
        metrics.pop("loss")  # the objective's own, tested there
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mean_squared_error"])
def test_a_guess_is_judged_by_weight_as_the_model_is(loss: str) -> None:
    from surefoot.workflows.facts import guess_of

    generator = np.random.default_rng(2)
    inputs, weights = generator.normal(size=(40, 4)), generator.integers(1, 4, size=40)
    labels = {"cross_entropy": generator.integers(3, size=40), "binary_cross_entropy": generator.integers(2, size=40)}
    targets = labels.get(loss, generator.normal(size=40))
    copies = np.repeat(np.arange(40), weights)
    parts = (inputs, targets, weights), (inputs[copies], targets[copies])
    by_weight, by_copies = (guess_of(sf.Task(network, part, validation=part, loss=loss), loss) for part in parts)
    assert by_weight == pytest.approx(by_copies)


def test_a_guess_of_labels_is_their_entropy_in_rows_and_in_sequences() -> None:
    from surefoot.workflows.facts import guess_of

    def guess(labels: Any, loss: str) -> float | None:
        part = np.zeros((8, 3), dtype="float32"), np.array(labels)
        return guess_of(sf.Task(network, part, validation=part, loss=loss), loss)

    entropy = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert guess([0, 1, 1, 1] * 2, "cross_entropy") == pytest.approx(entropy)
    assert guess([False, True, True, True] * 2, "binary_cross_entropy") == pytest.approx(entropy)
    assert guess([[0, 1], [1, 1]] * 4, "cross_entropy") == pytest.approx(entropy)
    assert guess([[0, 1], [1, -100]] * 4, "cross_entropy") is None
    assert guess([0, 1, 1, 1] * 2, "hinge") is None


TABLE = "size,kind,count\n" + "".join(f"{row}.5,{'ab'[row % 2]},{row % 3}\n" for row in range(30))


def test_a_column_of_a_table_may_hold_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    task = resolve(str(path), column="kind", weights="count")
    assert task.train[0].shape[1] == 1, "nothing is predicted from the weights"
    sizes = task.train[0][:, 0] * task.preparation.columns[0].scale + task.preparation.columns[0].offset
    assert task.train[2].tolist() == [round(size - 0.5) % 3 for size in sizes]


@pytest.mark.parametrize(
    ("column", "weights", "said"),
    [
        ("kind", "counts", 'no column "counts"; did you mean "count"'),
        ("kind", "kind", 'column "kind" cannot be two of target, weights, groups and time'),
        ("count", "kind", "column \"kind\" holds 'a' in data row 1; a weight is a number, 0 or more"),
    ],
)
def test_a_column_that_cannot_weigh(tmp_path: Path, column: str, weights: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    with pytest.raises(TaskError, match=said):
        resolve(str(path), column=column, weights=weights)
