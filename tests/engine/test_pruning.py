"""Weights that go: the right ones, at the right time, for good, and those that are kept as best are from after it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stacked_tasks import recipes, stack, task_of
from torch import nn, optim
from torch.nn.utils import prune

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.network.pruning import NUM_CUTS, Pruning, share_removed, unit_groups, weights_of
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import RecipeError, TaskError, UnsupportedError
from surefoot.recipe import Network, Recipe
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.training import never

Make = Callable[..., Any]
MAGNITUDE = {"pruning": "magnitude", "sparsity": 0.75, "pruning_begin": 0.2, "pruning_end": 0.6}
STRUCTURED = {"pruning": "structured", "sparsity": 0.5, "pruning_begin": 0.2, "pruning_end": 0.6}
HARD = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1}


def run_of(task: Any, **sections: Any) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(Recipe(**sections).complete(factory.num_rows), seed=0)


def zeros(model: nn.Module) -> float:
    weights = [dict(model.named_parameters())[name] for name in weights_of(model)]
    return sum(int((value == 0).sum()) for value in weights) / sum(value.numel() for value in weights)


def empty_units(model: nn.Module) -> list[int]:
    named = dict(model.named_parameters())
    return [int((~named[name].flatten(1).any(dim=1)).sum()) for name in unit_groups(model)]


def dense() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 3))


OPTIMIZERS: dict[str, Callable[[nn.Module], optim.Optimizer]] = {
    "sgd": lambda model: optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.05),
    "adamw": lambda model: optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["magnitude", "structured"])
def test_it_trains_as_pytorchs_own_pruning_does(kind: str, optimizer: str) -> None:
    """The twin is pruned by ``torch.nn.utils.prune``, which trains through a product with the mask."""
    ours, twin = dense(), dense()
    settings = Network(pruning=kind, sparsity=0.5, pruning_begin=0.0, pruning_end=0.01).complete()
    pruning = Pruning(ours, settings, horizon=100)
    assert pruning.stepped(1)
    if kind == "magnitude":
        layers = [(twin[index], "weight") for index in (0, 2, 4)]
        prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.5)
    else:
        for index in (0, 2):
            prune.ln_structured(twin[index], "weight", amount=0.5, n=2, dim=0)
            mask = twin[index].weight_mask[:, 0]
            prune.custom_from_mask(twin[index], "bias", mask)
    mine, theirs = OPTIMIZERS[optimizer](ours), OPTIMIZERS[optimizer](twin)
    generator = torch.Generator().manual_seed(1)
    for clock in range(2, 30):
        rows, labels = torch.randn(8, 6, generator=generator), torch.randint(3, (8,), generator=generator)
        for model, stepper in ((ours, mine), (twin, theirs)):
            stepper.zero_grad()
            nn.functional.cross_entropy(model(rows), labels).backward()
            stepper.step()
        assert not pruning.stepped(clock)
        twin(rows)  # writes the products anew
        for index in (0, 2, 4):
            torch.testing.assert_close(ours[index].weight, twin[index].weight, rtol=1e-4, atol=1e-6)
            assert torch.equal(ours[index].weight == 0, twin[index].weight == 0)
            torch.testing.assert_close(ours[index].bias, twin[index].bias, rtol=1e-4, atol=1e-6)


def test_the_ramp_is_the_published_one() -> None:
    """Zhu and Gupta 2017, equation 1, with s_i = 0, t_0 = 3 and nΔt = 20."""
    for cut in range(NUM_CUTS + 1):
        t, s_i, s_f, t_0 = 3 + cut, 0.0, 0.875, 3
        assert share_removed(cut, 0.875) == pytest.approx(s_f + (s_i - s_f) * (1 - (t - t_0) / NUM_CUTS) ** 3)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_what_is_gone_depends_on_the_clock_and_not_on_the_batches(sizes: list[int]) -> None:
    model = nn.Linear(20, 10)
    pruning = Pruning(model, Network(**MAGNITUDE).complete(), horizon=300)
    clock, before = 0, 0.0
    for size in sizes:
        clock += size
        pruning.stepped(clock)
        done = min(max((clock - 60) / 120, 0.0), 1.0)
        now = zeros(model)
        assert before <= now
        assert now == pytest.approx(share_removed(int(NUM_CUTS * done + 1e-9), 0.75), abs=0.5 / 200 + 1e-9)
        before = now


@pytest.mark.parametrize("averaging", ["none", "ema"])
@pytest.mark.parametrize("network", [MAGNITUDE, STRUCTURED])
def test_the_weights_are_zero_at_every_look(make_task: Make, network: dict[str, Any], averaging: str) -> None:
    """Momentum and decay move every weight, and an average remembers what it was."""
    run = run_of(
        make_task(),
        network={**network, "averaging": averaging},
        optimizer=HARD,
        model={"norm": True},
        batch={"size": 4},
    )
    shares = []
    while run.samples_seen < run.horizon:
        run.advance(12, should_stop=never)
        with run._evaluator.weights_to_use():
            shares.append(zeros(run.model) if network is MAGNITUDE else empty_units(run.model)[0] / 8)
        done = min(max((run.samples_seen / run.horizon - 0.2) / 0.4, 0.0), 1.0)
        expected = share_removed(int(NUM_CUTS * done + 1e-9), float(network["sparsity"]))
        assert shares[-1] == pytest.approx(expected, abs=0.07)
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(network["sparsity"], abs=0.01)
    if network is STRUCTURED:
        gone = ~run.model[0].weight.any(dim=1)
        for value in (run.model[0].bias, run.model[2].weight, run.model[2].bias):
            assert not value[gone].any(), "nothing that a removed unit gives is left"


@pytest.mark.parametrize("network", [MAGNITUDE, {**STRUCTURED, "averaging": "swa"}])
def test_a_resume_is_exact_to_the_bit(make_task: Make, tmp_path: Path, network: dict[str, Any]) -> None:
    sections = {"network": network, "batch": {"size": 7}, "model": {"norm": True}}
    whole, first, resumed = (run_of(make_task(), **sections) for _ in range(3))
    first.advance(whole.horizon // 2, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    resumed.load_checkpoint(tmp_path)
    for run in (whole, resumed):
        run.advance(run.horizon, should_stop=never)
        run.keep_best()
        run.recall_best()
    assert zeros(resumed.model) > 0.2
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_what_is_kept_is_from_after_the_last_cut(make_task: Make) -> None:
    """A look at the whole network is better than any at the tenth of it that stays."""
    network = {**MAGNITUDE, "sparsity": 0.95}
    result = sf.fit(make_task(rows=200, epochs=20), Recipe(network=network, stopping={"patience": 0.15}))
    (run,) = result.study.runs
    assert run.best_evaluation is not None
    assert run.best_evaluation.samples >= 0.6 * run.horizon
    lowest = min(run.evaluations, key=lambda look: look.metrics["validation_loss"])
    assert lowest.samples < 0.6 * run.horizon, "without a rule it would have been an earlier one"
    assert zeros(result.model) == pytest.approx(0.95, abs=0.02)


def test_a_run_that_is_stopped_before_says_so(make_task: Make) -> None:
    result = sf.fit(make_task(), Recipe(network=STRUCTURED, stopping={"max_steps": 1}))
    assert any("before network.pruning_begin" in note for note in result.study.notes)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"network": {"pruning": "magnitud"}}, 'network.pruning is "magnitud", which does not exist'),
        ({"network": {"sparsity": 0.5}}, 'network.sparsity is for network.pruning = "magnitude" or "structured"'),
        ({"network": {"pruning": "magnitude", "sparsity": 1.0}}, "network.sparsity is 1.0: it should be less than 1"),
        ({"network": {"pruning": "magnitude", "pruning_begin": 0.7}}, "the begin must come first"),
        ({"network": MAGNITUDE, "optimizer": {"name": "schedule_free_sgd"}}, "which averages its weights"),
        ({"network": MAGNITUDE, "optimizer": {"name": "prodigy"}}, "which finds its rate from how far"),
    ],
)
def test_a_wrong_pruning_gets_one_line(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        Recipe(**sections)
    assert "\n" not in str(caught.value)


def test_a_model_with_nothing_to_prune_gets_one_line(make_task: Make) -> None:
    with pytest.raises(TaskError, match='network.pruning "structured" finds nothing to prune'):
        sf.fit(make_task(model=lambda: nn.Linear(4, 3)), Recipe(network=STRUCTURED))


def test_weights_that_are_shared_stay() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3), nn.Embedding(3, 4))
    model[1].weight = model[0].weight
    model[3].weight = model[2].weight
    assert weights_of(model) == []
    twin = copy.deepcopy(model)
    twin[1].weight = nn.Parameter(torch.zeros(4, 4))
    assert weights_of(twin) == ["0.weight", "1.weight"]


def test_pruned_runs_do_not_stack_and_the_code_says_what_it_leaves_out(make_task: Make) -> None:
    with pytest.raises(UnsupportedError, match="network.pruning does something after every step"):
        stack(task_of("mlp"), recipes(network=MAGNITUDE))
    code = pytorch_code(sf.fit(make_task(), Recipe(network=MAGNITUDE)).study)
    assert "network.pruning" in next(line for line in code.splitlines() if line.startswith("# not in this code"))


def test_tune_chooses_how_much_goes(make_task: Make) -> None:
    space = {"network.sparsity": sf.space.uniform(0.2, 0.6)}
    result = sf.tune(make_task(rows=120), budget=2.0, recipe=Recipe(network=STRUCTURED), space=space)
    assert len({run.recipe["network"]["sparsity"] for run in result.study.runs}) > 1
    assert result.recipe is not None and result.recipe.network.sparsity is not None
    assert result.model[0].out_features == 8 - round(8 * result.recipe.network.sparsity)
