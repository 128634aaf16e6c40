"""What brings a run to its end, or back from one: retries after a divergence, budgets, convergence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from trained_run import trained

import surefoot as sf

Make = Callable[..., Any]


class Cliff(nn.Module):
    """Gives not-a-number once its weight has moved a certain way."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3))
        self.moved = 0.0

    def forward(self, inputs: Any) -> Any:
        found = inputs @ self.weight
        return found / 0.0 * 0.0 if float(self.weight.detach().abs().max()) > 0.35 else found


def test_a_diverged_run_goes_back_to_its_last_good_look_with_a_lower_rate(make_task: Make, tmp_path: Path) -> None:
    task = make_task(model=Cliff, epochs=6)
    optimizer = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.0, "nesterov": False}
    recipe = sf.Recipe(optimizer=optimizer, schedule={"name": "constant", "warmup": 0}, batch={"size": 8})
    lost, _ = trained(task, recipe)
    assert lost.status == "diverged"
    kept, run = trained(task, recipe.with_changes({"stopping.retries": 3, "stopping.retry_factor": 0.1}))
    assert kept.status == "completed"
    assert [change.name for change in kept.changes] == ["rate_factor"]
    assert "loss became nan" in kept.changes[0].reason
    assert kept.samples > run.horizon == run.samples_seen, "the lost samples are part of the price"
    looks = [look.samples for look in kept.evaluations]
    assert looks == sorted(set(looks))
    rates = [look.learning_rate for look in kept.evaluations]
    assert rates[-1] == pytest.approx(0.1 * rates[0])
    once, _ = trained(task, recipe.with_changes({"stopping.retries": 1, "stopping.retry_factor": 0.99}))
    assert once.status == "diverged"


def test_a_retried_run_resumes_to_the_same_bits(make_task: Make, tmp_path: Path) -> None:
    task = make_task(model=Cliff, epochs=6)
    optimizer = {"name": "sgd", "learning_rate": 0.02}
    recipe = sf.Recipe(optimizer=optimizer, batch={"size": 8}, stopping={"retries": 5})
    whole, run = trained(task, recipe)
    calls = itertools.count()
    stopped, _ = trained(task, recipe, directory=tmp_path, should_stop=lambda: next(calls) >= 9)
    assert stopped.status == "interrupted"
    again, resumed = trained(task, recipe, directory=tmp_path)
    assert again.changes == whole.changes and len(whole.changes) > 0
    assert again.samples == whole.samples
    assert torch.equal(run.model.weight, resumed.model.weight)


def test_a_budget_holds_over_an_interruption_at_its_end(make_task: Make, tmp_path: Path) -> None:
    recipe = sf.Recipe(stopping={"max_steps": 10}, batch={"size": 8})
    whole, _ = trained(make_task(), recipe)
    calls = itertools.count()
    stopped, _ = trained(make_task(), recipe, directory=tmp_path, should_stop=lambda: next(calls) >= 11)
    assert stopped.status == "interrupted"
    again, _ = trained(make_task(), recipe, directory=tmp_path)
    assert (again.steps, again.status) == (whole.steps, whole.status) == (10, "stopped_early")
    assert again.evaluations[-1].model_copy(update={"seconds": 0}) == whole.evaluations[-1].model_copy(
        update={"seconds": 0}
    )


def test_the_training_loss_does_not_depend_on_checkpoints(make_task: Make, tmp_path: Path) -> None:
    base = make_task()
    task = make_task(train=(*base.train, np.arange(len(base.train[0])) % 3 * 1.0), validation=base.validation)
    recipe = sf.Recipe(batch={"size": 2})
    plain, _ = trained(task, recipe)
    often, _ = trained(task, recipe, directory=tmp_path, checkpoint_seconds=0.0)
    assert [look.train_loss for look in often.evaluations] == pytest.approx(
        [look.train_loss for look in plain.evaluations]
    )


@pytest.mark.parametrize(
    ("stopping", "said"),
    [
        ({"max_steps": 7}, "stopping.max_steps = 7 is reached"),
        ({"max_seconds": 1e-6}, "stopping.max_seconds = 1e-06 is reached"),
        ({"tolerance": 0.5}, "converged: the training loss went from"),
        ({"patience": 0.2, "min_improvement": 0.9}, "validation_loss did not improve after epoch"),
    ],
)
def test_a_budget_or_convergence_ends_a_run(make_task: Make, stopping: dict[str, Any], said: str) -> None:
    record, run = trained(make_task(epochs=20), sf.Recipe(stopping=stopping, batch={"size": 8}))
    assert record.status == "stopped_early"
    assert said in record.reason
    assert record.samples < run.horizon
    assert record.evaluations[-1].samples == record.samples
    if "max_steps" in stopping:
        assert record.steps == 7
