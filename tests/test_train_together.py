"""Several runs through one loop: records as each alone has them, in shares of the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from surefoot.engine import TorchFactory
from surefoot.protocols import Candidate, Silent
from surefoot.recipe import Recipe
from surefoot.records import Run
from surefoot.training import Conditions, train, train_together

Make = Callable[..., Any]
RATES = (0.01, 0.1, 1e9, 0.03)


def setting(task: Any, **sections: Any) -> tuple[TorchFactory, list[Candidate], Conditions]:
    factory = TorchFactory(task)
    candidates = [
        Candidate(
            number,
            f"run {number}",
            "rung 1",
            1.0,
            Recipe(**{"optimizer": {"name": "sgd", "learning_rate": rate}, "batch": {"size": 7}, **sections}).complete(
                factory.num_rows
            ),
            number,
        )
        for number, rate in enumerate(RATES)
    ]
    return factory, candidates, Conditions(factory.num_rows, factory.training_samples, factory.objective)


def together(factory: TorchFactory, candidates: list[Candidate], conditions: list[Conditions]) -> tuple[Run, ...]:
    members = factory.stack([(candidate.recipe, candidate.seed) for candidate in candidates])
    return train_together(members, candidates, conditions)


def assert_alike(stacked: Run, alone: Run) -> None:
    kept = {"seconds", "evaluations"}
    assert stacked.model_dump(exclude=kept) == alone.model_dump(exclude=kept)
    for ours, theirs in zip(stacked.evaluations, alone.evaluations, strict=True):
        assert (ours.samples, ours.epoch, ours.batch_size) == (theirs.samples, theirs.epoch, theirs.batch_size)
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-4, nan_ok=True)
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)


def test_records_are_those_of_each_alone(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task(epochs=6))
    runs = together(factory, candidates, [conditions] * 4)
    assert [run.status for run in runs] == ["completed", "completed", "diverged", "completed"]
    for run, candidate in zip(runs, candidates, strict=True):
        assert_alike(run, train(factory.create(candidate.recipe, seed=candidate.seed), candidate, conditions))


def test_any_trainables_train_together(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task())
    runs = train_together(
        [factory.create(one.recipe, seed=one.seed) for one in candidates], candidates, [conditions] * 4
    )
    for run, candidate in zip(runs, candidates, strict=True):
        assert_alike(run, train(factory.create(candidate.recipe, seed=candidate.seed), candidate, conditions))


def test_seconds_add_up_to_what_passed(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task(epochs=20))
    members = factory.stack([(candidate.recipe, candidate.seed) for candidate in candidates])
    started = time.perf_counter()
    runs = train_together(members, candidates, [conditions] * 4)
    passed = time.perf_counter() - started
    assert 0.8 * passed < sum(run.seconds for run in runs) <= passed
    assert runs[2].seconds < runs[0].seconds, "one that diverged took less"


def test_one_may_stop_early_or_be_stopped_by_a_callback(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task(epochs=12), stopping={"patience": 0.2})
    asked = replace(conditions, callbacks=(lambda look: "stop" if look.epoch >= 2 else None,))
    runs = together(factory, candidates, [conditions, asked, conditions, conditions])
    assert runs[1].status == "stopped_early" and runs[1].evaluations[-1].epoch == 2
    for number in (0, 3):
        alone = train(factory.create(candidates[number].recipe, seed=number), candidates[number], conditions)
        assert_alike(runs[number], alone)


def test_a_budget_of_steps_holds_for_every_member(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task(), stopping={"max_steps": 9})
    runs = together(factory, candidates, [conditions] * 4)
    assert [run.steps for run in runs if run.status != "diverged"] == [9, 9, 9]


def test_a_run_that_goes_back_is_as_alone(make_task: Make) -> None:
    factory, candidates, conditions = setting(make_task(), stopping={"retries": 2, "retry_factor": 1e-5})
    runs = together(factory, candidates, [conditions] * 4)
    assert runs[2].status == "completed" and any(change.name == "rate_factor" for change in runs[2].changes)
    for run, candidate in zip(runs, candidates, strict=True):
        assert_alike(run, train(factory.create(candidate.recipe, seed=candidate.seed), candidate, conditions))


def test_an_interrupted_stack_goes_on_from_its_checkpoints(make_task: Make, tmp_path: Path) -> None:
    factory, candidates, conditions = setting(make_task(epochs=6), optimizer={"name": "adamw", "learning_rate": 0.01})
    whole = together(factory, candidates, [conditions] * 4)
    folders = [replace(conditions, directory=tmp_path / str(number)) for number in range(4)]
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    halted = together(factory, candidates, [replace(one, should_stop=should_stop) for one in folders])
    assert {run.status for run in halted} == {"interrupted"}
    heard: list[int] = []

    class Hears(Silent):
        def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
            heard.append(samples)

    resumed = together(factory, candidates, [replace(one, observer=Hears()) for one in folders])
    assert len(set(heard)) == 1 and heard[0] > 0, "all go on from one sample"
    for run, expected in zip(resumed, whole, strict=True):
        assert_alike(run, expected)
