"""Devices, layout, compiled models, pinned memory: what is not there says so, and what is there changes no result."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import surefoot as sf
from surefoot.engine import TorchFactory, checkpoint, hardware
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.rows.loading import open_loader
from surefoot.errors import RecipeError, TaskError, UnsupportedError
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.training import never

Make = Callable[..., Any]
gpu = pytest.mark.gpu
without_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Convolution(nn.Module):
    """A small network for images that remembers how its inputs lay while it trained."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3)
        self.dropout, self.out = nn.Dropout(dropout), nn.Linear(8, 2)
        self.layouts: set[bool] = set()

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and not torch.compiler.is_compiling():
            self.layouts.add(inputs.is_contiguous(memory_format=torch.channels_last))
        found: Tensor = self.out(self.dropout(torch.relu(self.convolution(inputs)).mean((2, 3))))
        return found


def pictures(**changes: Any) -> sf.Task:
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=96)
    inputs = (generator.normal(size=(96, 3, 6, 6)) + labels[:, None, None, None]).astype("f")
    return sf.Task(**{"model": Convolution, "train": (inputs, labels), "epochs": 4, **changes})


def run_of(task: Any = None, **sections: Any) -> TorchRun:
    factory = TorchFactory(task or pictures())
    recipe = sf.Recipe(**{"optimizer": {"name": "sgd", "learning_rate": 0.1}, "batch": {"size": 16}, **sections})
    factory.check(recipe)
    return factory.create(recipe.complete(factory.num_rows), seed=0)


def trained(run: TorchRun) -> TorchRun:
    assert run.advance(run.horizon, should_stop=never).failure == ""
    return run


def assert_close(left: nn.Module, right: nn.Module, *, within: float = 1e-5) -> None:
    assert list(left.state_dict()) == list(right.state_dict())
    for one, other in zip(left.parameters(), right.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=within, atol=within)


def test_auto_is_the_first_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*, cuda: bool, mps: bool) -> str:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        return str(hardware.device_of(sf.Recipe(hardware={"device": "auto"}).hardware))

    assert [found(cuda=True, mps=True), found(cuda=False, mps=True), found(cuda=False, mps=False)] == [
        "cuda",
        "mps",
        "cpu",
    ]
    assert hardware.device_of(sf.Recipe().hardware) is None


def test_the_number_of_a_gpu_is_held_against_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(hardware.device_of(sf.Recipe(hardware={"device": "cuda:1"}).hardware)) == "cuda:1"
    with pytest.raises(RecipeError, match="there is cuda:0, cuda:1: set one of these"):
        hardware.device_of(sf.Recipe(hardware={"device": "cuda:2"}).hardware)


def test_the_model_goes_where_the_recipe_says() -> None:
    class Elsewhere(Convolution):
        moves: list[str] = []  # noqa: RUF012 - of all of them

        def to(self, *given: Any, **named: Any) -> Any:
            self.moves.append(str(given[0]) if given else "layout")
            return super().to(*given, **named)

    trained(run_of(pictures(model=Elsewhere)))
    assert not Elsewhere.moves
    here = trained(run_of(pictures(model=Elsewhere), hardware={"device": "auto" if not _has_gpu() else "cpu"}))
    assert set(Elsewhere.moves) == {"cpu"}
    assert_close(here.model, trained(run_of(hardware={"device": "cpu"})).model, within=0.0)


def _has_gpu() -> bool:
    return torch.accelerator.is_available()


@pytest.mark.skipif(_has_gpu(), reason="this machine has an accelerator")
@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"device": "cuda"},
            'hardware.device is "cuda", which PyTorch does not find here; there is cpu: set one of these, or "auto"',
        ),
        (
            {"device": "mps"},
            'hardware.device is "mps", which PyTorch does not find here; there is cpu: set one of these, or "auto"',
        ),
        (
            {"pin_memory": True},
            "hardware.pin_memory speeds up copies to a GPU, and this model is on cpu: leave it out, "
            'or set hardware.device = "cuda"',
        ),
        (
            {"device": "gpu"},
            'hardware.device is "gpu", which does not exist; did you mean "cuda"? '
            "Allowed: auto, cpu, cuda, cuda:0, mps (any number after cuda:)",
        ),
    ],
)
def test_what_is_not_there_is_one_line(section: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        run_of(hardware=section)
    assert str(caught.value) == message


def test_a_layout_for_images_wants_images(make_task: Make) -> None:
    with pytest.raises(RecipeError, match="this model has none: leave it out"):
        run_of(make_task(), hardware={"channels_last": True})


@pytest.mark.parametrize("key", ["channels_last", "compile"])
def test_what_runs_one_by_one_is_not_stacked(key: str) -> None:
    factory = TorchFactory(pictures())
    recipe = sf.Recipe(hardware={key: True}).complete(factory.num_rows)
    with pytest.raises(UnsupportedError, match=f"hardware.{key}"):
        factory.stack([(recipe, 0), (recipe, 1)])


def test_runs_are_stacked_on_one_device(make_task: Make) -> None:
    factory = TorchFactory(make_task())
    one, other = (sf.Recipe(hardware=section).complete(factory.num_rows) for section in ({"device": "cpu"}, {}))
    assert len(factory.stack([(one, 0), (one, 1)])) == 2
    with pytest.raises(UnsupportedError, match=r"hardware\.device is cpu in one and None in another"):
        factory.stack([(one, 0), (other, 1)])


def test_channels_last_is_a_layout_and_no_other_training(tmp_path: Path) -> None:
    plain, laid = trained(run_of()), trained(run_of(hardware={"channels_last": True}))
    assert plain.model.layouts == {False}  # type: ignore[comparison-overlap]
    assert laid.model.layouts == {True}  # type: ignore[comparison-overlap]
    weight: Any = laid.model.convolution.weight  # type: ignore[union-attr]
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    assert_close(plain.model, laid.model)
    laid.save_weights(tmp_path / "model.safetensors")
    fresh = run_of()
    fresh.load_weights(tmp_path / "model.safetensors")
    assert_close(fresh.model, laid.model, within=0.0)


def test_channels_last_resumes_to_the_bit(tmp_path: Path) -> None:
    section = {"hardware": {"channels_last": True}}
    whole, first = trained(run_of(**section)), run_of(**section)
    first.advance(100, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    resumed = run_of(**section)
    resumed.load_checkpoint(tmp_path)
    assert_close(whole.model, trained(resumed).model, within=0.0)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """``torch.compile`` without its slow last part; how many graphs were traced, as the length of a list."""
    graphs: list[int] = []

    def backend(graph: torch.fx.GraphModule, examples: Any) -> Any:
        graphs.append(len(examples))
        return graph.forward

    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compiled(model, backend=backend))
    torch.compiler.reset()
    return graphs


def test_a_compiled_model_trains_as_it_is(traced: list[int]) -> None:
    plain = trained(run_of())
    assert not traced
    compiled = trained(run_of(hardware={"compile": True}))
    assert len(traced) > 1  # the trial at the door, and the model
    assert type(compiled.model) is Convolution
    assert_close(plain.model, compiled.model)
    before = len(traced)
    assert compiled.evaluate("validation") == pytest.approx(plain.evaluate("validation"), rel=1e-4)
    assert len(traced) == before  # looks run the module itself


@pytest.mark.parametrize("task", ["conv", "dense"])
def test_looks_and_parts_of_a_compiled_model(task: str, traced: list[int], make_task: Make) -> None:
    batch = {"policy": "noise_scale", "size": 16, "look_every": 2, "largest": 32, "micro_batch": 8}
    if task == "dense":
        batch.pop("micro_batch")
    tasks = [make_task(rows=96) if task == "dense" else pictures() for _ in range(2)]
    plain, compiled = (
        run_of(one, batch=batch, hardware={"compile": on}) for one, on in zip(tasks, (False, True), strict=True)
    )
    trained(plain), trained(compiled)
    assert traced
    assert_close(plain.model, compiled.model)
    assert compiled.noise_scale == pytest.approx(plain.noise_scale, rel=1e-3)


def test_a_compiled_step_is_cast_and_scaled(traced: list[int]) -> None:
    sections = {"precision": {"name": "fp16"}}
    plain, compiled = trained(run_of(**sections)), trained(run_of(**sections, hardware={"compile": True}))
    assert traced
    assert_close(plain.model, compiled.model, within=2e-3)


def test_compiled_dropout_follows_the_seed(traced: list[int]) -> None:
    task = pictures(model=lambda: Convolution(dropout=0.4))
    runs = [trained(run_of(task, hardware={"compile": True})) for _ in range(2)]
    assert_close(runs[0].model, runs[1].model, within=0.0)


def test_a_model_that_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: Any, examples: Any) -> Any:
        if any("conv" in str(node.target) for node in graph.graph.nodes):
            raise ValueError("no kernel for this")
        return graph.forward

    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compiled(model, backend=backend))
    torch.compiler.reset()
    run = run_of(hardware={"compile": True})
    with pytest.raises(TaskError, match=r"(?s)^the model cannot be compiled, leave hardware\.compile out: .*no kernel"):
        run.advance(16, should_stop=never)


def test_without_a_compiler_it_says_so() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's compiler uses what PyTorch deprecates
        from torch._inductor import config
    torch.compiler.reset()
    broken = config.patch({"cpp.cxx": (None, "no-such-compiler"), "force_disable_caches": True})
    with (
        broken,
        pytest.raises(RecipeError, match=r"No working C\+\+ compiler.*or leave hardware\.compile out$") as caught,
    ):
        run_of(hardware={"compile": True})
    assert str(caught.value).startswith("hardware.compile needs a C++ compiler that works on cpu: ")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler uses what PyTorch deprecates
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_really_compiled() -> None:
    torch.compiler.reset()
    plain, compiled = trained(run_of()), trained(run_of(hardware={"compile": True}))
    assert_close(plain.model, compiled.model, within=1e-4)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"device": "cpu"}, 'device = torch.device("cpu")'),
        ({"device": "auto"}, 'name = "cuda" if torch.cuda.is_available() else'),
        ({"channels_last": True}, "model = model.to(memory_format=torch.channels_last)"),
    ],
)
def test_the_code_on_the_page_says_where(section: dict[str, Any], expected: str) -> None:
    task = pictures()
    result = sf.fit(task, sf.Recipe(hardware=section))
    code, names = pytorch_code(result.study), dict[str, Any]()
    assert expected in code
    exec(code, names)
    inputs, labels = task.train
    names["train"](Convolution(), torch.as_tensor(inputs), torch.as_tensor(labels))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("name", ["adamw", "nadamw", "schedule_free_sgd"])
def test_a_checkpoint_of_a_gpu_goes_on_where_there_is_none(name: str, tmp_path: Path) -> None:
    sections = {"optimizer": {"name": name}, "hardware": {"device": "auto"}}
    whole, first = trained(run_of(**sections)), run_of(**sections)
    first.advance(100, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    found = checkpoint.read(tmp_path)
    assert found is not None
    found["now"].values.update({f"device.{place}": "cuda:0" for place in found["now"].optimizer})
    found["now"].random.torch_cuda.append(torch.zeros(16, dtype=torch.uint8))
    checkpoint.write(tmp_path, found)
    resumed = run_of(**sections)
    resumed.load_checkpoint(tmp_path)
    assert_close(whole.model, trained(resumed).model, within=0.0)


@gpu
@without_gpu
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_a_gpu_trains_and_a_cpu_loads(precision: str, tmp_path: Path) -> None:
    recipe = sf.Recipe(
        hardware={"device": "cuda", "channels_last": True, "pin_memory": True}, precision={"name": precision}
    )
    first, second = (sf.fit(pictures(), recipe, directory=tmp_path / name) for name in ("one", "two"))
    assert next(first.model.parameters()).device.type == "cuda"
    assert first.metrics == pytest.approx(second.metrics, rel=1e-3)
    loaded = sf.load(tmp_path / "one", model=Convolution)
    assert next(loaded.module.parameters()).device.type == "cpu"
    assert_close(loaded.module, first.model.cpu())


@gpu
@without_gpu
def test_dropout_on_a_gpu_follows_the_seed_and_a_resume(tmp_path: Path) -> None:
    task = pictures(model=lambda: Convolution(dropout=0.4))
    section = {"hardware": {"device": "cuda"}}
    whole, first = trained(run_of(task, **section)), run_of(task, **section)
    first.advance(100, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    torch.cuda.manual_seed(3)
    resumed = run_of(task, **section)
    resumed.load_checkpoint(tmp_path)
    assert_close(whole.model, trained(resumed).model, within=1e-4)  # cuDNN adds up in an order of its own


@gpu
@without_gpu
@pytest.mark.parametrize("there", [["cpu", "cuda"], ["cuda", "cpu"]])
@pytest.mark.parametrize("name", ["adamw", "nadamw"])
def test_a_checkpoint_goes_on_on_another_device(name: str, there: list[str], tmp_path: Path) -> None:
    first, second = (run_of(hardware={"device": device}, optimizer={"name": name}) for device in there)
    first.advance(100, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    second.load_checkpoint(tmp_path)
    assert_close(trained(first).model.cpu(), trained(second).model.cpu(), within=1e-3)


@gpu
@without_gpu
def test_pinned_rows_are_the_same_rows() -> None:
    factory = TorchFactory(pictures())
    found = [
        open_loader(factory.parts["train"], seed=3, plan=lambda _: 0, device="cuda", pin_memory=pinned).batch(0, 40)[0]
        for pinned in (False, True)
    ]
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
