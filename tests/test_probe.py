"""``sf.probe``: one suggestion from everything, at its price, with nothing changed by it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import surefoot as sf
from surefoot import tasks
from surefoot.engine import TorchFactory, TorchRun
from surefoot.engine.measuring.fixed_rows import FixedRows
from surefoot.engine.randomness import RandomState
from surefoot.probes import capacity, range_test, sharpness, short_trainings
from surefoot.workflows.measuring import allowance

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def digits() -> Any:
    return sf.probe(tasks.builtin("digits"), seed=0)


def test_one_suggestion_from_all_of_it(digits: Any) -> None:
    rate = digits.learning_rate
    assert 1e-3 < rate.low < rate.value < rate.high < 0.3
    assert rate.high / rate.low <= 10.0 + 1e-9
    assert digits.weight_decay.value > 0
    assert digits.noise_scale.value > 1
    assert digits.capacity.points
    assert digits.sharpness.products > 0
    record = digits.record
    assert [point.batch_size for point in record.frontier if point.is_suggested] == [digits.batch_size.value]
    assert record.short_trainings.value is not None
    assert type(record).model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop", "schedule_free_adamw"])
@pytest.mark.parametrize("size", [1, 16, 128])
def test_the_price_holds_and_is_told(make_task: Make, optimizer: str, size: int) -> None:
    task = make_task(rows=300, epochs=20)
    recipe = sf.Recipe(optimizer={"name": optimizer}, batch={"size": size})
    found = sf.probe(task, recipe)
    factory = TorchFactory(task)
    record = found.record
    assert record.samples <= allowance(factory, recipe.complete(factory.num_rows))
    assert record.trainings == pytest.approx(record.samples / factory.training_samples)
    parts = (record.range_test, record.short_trainings, record.capacity, record.sharpness)
    assert record.samples == sum(part.samples for part in parts if part is not None)


def test_the_callers_streams_and_a_later_training_are_untouched(make_task: Make) -> None:
    task = make_task(rows=200, epochs=10)
    recipe = sf.Recipe(model={"dropout": 0.2, "norm": True})
    before = sf.fit(task, recipe, seed=3).metrics
    states = RandomState.capture()
    sf.probe(task, recipe, seed=3)
    assert RandomState.capture().to_json() == states.to_json()
    assert torch.equal(torch.get_rng_state(), states.torch_cpu)
    assert sf.fit(task, recipe, seed=3).metrics == before


PROBES: dict[str, Callable[[TorchRun], Any]] = {
    "range": lambda run: range_test(run, optimizer="adamw", batch_size=4, num_steps=25),
    "short": lambda run: short_trainings(run, center=0.01, batch_size=4, num_steps=12, horizon=50.0),
    "capacity": lambda run: capacity(run, max_samples=200, num_rows=48, smallest=4),
    "sharpness": lambda run: sharpness(run, optimizer=run.recipe.optimizer, batch_size=4, max_samples=40),
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.sampled_from(sorted(PROBES)), min_size=1, max_size=3),
    optimizer=st.sampled_from(["sgd", "adamw", "schedule_free_sgd", "prodigy"]),
    arguments=st.sampled_from([{}, {"norm": True}, {"dropout": 0.4}]),
    start=st.integers(0, 60),
)
def test_probe_then_train_equals_train(
    make_task: Make, order: list[str], optimizer: str, arguments: dict[str, Any], start: int
) -> None:
    factory = TorchFactory(make_task(rows=60, epochs=3))
    recipe = sf.Recipe(optimizer={"name": optimizer}, batch={"size": 8}, model=arguments).complete(factory.num_rows)
    probed, plain = (factory.create(recipe, seed=0) for _ in range(2))
    for run in (probed, plain):
        run.advance(start, should_stop=lambda: False)
    for name in order:
        PROBES[name](probed)
    for run in (probed, plain):
        run.advance(run.horizon, should_stop=lambda: False)
    weights = plain.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in probed.model.state_dict().items())


@pytest.mark.parametrize("optimizer", ["adamw", "adagrad"])
def test_the_recipe_s_own_rate_is_not_looked_at(make_task: Make, optimizer: str) -> None:
    task = make_task(rows=300, epochs=30)
    low, high = (
        sf.probe(task, sf.Recipe(optimizer={"name": optimizer, "learning_rate": rate})).learning_rate
        for rate in (1e-6, 1.0)
    )
    assert low == high


def test_decay_that_an_optimizer_would_divide_is_not_suggested(make_task: Make) -> None:
    found = sf.probe(make_task(rows=300, epochs=30), sf.Recipe(optimizer={"name": "adam"}))
    assert found.learning_rate.value is not None
    assert found.weight_decay.value is None
    assert "adamw does not" in found.weight_decay.reason


def test_rows_that_do_not_fit_are_halved_and_the_rate_is_found(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, asked = FixedRows._fetched, []

    def narrow(self: FixedRows, count: int) -> Any:
        asked.append(count)
        if count > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fetch(self, count)

    monkeypatch.setattr(FixedRows, "_fetched", narrow)
    found = sf.probe(make_task(rows=400, epochs=40))
    assert found.learning_rate.value is not None, found.reason
    assert max(asked) > 20
    assert asked[-1] <= 20


def test_a_loss_that_never_moves_gets_no_rate(make_task: Make) -> None:
    flat = sf.probe(make_task(rows=400, epochs=40, loss=lambda output, target: 0.0 * output.sum() + 1.0))
    assert flat.learning_rate.value is None
    assert "never fell" in flat.reason
    assert flat.weight_decay.value is None


def test_a_model_that_diverges_at_the_lowest_rate_gets_no_rate(make_task: Make) -> None:
    task = make_task(rows=400, epochs=40, loss=lambda output, target: -(output**2).mean() * 1e30)
    found = sf.probe(task, sf.Recipe(optimizer={"name": "sgd"}))
    assert found.learning_rate.value is None
    assert found.reason


def test_a_training_too_short_for_a_probe_is_told(make_task: Make) -> None:
    found = sf.probe(make_task(rows=20, epochs=1))
    assert found.learning_rate.value is None
    assert found.record.range_test is None
    assert "epochs" in found.reason
    assert found.record.samples <= 3


def test_out_of_memory_at_the_smallest_batch_is_a_result(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(self: Any, *args: Any, **keywords: Any) -> Any:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    task = make_task(rows=400, epochs=40)
    monkeypatch.setattr(TorchFactory, "check", lambda self, recipe: None)
    monkeypatch.setattr("surefoot.engine.objective.Objective.__call__", no_room)
    found = sf.probe(task)
    assert found.learning_rate.value is None
    assert found.capacity.largest is None
    assert "memory" in found.reason


class Bare:
    """A run of another framework: it can set its rate and go back, and nothing else."""

    def __init__(self, run: TorchRun) -> None:
        self.step_at, self.restored = run.step_at, run.restored


def test_what_a_framework_cannot_be_asked_for_is_left_out_with_a_note(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = TorchFactory.create
    monkeypatch.setattr(TorchFactory, "create", lambda self, *args, **named: Bare(create(self, *args, **named)))
    found = sf.probe(make_task(rows=400, epochs=40))
    assert found.learning_rate.value is not None
    assert (found.sharpness, found.capacity, found.noise_scale) == (None, None, None)
    assert sum("not supported by Bare" in note for note in found.record.notes) == 2


def test_ctrl_c_ends_it_with_what_is_known(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter(range(10**6))

    @contextlib.contextmanager
    def soon() -> Any:
        yield lambda: next(asked) > 60

    monkeypatch.setattr(sys.modules["surefoot.workflows.probe"], "interruptible", soon)
    found = sf.probe(make_task(rows=400, epochs=40))
    assert "stopped before everything was measured" in found.record.notes


def test_the_report_writes_a_page_and_a_picture(digits: Any, tmp_path: Any) -> None:
    assert "<html" in digits.report(tmp_path / "probe.html").read_text(encoding="utf-8")
    assert digits.report(tmp_path / "probe.png").read_bytes()[:4] == b"\x89PNG"


def test_the_page_on_probing_runs(make_task: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs/probing.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(compile(code, "docs/probing.md", "exec"), {"sf": sf, "task": make_task(rows=300)})
    assert (tmp_path / "probe.html").is_file()
