"""Verdicts on our own studies: what rows, recipes and runs tell beside a curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import surefoot as sf
from surefoot.diagnosis import findings
from surefoot.diagnosis.batch_size import against_noise
from surefoot.diagnosis.run_verdicts import of_the_course
from surefoot.records import Finding, Range, Run, Study

MakeTask = Callable[..., Any]


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.verdict: finding for finding in found}


@pytest.fixture(scope="module")
def study() -> Study:
    """A real study of a healthy task."""
    return sf.tune(sf.tasks.resolve("digits"), budget=1.0, seed=0).study


@pytest.fixture(scope="module")
def single() -> Run:
    """A real training of twenty looks."""
    [run] = sf.fit(sf.tasks.resolve("digits")).study.runs
    return run


def test_a_healthy_study_is_quiet(study: Study) -> None:
    assert [finding.verdict for finding in study.findings] == ["nothing wrong"]
    assert study.facts.input_scale == pytest.approx(1.0, abs=0.01)
    older = study.model_dump(mode="json", exclude={"facts", "ranges"})
    assert findings(Study.model_validate(older)) == list(study.findings)


def test_inputs_out_of_scale_are_named_unless_the_recipe_scales_them(make_task: MakeTask) -> None:
    task = make_task(epochs=2)
    inputs, labels = task.train
    large = make_task(train=(inputs * 300.0, labels), epochs=2)
    found = by_name(sf.fit(large).findings)["inputs not scaled"]
    assert "first weights are made for about 1" in found.evidence and "data.standardize" in found.advice
    scaled = sf.fit(large, sf.Recipe().with_changes({"data.standardize": True}))
    assert "inputs not scaled" not in by_name(scaled.findings)
    assert "inputs not scaled" not in by_name(sf.fit(task).findings)
    counts = np.zeros_like(inputs)
    counts[::2, 0] = 0.05  # mostly zeros: rare counts, and no wrong scale
    assert "inputs not scaled" not in by_name(sf.fit(make_task(train=(counts, labels), epochs=1)).findings)


def test_an_accuracy_of_the_largest_class_is_named(make_task: MakeTask) -> None:
    inputs, _ = make_task(rows=200).train
    labels = (np.arange(len(inputs)) % 20 == 0).astype(int)
    found = by_name(sf.fit(make_task(train=(inputs, labels), epochs=1)).findings)
    assert "always saying the most frequent class has" in found["imbalance hidden by accuracy"].evidence
    assert "imbalance hidden by accuracy" not in by_name(sf.fit(make_task(epochs=1)).findings)


def test_a_best_value_at_the_edge_of_its_range(study: Study) -> None:
    winner = study.winning_run
    assert winner is not None
    rate = winner.recipe["optimizer"]["learning_rate"]
    narrow = {"optimizer.learning_rate": Range(low=rate / 100, high=rate * 1.01, is_log=True)}
    found = by_name(findings(study.model_copy(update={"ranges": narrow})))["best at the edge"]
    assert "at the upper end" in found.evidence and f"search on to {rate * 10.1:.3g}" in found.advice
    wide = {"optimizer.learning_rate": Range(low=rate / 100, high=rate * 100, is_log=True)}
    assert "best at the edge" not in by_name(findings(study.model_copy(update={"ranges": wide})))
    untried = {"optimizer.beta1": Range(low=0.5, high=winner.recipe["optimizer"].get("beta1") or 0.9)}
    assert "best at the edge" not in by_name(findings(study.model_copy(update={"ranges": untried})))


def test_the_ranges_of_a_space_are_recorded(make_task: MakeTask) -> None:
    space = {"model.hidden": sf.space.integer(2, 9), "optimizer.name": sf.space.choice("sgd", "adamw")}
    ranges = sf.tune(make_task(), budget=0.5, space=space).study.ranges
    assert ranges == {"model.hidden": Range(low=2, high=9)}


def beside(study: Study, *, gap: float) -> Study:
    """With a second run as long as the winner, that much worse, whose decay differs."""
    winner = study.winning_run
    assert winner is not None
    assert winner.best is not None
    worse = [
        look.model_copy(
            update={
                "metrics": {**look.metrics, "validation_loss": winner.value + gap},
                "judged": winner.judged + gap,
            }
        )
        for look in winner.evaluations
    ]
    recipe = {**winner.recipe, "optimizer": {**winner.recipe["optimizer"], "weight_decay": 0.123}}
    other = winner.model_copy(
        update={"number": 99, "name": "run 99", "evaluations": tuple(worse), "recipe": recipe, "horizon": 1}
    )
    return study.model_copy(update={"runs": (*study.runs, other)})


def test_two_recipes_within_the_error_are_equals(study: Study) -> None:
    found = by_name(findings(beside(study, gap=1e-4)))["two recipes cannot be told apart"]
    assert "they differ in optimizer.weight_decay" in found.evidence and "run 99" in found.run
    assert "two recipes cannot be told apart" not in by_name(findings(beside(study, gap=1.0)))


def test_a_kept_run_that_did_not_converge_says_so() -> None:
    slow = sf.fit(sf.tasks.resolve("digits"), sf.Recipe().with_changes({"optimizer.learning_rate": 3e-5}))
    found = by_name(slow.findings)
    assert {"not converged", "learning rate too low"} <= found.keys()


def test_decay_that_pulls_everything_back_is_named() -> None:
    heavy = sf.fit(sf.tasks.resolve("digits"), sf.Recipe().with_changes({"optimizer.weight_decay": 50.0}))
    found = [finding for finding in heavy.findings if finding.verdict == "underfitting"]
    assert any("weight decay pulls the weights back" in finding.evidence for finding in found)


def test_a_batch_of_ours_is_judged_by_the_noise_it_measured(single: Run) -> None:
    def said(scale: float, batch: int) -> set[str]:
        update = {"noise_scale": scale, "batch_size": batch}
        looks = tuple(look.model_copy(update=update) for look in single.evaluations)
        found = of_the_course(single.model_copy(update={"evaluations": looks}), is_chosen=True)
        return {finding.verdict for finding in found}

    assert said(20.0, 900) == {"batch far above the noise"}
    assert said(900.0, 8) == {"batch far below the noise"}
    assert said(60.0, 32) == set()
    assert against_noise("run", np.full(5, 32.0), np.array([20.0, 40.0, np.nan, 90.0, 300.0])) is None
