"""The top of the Hessian's spectrum, the rate it forbids, and a run that does not notice having been measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn, optim

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.engine.measuring import curvature
from surefoot.engine.measuring.lanczos import largest_eigenvalue
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import RequestError
from surefoot.probes import divides_by_moments, sharpness, stability_limit
from surefoot.protocols import Curved
from surefoot.recipe import Optimizer
from surefoot.records import Sharpness
from surefoot.training import never

ROWS = 40
SGD = {"name": "sgd", "momentum": 0.0, "nesterov": False, "learning_rate": 0.01}


class Recurrent(nn.Module):
    """The class of a sequence of four numbers."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = kind(1, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.head(self.layer(inputs.unsqueeze(-1))[0][:, -1])
        return found


class Attention(nn.Module):
    """A transformer layer over four numbers as a sequence of four."""

    def __init__(self) -> None:
        super().__init__()
        self.inwards = nn.Linear(1, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 4, dropout=0.0, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.head(self.layer(self.inwards(inputs.unsqueeze(-1))).mean(1))
        return found


class OnceOnly(torch.autograd.Function):
    """The identity, whose gradient has none."""

    @staticmethod
    def forward(context: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


class Flat(nn.Module):
    """A line whose gradient cannot be differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = OnceOnly.apply(self.line(inputs))
        return found


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 3))


def embedding() -> nn.Module:
    return nn.Sequential(nn.Embedding(7, 2), nn.Flatten(), nn.Linear(8, 3))


def weighted_step(model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    """A mean over weights, which asks for a number on its way."""
    inputs, target = batch
    weights = 1.0 + target
    each = nn.functional.cross_entropy(model(inputs), target, reduction="none")
    assert each.mean().item() > 0
    return (each * weights).sum() / weights.sum(), weights.sum()


MODELS: dict[str, Callable[[], nn.Module]] = {
    "dense": dense,
    "normed": normed,
    "embedding": embedding,
    "gru": partial(Recurrent, nn.GRU),
    "lstm": partial(Recurrent, nn.LSTM),
    "attention": Attention,
}


def started(
    model: Callable[[], nn.Module] = dense,
    *,
    optimizer: dict[str, Any] = SGD,
    trained: int = 0,
    sections: dict[str, Any] | None = None,
    **changes: Any,
) -> TorchRun:
    """A run over forty rows in double precision, after so many samples."""
    generator = np.random.default_rng(0)
    inputs = torch.from_numpy(generator.normal(size=(ROWS, 4)))
    if model is embedding:
        inputs = torch.from_numpy(generator.integers(7, size=(ROWS, 4)))
    labels = torch.from_numpy(generator.integers(3, size=ROWS))
    arguments = {"train": (inputs, labels), "validation": (inputs, labels), "epochs": 400.0, **changes}
    factory = TorchFactory(sf.Task(model=lambda: model().double(), **arguments))
    recipe = sf.Recipe(optimizer=optimizer, batch={"size": 10}, schedule={"name": "constant"}, **(sections or {}))
    run = factory.create(recipe.complete(factory.num_rows), seed=3)
    if trained:
        run.advance(trained, should_stop=never)
    assert isinstance(run, TorchRun)
    return run


def measured(run: TorchRun, *, batch_size: int = ROWS, max_samples: int = 10**6, **changes: Any) -> Sharpness:
    return sharpness(run, optimizer=run.recipe.optimizer, batch_size=batch_size, max_samples=max_samples, **changes)


def exact_hessian(run: TorchRun, loss: Callable[[nn.Module, Any], Any] | None = None) -> Tensor:
    """The Hessian over all rows from autograd's own, with parameters in the model's order."""
    names, parameters = zip(*run.model.named_parameters(), strict=True)
    shapes = [parameter.shape for parameter in parameters]
    batch = run.problem.train

    def total(vector: Tensor) -> Tensor:
        pieces = vector.split([shape.numel() for shape in shapes])
        values = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}
        call = partial(torch.func.functional_call, run.model, values)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            found: Any = nn.functional.cross_entropy(call(batch[0]), batch[1]) if loss is None else loss(call, batch)
        value: Tensor = found[0] if isinstance(found, tuple) else found
        return value

    run.model.train()
    with run.restored():
        found: Tensor = torch.autograd.functional.hessian(total, torch.cat([p.detach().flatten() for p in parameters]))
    return found


@pytest.fixture
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches that go on until rounding stops them."""
    monkeypatch.setattr(curvature, "TOLERANCE", 1e-5)


def top_of(hessian: Tensor) -> float:
    return float(torch.linalg.eigvalsh(hessian)[-1])


@pytest.mark.usefixtures("to_the_end")
@pytest.mark.parametrize("model", MODELS)
def test_the_value_is_the_exact_one(model: str) -> None:
    run = started(MODELS[model], trained=200)
    expected = top_of(exact_hessian(run))
    found = measured(run)
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.limit == pytest.approx(2.0 / expected, rel=1e-4)
    assert (found.rows, found.samples) == (ROWS, (2 * found.products + 1) * ROWS)


def test_the_search_ends_where_the_value_is_good_enough() -> None:
    run = started(trained=200)
    found, expected = measured(run), top_of(exact_hessian(run))
    assert found.value is not None and 0.97 * expected <= found.value <= expected * (1.0 + 1e-9)
    assert found.products <= 15


@pytest.mark.usefixtures("to_the_end")
def test_a_step_of_ones_own() -> None:
    run = started(step=weighted_step, loss=None, trained=200)
    assert measured(run).value == pytest.approx(top_of(exact_hessian(run, weighted_step)), rel=1e-4)


@pytest.mark.usefixtures("to_the_end")
def test_a_negative_eigenvalue_of_the_largest_magnitude() -> None:
    def saddle(output: Tensor, target: Tensor) -> Tensor:
        return 0.5 * output[:, 0].square().mean() - 5.0 * output[:, 1].square().mean()

    run = started(lambda: nn.Linear(4, 2, bias=False), loss=saddle)
    inputs = run.problem.train[0]
    top = top_of(inputs.T @ inputs / ROWS)
    assert measured(run).value == pytest.approx(top, rel=1e-4)


@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_what_does_not_curve_upwards_sets_no_limit(sign: float) -> None:
    def bent(output: Tensor, target: Tensor) -> Tensor:
        return sign * output.square().mean() + output.mean()

    found = measured(started(lambda: nn.Linear(4, 1), loss=bent))
    assert found.limit is None and found.value is not None and found.value <= 1e-12
    assert "flat or curves downwards" in found.reason


@pytest.mark.parametrize("model", [normed, dropping])
def test_the_run_does_not_notice(model: Callable[[], nn.Module]) -> None:
    """Weights, batch statistics and random streams are as before to the bit, and measuring again gives the same."""
    run, alone = (started(model, optimizer={"name": "adamw", "learning_rate": 0.01}, trained=200) for _ in range(2))
    first = measured(run, batch_size=12)
    assert first.value is not None
    again = measured(run, batch_size=12)
    assert (again.value, again.products) == (first.value, first.products)
    for side in (run, alone):
        side.advance(200, should_stop=never)
    for left, right in zip(run.model.state_dict().values(), alone.model.state_dict().values(), strict=True):
        assert torch.equal(left, right)


def test_batch_statistics_do_not_move() -> None:
    run = started(normed, trained=200)
    before = [buffer.clone() for buffer in run.model.buffers()]
    assert before and run.top_eigenvalue(batch_size=12, max_products=5, preconditioned=False) is not None
    assert all(map(torch.equal, before, run.model.buffers()))


def test_dropout_is_one_mask() -> None:
    """With a mask for each product the matrix would be another one each time, and no vector would settle."""
    run = started(dropping, trained=200)
    with run.restored():
        found = run.top_eigenvalue(batch_size=ROWS, max_products=200, preconditioned=False)
    assert found is not None and found.products < 40
    assert found.residual <= curvature.TOLERANCE * found.value


@pytest.mark.usefixtures("to_the_end")
@pytest.mark.parametrize("name", ["adamw", "schedule_free_adamw"])
def test_the_preconditioned_value_is_the_exact_one(name: str) -> None:
    run = started(optimizer={"name": name, "learning_rate": 0.01}, trained=400)
    hessian, steps = exact_hessian(run), 40
    squares = [run._optimizer.state[parameter]["exp_avg_sq"].flatten() for parameter in run.model.parameters()]
    scale = (torch.cat(squares) / (1.0 - 0.999**steps)).sqrt().add(1e-8).rsqrt()
    expected = top_of(scale[:, None] * hessian * scale)
    found = measured(run)
    assert found.is_preconditioned and found.value == pytest.approx(expected, rel=1e-4)
    assert found.limit == (pytest.approx(38.0 / expected, rel=1e-4) if name == "adamw" else None)


def test_moments_that_are_not_there_yet() -> None:
    found = measured(started(optimizer={"name": "adamw", "learning_rate": 0.01}))
    assert (found.value, found.limit, found.samples) == (None, None, 0)
    assert "no second moments yet" in found.reason


@pytest.mark.usefixtures("to_the_end")
def test_rates_of_their_own() -> None:
    """A layer at four times the rate is as if its curvature were four times as large."""
    rule = {"parameters": ["0.*"], "learning_rate_multiplier": 4.0}
    run = started(trained=200, sections={"regularization": {"groups": [rule]}})
    named = list(run.model.named_parameters())
    scale = torch.cat([torch.full((p.numel(),), 2.0 if name[0] == "0" else 1.0) for name, p in named])
    expected = top_of(scale[:, None] * exact_hessian(run) * scale)
    assert measured(run).value == pytest.approx(expected, rel=1e-4)


def test_the_price_is_kept() -> None:
    run = started(trained=200)
    found = measured(run, batch_size=20, max_samples=145)
    assert (found.products, found.rows, found.samples) == (3, 20, 140)
    none = measured(run, batch_size=20, max_samples=59)
    assert (none.value, none.products, none.samples) == (None, 0, 0)
    assert "costs 60 samples" in none.reason


def test_one_product_does_not_settle_it() -> None:
    found = measured(started(trained=200), max_samples=3 * ROWS)
    assert found.products == 1 and found.limit is None and "not settled" in found.reason


def test_a_loss_that_is_not_finite() -> None:
    found = measured(started(loss=lambda output, target: output.square().mean() * math.inf))
    assert (found.value, found.limit, found.samples) == (None, None, 3 * ROWS)
    assert "not finite" in found.reason


def test_a_gradient_without_one_of_its_own() -> None:
    found = measured(started(Flat))
    assert found.value is None and "cannot be differentiated twice" in found.reason
    assert "\n" not in found.reason


def test_a_batch_that_does_not_fit_gives_way_to_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(model: Callable[[Tensor], Tensor], batch: Any) -> Tensor:
        if len(batch[0]) > 11:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    found = measured(started(step=narrow, loss=None))
    assert found.value is not None and (found.rows, found.samples) == (10, 10 * (2 * found.products + 1))


def test_what_cannot_multiply_says_so() -> None:
    class Plain:
        pass

    assert isinstance(started(), Curved)
    with pytest.raises(RequestError, match="sharpness is not supported by Plain"):
        sharpness(Plain(), optimizer=Optimizer(**SGD), batch_size=4, max_samples=100)  # type: ignore[arg-type]


def test_stopping_before_it_begins() -> None:
    assert measured(started(), should_stop=lambda: True).reason == "stopped before it began"


@pytest.mark.usefixtures("to_the_end")
@pytest.mark.parametrize("factor", [0.97, 1.03])
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_training_a_linear_regression_around_its_limit(factor: float, l2: float) -> None:
    """The Hessian of a squared error is XᵀX/n twice over, and gradient descent diverges above 2/(λ + λ₂)."""
    generator = np.random.default_rng(5)
    inputs = torch.from_numpy(generator.normal(size=(ROWS, 4)))
    targets = (inputs @ torch.tensor([1.0, -2.0, 3.0, 0.5]).double()).unsqueeze(1)
    data = {"train": (inputs, targets), "validation": (inputs, targets), "loss": "mean_squared_error"}
    sections = {"regularization": {"l2": l2}, "batch": {"size": ROWS}}
    constant = {"name": "constant", "warmup": 0.0}

    def fresh(rate: float) -> TorchRun:
        task = sf.Task(model=lambda: nn.Linear(4, 1, bias=False).double(), epochs=200.0, **data)
        factory = TorchFactory(task)
        recipe = sf.Recipe(optimizer={**SGD, "learning_rate": rate}, schedule=constant, **sections)
        run = factory.create(recipe.complete(ROWS), seed=0)
        assert isinstance(run, TorchRun)
        return run

    value = top_of(2.0 * inputs.T @ inputs / ROWS)
    found = measured(fresh(0.01), l2=l2)
    assert found.value == pytest.approx(value, rel=1e-6)
    assert found.limit == pytest.approx(2.0 / (value + l2), rel=1e-6)
    assert found.limit is not None
    run = fresh(factor * found.limit)
    before = run.evaluate("train")["loss"]
    run.advance(run.horizon, should_stop=never)
    after = run.evaluate("train")["loss"]
    assert after > 100.0 * before if factor > 1.0 else after < before


OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": lambda weights, settings, rate: optim.SGD(
        weights,
        rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay,
    ),
    "adam": lambda weights, settings, rate: optim.Adam(weights, rate, (settings.beta1, 1.0 - 1e-12), eps=1e-12),
    "adamw": lambda weights, settings, rate: optim.AdamW(
        weights, rate, (settings.beta1, 1.0 - 1e-12), eps=1e-12, weight_decay=settings.weight_decay
    ),
    "rmsprop": lambda weights, settings, rate: optim.RMSprop(
        weights, rate, alpha=1.0 - 1e-12, eps=1e-12, momentum=settings.momentum
    ),
    "adagrad": lambda weights, settings, rate: optim.Adagrad(weights, rate, eps=1e-12),
}


def diverges(settings: Optimizer, rate: float, eigenvalue: float) -> bool:
    """Whether PyTorch's optimizer, its second moments so large that they stand still, grows on a quadratic.

    ``eigenvalue`` is the quadratic's own, or after the division where the optimizer divides.
    """
    divisor = 1e6 if divides_by_moments(settings.name) else 1.0
    begin = 1e-9
    weight = nn.Parameter(torch.tensor([begin], dtype=torch.float64))
    optimizer = OPTIMIZERS[settings.name]([weight], settings, rate)
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    state = optimizer.state[weight]
    for name in {"exp_avg_sq", "square_avg", "sum"} & state.keys():
        state[name].fill_(divisor**2)
    if "exp_avg_sq" in state:
        state["step"].fill_(1e14)  # the bias is corrected
    sizes = []
    for _ in range(4000):
        weight.grad = eigenvalue * divisor * weight.detach()
        optimizer.step()
        sizes.append(abs(weight.item()))
        if sizes[-1] > 1e3 * begin:
            return True
    return max(sizes[-200:]) > max(sizes[:200])


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "sgd", "momentum": 0.0},
        {"name": "sgd", "momentum": 0.9, "nesterov": False},
        {"name": "sgd", "momentum": 0.5, "nesterov": True},
        {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.7},
        {"name": "adam", "beta1": 0.9},
        {"name": "adam", "beta1": 0.0},
        {"name": "adamw", "beta1": 0.8, "weight_decay": 0.2},
        {"name": "rmsprop", "momentum": 0.0},
        {"name": "rmsprop", "momentum": 0.7},
        {"name": "adagrad"},
    ],
    ids=str,
)
def test_the_limit_is_where_pytorchs_optimizer_diverges(settings: dict[str, Any]) -> None:
    optimizer = Optimizer(**settings).complete()
    limit = stability_limit(optimizer, 3.0).rate
    assert limit is not None
    assert not diverges(optimizer, 0.99 * limit, 3.0)
    assert diverges(optimizer, 1.01 * limit, 3.0)


@pytest.mark.parametrize("name", ["nadamw", "prodigy", "schedule_free_sgd", "schedule_free_adamw"])
def test_optimizers_without_a_limit_say_why(name: str) -> None:
    limit = stability_limit(Optimizer(name=name).complete(), 2.0)
    assert limit.rate is None and name in limit.reason


def test_decay_that_is_divided_is_left_out_and_said() -> None:
    with_decay = stability_limit(Optimizer(name="adam", weight_decay=0.1).complete(), 2.0)
    assert with_decay.rate == stability_limit(Optimizer(name="adam").complete(), 2.0).rate
    assert "without the decay" in with_decay.reason


@given(
    values=st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=12),
    seed=st.integers(0, 10**6),
)
def test_lanczos_finds_the_top_of_any_spectrum(values: list[float], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    size = len(values)
    drawn = torch.randn(size, size, dtype=torch.float64, generator=generator)
    vectors = torch.linalg.qr(drawn).Q
    matrix = vectors * torch.tensor(values, dtype=torch.float64) @ vectors.T
    start = torch.randn(size, dtype=torch.float64, generator=generator)
    found = largest_eigenvalue(matrix.mv, start, max_products=size, tolerance=0.0)
    scale = max(map(abs, values))
    assert found.value == pytest.approx(max(values), abs=1e-6 * scale + 1e-12)
    cut = largest_eigenvalue(matrix.mv, start, max_products=max(1, size // 2), tolerance=0.0)
    assert cut.products <= max(1, size // 2)
    assert cut.value <= max(values) + 1e-9 * scale
    assert min(abs(value - cut.value) for value in values) <= cut.residual + 1e-6 * scale + 1e-12
