"""Mixed precision: the loop that anybody would write by hand, its loss scale, and all that must not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.forward import widened
from surefoot.engine.loss_scale import LEAST, LossScale, factor_of
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.rows.data import rows_at
from surefoot.errors import RecipeError, TaskError, UnsupportedError
from surefoot.reports.pytorch_code import pytorch_code
from surefoot.training import never

ROWS, RATE = 48, 0.02
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
OVERFLOWING = 3000.0  # of targets: the first gradients times 65,536 are beyond fp16


class Witness(nn.Module):
    """A network that remembers in which type its inner layer answered, while training and while looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 16), nn.Linear(16, 1)
        self.seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.relu(self.inner(inputs))
        self.seen[self.training].add(hidden.dtype)
        found: Tensor = self.outer(hidden)
        return found


def images() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 8, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))


def rows(scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(ROWS, 4)).astype("f")
    return torch.from_numpy(inputs), torch.from_numpy(inputs[:, :1] * scale + 0.1 * scale)


def run_of(
    precision: str, *, scale: float = 1.0, model: Callable[[], nn.Module] = Witness, epochs: float = 6, **sections: Any
) -> TorchRun:
    task = sf.Task(model=model, train=rows(scale), validation=rows(scale), loss=nn.functional.mse_loss, epochs=epochs)
    factory = TorchFactory(task)
    usual: dict[str, Any] = {
        "optimizer": {"name": "sgd", "learning_rate": RATE / max(scale, 1.0)},
        "schedule": {"name": "constant", "warmup": 0},
        "batch": {"size": 12},
    }
    recipe = sf.Recipe(**{**usual, **sections}, precision={"name": precision})
    factory.check(recipe)
    return factory.create(recipe.complete(factory.num_rows), seed=0)


def by_hand(precision: str, model: nn.Module, *, scale: float, rate: float, seed: int, limit: float | None) -> Any:
    """The loop of PyTorch's own recipe for mixed precision; the weights are those of ``model`` afterwards."""
    inputs, targets = rows(scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    for start in range(0, 6 * ROWS, 12):
        chosen = rows_at(start, 12, seed=seed, num_rows=ROWS)
        with torch.autocast("cpu", dtype=DTYPES[precision], enabled=precision != "float32"):
            output = model(inputs[chosen])
        loss = nn.functional.mse_loss(output.float(), targets[chosen])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if limit is not None:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        scaler.step(optimizer)
        scaler.update()
    return scaler


def assert_same_weights(left: nn.Module, right: nn.Module, *, within: float = 0.0) -> None:
    for one, other in zip(left.parameters(), right.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=within, atol=within)


@pytest.mark.parametrize("scale", [1.0, OVERFLOWING])
@pytest.mark.parametrize("limit", [None, 0.5])
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_it_is_the_loop_that_pytorch_recommends(precision: str, limit: float | None, scale: float) -> None:
    rate = RATE / scale
    optimizer = {"name": "sgd", "learning_rate": rate, **({"max_gradient_norm": limit} if limit else {})}
    run = run_of(precision, scale=scale, optimizer=optimizer)
    twin = Witness()
    twin.load_state_dict(run.model.state_dict())
    scaler = by_hand(precision, twin, scale=scale, rate=rate, seed=run.seed, limit=limit)
    assert run.advance(run.horizon, should_stop=never).failure == ""
    assert_same_weights(run.model, twin, within=1e-6)
    factors = [change.after for change in run.changes if change.name == "loss_scale"]
    if precision == "fp16":
        assert [65536.0, *factors][-1] == scaler.get_scale()
    assert len(factors) > 8 or precision != "fp16" or scale == 1.0


@pytest.mark.parametrize("precision", DTYPES)
def test_steps_are_cast_and_looks_are_not(precision: str) -> None:
    run = run_of(precision)
    run.advance(ROWS, should_stop=never)
    run.evaluate("validation")
    assert run.model.seen == {True: {DTYPES[precision]}, False: {torch.float32}}  # type: ignore[comparison-overlap]
    assert {value.dtype for value in run.model.parameters()} == {torch.float32}


def test_mixed_rows_are_cast_as_well() -> None:
    run = run_of("bf16", data={"mixup": 0.4})
    run.advance(ROWS, should_stop=never)
    assert run.model.seen[True] == {torch.bfloat16}  # type: ignore[index]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_step_of_ones_own_is_cast_as_well(precision: str) -> None:
    seen = []

    def step(model: nn.Module, batch: Any) -> Tensor:
        output = model(batch[0])
        seen.append((model.training, output.dtype))
        return (output - batch[1]).square().mean()

    task = sf.Task(model=Witness, train=rows(), validation=rows(), step=step, epochs=2)
    result = sf.fit(task, sf.Recipe(precision={"name": precision}))
    tries = {(True, torch.float32)}  # at the door
    assert set(seen) - tries == {(True, DTYPES[precision]), (False, torch.float32)}
    assert result.metrics["validation_loss"] > 0


@pytest.mark.parametrize(("model", "within"), [(Witness, 0.02), (images, 0.02)])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_noise_is_measured_without_the_scale(precision: str, model: Callable[[], nn.Module], within: float) -> None:
    runs = [run_of(name, scale=0.1, model=model) for name in ("float32", precision)]
    found = [run.look_at(0.0, batch_size=ROWS)[1] for run in runs]
    assert factor_of(runs[1]._descent._scale) == (65536.0 if precision == "fp16" else 1.0)  # parts overflow no sooner
    assert found[0] is not None and found[1] is not None
    assert found[1].noise == pytest.approx(found[0].noise, rel=within)
    assert found[1].signal == pytest.approx(found[0].signal, rel=within)


@pytest.mark.parametrize("model", [Witness, images])
def test_a_look_that_overflows_does_not_spoil_the_noise(model: Callable[[], nn.Module]) -> None:
    batch = {"policy": "noise_scale", "size": 12, "look_every": 1, "largest": 24}
    run = run_of("fp16", scale=OVERFLOWING, model=model, batch=batch, epochs=20)
    done = run.advance(run.horizon, should_stop=never)
    assert done.failure == ""
    assert run.changes[0].name == "loss_scale"
    assert run.noise_scale is not None and 0 < run.noise_scale < 1e4


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_parts_of_a_batch_add_up(precision: str) -> None:
    batch = {"size": 24, "micro_batch": 5}
    whole, cut = (run_of(precision, scale=0.1, batch=given) for given in ({"size": 24}, batch))
    for run in (whole, cut):
        run.advance(run.horizon, should_stop=never)
    assert_same_weights(whole.model, cut.model, within=5e-3)


def test_penalties_are_scaled_with_the_loss() -> None:
    section = {"regularization": {"l2": 0.5, "l1": 0.01}}
    runs = [
        run_of(name, scale=0.1, batch=batch, **section) for name in ("float32", "fp16") for batch in ({"size": 24}, CUT)
    ]
    for run in runs:
        run.advance(run.horizon, should_stop=never)
    for run in runs[1:]:
        assert_same_weights(runs[0].model, run.model, within=5e-3)


CUT = {"size": 24, "micro_batch": 12}


@pytest.mark.parametrize("name", ["sgd", "adamw", "schedule_free_adamw", "prodigy"])
def test_a_resume_keeps_the_scale_to_the_bit(name: str, tmp_path: Path) -> None:
    sections = {"optimizer": {"name": name}, "scale": OVERFLOWING}
    whole, first = run_of("fp16", **sections), run_of("fp16", **sections)
    first.advance(ROWS, should_stop=never)
    assert factor_of(first._descent._scale) < 65536.0
    first.save_checkpoint(tmp_path, {})
    resumed = run_of("fp16", **sections)
    resumed.load_checkpoint(tmp_path)
    assert factor_of(resumed._descent._scale) == factor_of(first._descent._scale)
    for run in (whole, resumed):
        run.advance(run.horizon, should_stop=never)
    assert_same_weights(whole.model, resumed.model)


def test_a_probe_leaves_the_scale_as_it_was() -> None:
    run = run_of("fp16", scale=OVERFLOWING)
    with run.restored():
        run.step_at(1e-9, batch_size=12)
        assert factor_of(run._descent._scale) < 65536.0
    assert factor_of(run._descent._scale) == 65536.0


@pytest.mark.parametrize("at", ["forward", "optimizer"])
def test_a_step_that_runs_out_of_memory_is_repeated(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calm, run = run_of("fp16", scale=0.1), run_of("fp16", scale=0.1)
    calm.advance(calm.horizon, should_stop=never)
    owner, name = {"forward": (Witness, "forward"), "optimizer": (torch.optim.SGD, "step")}[at]
    original, calls = getattr(owner, name), iter(range(1000))

    def failing(*given: Any) -> Any:
        if next(calls) in {0, 9}:
            raise torch.OutOfMemoryError("injected")
        return original(*given)

    monkeypatch.setattr(owner, name, failing)
    assert run.advance(run.horizon, should_stop=never).failure == ""
    assert_same_weights(calm.model, run.model, within=5e-3)


def test_a_step_that_was_given_up_leaves_the_scale_usable() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer, scale = torch.optim.SGD([weight], lr=0.5), LossScale(torch.device("cpu"))
    for _ in range(2):  # the first is given up: the optimizer did not fit in memory
        weight.grad = None
        scale.scaled(weight.sum()).backward()
        scale.unscale(optimizer)
    scale.step(optimizer)
    assert not scale.update()
    assert weight.tolist() == [0.5, 0.5]
    weight.grad = None
    scale.unscale(optimizer)  # nothing has a gradient
    scale.step(optimizer)
    assert not scale.update()


class Hopeless(nn.Module):
    """Its loss is finite, its gradient never is: the root of an exact zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.layer(inputs) + (self.layer.bias * 0.0).sqrt()
        return found


def test_gradients_that_no_scale_mends_end_the_run() -> None:
    run = run_of("fp16", model=Hopeless, epochs=10)
    done = run.advance(run.horizon, should_stop=never)
    assert (done.failure, done.steps) == ("diverged", 1 + int(np.log2(65536.0 / LEAST)))
    assert "not finite in fp16, even with a loss multiplied by 0.000977" in done.reason
    assert all(bool(torch.isfinite(value).all()) for value in run.model.parameters())


def test_an_output_beyond_fp16_names_the_way_out() -> None:
    run = run_of("fp16", scale=OVERFLOWING, optimizer={"name": "sgd", "learning_rate": 50.0})
    done = run.advance(run.horizon, should_stop=never)
    assert done.failure == "diverged"
    assert "the loss " in done.reason


def test_weights_that_are_not_float32_are_refused() -> None:
    with pytest.raises(TaskError, match=r'"bf16" casts from float32 weights, and this model has weights in float64'):
        run_of("bf16", model=lambda: Witness().double())


def test_a_precision_that_the_device_lacks_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    autocast = torch.autocast

    def older(kind: str, *, dtype: torch.dtype) -> Any:
        return autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)

    monkeypatch.setattr(torch, "autocast", older)
    with pytest.raises(RecipeError) as caught:
        run_of("fp16")
    assert str(caught.value) == (
        'precision.name is "fp16", which PyTorch cannot compute with on cpu; what works there: float32, bf16'
    )


class NoHalf(Witness):
    """A layer that PyTorch does not have in half precision, as recurrent ones on a CPU."""

    def forward(self, inputs: Tensor) -> Tensor:
        found = super().forward(inputs)
        if found.dtype == torch.float16:
            raise RuntimeError("could not create a primitive")
        return found


def test_a_layer_that_lacks_the_precision_is_one_line() -> None:
    with pytest.raises(TaskError, match=r"a training step in fp16 \(precision\.name; .*could not create a primitive"):
        run_of("fp16", model=NoHalf)


def test_every_candidate_is_held_against_the_device() -> None:
    factory = TorchFactory(sf.Task(model=lambda: Witness().double(), train=rows(), validation=rows(), loss="huber"))
    with pytest.raises(TaskError, match="casts from float32 weights"):
        factory.create(sf.Recipe(precision={"name": "bf16"}).complete(ROWS), seed=0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("float16", 'precision.name is "float16": write "fp16"; allowed: bf16, float32, fp16'),
        ("bf61", 'precision.name is "bf61", which does not exist; did you mean "bf16"? Allowed: bf16, float32, fp16'),
    ],
)
def test_a_precision_that_does_not_exist_is_one_line(value: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        sf.Recipe(precision={"name": value})
    assert str(caught.value) == message


def test_runs_are_not_stacked(make_task: Callable[..., Any]) -> None:
    factory = TorchFactory(make_task())
    recipe = sf.Recipe(precision={"name": "bf16"}).complete(factory.num_rows)
    with pytest.raises(UnsupportedError, match=r'precision\.name "bf16"'):
        factory.stack([(recipe, 0), (recipe, 1)])


def test_the_search_may_choose(make_task: Callable[..., Any]) -> None:
    space = {"precision.name": sf.space.choice("float32", "bf16", "fp16")}
    result = sf.tune(make_task(rows=200), budget=1.0, seed=0, space=space)
    tried = {run.recipe["precision"]["name"] for run in result.study.runs}
    assert len(tried) > 1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("clip", [{}, {"max_gradient_norm": 1.0}])
def test_the_code_on_the_page_casts_too(precision: str, clip: dict[str, float]) -> None:
    recipe = sf.Recipe(optimizer={"name": "sgd", **clip}, batch={"policy": "full"}, precision={"name": precision})
    task = sf.Task(model=Witness, train=rows(), validation=rows(), loss="mean_squared_error", epochs=6)
    result = sf.fit(task, recipe)
    names: dict[str, Any] = {}
    exec(pytorch_code(result.study), names)
    torch.manual_seed(0)
    fresh = TorchFactory(task).create(recipe.complete(ROWS), seed=result.study.runs[0].seed)
    model = fresh.model
    model.seen[True].clear()  # type: ignore[operator, union-attr]
    names["train"](model, rows()[0], rows()[1][:, 0])
    assert model.seen[True] == {DTYPES[precision]}  # type: ignore[index]
    assert_same_weights(model, result.model, within=2e-2)


def test_widening_goes_into_whatever_a_model_gives() -> None:
    half = torch.ones(1, dtype=torch.bfloat16)
    found = widened({"a": [half, (half, 3)], "b": torch.ones(1, dtype=torch.int64)})
    assert [value.dtype for value in _tensors(found)] == [torch.float32, torch.float32, torch.int64]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _tensors(item)
