"""Losses by name: PyTorch's own, formulas by hand, and pieces of a batch that make the whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import hinge_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional

import surefoot as sf
from surefoot import Task
from surefoot.engine import TorchFactory
from surefoot.engine.losses import LOSSES, NamedLoss
from surefoot.engine.objective import Objective, balanced_weights
from surefoot.engine.rows.data import TensorRows
from surefoot.errors import RecipeError, TaskError
from surefoot.recipe import LossName, Recipe
from surefoot.training import never

Make = Callable[..., Any]
CLASSES = 4


def rows(name: str, count: int = 12, *, seed: int = 0, binary: bool = False) -> tuple[Tensor, Tensor]:
    """Outputs that want a gradient, and targets, for a loss."""
    generator = torch.Generator().manual_seed(seed)
    many = name == "cross_entropy" or (name in {"focal", "hinge"} and not binary)
    output = 2 * torch.randn(count, CLASSES if many else 1, generator=generator, dtype=torch.float64)
    if many:
        target = torch.randint(CLASSES, (count,), generator=generator)
    elif name in {"binary_cross_entropy", "focal", "hinge"}:
        target = torch.randint(2, (count,), generator=generator)
    elif name == "poisson":
        target = torch.randint(6, (count,), generator=generator)
    else:
        target = torch.randn(count, generator=generator, dtype=torch.float64)
    return output.requires_grad_(), target


def test_every_name_has_a_loss() -> None:
    assert set(get_args(LossName)) == set(LOSSES)


WEIGHTS = torch.tensor([0.5, 1.0, 3.0, 0.0], dtype=torch.float64)
ORACLES: list[tuple[NamedLoss, nn.Module]] = [
    (NamedLoss("cross_entropy"), nn.CrossEntropyLoss()),
    (NamedLoss("cross_entropy", label_smoothing=0.2), nn.CrossEntropyLoss(label_smoothing=0.2)),
    (NamedLoss("cross_entropy", class_weights=WEIGHTS), nn.CrossEntropyLoss(WEIGHTS)),
    (
        NamedLoss("cross_entropy", class_weights=WEIGHTS, label_smoothing=0.1),
        nn.CrossEntropyLoss(WEIGHTS, label_smoothing=0.1),
    ),
    (NamedLoss("focal", gamma=0.0, class_weights=WEIGHTS), nn.CrossEntropyLoss(WEIGHTS)),
    (NamedLoss("mean_squared_error"), nn.MSELoss()),
    (NamedLoss("mean_absolute"), nn.L1Loss()),
    (NamedLoss("huber", delta=0.3), nn.HuberLoss(delta=0.3)),
    (NamedLoss("poisson"), nn.PoissonNLLLoss(log_input=True)),
    (NamedLoss("binary_cross_entropy"), nn.BCEWithLogitsLoss()),
]


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
def test_agreement_with_pytorch(ours: NamedLoss, theirs: nn.Module) -> None:
    output, target = rows(ours.name)
    expected = theirs(output, target) if output.shape[1] > 1 else theirs(output[:, 0], target.double())
    (slope,) = torch.autograd.grad(expected, output)
    for weights in (None, torch.full((12,), 0.7)):
        loss = ours(output, target, weights).loss
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(torch.autograd.grad(loss, output)[0], slope)


def test_a_weighted_mean_over_padded_sequences_is_pytorchs() -> None:
    output = torch.randn(3, CLASSES, 5, dtype=torch.float64)
    target = torch.randint(CLASSES, (3, 5))
    target[0, 3:] = target[2, 1:] = -100
    for class_weights in (None, torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)):
        loss, weight = NamedLoss("cross_entropy", class_weights=class_weights)(output, target)
        torch.testing.assert_close(loss, functional.cross_entropy(output, target, class_weights))
        torch.testing.assert_close(
            NamedLoss("focal", gamma=0.0, class_weights=class_weights)(output, target).loss, loss
        )
        if class_weights is None:
            assert weight == pytest.approx(9 / 5)


def test_one_logit_equals_two() -> None:
    """A logit z against 0 is a binary z, for every argument that both know."""
    output, target = rows("binary_cross_entropy")
    pair = torch.cat([torch.zeros_like(output), output], dim=1)
    weights = torch.tensor([0.4, 2.5], dtype=torch.float64)
    for smoothing in (0.0, 0.2):
        for classes in (None, weights):
            one = NamedLoss("binary_cross_entropy", label_smoothing=smoothing, class_weights=classes)(output, target)
            two = NamedLoss("cross_entropy", label_smoothing=smoothing, class_weights=classes)(pair, target)
            torch.testing.assert_close(one.loss, two.loss)
            assert one.weight == pytest.approx(two.weight)
    for classes in (None, weights):
        one, two = (NamedLoss("focal", gamma=1.5, class_weights=classes)(logits, target) for logits in (output, pair))
        torch.testing.assert_close(one.loss, two.loss)


def test_focal_follows_its_formula() -> None:
    output, target = rows("focal")
    chance = output.softmax(1).gather(1, target[:, None])[:, 0]
    expected = (-((1 - chance) ** 2) * chance.log()).mean()
    torch.testing.assert_close(NamedLoss("focal")(output, target).loss, expected)
    sure = torch.tensor([[60.0, -60.0]], requires_grad=True)
    NamedLoss("focal", gamma=0.5)(sure, torch.tensor([0])).loss.backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None
    assert torch.isfinite(sure.grad).all(), "an exact 0 to the power of a half has no derivative"


def test_hinge_is_scikit_learns() -> None:
    output, target = rows("hinge")
    expected = hinge_loss(target.numpy(), output.detach().numpy(), labels=range(CLASSES))
    assert NamedLoss("hinge")(output, target).loss.item() == pytest.approx(expected)
    output, target = rows("hinge", binary=True)
    expected = hinge_loss(target.numpy(), output.detach().numpy()[:, 0])
    assert NamedLoss("hinge")(output, target).loss.item() == pytest.approx(expected)


named_losses = st.builds(
    NamedLoss,
    st.sampled_from(get_args(LossName)),
    label_smoothing=st.sampled_from([0.0, 0.2]),
    class_weights=st.sampled_from([None, "some"]),
)


@given(named_losses, st.lists(st.integers(1, 11), max_size=3), st.booleans(), st.booleans(), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_pieces_make_the_whole_batch(
    named: NamedLoss, cuts: list[int], weighted: bool, binary: bool, seed: int
) -> None:
    """Σ Wₖ·Lₖ / Σ Wₖ over pieces of any sizes has the loss and the gradient of the whole, whatever is weighted."""
    output, target = rows(named.name, seed=seed, binary=binary)
    if named.class_weights is not None:
        classes = 2 if output.shape[1] == 1 else CLASSES
        named = replace(named, class_weights=torch.arange(1.0, classes + 1) / 2)
    weights = torch.rand(12, generator=torch.Generator().manual_seed(seed)) if weighted else None
    whole = named(output, target, weights)
    edges = sorted({0, *cuts, 12})
    pieces = [
        named(output[low:high], target[low:high], None if weights is None else weights[low:high])
        for low, high in itertools.pairwise(edges)
    ]
    total = sum(piece.weight for piece in pieces)
    assert total == pytest.approx(whole.weight)
    together = sum((piece.weight * piece.loss for piece in pieces), start=torch.zeros(())) / total
    torch.testing.assert_close(together, whole.loss, check_dtype=False)
    slopes = [torch.autograd.grad(loss, output)[0] for loss in (together, whole.loss)]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", get_args(LossName))
def test_a_weight_is_a_row_more(name: str) -> None:
    """Whole-number weights are repeated rows; a weight of 0 is a row less."""
    output, target = rows(name)
    counts = torch.tensor([0, 1, 2, 3] * 3)
    weighted = NamedLoss(name)(output, target, counts)
    repeated = NamedLoss(name)(output.repeat_interleave(counts, 0), target.repeat_interleave(counts))
    torch.testing.assert_close(weighted.loss, repeated.loss)
    assert weighted.weight == repeated.weight == 18
    nothing = NamedLoss(name)(output, target, torch.zeros(12))
    assert nothing.loss.item() == nothing.weight == 0.0
    with pytest.raises(TaskError, match="one a row is needed"):
        NamedLoss(name)(output, target, torch.ones(12, 2))


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced_weights(torch.as_tensor(labels)), expected, rtol=1e-6)
    assert balanced_weights(torch.tensor([0, 2]))[1] == 1.0, "a number without rows"
    counted = balanced_weights(torch.tensor([0, 1, 2]), torch.tensor([3.0, 1.0, 2.0]))
    np.testing.assert_allclose(counted, expected, rtol=1e-6)


def test_balanced_weights_train_the_rare_class_and_are_not_reported(make_task: Make) -> None:
    inputs, labels = make_task(rows=200).train
    rare = np.concatenate([np.flatnonzero(labels != 0), np.flatnonzero(labels == 0)[:4]])
    task = make_task(train=(inputs[rare], labels[rare]), validation=(inputs, labels), epochs=3)
    TorchFactory(task).check(Recipe(loss={"class_weights": "balanced"}))
    found = {}
    for weights in ("balanced", None):
        run = TorchFactory(task).create(Recipe(loss={"class_weights": weights}).complete(len(rare)), seed=0)
        run.advance(run.horizon, should_stop=never)
        with torch.no_grad():
            guesses = run.model(torch.as_tensor(inputs)).argmax(1)
            plain = functional.cross_entropy(run.model(torch.as_tensor(inputs)), torch.as_tensor(labels))
        found[weights] = int((guesses == 0).sum())
        assert run.evaluate("validation")["loss"] == pytest.approx(float(plain), rel=1e-5)
    assert found["balanced"] > found[None]


def objective(of: Any, **settings: Any) -> Objective:
    pair = (torch.ones(4, 2), torch.tensor([0, 0, 0, 1]))
    task = Task(lambda: nn.Linear(2, 2), pair, validation=pair, loss=of)
    return Objective.of(task, Recipe(**settings), TensorRows(*pair))


def test_batches_of_three_carry_weights() -> None:
    inputs, target, weights = torch.eye(2), torch.tensor([0, 1]), torch.tensor([1.0, 3.0])
    model = nn.Identity()
    found = objective("cross_entropy", loss={"class_weights": [1.0, 2.0]})(model, (inputs, target, weights), 2)
    assert (found.weight, found.plain_weight) == (7.0, 4.0)
    assert found.plain.item() == pytest.approx(float(functional.cross_entropy(inputs, target)))
    seen = []

    def own(output: Any, target: Any, weights: Any) -> Any:
        seen.append(weights)
        return (output.square().mean(1) * weights).sum() / weights.sum()

    assert objective(own)(model, (inputs, target, weights), 2).weight == 4.0
    assert seen[0] is weights
    objective(own)(model, (inputs, target), 2)
    assert seen[1].tolist() == [1.0, 1.0], "a part without weights"
    with pytest.raises(TaskError, match="your loss takes none"):
        objective(functional.mse_loss)(model, (inputs, inputs, weights), 2)
    with pytest.raises(TaskError, match="your loss takes none"):
        objective(functional.cross_entropy)(model, (inputs, target, weights), 2)  # its third argument is another weight
    with pytest.raises(TaskError, match="a batch must be"):
        objective("cross_entropy")(model, inputs, 2)


def test_a_sum_over_the_batch_is_known_as_one() -> None:
    model, batch = nn.Identity(), (torch.eye(2), torch.tensor([0, 1]))
    found = objective(nn.CrossEntropyLoss(reduction="sum"))(model, batch, 2)
    assert found.is_sum
    assert found.training.item() == pytest.approx(2 * found.plain.item())
    assert not objective(nn.CrossEntropyLoss())(model, batch, 2).is_sum


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"class_weights": "balansed"}, 'must be "balanced", or a list'),
        ({"class_weights": [1.0, -2.0]}, "a number of at least 0 a class"),
        ({"class_weights": [0.0, 0.0]}, "nothing would be learned"),
        ({"name": "huber", "gamma": 1.0}, "loss.gamma is for focal; it would do nothing to huber"),
        ({"name": "huber", "delta": 0.0}, "loss.delta is 0.0"),
    ],
)
def test_a_wrong_loss_section_gets_one_line(section: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(loss=section)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "section", "said"),
    [
        ({}, {"delta": 2.0}, "loss.delta is for huber; it would do nothing to cross_entropy"),
        ({}, {"class_weights": [1.0, 2.0]}, "loss.class_weights has 2 numbers, but the model has 3 outputs"),
        (
            {"loss": "focal", "model": lambda: nn.Linear(4, 1)},
            {},
            "focal with one output a row needs the labels 0 and 1",
        ),
        (
            {"loss": "hinge", "model": lambda: nn.Linear(4, 2)},
            {},
            "the train labels run from 0 to 2, but the model has 2",
        ),
        (
            {"loss": "poisson", "targets": -1.0},
            {},
            "needs targets of at least 0; the train targets run from -1",
        ),
        ({"loss": "mean_absolute"}, {"class_weights": "balanced"}, "it would do nothing to mean_absolute"),
    ],
)
def test_labels_that_a_loss_cannot_take(
    make_task: Make, changes: dict[str, Any], section: dict[str, Any], said: str
) -> None:
    inputs, labels = make_task().train
    arguments = dict(changes)
    shift = arguments.pop("targets", 0)
    pair = (inputs, labels + shift)
    with pytest.raises(TaskError) as caught:
        TorchFactory(make_task(train=pair, validation=pair, **arguments)).check(Recipe(loss=section))
    assert said in str(caught.value)


def test_focal_and_hinge_need_whole_labels(make_task: Make) -> None:
    for loss in ("focal", "hinge"):
        with pytest.raises(TaskError, match=f"{loss} needs whole-number labels"):
            make_task(train=(np.ones((8, 4)), np.linspace(0, 1, 8)), loss=loss)


@pytest.mark.parametrize("name", get_args(LossName))
@pytest.mark.parametrize("binary", [False, True])
def test_every_loss_trains(make_task: Make, name: str, binary: bool) -> None:
    inputs, labels = make_task(rows=80).train
    targets = (labels > 0).astype(int) if binary or name == "binary_cross_entropy" else labels
    by_class = name == "cross_entropy" or (name in {"focal", "hinge"} and not binary)
    pair = (inputs, targets)
    task = make_task(
        model=lambda: nn.Linear(4, 3 if by_class else 1), train=pair, validation=pair, loss=name, epochs=20
    )
    factory = TorchFactory(task)
    factory.check(Recipe())
    run = factory.create(Recipe(optimizer={"learning_rate": 0.05}).complete(factory.num_rows), seed=0)
    before = run.evaluate("validation")
    run.advance(run.horizon, should_stop=never)
    after = run.evaluate("validation")
    assert after["loss"] < before["loss"]
    better = "accuracy" if name in {"cross_entropy", "binary_cross_entropy", "focal", "hinge"} else "r2"
    assert after[better] > before[better]


def test_a_constant_answer_is_judged_in_the_units_of_the_loss(make_task: Make) -> None:
    """Another loss in the recipe has no constant answer to be compared with: no verdict rather than a wrong one."""
    assert sf.fit(make_task(), Recipe()).study.guess is not None
    assert sf.fit(make_task(), Recipe(loss={"name": "hinge"})).study.guess is None


def test_predictions_of_other_losses(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    found = {}
    for loss, model in (("focal", one_output), ("hinge", two_outputs), ("poisson", one_output)):
        task = sf.Task(model, (inputs, labels), validation=(inputs, labels), loss=loss, epochs=20)
        sf.fit(task, Recipe(optimizer={"learning_rate": 0.05}), directory=tmp_path / loss)
        found[loss] = sf.load(tmp_path / loss)
    for loss in ("focal", "hinge"):
        assert np.mean(np.array(found[loss].predict(inputs)) == labels) > 0.9
    assert found["focal"].predict_probabilities(inputs).shape == (60, 2)
    with pytest.raises(TaskError, match="margins, which are no probabilities"):
        found["hinge"].predict_probabilities(inputs)
    assert min(found["poisson"].predict(inputs)) > 0, "counts, not their logarithms"


def one_output() -> nn.Module:
    return nn.Linear(2, 1)


def two_outputs() -> nn.Module:
    return nn.Linear(2, 2)


def test_labels_that_the_loss_ignores_do_not_count_for_accuracy() -> None:
    from surefoot.engine.metrics import Gathering

    gathering = Gathering("cross_entropy", target_scale=1.0, score=None)
    output = torch.zeros(2, 3, 4)
    output[:, 1] = 1.0
    target = torch.tensor([[1, 1, -100, -100], [1, 0, -100, -100]])
    gathering.add_output(output, target)
    gathering.add_loss(math.nan, 0.0)
    gathering.add_loss(1.0, 2.0)
    assert gathering.metrics() == {"loss": 1.0, "accuracy": 0.75}
