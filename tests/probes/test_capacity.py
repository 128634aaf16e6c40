"""The capacity probe: on a run whose law is known, and on PyTorch's."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import surefoot as sf
from surefoot.engine import TorchFactory, TorchRun
from surefoot.engine.measuring.weighing import SavedTensors
from surefoot.errors import RequestError
from surefoot.probes import capacity
from surefoot.protocols import StepCost

Make = Callable[..., Any]
PLENTY = 10**7


class LawfulRun:
    """Steps that take overhead + per_row · B seconds and fixed + each · B bytes, up to as many bytes as there are."""

    device = "paper"

    def __init__(
        self,
        *,
        overhead: float = 1e-2,
        per_row: float = 1e-4,
        fixed: int = 1000,
        each: int = 10,
        room: float = np.inf,
    ) -> None:
        self.overhead, self.per_row, self.fixed, self.each, self.room = overhead, per_row, fixed, each, room
        self.sizes: list[int] = []
        self.is_restored = True

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        self.is_restored = False
        try:
            yield
        finally:
            self.is_restored = True

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        raise AssertionError("a capacity probe weighs its steps")

    def step_cost(self, *, batch_size: int, with_memory: bool) -> StepCost | None:
        assert not self.is_restored
        is_warm = bool(self.sizes) and self.sizes[-1] == batch_size
        self.sizes.append(batch_size)
        peak = self.fixed + self.each * batch_size
        if peak > self.room:
            return None
        seconds = (self.overhead + self.per_row * batch_size) * (1.0 if is_warm and not with_memory else 9.0)
        return StepCost(seconds, peak if with_memory else None)


def probed(run: LawfulRun, *, max_samples: int = PLENTY, num_rows: int = 4096, **others: Any) -> Any:
    found = capacity(run, max_samples=max_samples, num_rows=num_rows, **others)  # type: ignore[arg-type] # no core
    assert run.is_restored
    assert found.samples == sum(run.sizes) <= max_samples
    return found


def test_the_law_of_a_run_is_found() -> None:
    found = probed(LawfulRun())
    assert (found.overhead, found.per_row) == pytest.approx((1e-2, 1e-4), rel=1e-6)
    assert (found.fixed_bytes, found.bytes_per_row) == pytest.approx((1000, 10))
    assert found.error == pytest.approx(0, abs=1e-6)
    assert [point.batch_size for point in found.points] == [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
    assert all(point.seconds == pytest.approx(1e-2 + 1e-4 * point.batch_size) for point in found.points)
    assert (found.largest, found.limited_by, found.device, found.reason) == (4096, "rows", "paper", "")


def test_the_knee_is_within_a_tenth_of_the_best_throughput() -> None:
    # B / (a + b B) is at least .9 of its value at 4096 from B = .9 · a / (b · .1 + a / 4096) = 738 on
    assert probed(LawfulRun()).knee == 1024
    assert probed(LawfulRun(overhead=1e-9)).knee == 16
    assert probed(LawfulRun(overhead=10.0)).knee == 4096


@given(fits=st.integers(1, 3000))
def test_the_largest_batch_that_fits_is_located(fits: int) -> None:
    run = LawfulRun(room=1000 + 10 * fits)
    found = probed(run)
    assert 8 / 9 * fits - 1 <= found.largest <= fits
    assert found.limited_by == "memory"
    assert found.largest in run.sizes
    assert found.points[-1].batch_size == found.largest, "it was timed as well"
    assert all(point.batch_size <= fits for point in found.points)


def test_not_even_a_row_fits() -> None:
    found = probed(LawfulRun(room=1001))
    assert (found.largest, found.limited_by, found.points, found.knee) == (None, "memory", (), None)
    assert (found.overhead, found.fixed_bytes) == (None, None)
    assert found.reason == "not even a single row fits in memory"


def test_only_a_row_fits() -> None:
    found = probed(LawfulRun(room=1010))
    assert (found.largest, found.limited_by, found.overhead) == (1, "memory", None)
    assert "only batches of 1" in found.reason


@given(max_samples=st.integers(-1, 40_000), num_rows=st.integers(1, 5000), room=st.integers(1000, 60_000))
def test_the_price_is_never_passed(max_samples: int, num_rows: int, room: int) -> None:
    run = LawfulRun(room=room)
    found = capacity(run, max_samples=max_samples, num_rows=num_rows)  # type: ignore[arg-type] # no core
    assert found.samples == sum(run.sizes) <= max(0, max_samples)
    assert max(run.sizes, default=0) <= num_rows
    assert found.reason or len(found.points) > 1
    assert all(point.peak_bytes == 1000 + 10 * point.batch_size for point in found.points)
    assert found.largest == max((size for size in run.sizes if 1000 + 10 * size <= room), default=None) or (
        found.limited_by in {"price", "memory"}
    )


def test_a_busy_machine_slows_only_what_it_meets() -> None:
    class Disturbed(LawfulRun):
        def step_cost(self, *, batch_size: int, with_memory: bool) -> StepCost | None:
            cost = super().step_cost(batch_size=batch_size, with_memory=with_memory)
            is_busy = len(self.sizes) < 95  # the climb, and a little more
            return cost and cost._replace(seconds=cost.seconds * (3.0 if is_busy or len(self.sizes) % 4 == 1 else 1.0))

    found = probed(Disturbed())
    assert (found.overhead, found.per_row) == pytest.approx((1e-2, 1e-4), rel=1e-6)
    assert {point.steps for point in found.points} == {27}


def test_a_price_decides_how_far_the_climb_goes() -> None:
    found = probed(LawfulRun(), max_samples=3000)
    assert (found.largest, found.limited_by) == (256, "price")
    assert (found.overhead, found.per_row) == pytest.approx((1e-2, 1e-4), rel=1e-6)


@pytest.mark.parametrize(("samples", "reason"), [(0, "do not pay for 4 steps"), (20, "pay for no more")])
def test_a_price_that_does_not_pay_for_two_sizes(samples: int, reason: str) -> None:
    found = probed(LawfulRun(), max_samples=samples)
    assert found.limited_by == "price"
    assert (found.overhead, found.bytes_per_row) == (None, None)
    assert reason in found.reason


@pytest.mark.parametrize(("num_rows", "sizes"), [(1, [1]), (2, [2]), (3, [2, 3]), (10, [5, 10]), (40, [16, 32, 40])])
def test_fewer_rows_than_the_sizes(num_rows: int, sizes: list[int]) -> None:
    found = probed(LawfulRun(), num_rows=num_rows)
    assert [point.batch_size for point in found.points] == sizes
    assert (found.largest, found.limited_by) == (num_rows, "rows")
    assert bool(found.reason) == (len(sizes) < 2)


def test_a_limit_of_the_caller() -> None:
    found = probed(LawfulRun(), smallest=8, largest=100)
    assert [point.batch_size for point in found.points] == [8, 16, 32, 64, 100]
    assert (found.largest, found.limited_by) == (100, "")
    with pytest.raises(ValueError, match="largest must be a whole number of at least 1"):
        probed(LawfulRun(), largest=0)


@pytest.mark.parametrize("after", [0, 2, 6, 20])
def test_a_probe_can_be_stopped(after: int) -> None:
    run = LawfulRun()
    found = probed(run, should_stop=lambda: len(run.sizes) >= after)
    assert len(run.sizes) == after
    assert found.reason == "stopped before its end"
    assert found.limited_by == ""
    assert (found.largest or 0) == max((point.batch_size for point in found.points), default=0)


def test_a_run_that_cannot_weigh_its_steps() -> None:
    with pytest.raises(RequestError, match="not supported by object: it cannot weigh its steps"):
        capacity(object(), max_samples=100, num_rows=10)  # type: ignore[arg-type] # on purpose


# PyTorch


def run_of(task: Any, **sections: Any) -> TorchRun:
    factory = TorchFactory(task)
    recipe = sf.Recipe(**{"optimizer": {"name": "adamw"}, "batch": {"size": 8}, **sections})
    return factory.create(recipe.complete(factory.num_rows), seed=1)


def state_of(run: TorchRun) -> dict[str, Tensor]:
    state = {name: value.clone() for name, value in run.model.state_dict().items()}
    for index, kept in enumerate(run._optimizer.state.values()):
        state |= {f"{index}.{name}": value.clone() for name, value in kept.items()}
    return state


@pytest.mark.parametrize("is_trained", [False, True])
def test_a_run_is_as_before(make_task: Make, is_trained: bool) -> None:
    task = make_task(model=lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3)))
    run, twin = run_of(task), run_of(task)
    for each in (run, twin):
        each.advance(20 * is_trained, should_stop=lambda: False)
    found = capacity(run, max_samples=PLENTY, num_rows=len(run._parts["train"]))
    assert len(found.points) > 1
    assert found.device.startswith("cpu, ")
    for each in (run, twin):
        assert each.samples_seen == (24 if is_trained else 0)
    for _ in range(2):
        left, right = state_of(run), state_of(twin)
        assert left.keys() == right.keys()
        assert all(torch.equal(value, right[name]) for name, value in left.items())
        for each in (run, twin):
            each.advance(30, should_stop=lambda: False)


def test_a_step_takes_the_next_rows_and_hardly_moves_the_weights(make_task: Make) -> None:
    run = run_of(make_task())
    before = [value.clone() for value in run.model.parameters()]
    with run.restored():
        for with_memory in (False, True):
            assert run.step_cost(batch_size=20, with_memory=with_memory) is not None
        assert run.samples_seen == 40
        assert run.step_cost(batch_size=20, with_memory=False) is not None
        assert run.samples_seen == 48 + 20, "the next epoch, where a whole batch is left"
        for value, old in zip(run.model.parameters(), before, strict=True):
            torch.testing.assert_close(value, old, rtol=1e-6, atol=1e-9)


def hand_count(batch_size: int, *, hidden: int, part: int | None = None) -> int:
    """Bytes of a step of Linear(4, hidden), ReLU, Linear(hidden, 3), cross-entropy under Adam, in float32."""
    weights = 4 * hidden + hidden + hidden * 3 + 3
    adam = 2 * weights + 4  # two moments, and a count of steps for each of four parameters
    inputs, labels = 4 * batch_size, 2 * batch_size  # a label is 8 bytes
    part = part or batch_size
    saved = hidden * part + 3 * part + 1  # ReLU's output, log-probabilities, the loss's total weight
    return 4 * (weights + weights + adam + inputs + labels + saved)


@pytest.mark.parametrize("micro_batch", [None, 4])
@pytest.mark.parametrize("hidden", [8, 50])
def test_memory_is_counted_to_the_byte(make_task: Make, hidden: int, micro_batch: int | None) -> None:
    task = make_task(model=lambda: nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 3)))
    run = run_of(task, batch={"size": 8, "micro_batch": micro_batch}, optimizer={"weight_decay": 0.0})
    found = capacity(run, max_samples=PLENTY, num_rows=48)
    assert [point.batch_size for point in found.points] == [16, 32, 48]
    for point in found.points:
        assert point.peak_bytes == hand_count(point.batch_size, hidden=hidden, part=micro_batch)
    if micro_batch is None:
        assert found.bytes_per_row == pytest.approx(4 * (4 + 2 + hidden + 3))


def test_saved_tensors_are_counted_while_they_are_kept() -> None:
    weight, rows = torch.ones(3, 3, requires_grad=True), torch.ones(5, 3)
    saved = SavedTensors([weight, rows])
    with saved.watching():
        for factor in (1, 2, 1):
            output = torch.relu(rows.repeat(factor, 1) @ weight)
            output.square().sum().backward()
    assert saved.most == 2 * (5 * 3 * 4) * 2, "the copied rows and the output that two operations keep"
    del output
    gc.collect()
    assert saved._bytes == 0


class Sequences:
    """Rows of as many numbers as they say, padded when they are put together."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> int:
        return self.lengths[index]

    @staticmethod
    def collate_fn(lengths: list[int]) -> tuple[Tensor, Tensor]:
        return torch.ones(len(lengths), max(lengths), 1), torch.zeros(len(lengths), dtype=torch.int64)


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.layer(inputs).tanh().mean(1)
        return found


def test_the_largest_row_is_among_those_that_are_weighed() -> None:
    lengths = [3] * 200
    lengths[17] = 90
    task = sf.Task(Mean, Sequences(lengths), validation=Sequences([3, 3]), loss="cross_entropy", epochs=1)
    run = run_of(task)
    with run.restored():
        run.step_cost(batch_size=200, with_memory=False)
        whole = run.step_cost(batch_size=200, with_memory=True)
        few = [run.step_cost(batch_size=8, with_memory=True) for _ in range(30)]
    assert whole is not None
    assert whole.peak_bytes is not None
    padded = 8 * 90 * 4 * (1 + 2)  # inputs, and what tanh keeps, of eight rows as long as the longest
    assert all(cost is not None and cost.peak_bytes is not None and cost.peak_bytes > padded for cost in few)
    assert len({cost.peak_bytes for cost in few if cost is not None}) == 1


def test_workers_are_not_started_for_a_few_steps() -> None:
    task = sf.Task(Mean, Sequences([3] * 200), validation=Sequences([3, 3]), loss="cross_entropy", epochs=1)
    run = run_of(task, data={"workers": 2})
    found = capacity(run, max_samples=PLENTY, num_rows=200)
    assert found.largest == 200
    assert run._loader._workers._loader is None  # type: ignore[attr-defined] # of a dataset's loader


def test_as_many_threads_as_a_training_with_that_batch_would_use(make_task: Make) -> None:
    task = make_task(model=lambda: nn.Sequential(nn.Linear(4, 50_000), nn.Linear(50_000, 3)))
    fixed, moving = (run_of(task, batch={"size": 8, "policy": policy})._weighing for policy in ("fixed", "noise_scale"))
    assert [fixed.is_single_threaded(size, by_default=True) for size in (8, 48)] == [True, False]
    assert [moving.is_single_threaded(size, by_default=True) for size in (8, 48)] == [True, True]


def test_batch_normalisation_is_not_asked_to_train_on_a_row(make_task: Make) -> None:
    run = run_of(make_task(model=lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))))
    with run.restored():
        assert run.step_cost(batch_size=1, with_memory=False) is None
        assert run.step_cost(batch_size=2, with_memory=False) is not None


def raise_above(most: int, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A linear layer, or the backward pass, that runs out of memory above so many rows."""
    forward, backward, rows = nn.Linear.forward, Tensor.backward, [0]

    def limited_forward(layer: nn.Linear, inputs: Tensor) -> Tensor:
        rows[0] = len(inputs)
        if place == "forward" and rows[0] > most:
            raise torch.OutOfMemoryError("injected")
        return forward(layer, inputs)

    def limited_backward(*given: Any, **named: Any) -> None:
        if place == "backward" and rows[0] > most:
            raise torch.OutOfMemoryError("injected")
        backward(*given, **named)

    monkeypatch.setattr(nn.Linear, "forward", limited_forward)
    monkeypatch.setattr(Tensor, "backward", limited_backward)


@pytest.mark.parametrize(
    ("place", "most", "largest"), [("forward", 0, None), ("backward", 20, 20), ("forward", 47, 44)]
)
def test_out_of_memory_is_not_hidden_by_halving(
    make_task: Make, monkeypatch: pytest.MonkeyPatch, place: str, most: int, largest: int | None
) -> None:
    run = run_of(make_task())
    before = state_of(run)
    raise_above(most, monkeypatch, place)
    found = capacity(run, max_samples=PLENTY, num_rows=48)
    assert (found.largest, found.limited_by) == (largest, "memory")
    assert all(point.batch_size <= most for point in found.points)
    assert run.changes == ()
    assert run._descent.micro_batch is None
    assert all(torch.equal(value, before[name]) for name, value in state_of(run).items())


def test_a_micro_batch_of_the_recipe_stays(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(make_task(), batch={"size": 8, "micro_batch": 8})
    raise_above(8, monkeypatch, "forward")
    found = capacity(run, max_samples=PLENTY, num_rows=48)
    assert (found.largest, found.limited_by) == (48, "rows")


def test_a_loss_that_is_not_finite_does_not_matter(make_task: Make) -> None:
    task = make_task(step=lambda model, batch: model(batch[0]).sum() * torch.inf)
    found = capacity(run_of(task), max_samples=PLENTY, num_rows=48)
    assert len(found.points) == 3
