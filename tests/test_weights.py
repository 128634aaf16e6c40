"""Where weights start, what holds them small, and which group a parameter belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from surefoot.engine import TorchFactory, optimizers
from surefoot.engine.initialization import initialize
from surefoot.engine.penalties import Penalties
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import RecipeError, TaskError
from surefoot.recipe import Initialization, Recipe
from surefoot.training import never

Make = Callable[..., Any]


def run_of(task: Any, recipe: Recipe, *, seed: int = 0) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(recipe.complete(factory.num_rows), seed=seed)


# A scheme and the standard deviation that its paper gives a layer of 300 inputs and 100 outputs.
SCHEMES = [
    ({"scheme": "xavier_uniform"}, math.sqrt(2 / 400)),
    ({"scheme": "xavier_normal"}, math.sqrt(2 / 400)),
    ({"scheme": "kaiming_uniform"}, math.sqrt(2 / 300)),
    ({"scheme": "kaiming_normal"}, math.sqrt(2 / 300)),
    ({"scheme": "orthogonal"}, math.sqrt(1 / 300)),
    ({"scheme": "normal"}, 0.02),
    ({"scheme": "normal", "std": 3.0}, 3.0),
]


@pytest.mark.parametrize(("section", "deviation"), SCHEMES)
def test_a_scheme_has_its_papers_spread(section: dict[str, Any], deviation: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 100), nn.BatchNorm1d(100), nn.ConvTranspose2d(12, 4, 5))
    initialize(model, Initialization(**section))
    dense, norm, kernel = model
    assert dense.weight.std().item() == pytest.approx(deviation, rel=0.03)
    assert not dense.bias.any()
    assert norm.weight.eq(1).all()
    if section["scheme"] == "kaiming_normal":  # a transposed convolution lists its inputs first
        assert kernel.weight.std().item() == pytest.approx(math.sqrt(2 / (12 * 25)), rel=0.1)


def test_orthogonal_rows_and_gates() -> None:
    recurrent = nn.LSTM(6, 5)
    initialize(recurrent, Initialization(scheme="orthogonal"))
    for gate in recurrent.weight_hh_l0.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)
    assert not recurrent.bias_ih_l0.any()
    convolution = nn.ConvTranspose2d(3, 2, 2)
    initialize(convolution, Initialization(scheme="orthogonal"))
    rows = convolution.weight.transpose(0, 1).reshape(2, -1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(2), atol=1e-5, rtol=0)


def test_shared_weights_and_padding_stay_what_they_are() -> None:
    embedding = nn.Embedding(20, 8, padding_idx=0)
    head = nn.Linear(8, 20, bias=False)
    head.weight = embedding.weight
    torch.manual_seed(0)
    initialize(nn.ModuleList([embedding, head]), Initialization(scheme="normal", std=1.0))
    assert not embedding.weight[0].any()
    assert head.weight is embedding.weight
    assert embedding.weight[1:].std().item() == pytest.approx(1.0, rel=0.2)


def test_the_same_seed_gives_the_same_start(make_task: Make) -> None:
    recipe = Recipe(initialization={"scheme": "kaiming_normal", "last_layer_zero": True})
    first, again, other = (run_of(make_task(), recipe, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.model[0].weight, again.model[0].weight)
    assert not torch.equal(first.model[0].weight, other.model[0].weight)
    assert not first.model[-1].weight.any()
    assert first.evaluate("validation")["loss"] == pytest.approx(math.log(3), rel=1e-6)


def test_initialization_says_what_is_wrong(make_task: Make) -> None:
    with pytest.raises(RecipeError, match='initialization.std is for the scheme "normal"'):
        Recipe(initialization={"scheme": "orthogonal", "std": 1.0})
    with pytest.raises(RecipeError, match='initialization.scheme is "xavier", which does not exist; did you mean'):
        Recipe(initialization={"scheme": "xavier"})
    with pytest.raises(TaskError, match="needs a dense or convolutional layer"):
        initialize(nn.BatchNorm1d(3), Initialization(last_layer_zero=True))


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))


def rules(*groups: dict[str, Any], **general: Any) -> Recipe:
    return Recipe(optimizer={"name": "sgd", "weight_decay": 0.1}, regularization={"groups": list(groups), **general})


def test_the_first_rule_that_matches_holds() -> None:
    recipe = rules(
        {"parameters": "2.weight", "weight_decay": 0.0, "learning_rate_multiplier": 0.5},
        {"parameters": ["2.*", "0.bias"], "l2": 0.7},
        l2=0.2,
    ).complete(10)
    model = network()
    penalties = Penalties.of(model, recipe)
    found = {name: group for group in penalties.groups for name in group.parameters}
    assert {name: (group.l2, group.weight_decay, group.rate_multiplier) for name, group in found.items()} == {
        "0.weight": (0.2, 0.1, 1.0),
        "2.weight": (0.2, 0.0, 0.5),
        "0.bias": (0.7, 0.0, 1.0),  # named with a penalty: in
        "2.bias": (0.7, 0.0, 1.0),
        "1.weight": (0.0, 0.0, 1.0),  # a norm, not named: out
        "1.bias": (0.0, 0.0, 1.0),
    }
    squares = {name: parameter.square().sum() for name, parameter in model.named_parameters()}
    expected = sum(0.5 * found[name].l2 * square for name, square in squares.items())
    torch.testing.assert_close(penalties.loss(), expected)
    optimizer = optimizers.build(model, recipe)
    optimizers.set_learning_rate(optimizer, 0.2)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: rates[id(p)] for name, p in model.named_parameters() if rates[id(p)] != 0.2} == {"2.weight": 0.1}


def test_a_rule_that_only_slows_leaves_biases_out_of_the_decay() -> None:
    found = Penalties.of(network(), rules({"parameters": "*", "learning_rate_multiplier": 0.1}))
    assert {name for group in found.groups if group.weight_decay for name in group.parameters} == {
        "0.weight",
        "2.weight",
    }
    assert {group.rate_multiplier for group in found.groups} == {0.1}


def test_frozen_parameters_are_in_no_group() -> None:
    model = network()
    model[0].requires_grad_(False)
    names = {
        name
        for group in Penalties.of(model, rules({"parameters": "0.*", "l2": 1.0})).groups
        for name in group.parameters
    }
    assert names == {"1.weight", "1.bias", "2.weight", "2.bias"}


def test_a_pattern_that_matches_nothing_names_its_neighbours(make_task: Make) -> None:
    with pytest.raises(RecipeError) as caught:
        TorchFactory(make_task()).check(rules({"parameters": "2.wieght", "l1": 1.0}))
    assert str(caught.value).startswith(
        'regularization.groups[0]: the pattern "2.wieght" matches no parameter; near it: 2.weight'
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"groups": [{"l1": 1.0}]}, 'regularization.groups[0] needs the key "parameters"'),
        ({"groups": [{"parameters": []}]}, "it must be a pattern over parameter names"),
        ({"groups": [{"parameters": "*", "lambda": 1}]}, 'there is no key "regularization.groups[0].lambda"'),
        ({"groups": [{"parameters": "*", "l1": -1.0}]}, "regularization.groups.0.l1 is -1.0"),
        ({"groups": {"parameters": "*"}}, "it must be a list of tables"),
        ({"l1_method": "prox"}, 'regularization.l1_method is "prox", which does not exist; did you mean "proximal"'),
    ],
)
def test_wrong_rules_get_one_line(section: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(regularization=section)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rules_survive_toml() -> None:
    recipe = rules({"parameters": "head.*", "l1": 0.5}, l1_method="proximal")
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert "[[regularization.groups]]" in recipe.to_toml() or "groups = [" in recipe.to_toml()
    assert Recipe.from_toml(recipe.complete(10).to_toml()) == recipe.complete(10)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "momentum": 0.0},
        {"name": "sgd", "momentum": 0.9},
        {"name": "sgd", "momentum": 0.9, "nesterov": False},
        {"name": "adam"},
        {"name": "adamw"},
        {"name": "nadamw"},
        {"name": "rmsprop"},
        {"name": "rmsprop", "momentum": 0.9},
        {"name": "adagrad", "learning_rate": 1.0},
    ],
)
def test_proximal_steps_end_where_the_objective_says(optimizer: dict[str, Any]) -> None:
    """½‖θ − a‖² + λ‖θ‖₁ is least at sign a·max(|a| − λ, 0), with exact zeros, whatever optimizer takes the steps."""
    target = torch.tensor([[2.0, -0.3, 0.05, -1.0]])
    torch.manual_seed(0)
    model = nn.Linear(4, 1, bias=False)
    recipe = Recipe(optimizer=optimizer, regularization={"l1": 0.5, "l1_method": "proximal"}).complete(10)
    built, penalties = optimizers.build(model, recipe), Penalties.of(model, recipe)
    assert penalties.loss() == 0.0
    steps = 600
    for step in range(steps):
        optimizers.set_learning_rate(built, optimizer.get("learning_rate", 0.05) * (1 - step / steps))
        built.zero_grad()
        (0.5 * (model.weight - target).square().sum()).backward()
        built.step()
        penalties.after_step(built)
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[1.5, 0.0, 0.0, -0.5]]), atol=2e-3, rtol=0)
    assert int((model.weight == 0).sum()) == 2


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop"])
def test_proximal_l1_empties_a_network(make_task: Make, name: str) -> None:
    zeros = {}
    for method in ("gradient", "proximal"):
        recipe = Recipe(
            optimizer={"name": name}, regularization={"l1": 0.05, "l1_method": method}, model={"hidden": 30}
        )
        run = run_of(make_task(epochs=15), recipe)
        assert run.advance(run.horizon, should_stop=never).failure == ""
        zeros[method] = int((run.model[0].weight == 0).sum())
    assert zeros["gradient"] == 0 < zeros["proximal"]


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw", "prodigy"])
def test_some_optimizers_cannot_be_proximal(name: str) -> None:
    with pytest.raises(RecipeError, match=f'does not go with "{name}"'):
        Recipe(optimizer={"name": name}, regularization={"l1_method": "proximal"})


def test_a_weight_without_a_gradient_is_not_gone_at_once() -> None:
    model = nn.EmbeddingBag(3, 2)
    recipe = Recipe(regularization={"l1": 0.1, "l1_method": "proximal"}).complete(10)
    optimizer, penalties = optimizers.build(model, recipe), Penalties.of(model, recipe)
    optimizers.set_learning_rate(optimizer, 0.001)
    before = model.weight.detach().clone()
    model(torch.tensor([[0]])).sum().backward()
    optimizer.step()
    penalties.after_step(optimizer)
    torch.testing.assert_close((before - model.weight)[1:].abs(), torch.full((2, 2), 0.01))
