"""Optimizers of the recipe: their knobs, clipping, and weights that are averages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import schedulefree
import torch
from prodigyopt import Prodigy
from torch import nn

import surefoot as sf
from surefoot.engine import TorchFactory, optimizers
from surefoot.engine.network import averaging
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import MissingExtraError, RecipeError, RequestError
from surefoot.recipe import OptimizerName, Recipe
from surefoot.training import never

Make = Callable[..., Any]
AVERAGING = ["schedule_free_sgd", "schedule_free_adamw"]


def run_of(task: Any, recipe: Recipe, *, seed: int = 0) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(recipe.complete(factory.num_rows), seed=seed)


def one_step(optimizer: Any, model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(8, 3, generator=generator)
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()


FOREIGN: list[tuple[dict[str, Any], Callable[[Any], Any]]] = [
    ({"name": "schedule_free_sgd"}, lambda groups: schedulefree.SGDScheduleFree(groups, lr=0.5, momentum=0.9)),
    ({"name": "schedule_free_adamw"}, lambda groups: schedulefree.AdamWScheduleFree(groups, lr=0.5)),
    (
        {"name": "prodigy", "d_coefficient": 2.0},
        lambda groups: Prodigy(groups, lr=0.5, d_coef=2.0, use_bias_correction=True, safeguard_warmup=True),
    ),
]


@pytest.mark.parametrize(("section", "theirs"), FOREIGN)
def test_steps_are_those_of_the_packages(
    section: dict[str, Any], theirs: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    recipe = Recipe(optimizer={**section, "weight_decay": 0.1}).complete(10)
    ours = optimizers.build(model, recipe)
    groups = [{"params": [twin.weight], "weight_decay": 0.1}, {"params": [twin.bias], "weight_decay": 0.0}]
    foreign = theirs(groups)
    if averaging.is_averaging(foreign):
        foreign.train()
    optimizers.set_learning_rate(ours, 0.5)
    for seed in range(5):
        one_step(ours, model, seed)
        one_step(foreign, twin, seed)
    assert torch.equal(model.weight, twin.weight)
    assert torch.equal(model.bias, twin.bias)
    assert capsys.readouterr().out == "", "prodigyopt prints when it is given a decay"


@pytest.mark.parametrize("name", AVERAGING)
def test_schedule_free_is_judged_at_the_average(name: str) -> None:
    """The weights in use are x, the mean of all z: with a rate that never changes, the plain one."""
    model = nn.Linear(3, 1, bias=False)
    optimizer = optimizers.build(model, Recipe(optimizer={"name": name}).complete(10))
    optimizers.set_learning_rate(optimizer, 0.1)
    visited = []
    for seed in range(6):
        one_step(optimizer, model, seed)
        visited.append(optimizer.state[model.weight]["z"].clone())
    before = model.weight.detach().clone()
    with averaging.evaluation_weights(model, optimizer, []):
        torch.testing.assert_close(model.weight.detach(), torch.stack(visited).mean(0))
    assert torch.equal(model.weight, before)
    assert averaging.is_training_mode(optimizer)


def test_batch_statistics_are_measured_at_the_weights_in_use() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = optimizers.build(model, Recipe(optimizer={"name": "schedule_free_sgd"}).complete(10))
    optimizers.set_learning_rate(optimizer, 1.0)
    for seed in range(10):
        one_step(optimizer, model, seed)
    model[3].eval()
    batches = [(torch.randn(16, 3),) for _ in range(4)]
    before, drawn = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    modes = [module.training for module in model.modules()]
    with averaging.evaluation_weights(model, optimizer, iter(batches)), torch.no_grad():
        hidden = [model[0](batch) for (batch,) in batches]
        torch.testing.assert_close(model[1].running_mean, torch.stack([rows.mean(0) for rows in hidden]).mean(0))
        torch.testing.assert_close(model[1].running_var, torch.stack([rows.var(0) for rows in hidden]).mean(0))
        assert not torch.equal(model[1].running_mean, before["1.running_mean"])
        assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert model[1].momentum == 0.1
    with pytest.raises(KeyError), averaging.evaluation_weights(model, optimizer, iter(batches)):
        raise KeyError("a bug of theirs")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_other_optimizers_never_look_at_the_batches() -> None:
    model = nn.BatchNorm1d(3)
    optimizer = optimizers.build(model, Recipe().complete(10))

    def forbidden() -> Any:
        raise AssertionError
        yield

    with averaging.evaluation_weights(model, optimizer, forbidden()):
        assert not averaging.is_averaging(optimizer)


@pytest.mark.parametrize("name", AVERAGING)
@pytest.mark.parametrize("norm", [False, True])
def test_what_is_saved_is_what_was_evaluated(make_task: Make, tmp_path: Path, name: str, norm: bool) -> None:
    run = run_of(make_task(epochs=3), Recipe(optimizer={"name": name}, model={"norm": norm}))
    run.advance(run.horizon, should_stop=never)
    seen = run.evaluate("validation")
    held = {key: value.clone() for key, value in run.model.state_dict().items()}
    run.keep_best()
    run.save_weights(tmp_path / "unfinished.safetensors")
    assert all(torch.equal(value, held[key]) for key, value in run.model.state_dict().items())
    run.recall_best()
    assert not torch.equal(run.model[0].weight, held["0.weight"])
    assert run.evaluate("validation") == seen
    run.save_weights(tmp_path / "best.safetensors")
    for file in ("unfinished", "best"):
        fresh = run_of(make_task(epochs=3), Recipe(model={"norm": norm}))
        fresh.load_weights(tmp_path / f"{file}.safetensors")
        assert fresh.evaluate("validation") == seen


@pytest.mark.parametrize("name", ["schedule_free_adamw", "prodigy"])
def test_what_an_optimizer_counts_in_its_groups_survives_a_checkpoint(
    make_task: Make, tmp_path: Path, name: str
) -> None:
    recipe = Recipe(optimizer={"name": name}, batch={"size": 8})
    whole, half, rest = (run_of(make_task(epochs=6), recipe) for _ in range(3))
    whole.advance(whole.horizon, should_stop=never)
    half.advance(whole.horizon // 2, should_stop=never)
    half.save_checkpoint(tmp_path, {})
    rest.load_checkpoint(tmp_path)
    assert [{**group, "params": 0} for group in rest._optimizer.param_groups] == [
        {**group, "params": 0} for group in half._optimizer.param_groups
    ]
    rest.advance(whole.horizon, should_stop=never)
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), rest.model.parameters(), strict=True))


def test_the_usual_schedule_belongs_to_the_optimizer() -> None:
    free = Recipe(optimizer={"name": "schedule_free_adamw"})
    assert (free.complete(10).schedule.name, free.complete(10).schedule.warmup) == ("constant", 0.05)
    assert Recipe(optimizer={"name": "schedule_free_sgd"}, schedule={"warmup": 0.2}).complete(10).schedule.warmup == 0.2
    given = Recipe(optimizer={"name": "schedule_free_sgd"}, schedule={"name": "linear"})
    assert given.complete(10).schedule.name == "linear"
    prodigy = Recipe(optimizer={"name": "prodigy"}).complete(10)
    assert (prodigy.schedule.name, prodigy.optimizer.learning_rate) == ("cosine", 1.0)
    with pytest.raises(RecipeError, match='schedule.floor is not an argument of "constant"'):
        Recipe(optimizer={"name": "schedule_free_sgd"}, schedule={"floor": 0.1})


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"optimizer": {"name": "schedule_free_sgd", "momentum": 0.0}}, "optimizer.momentum is 0"),
        ({"optimizer": {"name": "schedule_free_adamw", "beta1": 0.0}}, "optimizer.beta1 is 0"),
        ({"optimizer": {"name": "adamw", "d_coefficient": 1.0}}, 'optimizer.d_coefficient is not used by "adamw"'),
        ({"optimizer": {"max_gradient_norm": 0.0}}, "optimizer.max_gradient_norm is 0.0"),
        (
            {
                "optimizer": {"name": "prodigy"},
                "regularization": {"groups": [{"parameters": "*", "learning_rate_multiplier": 0.5}]},
            },
            "finds one rate for all parameters",
        ),
    ],
)
def test_a_wrong_optimizer_gets_one_line(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe(**sections)


def test_there_is_nothing_to_tune_for_prodigy(make_task: Make) -> None:
    with pytest.raises(RequestError, match='"prodigy" finds its rate itself'):
        sf.tune(make_task(), recipe=Recipe(optimizer={"name": "prodigy"}))


@pytest.mark.parametrize("package", ["schedulefree", "prodigyopt"])
def test_a_missing_package_gets_one_line(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    names = {"schedulefree": "schedule_free_sgd", "prodigyopt": "prodigy"}
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"needs the package {package}; install it with"):
        optimizers.build(nn.Linear(1, 1), Recipe(optimizer={"name": names[package]}).complete(10))


def grouped(name: str = "adamw", **section: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    rule = {"parameters": "1.weight", "weight_decay": 0.4, "learning_rate_multiplier": 0.5}
    settings = {"optimizer": {"name": name, "weight_decay": 0.1, **section}, "regularization": {"groups": [rule]}}
    return model, optimizers.build(model, Recipe(**settings).complete(10))


def test_knobs_keep_every_groups_share() -> None:
    _, optimizer = grouped()
    optimizers.set_knobs(optimizer, learning_rate=0.2, weight_decay=0.2, beta2=0.5, epsilon=1e-3)
    first, second, biases = optimizer.param_groups
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.1, 0.2]
    assert [group["weight_decay"] for group in (first, second, biases)] == [0.2, 0.8, 0.0]
    assert {(group["betas"], group["eps"]) for group in optimizer.param_groups} == {((0.9, 0.5), 1e-3)}
    optimizers.set_knobs(optimizer, beta1=0.1)
    assert first["betas"] == (0.1, 0.5)
    assert first["lr"] == 0.2
    _, optimizer = grouped(weight_decay=0.0)
    optimizers.set_knobs(optimizer, weight_decay=0.2)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.4], "no share of nothing"
    _, optimizer = grouped("sgd")
    optimizers.set_knobs(optimizer, momentum=0.5)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.5}
    with pytest.raises(ValueError, match="SGD has no betas to set"):
        optimizers.set_knobs(optimizer, beta1=0.5)
    with pytest.raises(ValueError, match="AdamW has no momentum to set"):
        optimizers.set_knobs(grouped()[1], momentum=0.5)


@pytest.mark.parametrize(("name", "knob"), [("schedule_free_sgd", "momentum"), ("schedule_free_adamw", "beta1")])
def test_a_new_beta_leaves_the_average_where_it_is(name: str, knob: str) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1, bias=False)
    optimizer = optimizers.build(model, Recipe(optimizer={"name": name}).complete(10))
    optimizers.set_learning_rate(optimizer, 0.1)
    for seed in range(4):
        one_step(optimizer, model, seed)
    averages = []
    for beta in (None, 0.6):
        optimizers.set_knobs(optimizer, **{knob: beta})
        with averaging.evaluation_weights(model, optimizer, []):
            averages.append(model.weight.detach().clone())
    torch.testing.assert_close(*averages)
    one_step(optimizer, model, 9)


def test_clipping_by_the_joint_norm() -> None:
    model = nn.Linear(2, 1)
    model.weight.grad, model.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert optimizers.clip(model.parameters(), 10.0) == pytest.approx(5.0)
    assert model.bias.grad.item() == pytest.approx(4.0)
    assert optimizers.clip(model.parameters(), 1.0) == pytest.approx(5.0)
    assert model.weight.grad[0, 0].item() == pytest.approx(0.6)
    assert model.bias.grad.item() == pytest.approx(0.8)


def test_clipping_is_pytorchs_and_takes_sparse_gradients() -> None:
    torch.manual_seed(0)
    dense, sparse = (nn.EmbeddingBag(5, 3, sparse=flag) for flag in (False, True))
    twin = nn.EmbeddingBag(5, 3)
    for model in (dense, sparse, twin):
        model.load_state_dict(dense.state_dict())
        model(torch.tensor([[1, 1, 2]])).square().sum().backward()
    expected = nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
    for model in (dense, sparse):
        assert optimizers.clip(model.parameters(), 0.1) == pytest.approx(expected.item())
        assert model.weight.grad is not None
        torch.testing.assert_close(model.weight.grad.to_dense(), twin.weight.grad)


def test_a_clipped_run_moves_no_further_than_its_rate_allows(make_task: Make) -> None:
    moved = {}
    for limit in (None, 1e-3):
        section = {"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "max_gradient_norm": limit}
        run = run_of(make_task(), Recipe(optimizer=section, schedule={"name": "constant", "warmup": 0}))
        before = torch.cat([p.detach().flatten() for p in run.model.parameters()])
        steps = run.advance(run.horizon, should_stop=never).steps
        moved[limit] = (torch.cat([p.detach().flatten() for p in run.model.parameters()]) - before).norm().item()
    assert moved[1e-3] <= 1e-3 * steps < moved[None]


def test_every_optimizer_of_the_recipe_is_built() -> None:
    for name in get_args(OptimizerName):
        optimizers.build(nn.Linear(2, 2), Recipe(optimizer={"name": name}).complete(10))
