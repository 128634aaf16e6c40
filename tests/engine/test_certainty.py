"""How far a look can be trusted: standard errors, and the loss with one more row of any label."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.certainty import Doubts
from surefoot.engine.losses import NamedLoss
from surefoot.protocols import Candidate, Certainty
from surefoot.recipe import Recipe
from surefoot.training import Conditions, train

Make = Callable[..., Any]


def test_the_error_and_the_loss_of_any_label_are_those_of_the_rows() -> None:
    scores, labels = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 4
    doubts = Doubts(NamedLoss("cross_entropy"))
    for part in range(0, 40, 16):
        doubts.add(scores[part : part + 16], labels[part : part + 16])
    found = doubts.certainty(0.75)
    losses = functional.cross_entropy(scores.double(), labels, reduction="none")
    by_label = [functional.cross_entropy(scores.double(), torch.full((40,), label)) for label in range(4)]
    assert found is not None
    assert found.rows == 40
    assert found.errors["loss"] == pytest.approx(float(losses.std() / math.sqrt(40)), rel=1e-6)
    assert found.errors["accuracy"] == pytest.approx(math.sqrt(0.75 * 0.25 / 40))
    assert found.any_label == pytest.approx(float(torch.stack(by_label).mean()), rel=1e-6)


def test_one_logit_a_row_has_two_labels() -> None:
    doubts = Doubts(NamedLoss("binary_cross_entropy"))
    doubts.add(torch.tensor([[3.0], [-2.0]]), torch.tensor([1, 0]))
    found = doubts.certainty(None)
    assert found is not None
    wrong_or_right = [
        functional.binary_cross_entropy_with_logits(torch.tensor([3.0, -2.0]), torch.full((2,), label))
        for label in (0.0, 1.0)
    ]
    assert found.any_label == pytest.approx(float(sum(wrong_or_right) / 2), rel=1e-6)


def test_numbers_have_no_labels_and_a_loss_of_ones_own_no_error() -> None:
    numbers, own = Doubts(NamedLoss("mean_squared_error")), Doubts(None)
    numbers.add(torch.randn(5, 1), torch.randn(5, 1))
    own.add(torch.randn(5, 1), torch.randn(5, 1))
    first, second = numbers.certainty(None), own.certainty(None)
    assert first is not None
    assert second is not None
    assert first.any_label is None
    assert set(first.errors) == {"loss"}
    assert second == Certainty(5, {})
    assert Doubts(None).certainty(None) is None


def test_being_sure_of_a_few_rows_costs_and_of_many_hardly() -> None:
    sure, modest = 20.0, 1.0
    few = [Certainty(30, {}, any_label=any_label).cautious(0.01) for any_label in (sure, modest)]
    many = [Certainty(100_000, {}, any_label=any_label).cautious(0.01) for any_label in (sure, modest)]
    assert few[0] > 10 * few[1]
    assert many == pytest.approx([0.01, 0.01], rel=0.03)


def conditions(factory: TorchFactory, *, is_cautious: bool) -> Conditions:
    return Conditions(
        rows=factory.num_rows,
        training_samples=factory.training_samples,
        objective=factory.objective,
        is_cautious=is_cautious,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_a_run_is_kept_unless_an_earlier_look_was_clearly_better(make_task: Make, seed: int) -> None:
    factory = TorchFactory(make_task(rows=120, epochs=12))
    recipe = Recipe(optimizer={"name": "adamw", "learning_rate": 0.05}, batch={"size": 8}).complete(factory.num_rows)
    candidate = Candidate(0, "run 1", "fit", 1.0, recipe, seed)
    plain = train(factory.create(recipe, seed=seed), candidate, conditions(factory, is_cautious=False))
    cautious = train(factory.create(recipe, seed=seed), candidate, conditions(factory, is_cautious=True))
    assert plain.best is not None
    assert cautious.best is not None
    assert plain.judged == plain.value
    losses = [look.metrics["validation_loss"] for look in plain.evaluations]
    assert plain.best == losses.index(min(losses))
    judged = [look.judged or math.nan for look in cautious.evaluations]
    errors = [look.standard_error or math.nan for look in cautious.evaluations]
    assert all(one > loss for one, loss in zip(judged, losses, strict=True))
    lowest = judged[:-1].index(min(judged[:-1]))
    is_clear = judged[-1] >= judged[lowest] + errors[lowest]
    assert cautious.best == (lowest if is_clear else len(judged) - 1)


def test_fit_keeps_the_best_look_as_it_says(make_task: Make) -> None:
    result = sf.fit(make_task(rows=120, epochs=12), sf.Recipe(optimizer={"name": "adamw", "learning_rate": 0.05}))
    run = result.study.runs[0]
    losses = [look.metrics["validation_loss"] for look in run.evaluations]
    assert run.best == losses.index(min(losses))
    assert all(look.judged is None for look in run.evaluations)
