"""Averages of the weights: what they are a mean of, that training goes on without them, that nothing is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stacked_tasks import recipes, stack, task_of
from torch import Tensor, nn

import surefoot as sf
from surefoot import tasks
from surefoot.engine import TorchFactory
from surefoot.engine.network.weight_average import WeightAverage
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import RecipeError, UnsupportedError
from surefoot.recipe import Network, Recipe
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.training import never

Make = Callable[..., Any]
EMA = {"averaging": "ema", "ema_half_life": 0.1}
SWA = {"averaging": "swa", "averaging_start": 0.55}
GROWING = {"policy": "linear_ramp", "size": 4, "last": 16, "coupling": "none"}


def run_of(task: Any, **sections: Any) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(Recipe(**sections).complete(factory.num_rows), seed=0)


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def slow_mean(path: list[tuple[int, list[Tensor]]], network: dict[str, Any], horizon: int) -> list[Tensor]:
    """The mean over a path of (clock, weights), every weight with its share written out."""
    start = network.get("averaging_start", 0.0) * horizon
    shares, before = [], 0
    for clock, _ in path:
        shares.append(max(0.0, clock - max(start, before)))
        before = clock
    if network["averaging"] == "ema":
        half_life = network["ema_half_life"] * horizon
        end = path[-1][0]
        since = [0.5 ** ((end - clock) / half_life) for clock, _ in path]
        # what came before the first step counts as that step
        shares = [late - (0.5 ** ((end - path[i - 1][0]) / half_life) if i else 0.0) for i, late in enumerate(since)]
    total = sum(shares)
    columns = zip(*(held for _, held in path), strict=True)
    return [sum(share / total * value for share, value in zip(shares, column, strict=True)) for column in columns]  # type: ignore[misc]


@pytest.mark.parametrize("network", [EMA, SWA])
def test_the_average_is_the_mean_by_samples_and_training_knows_nothing_of_it(
    make_task: Make, network: dict[str, Any]
) -> None:
    sections = {"batch": GROWING, "optimizer": {"learning_rate": 0.05}}
    raw, averaged = run_of(make_task(), **sections), run_of(make_task(), **sections, network=network)
    path = []
    while raw.samples_seen < raw.horizon:
        raw.advance(1, should_stop=never)
        path.append((raw.samples_seen, weights(raw.model)))
    averaged.advance(averaged.horizon, should_stop=never)
    assert all(map(torch.equal, weights(averaged.model), weights(raw.model))), "training goes on as before"
    assert len({later - earlier for (earlier, _), (later, _) in itertools.pairwise(path)}) > 2, "it grew"
    with averaged._evaluator.weights_to_use():
        held = weights(averaged.model)
    for mine, slow in zip(held, slow_mean(path, network, raw.horizon), strict=True):
        torch.testing.assert_close(mine, slow, rtol=1e-4, atol=1e-6)
    assert all(map(torch.equal, weights(averaged.model), weights(raw.model)))
    assert averaged.evaluate("validation") != raw.evaluate("validation")


@given(cuts=st.lists(st.integers(1, 99), max_size=12), kind=st.sampled_from([EMA, SWA]))
def test_how_a_stretch_is_cut_into_batches_does_not_matter(cuts: list[int], kind: dict[str, Any]) -> None:
    """A weight that does not move counts by its samples, in one step or in many."""
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    found = []
    for extra in ([], cuts):
        average, clock = WeightAverage(model, Network(**kind).complete(), horizon=100), 0
        for stop in sorted({60, 80, 100, *extra}):
            model.weight.data.fill_(1.0 if stop <= 60 else 2.0 if stop <= 80 else 5.0)
            average.stepped(stop, stop - clock)
            clock = stop
        average.put_in()
        found.append(model.weight.item())
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize("network", [EMA, SWA])
@pytest.mark.parametrize("norm", [False, True])
def test_what_is_saved_is_what_was_evaluated(
    make_task: Make, tmp_path: Path, network: dict[str, Any], norm: bool
) -> None:
    run = run_of(make_task(), network=network, model={"norm": norm}, batch={"size": 8})
    run.advance(run.horizon, should_stop=never)
    seen, held = run.evaluate("validation"), weights(run.model)
    run.keep_best()
    run.save_weights(tmp_path / "unfinished.safetensors")
    assert all(map(torch.equal, weights(run.model), held))
    run.recall_best()
    assert not torch.equal(run.model[0].weight, held[0])
    assert run.evaluate("validation") == seen
    fresh = run_of(make_task(), network=network, model={"norm": norm}, batch={"size": 8})
    fresh.load_weights(tmp_path / "unfinished.safetensors")
    assert fresh.evaluate("validation") == seen


@pytest.mark.parametrize("network", [EMA, SWA])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_resume_is_exact_to_the_bit(make_task: Make, tmp_path: Path, network: dict[str, Any], share: float) -> None:
    sections = {"network": network, "batch": {"size": 7}, "model": {"norm": True}}
    whole, first, resumed = (run_of(make_task(), **sections) for _ in range(3))
    first.advance(int(whole.horizon * share), should_stop=never)
    first.evaluate("validation")
    first.save_checkpoint(tmp_path, {})
    resumed.load_checkpoint(tmp_path)
    for run in (whole, resumed):
        run.advance(run.horizon, should_stop=never)
    assert whole.evaluate("validation") == resumed.evaluate("validation")
    for run in (whole, resumed):
        run.keep_best()
        run.recall_best()
    assert all(map(torch.equal, weights(whole.model), weights(resumed.model)))


def test_a_probe_leaves_the_average_alone(make_task: Make) -> None:
    run = run_of(make_task(), network=EMA, batch={"size": 8})
    run.advance(40, should_stop=never)
    seen = run.evaluate("validation")
    with run.restored():
        run.step_at(0.5, batch_size=8)
        run.advance(16, should_stop=never)
        assert run.evaluate("validation") != seen
    assert run.evaluate("validation") == seen


def test_at_a_rate_that_stays_high_the_average_is_nearer_to_the_optimum() -> None:
    """Polyak and Juditsky 1992: the mean of n iterates has about 1/n of the variance that one of them keeps."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(200, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, Network(**SWA).complete(), horizon=2000)
    rate, noise = 0.5, 1.0
    for clock in range(1, 2001):  # gradient descent on ½θ² with noise in the gradient
        pull = model.weight.data + noise * torch.randn(1, 200, generator=generator)
        model.weight.data -= rate * pull
        average.stepped(clock, 1)
    last = model.weight.square().mean().item()
    assert last == pytest.approx(rate / (2 - rate), rel=0.3), "the known variance of one iterate"
    average.put_in()
    assert model.weight.square().mean().item() == pytest.approx(1 / 900, rel=0.4), "σ²/n of the last 900"


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"network": {"averaging": "emma"}}, 'network.averaging is "emma", which does not exist'),
        ({"network": {"ema_half_life": 0.1}}, 'network.ema_half_life is for network.averaging = "ema"'),
        ({"network": {"averaging": "swa", "ema_half_life": 0.1}}, 'it would do nothing beside "swa"'),
        ({"network": {"averaging": "ema", "ema_half_life": 1.0}}, "network.ema_half_life is 1.0: it should be less"),
        ({"network": {"averaging": "swa", "averaging_start": 1}}, "network.averaging_start is 1: it should be less"),
        ({"network": {"average": "swa"}}, 'there is no key "network.average"'),
        ({"network": EMA, "optimizer": {"name": "schedule_free_adamw"}}, "which averages its weights already"),
        ({"network": EMA, "regularization": {"l1_method": "proximal"}}, "a mean of zeros and others is not zero"),
    ],
)
def test_a_wrong_average_gets_one_line(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        Recipe(**sections)
    assert "\n" not in str(caught.value)


def test_runs_with_an_average_do_not_stack() -> None:
    with pytest.raises(UnsupportedError, match="network.averaging does something after every step"):
        stack(task_of("mlp"), recipes(network=EMA))


def test_tune_chooses_between_averages(make_task: Make) -> None:
    space = {
        "network.averaging": sf.space.choice("none", "ema"),
        "network.ema_half_life": sf.space.when(sf.space.log(0.01, 0.2), "network.averaging", "ema"),
    }
    result = sf.tune(make_task(rows=120), budget=2.0, space=space, seed=1)
    sections = [run.recipe["network"] for run in result.study.runs]
    assert {section["averaging"] for section in sections} == {"none", "ema"}
    assert all(("ema_half_life" in section) == (section["averaging"] == "ema") for section in sections)


@pytest.mark.parametrize("network", [EMA, SWA])
def test_the_code_on_the_page_averages(network: dict[str, Any]) -> None:
    task = tasks.builtin("wine")
    result = sf.fit(task, Recipe(network=network, schedule={"name": "constant"}))
    namespace: dict[str, Any] = {}
    exec(compile(pytorch_code(result.study), "page.py", "exec"), namespace)
    model = task.model()
    inputs, targets = (torch.as_tensor(values) for values in task.train)
    averaged = namespace["train"](model, inputs, targets)
    assert not torch.equal(averaged[0].weight, model[0].weight)
    with torch.no_grad():
        accuracy = (averaged(inputs).argmax(1) == targets).float().mean().item()
    assert accuracy == pytest.approx(result.metrics["train_accuracy"], abs=0.1)


def test_the_code_on_the_page_says_where_it_does_not_average(make_task: Make) -> None:
    recipe = Recipe(network=EMA, schedule={"name": "one_cycle"})
    assert "network.averaging" in pytorch_code(sf.fit(make_task(), recipe).study).split("def train")[0]
