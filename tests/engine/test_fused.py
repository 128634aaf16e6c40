"""Fused runs: a stack does to each of its members what a training alone does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stacked_tasks import MODELS, OPTIMIZERS, VARIED, alone, assert_as_alone, assert_equal, recipes, stack, task_of
from torch import Tensor, nn
from torch.nn import functional

from surefoot import Task
from surefoot.engine import TorchFactory
from surefoot.engine.evaluation import Evaluator
from surefoot.engine.run import Training
from surefoot.engine.stacking import pack as packs
from surefoot.engine.stacking.member import Member
from surefoot.protocols import HoldsWorkers, StacksRuns
from surefoot.testing import check_trainable
from surefoot.training import never

Make = Callable[..., Any]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-4)])
def test_a_member_ends_as_it_would_alone(model: str, optimizer: str, dtype: torch.dtype, tolerance: float) -> None:
    members = stack(task_of(model, dtype), recipes(optimizer))
    assert_as_alone(members, tolerance)
    assert members[0].recipe.schedule.name != members[1].recipe.schedule.name
    assert alone(members[0]).horizon / 7 > 98, "about a hundred steps"


@given(st.integers(1, 6), st.integers(1, 20), st.integers(1, 60), st.sampled_from(sorted(MODELS)))
@settings(max_examples=8, deadline=None)
def test_any_number_of_members_any_batch_any_chunks(count: int, size: int, chunk: int, model: str) -> None:
    size = max(size, 2)  # batch normalisation needs two rows
    varied = tuple({"optimizer": {"learning_rate": 0.01 * (1 + index)}} for index in range(count))
    members = stack(task_of(model, rows=23, epochs=2.2), recipes(varied=varied, batch={"size": size}))
    while members[0].samples_seen < members[0].horizon:
        for member in members:
            member.advance(chunk, should_stop=never)
    for member in members:
        other = alone(member)
        other.advance(other.horizon, should_stop=never)
        assert_equal(member, other, 1e-8)


def test_masks_do_not_depend_on_who_is_beside() -> None:
    task = task_of("dropout")
    wanted = [(one.complete(53), 5) for one in recipes()[:2]]
    streams = []
    for chosen in (wanted, wanted[::-1], wanted[:1]):
        members = TorchFactory(task).stack(chosen)
        for member in members:
            member.advance(70, should_stop=never)
        streams += [member.random.torch_cpu for member in members]
    assert all(torch.equal(stream, streams[0]) for stream in streams), "as many numbers are drawn, from the same seed"
    together = TorchFactory(task).stack(wanted)
    for member in together:
        member.advance(140, should_stop=never)
        other = alone(member)
        other.advance(140, should_stop=never)
        assert torch.equal(member.random.torch_cpu, other._random.torch_cpu)


def test_every_member_has_its_own_batch_statistics() -> None:
    members = stack(task_of("norm"), recipes())
    for member in members:
        member.advance(100, should_stop=never)
    means = [dict(member.model.named_buffers())["1.running_mean"] for member in members]
    assert not torch.allclose(means[0], means[1]) and not torch.allclose(means[1], means[2])
    counts = [int(dict(member.model.named_buffers())["1.num_batches_tracked"]) for member in members]
    other = alone(members[0])
    other.advance(100, should_stop=never)
    assert counts == [int(dict(other.model.named_buffers())["1.num_batches_tracked"])] * 3


def test_one_that_diverges_stops_where_it_would_alone_and_disturbs_nobody() -> None:
    varied = ({}, {"optimizer": {"learning_rate": 1e4, "momentum": 0.0}}, {"optimizer": {"learning_rate": 1e30}}, {})
    part = regression()
    members = stack(task_of("mlp", loss="mean_squared_error", train=part, validation=part), recipes(varied=varied))
    done = [member.advance(member.horizon, should_stop=never) for member in members]
    assert [advance.failure for advance in done] == ["", "diverged", "diverged", ""]
    for member, advance in zip(members, done, strict=True):
        other = alone(member)
        solo = other.advance(other.horizon, should_stop=never)
        assert (advance.samples, advance.steps, advance.reason) == (solo.samples, solo.steps, solo.reason)
        assert member.samples_seen == other.samples_seen
        if not advance.failure:
            assert_equal(member, other, 1e-8)


def regression() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(53, 9, generator=generator).double(), torch.randn(53, 3, generator=generator).double()


def test_one_that_leaves_costs_no_more_and_keeps_its_weights() -> None:
    members = stack(task_of("convolution"), recipes())
    for member in members:
        member.advance(60, should_stop=never)
    left = members[1]
    assert isinstance(left, HoldsWorkers)
    left.keep_best()
    left.release()
    before = left.evaluate("validation")
    for member in (members[0], members[2]):
        member.advance(member.horizon, should_stop=never)
        other = alone(member)
        other.advance(other.horizon, should_stop=never)
        assert_equal(member, other, 1e-8)
    assert left.samples_seen == 60 and left.evaluate("validation") == before
    left.advance(left.horizon, should_stop=never)  # by itself it still goes on
    other = alone(left)
    other.advance(other.horizon, should_stop=never)
    assert_equal(left, other, 1e-8)


def test_a_member_goes_back_and_on_without_the_others() -> None:
    members = stack(task_of("dropout"), recipes("adamw"))
    others = [alone(member) for member in members]
    for run in (*members, *others):
        run.advance(60, should_stop=never)
        run.mark({"note": run.seed})
    for run in (*members, *others):
        run.advance(60, should_stop=never)
    for run in (members[1], others[1]):
        assert run.retry(0.5, "a test") == {"note": 1}
    for member, other in zip(members, others, strict=True):
        member.advance(member.horizon, should_stop=never)
        other.advance(other.horizon, should_stop=never)
        assert_equal(member, other, 1e-8)


class Leading:
    """A stack as one trainable: its first member, with whom the others are saved and resumed."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self._members = members

    def __getattr__(self, name: str) -> Any:
        return getattr(self._members[0], name)

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        for member in self._members:
            member.save_checkpoint(directory / str(member.seed), progress)

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        first, *_ = [member.load_checkpoint(directory / str(member.seed)) for member in self._members]
        return first

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Any:
        first, *_ = [member.advance(num_samples, should_stop=should_stop) for member in self._members]
        return first


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("model", ["dropout", "norm"])
def test_conformance(model: str, optimizer: str) -> None:
    task = task_of(model, torch.float32, rows=24, epochs=2)
    check_trainable(lambda: Leading(stack(task, recipes(optimizer))))
    check_trainable(lambda: stack(task, recipes(optimizer))[1])


@pytest.mark.parametrize(
    ("loss", "sections"),
    [
        ("cross_entropy", {"loss": {"class_weights": [1.0, 2.0, 0.5]}}),
        ("cross_entropy", {"loss": {"class_weights": "balanced"}}),
        ("focal", {"loss": {"gamma": 1.5}}),
        ("hinge", {}),
        (nn.CrossEntropyLoss(), {}),
        (lambda output, target: functional.cross_entropy(output, target, reduction="sum"), {}),
    ],
)
def test_losses(loss: Any, sections: dict[str, Any]) -> None:
    varied = ({}, {"optimizer": {"learning_rate": 0.005}})
    assert_as_alone(stack(task_of("mlp", loss=loss, epochs=3), recipes(varied=varied, **sections)), 1e-8)


def test_losses_that_differ_between_members() -> None:
    varied = ({"loss": {"class_weights": [1.0, 2.0, 3.0]}}, {"loss": {"name": "focal"}}, {"loss": {"name": "hinge"}})
    assert_as_alone(stack(task_of("mlp", loss="cross_entropy", epochs=3), recipes(varied=varied)), 1e-8)


def test_weighted_rows_and_one_column() -> None:
    inputs, targets = regression()
    weights = torch.rand(53, generator=torch.Generator().manual_seed(1)).double()
    part = (inputs, targets[:, :1], weights)
    task = Task(lambda: nn.Linear(9, 1).double(), part, validation=part, loss="huber", epochs=3)
    assert_as_alone(stack(task, recipes(varied=({}, {"optimizer": {"learning_rate": 0.005}}))), 1e-8)


def test_rules_for_groups_of_parameters() -> None:
    rules = [
        {"parameters": ["0.*"], "learning_rate_multiplier": 0.1, "weight_decay": 0.2},
        {"parameters": "2.*", "l2": 0.1},
    ]
    varied = ({"regularization": {"groups": rules}}, {"optimizer": {"weight_decay": 0.1}}, {})
    for optimizer in ("sgd", "adamw", "adam"):
        assert_as_alone(stack(task_of("mlp", epochs=3), recipes(optimizer, varied)), 1e-8)


def test_frozen_and_tied_parameters() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.again, self.head = nn.Linear(9, 9), nn.Linear(9, 9), nn.Linear(9, 3)
            self.again.weight = self.first.weight
            self.head.bias.requires_grad_(False)

        def forward(self, rows: Tensor) -> Tensor:
            return self.head(torch.tanh(self.again(torch.tanh(self.first(rows)))))

    task = task_of("mlp", model=lambda: Tied().double(), epochs=3)
    assert_as_alone(stack(task, recipes("adamw")), 1e-8)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_pack_that_does_not_fit_is_halved_and_its_step_repeated(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    members = stack(task_of("convolution", epochs=3), recipes(varied=(*VARIED, {}, {})))
    for member in members:
        member.advance(35, should_stop=never)
    whole = packs.Pack.gradients

    def crowded(pack: packs.Pack, batch: Any) -> Any:
        found = whole(pack, batch)  # streams and buffers have moved by now
        if len(pack.members) > most:
            raise torch.OutOfMemoryError("made up")
        return found

    monkeypatch.setattr(packs.Pack, "gradients", crowded)
    assert_as_alone_from(members, 35)


def assert_as_alone_from(members: tuple[Member, ...], start: int) -> None:
    for member in members:
        other = alone(member)
        other.advance(start, should_stop=never)
        together, solo = (run.advance(run.horizon, should_stop=never) for run in (member, other))
        assert (together.samples, together.steps, together.failure) == (solo.samples, solo.steps, "")
        assert_equal(member, other, 1e-8)


def test_the_factory_has_the_capability() -> None:
    assert isinstance(TorchFactory(task_of("mlp")), StacksRuns)


def test_all_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    members = stack(task_of("convolution", objective=("share", share_right, "max")), recipes())
    for member in members:
        member.advance(50, should_stop=never)
    expected = [Training.evaluate(member, "validation") for member in members]
    alone_looks = []
    monkeypatch.setattr(Evaluator, "evaluate", lambda self, split: alone_looks.append(split))
    for member, metrics in zip(members, expected, strict=True):
        assert member.evaluate("validation") == pytest.approx(metrics, rel=1e-12)
        assert {"loss", "accuracy", "share"} <= metrics.keys()
    assert not alone_looks, "no model ran by itself"


def share_right(output: Tensor, target: Tensor) -> float:
    return float((output.argmax(1) == target).double().mean())


def test_one_that_draws_in_evaluation_is_looked_at_alone() -> None:
    class Wavering(nn.Linear):
        def forward(self, rows: Tensor) -> Tensor:
            return functional.dropout(super().forward(rows), 0.5, training=True)

    task = task_of("mlp", model=lambda: Wavering(9, 3).double(), epochs=2)
    assert_as_alone(stack(task, recipes()), 1e-8)


def test_weights_that_came_from_elsewhere_are_looked_at_anew() -> None:
    members = stack(task_of("norm"), recipes())
    for member in members:
        member.advance(50, should_stop=never)
    first = members[0]
    early = first.evaluate("validation")
    first.keep_best()
    others = [member.evaluate("validation") for member in members[1:]]
    for member in members:
        member.advance(50, should_stop=never)
    assert first.evaluate("validation") != early
    first.recall_best()
    assert first.evaluate("validation") == pytest.approx(early, rel=1e-12)
    assert [member.evaluate("validation") for member in members[1:]] != others
