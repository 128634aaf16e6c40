"""The loop around a run: looks, best weights, early stopping, checkpoints."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from surefoot.engine import TorchFactory
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Run
from surefoot.training import Conditions, train

Make = Callable[..., Any]


def setting(task: Any, recipe: Recipe | None = None, share: float = 1.0) -> tuple[Any, Candidate, Conditions]:
    factory = TorchFactory(task)
    complete = (recipe or Recipe()).complete(factory.num_rows)
    candidate = Candidate(0, "run 1", "fit", share, complete, 0)
    conditions = Conditions(factory.num_rows, factory.training_samples, factory.objective)
    return factory.create(complete, seed=0, share=share), candidate, conditions


def without_times(run: Run) -> dict[str, Any]:
    record = run.model_dump(exclude={"seconds"})
    for look in record["evaluations"]:
        look.pop("seconds")
        look["train_loss"] = round(look["train_loss"], 6)  # a mean of two stretches, where a checkpoint fell between
    return record


def test_a_look_every_epoch_and_four_in_a_short_run(make_task: Make) -> None:
    assert [look.epoch for look in train(*setting(make_task(epochs=5))).evaluations] == [1, 2, 3, 4, 5]
    short = train(*setting(make_task(epochs=4), Recipe(batch={"size": 2}), share=1 / 8))
    assert len(short.evaluations) == 4
    assert short.evaluations[-1].epoch == 0.5


def test_the_best_weights_are_kept(make_task: Make) -> None:
    trainable, candidate, conditions = setting(make_task(epochs=30), Recipe(optimizer={"learning_rate": 0.3}))
    run = train(trainable, candidate, conditions)
    values = [look.metrics["validation_loss"] for look in run.evaluations]
    assert run.value == min(values)
    assert trainable.evaluate("validation")["loss"] == run.value


def test_a_larger_objective_can_be_better(make_task: Make) -> None:
    task = make_task(objective="validation_accuracy", epochs=10)
    run = train(*setting(task))
    assert run.value == max(look.metrics["validation_accuracy"] for look in run.evaluations)


def test_a_users_own_objective(make_task: Make) -> None:
    def share_right(output: Any, target: Any) -> float:
        return float((output.argmax(dim=1) == target).float().mean())

    task = make_task(objective=("hits", share_right, "max"), epochs=3)
    run = train(*setting(task))
    for look in run.evaluations:
        assert look.metrics["validation_hits"] == pytest.approx(look.metrics["validation_accuracy"])


def test_early_stopping_saves_samples(make_task: Make) -> None:
    recipe = Recipe(optimizer={"learning_rate": 1.0}, stopping={"patience": 0.1})
    run = train(*setting(make_task(epochs=50), recipe))
    assert run.status == "stopped_early"
    assert run.samples < run.horizon
    assert run.samples - run.evaluations[run.best or 0].samples >= 0.1 * run.horizon


@pytest.mark.parametrize("stop_after", range(1, 30, 4))
def test_a_stopped_run_resumes_to_the_same_end(make_task: Make, tmp_path: Path, stop_after: int) -> None:
    recipe = Recipe(batch={"size": 8}, model={"dropout": 0.3, "norm": True})
    task = make_task(epochs=6)
    whole = train(*setting(task, recipe))
    trainable, candidate, conditions = setting(task, recipe)
    asked = itertools.count()
    conditions = replace(conditions, directory=tmp_path, checkpoint_seconds=0.0)
    stopped = train(trainable, candidate, replace(conditions, should_stop=lambda: next(asked) >= stop_after))
    assert stopped.status == "interrupted"
    again, candidate, _ = setting(task, recipe)
    resumed = train(again, candidate, conditions)
    assert without_times(resumed) == without_times(whole)


def test_a_broken_validation_loss_ends_the_run(make_task: Make) -> None:
    from torch import nn

    class Cruel(nn.Linear):
        def forward(self, rows: Any) -> Any:
            return super().forward(rows) if self.training else super().forward(rows) / 0.0

    run = train(*setting(make_task(model=lambda: Cruel(4, 3))))
    assert run.status == "diverged"
    assert run.best is None


def test_an_interruption_loses_no_work(make_task: Make, tmp_path: Path) -> None:
    from conftest import small_model

    steps: list[int] = []

    def counted() -> Any:
        model = small_model()
        model.register_forward_hook(lambda module, *_: steps.append(1) if module.training else None)
        return model

    task = make_task(model=counted, epochs=6)
    whole = train(*setting(task, Recipe(batch={"size": 8})))
    steps.clear()
    trainable, candidate, conditions = setting(task, Recipe(batch={"size": 8}))
    conditions = replace(conditions, directory=tmp_path, checkpoint_seconds=3600.0)
    asked = itertools.count()
    train(trainable, candidate, replace(conditions, should_stop=lambda: next(asked) >= 15))
    again, candidate, _ = setting(task, Recipe(batch={"size": 8}))
    resumed = train(again, candidate, conditions)
    assert len(steps) == whole.steps == resumed.steps
