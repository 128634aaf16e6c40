"""Units that are taken out of a model: it gives the same and is smaller, in memory and on disk, or says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tests.conftest import Call
from torch import Tensor, nn
from torch.nn import functional

import surefoot as sf
from surefoot import tasks
from surefoot.engine import TorchFactory, load_weights
from surefoot.engine.network.pruning import unit_groups
from surefoot.engine.network.removal import remove_units
from surefoot.engine.network.wiring import wiring_of
from surefoot.engine.parallel.leading import LedRun
from surefoot.errors import TaskError
from surefoot.protocols import Finishes
from surefoot.recipe import Recipe
from surefoot.training import never

Make = Callable[..., Any]
STRUCTURED = {"pruning": "structured", "sparsity": 0.5}
PICTURES, ROWS = (5, 2, 12, 12), (5, 6)


class Calling(nn.Module):
    """Calls functions where others have modules, and flattens by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 6, 3), nn.Conv2d(6, 4, 3, padding=1, bias=False)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4 * 25, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        hidden = functional.max_pool2d(functional.relu(self.first(pictures)), 2)
        hidden = functional.gelu(self.norm(self.second(hidden)))
        return self.head(functional.dropout(hidden, 0.1, self.training).view(hidden.size(0), -1))


class Branching(nn.Module):
    """Two layers take the same units in."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.left, self.right = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = torch.tanh(self.body(rows))
        return self.left(hidden) + self.right(hidden)


class Residual(nn.Module):
    """The outer units meet others in a sum; those inside can go."""

    def __init__(self) -> None:
        super().__init__()
        self.outer, self.inner, self.back, self.head = (
            nn.Linear(6, 8),
            nn.Linear(8, 9),
            nn.Linear(9, 8),
            nn.Linear(8, 3),
        )

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.outer(rows)
        return self.head(hidden + self.back(self.inner(hidden).relu()))


class Asking(nn.Module):
    """Looks at its values, which no trace can."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.body(rows).relu()
        return self.head(hidden if hidden.sum() > 0 else -hidden)


class Counting(nn.Module):
    """Divides by how many units its layer says to have."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.body(rows).relu()) / self.body.out_features


def dense(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), *between, nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3))


def convolving() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 8, 3, bias=False),
        nn.LeakyReLU(),
        nn.BatchNorm2d(8),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, 3),
    )


CUT: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (lambda: dense(nn.GELU(), nn.Dropout()), ROWS),
    "norm": (lambda: dense(nn.BatchNorm1d(8), nn.SiLU()), ROWS),
    "convolutions": (convolving, PICTURES),
    "calls": (Calling, PICTURES),
    "branches": (Branching, ROWS),
    "residual": (Residual, ROWS),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 3))), ROWS),
}
KEPT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a sigmoid": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 3)), "makes something of a zero"),
    "a layer norm": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)), "a LayerNorm"),
    "an untraceable": (Asking, "cannot be traced"),
    "a size that counts": (Counting, "does not give the same"),
}


def pruned(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> nn.Module:
    """A model in use whose statistics are not those it began with, with every second unit at zero."""
    torch.manual_seed(0)
    model = build()
    for _ in range(3):
        model(torch.randn(shape) + 1.0)
    named = dict(model.named_parameters())
    with torch.no_grad():
        for layer, others in unit_groups(model).items():
            for name in (layer, *others):
                named[name][::2] = 0.0
    return model.eval()


@pytest.mark.parametrize("kind", CUT)
def test_a_smaller_model_gives_the_same(kind: str) -> None:
    build, shape = CUT[kind]
    model = pruned(build, shape)
    rows = torch.randn(shape)
    wanted, before = model(rows), sum(value.numel() for value in model.parameters())
    layers = {name: len(dict(model.named_parameters())[name]) for name in unit_groups(model)}
    removal = remove_units(model, lambda one: one(rows), asked=0.5)
    torch.testing.assert_close(model(rows), wanted, rtol=1e-5, atol=1e-6)
    after = sum(value.numel() for value in model.parameters())
    assert after < 0.75 * before
    assert f"{before:,} parameters before, {after:,} after" in removal.note
    assert ("stays whole" in removal.note) == (kind in ("residual", "branches"))
    named = dict(model.named_parameters())
    assert {name: len(named[name]) for name in layers} == {name: size // 2 for name, size in layers.items()}
    assert not remove_units(model, lambda one: one(rows), asked=0.5).resized, "there is nothing left to take out"
    model.train()(rows).sum().backward()  # it can be trained on


@pytest.mark.parametrize("kind", KEPT)
def test_what_cannot_be_taken_out_stays_and_says_why(kind: str) -> None:
    build, said = KEPT[kind]
    model = pruned(build, ROWS)
    rows = torch.randn(ROWS)
    wanted, sizes = model(rows), {name: value.shape for name, value in model.state_dict().items()}
    removal = remove_units(model, lambda one: one(rows), asked=0.5)
    assert said in removal.note
    assert not removal.resized
    assert torch.equal(model(rows), wanted)
    assert {name: value.shape for name, value in model.state_dict().items()} == sizes


def test_layers_that_are_used_twice_or_in_groups_stay() -> None:
    twice = nn.Linear(6, 6)
    wiring = wiring_of(nn.Sequential(twice, nn.ReLU(), twice, nn.ReLU(), nn.Linear(6, 3)))
    assert not wiring.chains
    assert "more than once" in wiring.kept["0"]
    grouped = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert [chain.producer for chain in wiring_of(grouped).chains] == []
    places = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Flatten(), nn.Linear(40, 3))
    assert not wiring_of(places).chains, "a dense layer over places has its units side by side at each of them"


def test_a_trace_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 3)).train()
    model[1].eval()
    modes, drawn = [module.training for module in model.modules()], torch.get_rng_state()
    wiring_of(model)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_unit_stays_where_all_are_zero() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    with torch.no_grad():
        model[0].weight.zero_(), model[0].bias.zero_()
    remove_units(model, lambda one: one(torch.ones(ROWS)), asked=0.5)
    assert model[0].out_features == model[2].in_features == 1


def test_metrics_are_those_of_before_the_removal(make_task: Make) -> None:
    factory = TorchFactory(make_task())
    recipe = Recipe(network=STRUCTURED, model={"norm": True, "hidden": 16}).complete(factory.num_rows)
    run = factory.create(recipe, seed=0)
    run.advance(run.horizon, should_stop=never)
    run.keep_best()
    run.recall_best()
    before = {part: run.evaluate(part) for part in ("train", "validation")}
    (note,) = run.finish()
    assert "50 % of the units of 1 layer are zero (asked: 50 %) and were taken out" in note
    assert run.model[0].out_features == 8
    for part, metrics in before.items():
        assert run.evaluate(part) == pytest.approx(metrics, abs=1e-6)


def test_several_processes_take_the_same_out(make_task: Make) -> None:
    class Others:
        size, heard = 2, list[Any]()

        def told(self, message: Any) -> Any:
            self.heard.append(message)
            return message

    factory, others = TorchFactory(make_task()), Others()
    led = LedRun(factory.create(Recipe(network=STRUCTURED).complete(factory.num_rows), seed=0), others)  # type: ignore[arg-type]
    led._run.advance(led.horizon, should_stop=never)
    assert isinstance(led, Finishes)
    assert "were taken out" in led.finish()[0]
    assert others.heard == [("call", "finish", ())], "the others do it too"


def test_a_smaller_model_is_loaded_and_predicts(tmp_path: Path) -> None:
    task = tasks.builtin("wine")
    task.epochs = 4
    whole = sf.fit(task, Recipe(), directory=tmp_path / "whole")
    result = sf.fit(task, Recipe(network=STRUCTURED), directory=tmp_path / "small")
    files = [tmp_path / name / "model.safetensors" for name in ("whole", "small")]
    assert files[1].stat().st_size < 0.6 * files[0].stat().st_size
    loaded = sf.load(tmp_path / "small")
    assert loaded.module[0].out_features == result.model[0].out_features < whole.model[0].out_features
    rows = task.test[0]
    with torch.no_grad():
        assert torch.equal(loaded.module(torch.as_tensor(rows)), result.model(torch.as_tensor(rows)))
    assert result.metrics["test_loss"] == pytest.approx(
        functional.cross_entropy(loaded.module(torch.as_tensor(rows)), torch.as_tensor(task.test[1])).item(), abs=1e-5
    )
    note = next(note for note in result.study.notes if note.startswith("pruning"))
    assert note in json.loads((tmp_path / "small" / "result.json").read_text())["notes"]
    with safe_open(files[0], framework="pt") as whole_file, safe_open(files[1], framework="pt") as small_file:
        assert whole_file.metadata() == {"format": "pt"}
        assert small_file.metadata() == {"resized": '["0", "2", "4"]'}, "more than one would come in any order"
    with pytest.raises(TaskError, match='no layer "4"'):
        load_weights(nn.Sequential(nn.Linear(13, 8), nn.ReLU(), nn.Linear(8, 8)), files[1])


def test_a_small_table_model_predicts_from_the_command_line(call: Call, tmp_path: Path) -> None:
    rows = "".join(f"{row % 13},{['north', 'south'][row % 2]},{50 + 4 * (row % 13)}.5\n" for row in range(80))
    (tmp_path / "houses.csv").write_text("rooms,side,price\n" + rows)
    (tmp_path / "new.csv").write_text("rooms,side\n3,north\n")
    fit = ("fit", "houses.csv", "--target", "price", "--epochs", "4", "--set", "network.sparsity=.75")
    code, out, _ = call(*fit, "--set", "network.pruning=structured", "--out", "small")
    assert code == 0
    assert "were taken out" in " ".join(out.split())
    code, out, _ = call("predict", "small", "new.csv")
    assert code == 0
    assert float(out.split()[-1])
    code, _, err = call(*fit)
    assert code == 2
    assert 'network.sparsity is for network.pruning = "magnitude" or "structured"' in " ".join(err.split())
    assert "Traceback" not in err
