"""The PyTorch engine: conformance, steps that equal a hand-written loop, traps of the field."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from surefoot.engine import TorchFactory, optimizers
from surefoot.engine.losses import NamedLoss
from surefoot.engine.penalties import Penalties
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import next_batch_size, rows_at, step_size
from surefoot.errors import TaskError
from surefoot.recipe import OptimizerName, Recipe
from surefoot.testing import check_trainable
from surefoot.training import never

Make = Callable[..., Any]
OPTIMIZERS = get_args(OptimizerName)


def run_of(task: Any, recipe: Recipe | None = None, *, seed: int = 0, share: float = 1.0) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create((recipe or Recipe()).complete(factory.num_rows), seed=seed, share=share)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", [{}, {"dropout": 0.5}, {"norm": True}])
def test_conformance(make_task: Make, name: str, model: dict[str, Any]) -> None:
    task = make_task()
    recipe = Recipe(
        optimizer={"name": name, "learning_rate": 0.01, "weight_decay": 0.01}, batch={"size": 7}, model=model
    )
    check_trainable(lambda: run_of(task, recipe, seed=3))


def test_a_dataset_trains_as_its_arrays_do(make_task: Make) -> None:
    class Rows:
        def __init__(self, pair: Any) -> None:
            self.inputs, self.targets = pair

        def __len__(self) -> int:
            return len(self.targets)

        def __getitem__(self, index: int) -> Any:
            return self.inputs[index], int(self.targets[index])

    arrays = make_task()
    wrapped = make_task(train=Rows(arrays.train), validation=Rows(arrays.validation), loss="cross_entropy")
    results = []
    for task in (arrays, wrapped):
        run = run_of(task)
        run.advance(run.horizon, should_stop=never)
        results.append(run.evaluate("validation"))
    assert results[0] == results[1]


def test_a_run_equals_the_loop_an_expert_writes(make_task: Make) -> None:
    task = make_task(rows=50, epochs=2)
    recipe = Recipe(optimizer={"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.01}, batch={"size": 16})
    run = run_of(task, recipe)
    by_hand = run_of(task, recipe)
    model = by_hand.model
    inputs, targets = (torch.as_tensor(values) for values in task.train)
    weights = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    seen, horizon = 0, 2 * len(inputs)
    while seen < horizon:
        indices = rows_at(
            seen, step_size(16, seen, num_rows=len(inputs), horizon=horizon), seed=0, num_rows=len(inputs)
        )
        middle = (seen + len(indices) / 2) / horizon
        rising = middle / 0.05
        falling = (1 + math.cos(math.pi * (middle - 0.05) / 0.95)) / 2
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (rising if middle < 0.05 else falling)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[indices]), targets[indices]).backward()
        optimizer.step()
        seen += len(indices)
    run.advance(run.horizon, should_stop=never)
    for ours, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@given(st.integers(1, 40), st.integers(2, 60), st.integers(0, 3), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_each_row_once_an_epoch(size: int, rows: int, epochs: int, seed: int) -> None:
    inputs = np.arange(rows, dtype=np.float32).reshape(-1, 1)
    from surefoot import Task

    task = Task(lambda: nn.Linear(1, 1), (inputs, inputs[:, 0]), validation=(inputs, inputs[:, 0]), epochs=epochs + 0.5)
    run = run_of(task, Recipe(batch={"size": min(size, rows)}), seed=seed)
    seen: list[int] = []
    while run.samples_seen < run.horizon:
        count = step_size(min(size, rows), run.samples_seen, num_rows=rows, horizon=run.horizon)
        indices = rows_at(run.samples_seen, count, seed=seed, num_rows=rows)
        assert len(indices) > 1 or size == 1 or run.horizon - run.samples_seen == 1
        seen += indices.tolist()
        run._samples += len(indices)
    assert len(seen) == run.horizon
    for epoch in range(epochs):
        assert sorted(seen[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


def test_a_tail_of_one_joins_its_neighbour() -> None:
    assert [next_batch_size(32, left=left) for left in (100, 33, 32, 1)] == [32, 33, 32, 1]
    assert next_batch_size(1, left=2) == 1


def test_batch_normalisation_survives_a_tail_of_one(make_task: Make) -> None:
    task = make_task(rows=33, validation=make_task().validation)
    run = run_of(task, Recipe(batch={"size": 16}, model={"norm": True}))
    assert run.advance(run.horizon, should_stop=never).failure == ""


@pytest.mark.parametrize("name", ["adamw", "nadamw", "schedule_free_sgd", "schedule_free_adamw"])
def test_decoupled_decay_multiplies_the_weight(name: str) -> None:
    assert one_step_without_gradient(name) == pytest.approx(1.0 - 0.1 * 0.5)


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "adagrad"])
def test_decay_in_the_gradient_goes_through_the_optimizer(name: str) -> None:
    expected = 1.0 - 0.1 * 0.5 if name == "sgd" else None
    moved = one_step_without_gradient(name)
    assert moved == pytest.approx(expected) if expected else moved != pytest.approx(0.95, abs=1e-3)


def one_step_without_gradient(name: str) -> float:
    """A weight of 1 after one step of rate 0.1 and decay 0.5 with a gradient of zero."""
    model = nn.Linear(1, 1)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    plain = {"momentum": 0.0} if name == "sgd" else {}
    recipe = Recipe(optimizer={"name": name, "weight_decay": 0.5, **plain}).complete(8)
    optimizer = optimizers.build(model, recipe)
    optimizers.set_learning_rate(optimizer, 0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert model.bias.item() == 1.0, "biases do not decay"
    return model.weight.item()


def test_penalty_follows_its_formula() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    total = Penalties.of(layer, Recipe(regularization={"l1": 0.5, "l2": 0.1})).loss()
    assert isinstance(total, torch.Tensor)
    assert total.item() == pytest.approx(0.5 * 6 + 0.5 * 0.1 * 14)


def test_penalties_pull_and_are_not_reported(make_task: Make) -> None:
    task = make_task(epochs=20)
    free = run_of(task)
    bound = run_of(task, Recipe(regularization={"l2": 0.5}))
    for run in (free, bound):
        run.advance(run.horizon, should_stop=never)
    norms = [sum(float(p.detach().norm()) for p in run.model.parameters() if p.ndim > 1) for run in (free, bound)]
    assert norms[1] < 0.7 * norms[0]
    inputs, targets = (torch.as_tensor(values) for values in task.validation)
    with torch.no_grad():
        plain = float(nn.functional.cross_entropy(bound.model.eval()(inputs), targets))
    assert bound.evaluate("validation")["loss"] == pytest.approx(plain, rel=1e-5)


def test_label_smoothing_trains_but_is_not_reported(make_task: Make) -> None:
    task = make_task(epochs=30)
    smoothed = run_of(task, Recipe(loss={"label_smoothing": 0.3}))
    reported = smoothed.advance(smoothed.horizon, should_stop=never).loss
    plain = run_of(task)
    assert plain.advance(plain.horizon, should_stop=never).loss < reported
    inputs, targets = (torch.as_tensor(values) for values in task.train)
    with torch.no_grad():
        expected = nn.functional.cross_entropy(smoothed.model(inputs), targets, label_smoothing=0.3)
    assert smoothed.evaluate("train")["loss"] < float(expected)


@pytest.mark.parametrize(("name", "value"), [("mean_squared_error", 2.5), ("mean_absolute", 1.5), ("huber", 1.0)])
def test_regression_losses_never_broadcast(name: str, value: float) -> None:
    output, target = torch.tensor([[1.0], [2.0]]), torch.tensor([2.0, 4.0])
    assert float(NamedLoss(name)(output, target).loss) == pytest.approx(value)
    with pytest.raises(TaskError, match="must agree"):
        NamedLoss(name)(torch.zeros(2, 3), target)


def test_binary_cross_entropy_takes_one_logit() -> None:
    loss = NamedLoss("binary_cross_entropy")(torch.tensor([[0.0], [0.0]]), torch.tensor([0, 1])).loss
    assert float(loss) == pytest.approx(math.log(2))


def test_a_step_function_stands_for_the_loss(make_task: Make) -> None:
    def step(model: Any, batch: Any) -> Any:
        inputs, targets = batch
        return nn.functional.cross_entropy(model(inputs), targets), len(targets)

    results = []
    parts = {"validation": make_task().validation}
    for task in (make_task(**parts), make_task(step=step, **parts)):
        run = run_of(task)
        run.advance(run.horizon, should_stop=never)
        results.append(run.evaluate("validation")["loss"])
    assert results[0] == pytest.approx(results[1])


def test_divergence_is_a_result_within_one_batch(make_task: Make) -> None:
    run = run_of(make_task(), Recipe(optimizer={"name": "sgd", "learning_rate": 1e9}))
    done = run.advance(run.horizon, should_stop=never)
    assert done.failure == "diverged"
    assert "rate" in done.reason
    assert run.samples_seen < run.horizon
    again = run_of(make_task(loss=lambda output, target: output.mean() * math.nan))
    assert again.advance(10, should_stop=never).steps == 1


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no"), RuntimeError("DefaultCPUAllocator: not enough memory")]
)
def test_out_of_memory_is_a_result(make_task: Make, error: RuntimeError) -> None:
    def loss(output: Any, target: Any) -> Any:
        raise error

    done = run_of(make_task(loss=loss)).advance(10, should_stop=never)
    assert done.failure == "out_of_memory"
    assert "a single row does not fit" in done.reason


def test_other_errors_are_not_swallowed(make_task: Make) -> None:
    def loss(output: Any, target: Any) -> Any:
        raise RuntimeError("a bug of theirs")

    with pytest.raises(RuntimeError, match="a bug of theirs"):
        run_of(make_task(loss=loss)).advance(10, should_stop=never)


def test_the_callers_random_streams_do_not_move(make_task: Make) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run = run_of(make_task(), Recipe(model={"dropout": 0.5}))
    run.advance(run.horizon, should_stop=never)
    run.evaluate("validation")
    assert torch.equal(torch.rand(3), expected)


def test_isolated_streams_go_on_where_they_were() -> None:
    state = RandomState.seeded(1)
    with isolated(state):
        first = torch.rand(2)
    with isolated(state):
        second = torch.rand(2)
    torch.manual_seed(1)
    assert torch.equal(torch.cat([first, second]), torch.rand(4))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": lambda: 3}, "must return a torch.nn.Module, not int"),
        ({"model": nn.ReLU}, "no parameters"),
        ({"model": lambda: 1 / 0}, "the model builder failed at test_engine.py"),
        ({"model": lambda: nn.Linear(5, 3)}, "the model failed at"),
        ({"model": lambda: nn.Linear(4, 2)}, "the train labels run from 0 to 2, but the model has 2 outputs"),
        ({"loss": lambda output, target: output}, "must return a scalar, not a tensor of shape (2, 3)"),
        ({"loss": lambda output, target: 1.0}, "must return a scalar tensor, not float"),
        ({"loss": lambda output, target: output.detach().mean()}, "does not depend on the model's parameters"),
        ({"step": lambda model, batch: None}, "step must return a scalar tensor"),
    ],
)
def test_a_wrong_task_gets_one_line(make_task: Make, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        TorchFactory(make_task(**changes)).check(Recipe())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_builder_must_build_a_fresh_model(make_task: Make) -> None:
    model = nn.Linear(4, 3)
    factory = TorchFactory(make_task(model=lambda: model))
    with pytest.raises(TaskError, match="the same model twice"):
        factory.check(Recipe())


def test_values_that_cannot_be_trained_on(make_task: Make) -> None:
    inputs = np.ones((6, 4), dtype=np.float32)
    inputs[2, 1] = np.nan
    pair = (inputs, np.zeros(6, dtype=int))
    with pytest.raises(TaskError, match='1 of 6 train inputs are not finite.*data.missing = "mean"'):
        TorchFactory(make_task(train=pair, validation=pair)).check(Recipe())
    targets = (np.ones((6, 4)), np.array([1.0, 2, 3, np.inf, np.nan, 6]))
    with pytest.raises(TaskError, match="2 of 6 train targets are not finite"):
        TorchFactory(make_task(train=targets, validation=targets))


def test_more_rows_asked_for_than_there_are(make_task: Make) -> None:
    with pytest.raises(TaskError, match="batch.size is 500, but there are 48 training rows"):
        TorchFactory(make_task()).check(Recipe(batch={"size": 500}))
    assert Recipe().complete(5).batch.size == 5


def test_small_dense_networks_run_on_one_thread(make_task: Make) -> None:
    run = run_of(make_task())
    assert run._single_thread
    before = torch.get_num_threads()
    seen: list[int] = []
    run.model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    run.advance(20, should_stop=never)
    assert set(seen) == {1}
    assert torch.get_num_threads() == before
    pictures = np.ones((20, 1, 4, 4), dtype=np.float32)
    convolution = make_task(
        model=lambda: nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten()), train=(pictures, np.arange(20) % 3)
    )
    assert not run_of(convolution)._single_thread


def test_the_history_shows_what_the_policy_asked_for(make_task: Make) -> None:
    run = run_of(make_task(), Recipe(batch={"policy": "fixed", "size": 20}))
    assert run.advance(run.horizon, should_stop=never).batch_size == 20
    ramp = run_of(make_task(), Recipe(batch={"policy": "linear_ramp", "size": 4, "last": 40}))
    sizes = [ramp.advance(1, should_stop=never).batch_size for _ in range(6)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 4
    assert sizes[-1] > 4


def test_a_single_row_is_a_batch_like_any_other(make_task: Make) -> None:
    inputs, targets = np.random.default_rng(0).normal(size=(5, 4)).astype("float32"), np.linspace(0, 1, 5)
    task = make_task(model=lambda: nn.Linear(4, 1), train=(inputs, targets), validation=(inputs[:1], targets[:1]))
    run = run_of(task, Recipe(batch={"size": 1}))
    assert run.advance(run.horizon, should_stop=never).failure == ""
    assert math.isfinite(run.evaluate("validation")["loss"])


def test_a_horizon_one_row_into_an_epoch_leaves_no_batch_of_one(make_task: Make) -> None:
    pair = make_task().train
    rows = len(pair[0])
    task = make_task(train=pair, validation=pair, epochs=(rows + 1) / rows)
    run = run_of(task, Recipe(batch={"size": 16}, model={"norm": True}))
    assert run.advance(run.horizon, should_stop=never).failure == ""
    assert run.samples_seen == rows + 1


def test_an_evaluation_that_does_not_fit_is_taken_in_smaller_batches(make_task: Make) -> None:
    class Narrow(nn.Linear):
        def forward(self, rows: Any) -> Any:
            if len(rows) > 10:
                raise torch.OutOfMemoryError
            return super().forward(rows)

    run = run_of(make_task(model=lambda: Narrow(4, 3)), Recipe(batch={"size": 8}))
    assert math.isfinite(run.evaluate("train")["loss"])


def test_the_finished_model_is_ready_for_use(make_task: Make) -> None:
    run = run_of(make_task(), Recipe(model={"dropout": 0.5}))
    run.advance(10, should_stop=never)
    run.keep_best()
    run.recall_best()
    assert not run.model.training
