"""Streams: each row once an epoch, the same for any number of workers and after a resume, and one line for mistakes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.rows.data import StreamRows
from surefoot.engine.rows.lanes import CHUNK
from surefoot.engine.rows.loading import open_loader
from surefoot.errors import RecipeError, TaskError
from surefoot.shards import Shards
from surefoot.streams import Stream, as_stream

ROWS = 300
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves a process behind."""
    yield
    assert multiprocessing.active_children() == []


def numbers(count: int = ROWS) -> Iterator[tuple[torch.Tensor, int]]:
    """Rows that know their number."""
    return ((torch.tensor([float(row)]), row % 3) for row in range(count))


class ByRow(IterableDataset[Any]):
    """A dataset as PyTorch's documentation writes one: workers share its rows by number."""

    def __init__(self, count: int = ROWS) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        return islice(numbers(self.count), info.id, None, info.num_workers) if info else numbers(self.count)


class Unshared(ByRow):
    """One whose author never thought of workers."""

    def __iter__(self) -> Iterator[Any]:
        return numbers(self.count)


class Skipping(ByRow):
    """One that can begin anywhere and says how often it was asked."""

    asked: tuple[int, ...] = ()
    given = 0

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self.start = start

    def skip(self, count: int) -> Skipping:
        Skipping.asked += (count,)
        return Skipping(self.start + count)

    def __iter__(self) -> Iterator[Any]:
        for row in islice(numbers(), self.start, None):
            Skipping.given += 1
            yield row


def read_items(shard: int) -> list[Any]:
    return [(torch.tensor([float(1000 * shard + row)]), row % 3) for row in range(100 + 10 * shard)]


def read_arrays(shard: int) -> tuple[Any, Any]:
    rows = np.arange(100 + 10 * shard)
    return (1000 * shard + rows).astype(float)[:, None], rows % 3


def shards(read: Callable[[int], Any] = read_items, **changes: Any) -> Shards:
    arguments = {"rows": [100, 110, 120, 130, 140], "lanes": 3, **changes}
    return Shards(range(5), read, **arguments)


def loader_of(source: Any, *, rows: int | None = None, seed: int = 3, buffer: int = 0, workers: int = 0) -> Any:
    stream = StreamRows(as_stream("train", source, rows))
    return open_loader(stream, seed=seed, plan=lambda _: 0, workers=workers, shuffle_buffer=buffer)


def walk(loader: Any, sizes: list[int], start: int = 0) -> list[int]:
    """The numbers of the rows in batches of these sizes, one after another."""
    found: list[int] = []
    try:
        for size in sizes:
            (inputs, _), count = loader.batch(start, size)
            assert count == size == len(inputs)
            found += inputs[:, 0].int().tolist()
            start += size
    finally:
        loader.close()
    return found


SIZES = [7, 64, 65, 1, 100, 63]  # an epoch of 300, in batches that move


@pytest.mark.parametrize("make", [ByRow, lambda: partial(numbers, ROWS)])
def test_the_own_order_is_kept_and_begins_anew_every_epoch(make: Callable[[], Any]) -> None:
    assert walk(loader_of(make(), rows=ROWS), SIZES * 2) == [*range(ROWS)] * 2


@pytest.mark.parametrize("buffer", [1, 10, 50, 1000])
def test_a_buffer_shuffles_every_row_once_and_none_further_than_it(buffer: int) -> None:
    seen = np.array(walk(loader_of(ByRow(), buffer=buffer), SIZES * 2)).reshape(2, ROWS)
    for epoch in seen:
        assert sorted(epoch) == [*range(ROWS)]
        assert max(abs(epoch - np.arange(ROWS))) < buffer
    if buffer > 1:
        assert (seen[0] != seen[1]).mean() > 0.5, "another order every epoch"
        assert walk(loader_of(ByRow(), buffer=buffer, seed=4), SIZES) != seen[0].tolist()
    assert walk(loader_of(ByRow(), buffer=buffer), [50] * 6) == seen[0].tolist(), "whatever the batches"


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_give_what_one_process_gives_where_rows_are_shared_by_number(workers: int) -> None:
    expected = walk(loader_of(ByRow(), buffer=40), SIZES * 2)
    assert walk(loader_of(ByRow(), buffer=40, workers=workers), SIZES * 2) == expected


@pytest.mark.parametrize("read", [read_items, read_arrays])
def test_shards_are_the_same_for_any_number_of_workers(read: Callable[[int], Any]) -> None:
    sizes = [150, 150, 150, 150]
    expected = walk(loader_of(shards(read), buffer=40), sizes * 2)
    assert sorted(expected[:600]) == sorted(1000 * shard + row for shard in range(5) for row in range(100 + 10 * shard))
    assert expected[:600] != expected[600:]
    for workers in (1, 2, 3, 5):
        assert walk(loader_of(shards(read), buffer=40, workers=workers), sizes * 2) == expected
    assert walk(loader_of(shards(read)), [6]) == [0, 1000, 2000, 1, 1001, 2001], "a row of every lane in turn"


@pytest.mark.parametrize("buffer", [0, 30])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("make", [ByRow, shards])
def test_a_resume_by_samples_gives_the_same_rows(make: Callable[[], Any], buffer: int, workers: int) -> None:
    whole = walk(loader_of(make(), buffer=buffer), [50] * 14)
    for start in (50, 200, 300, 450, 600, 650):
        found = walk(loader_of(make(), buffer=buffer, workers=workers), [10, 30, 10], start=start)
        assert found == whole[start : start + 50], start


def test_a_source_that_can_skip_is_asked_to() -> None:
    Skipping.asked, Skipping.given = (), 0
    assert walk(loader_of(Skipping()), [20], start=200) == [*range(200, 220)]
    assert Skipping.asked == (200 // CHUNK * CHUNK,)
    assert Skipping.given <= 2 * CHUNK


class ByFile(ByRow):
    """Workers share files of very different lengths, so one of them ends long before the others."""

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        for number, rows in enumerate([range(280), range(280, 300)]):
            if info is None or number % info.num_workers == info.id:
                yield from ((torch.tensor([float(row)]), 0) for row in rows)


def test_lanes_of_unlike_lengths_resume_too() -> None:
    whole = walk(loader_of(ByFile(), workers=2), [100, 100, 100])
    assert sorted(whole) == [*range(ROWS)]
    for start in (100, 200, 290):
        assert walk(loader_of(ByFile(), workers=2), [10], start=start) == whole[start : start + 10]


class Drawing(ByRow):
    """Rows with noise from the global streams, as augmentations draw it."""

    def __iter__(self) -> Iterator[Any]:
        for inputs, label in super().__iter__():
            yield torch.cat([inputs, torch.rand(1), torch.tensor([np.random.rand()])]), label  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 2])
def test_what_rows_draw_is_the_same_after_a_resume_and_moves_no_stream(workers: int) -> None:
    loader, again = (loader_of(Drawing(), buffer=30, workers=workers) for _ in range(2))
    before = torch.get_rng_state()
    loader.batch(0, 150)
    expected = loader.batch(150, 20)[0][0]
    loader.close()
    found = again.batch(150, 20)[0][0]
    again.close()
    assert torch.equal(found, expected) and found[:, 1:].unique().numel() == 40
    assert torch.equal(torch.get_rng_state(), before)


class Texts(ByRow):
    """Rows of their own lengths, which only its own function can put together."""

    def __iter__(self) -> Iterator[Any]:
        return (([row] * (1 + row % 5), row % 3) for row in range(self.count))

    @staticmethod
    def collate_fn(rows: list[Any]) -> Any:
        longest = max(len(row) for row, _ in rows)
        padded = torch.tensor([row + [-1] * (longest - len(row)) for row, _ in rows])
        return padded, torch.tensor([label for _, label in rows])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_collate_function_of_the_streams_own_is_used(workers: int) -> None:
    loader = loader_of(Texts(), workers=workers, buffer=20)
    (inputs, labels), _ = loader.batch(0, 64)
    loader.close()
    assert inputs.shape == (64, 5) and torch.equal(inputs[:, 0] % 3, labels)


def test_mappings_and_texts_are_stacked() -> None:
    def rows() -> Iterator[Any]:
        return ({"x": np.float32(row), "name": f"row {row}"} for row in range(10))

    batch, _ = loader_of(rows, rows=10, buffer=4).batch(0, 10)
    assert [f"row {int(value)}" for value in batch["x"]] == batch["name"]


# --- in a training


def build(width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 3))


def held_out() -> Any:
    return np.linspace(0, 1, 12, dtype=np.float32)[:, None] * ROWS, np.arange(12) % 3


def task_of(train: Any, **changes: Any) -> sf.Task:
    arguments = {"validation": held_out(), "loss": "cross_entropy", "epochs": 2, **changes}
    return sf.Task(build, train, **arguments)


RECIPE = sf.Recipe(batch={"size": 16}, data={"shuffle_buffer": 50})


def weights_of(result: Any) -> list[list[float]]:
    return [values.flatten().tolist() for values in result.model.parameters()]


def test_a_training_is_the_same_bit_for_bit_for_any_number_of_workers() -> None:
    results = [sf.fit(task_of(ByRow()), RECIPE.with_changes({"data.workers": workers})) for workers in (0, 2)]
    assert weights_of(results[0]) == weights_of(results[1])
    assert results[0].study.rows == {"train": ROWS, "validation": 12, "test": 0}


def test_a_training_is_a_dataloaders_loop_over_the_same_dataset() -> None:
    """The slow twin, by hand: the stream's own order, one epoch at a constant rate."""
    plain = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.0, "weight_decay": 0.0, "max_gradient_norm": None}
    recipe = sf.Recipe(batch={"size": 16}, optimizer=plain, schedule={"name": "constant", "warmup": 0.0})
    run = TorchFactory(task_of(ByRow(), epochs=1)).create(recipe.complete(ROWS), seed=1)
    model = build()
    model.load_state_dict(run.model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for inputs, labels in DataLoader(ByRow(), batch_size=16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    run.advance(ROWS, should_stop=lambda: False)
    for mine, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, workers: int) -> None:
    recipe = RECIPE.with_changes({"data.workers": workers})
    whole = sf.fit(task_of(ByRow()), recipe)

    factory = TorchFactory(task_of(ByRow()))
    seed = whole.study.runs[0].seed
    first, second = (factory.create(recipe.complete(ROWS), seed=seed) for _ in range(2))
    first.advance(200, should_stop=lambda: False)
    first.save_checkpoint(tmp_path, {})
    first.release()
    second.load_checkpoint(tmp_path)
    second.advance(10_000, should_stop=lambda: False)
    second.release()
    straight = factory.create(recipe.complete(ROWS), seed=seed)
    straight.advance(10_000, should_stop=lambda: False)
    straight.release()
    for mine, theirs in zip(second.model.parameters(), straight.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_streams_are_validated_tested_and_tuned(tmp_path: Path) -> None:
    task = task_of(ByRow(), validation=ByRow(64), test=ByRow(32), epochs=4)
    result = sf.tune(task, budget=2.0, seed=0)
    assert result.study.rows == {"train": ROWS, "validation": 64, "test": 32}
    assert result.cost.trainings <= 2.01 and "test_accuracy" in result.metrics


def test_probes_read_the_head_of_a_stream(tmp_path: Path) -> None:
    probe = sf.probe(task_of(ByRow(), epochs=20), RECIPE)
    assert probe.learning_rate is not None


def test_a_killed_worker_is_one_line() -> None:
    loader = loader_of(ByRow(), workers=2)
    loader.batch(0, 16)
    os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
    with pytest.raises(TaskError, match=r"a worker process that reads the data was killed by SIGKILL"):
        walk(loader, [200, 84], start=16)


def test_a_worker_that_was_asked_to_end_is_replaced() -> None:
    loader = loader_of(ByRow(), workers=2)
    loader.batch(0, 16)
    for child in multiprocessing.active_children():
        os.kill(child.pid or 0, signal.SIGTERM)
    assert walk(loader, [184, 100], start=16) == [*range(16, 300)]


class Uneven(ByRow):
    """One whose first worker has two thirds of the rows, so that the other's end early."""

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        if info is None:
            return numbers(self.count)
        edges = [0, 2 * self.count // 3, self.count]
        return islice(numbers(self.count), edges[info.id], edges[info.id + 1])


def test_workers_that_begin_anew_at_the_end_of_a_lane_give_no_row_twice() -> None:
    sizes = [60] * 5
    undisturbed = walk(loader_of(Uneven(), workers=2), sizes)
    assert sorted(undisturbed) == [*range(ROWS)]
    loader, found = loader_of(Uneven(), workers=2), []
    for start in range(0, ROWS, 60):
        (inputs, _), _ = loader.batch(start, 60)
        found += inputs[:, 0].int().tolist()
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGTERM)
            child.join()
    loader.close()
    assert found == undisturbed


# --- mistakes


class Short(ByRow):
    def __iter__(self) -> Iterator[Any]:
        return numbers(self.count - 1)


class Long(ByRow):
    def __iter__(self) -> Iterator[Any]:
        return numbers(self.count + 1)


class Endless:
    def __iter__(self) -> Iterator[Any]:
        return numbers(10**9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": Endless()}, "train is a stream that does not say how many rows it has; give sf.Task(..., rows=N)"),
        ({"train": numbers()}, "train is a generator, which can be read only once; give the function that makes it"),
        ({"validation": 0.2}, "no fraction of a stream can be held out; give validation=(X, y)"),
        ({"validation": Endless()}, "validation is a stream that does not say how many rows it has; give a __len__"),
        ({"rows": 0}, "rows is 0; the rows of an epoch are a whole number of at least 1"),
        ({"loss": None}, "loss is needed when train is a dataset or a stream"),
        ({"train": DataLoader(ByRow())}, "train must be (X, y), (X, y, weights), a map-style dataset or a stream"),
        ({"train": held_out(), "rows": 5}, "rows is for a stream that does not know its length"),
    ],
)
def test_what_cannot_be_a_task_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError) as caught:
        task_of(**{"train": ByRow(), **changes})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def broken() -> Iterator[Any]:
    yield from islice(numbers(), 150)
    raise OSError("the disk is gone")


def ragged() -> Iterator[Any]:
    return ((torch.zeros(1 + (row > 100)), 0) for row in range(ROWS))


@pytest.mark.parametrize(
    ("source", "workers", "message"),
    [
        (Short(), 0, "the stream ended after 299 of its 300 rows in epoch 1; its length should say 299"),
        (Long(), 0, "the stream has more than the 300 rows that its length says"),
        (Unshared(), 2, "2 workers give the same rows; the stream must share them by torch.utils.data.get_worker_info"),
        (partial(numbers, ROWS), 2, "data.workers is 2, but nothing says how workers could share this stream; use 1"),
        (broken, 0, "reading the stream failed after 128 of its rows: test_streams.py:"),
        (broken, 1, "OSError: the disk is gone"),
        (ragged, 0, "reading the stream failed after 64 of its rows"),
        (shards(rows=100), 0, "shard 1 has more rows than rows says"),
        (shards(rows=200), 0, "rows fewer than rows says"),
        (shards(read_arrays, rows=100), 0, "shard 1 has arrays of [110] rows, where rows says 100"),
    ],
)
def test_what_goes_wrong_while_reading_is_one_line(source: Any, workers: int, message: str) -> None:
    rows = None if hasattr(source, "__len__") else ROWS
    task = task_of(source, rows=rows)
    with pytest.raises(TaskError) as caught:
        sf.fit(task, sf.Recipe(batch={"size": 16}, data={"workers": workers}))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_number_of_rows_cuts_an_endless_stream_into_epochs() -> None:
    assert walk(loader_of(Endless(), rows=100), [60, 40, 100]) == [*range(100)] * 2


def test_a_buffer_is_for_streams(make_task: Callable[..., Any]) -> None:
    with pytest.raises(RecipeError, match=r"data.shuffle_buffer is for streams"):
        sf.fit(make_task(), sf.Recipe(data={"shuffle_buffer": 5}))
    with pytest.raises(RecipeError, match=r"data.shuffle_buffer is -1"):
        sf.Recipe(data={"shuffle_buffer": -1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [1, 2]}, "rows has 2 numbers for 5 shards"),
        ({"rows": 0}, "rows holds 0"),
        ({"lanes": 0}, "lanes is 0"),
        ({"read": 3}, "read must be a function of a shard, not int"),
    ],
)
def test_shards_check_their_arguments(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        shards(**changes)


def test_a_stream_is_its_first_rows_too() -> None:
    assert len(Stream(ByRow(), ROWS).first(5)) == 5
