"""A step in parts is the step: micro-batches, dropout, looks at the noise, running out of memory."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import surefoot as sf
from surefoot.batching import NoiseSample, from_examples, from_micro_gradients
from surefoot.engine import TorchFactory, descent
from surefoot.engine.dropout import MaskStream
from surefoot.engine.noise import PartNorms, RowNorms
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.slicing import part_of, part_sizes
from surefoot.errors import TaskError
from surefoot.steering import LOOK_OFTEN
from surefoot.training import never

Make = Callable[..., Any]
ROWS, STEPS, TOLERANCE = 60, 100, 1e-6


class Attention(nn.Module):
    """A transformer layer over four numbers as a sequence of four."""

    def __init__(self) -> None:
        super().__init__()
        self.inwards = nn.Linear(1, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
        self.outwards = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.outwards(self.layer(self.inwards(inputs.unsqueeze(-1))).mean(1))
        return found


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def convolution() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4)),
        nn.Conv1d(1, 6, 2),
        nn.Dropout1d(0.3),
        nn.Flatten(),
        nn.AlphaDropout(0.1),
        nn.Linear(18, 3),
    )


MODELS = {"dense": dense, "convolution": convolution, "attention": Attention}


def token_weighted(model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    """A loss that is a mean over as many tokens as the rows happen to have."""
    inputs, target = batch
    tokens = 1.0 + (inputs[:, 0] > 0).double() * 3.0
    each = nn.functional.cross_entropy(model(inputs), target, reduction="none")
    return (each * tokens).sum() / tokens.sum(), tokens.sum()


def trained(
    model: Callable[[], nn.Module],
    *,
    changes: dict[str, Any] | None = None,
    sections: dict[str, Any] | None = None,
    **batch: Any,
) -> Any:
    """The weights after a hundred steps in double precision, and the run."""
    generator = np.random.default_rng(0)
    inputs = torch.from_numpy(generator.normal(size=(ROWS, 4)))
    labels = torch.from_numpy(generator.integers(3, size=ROWS))
    task = sf.Task(
        model=lambda: model().double(),
        train=(inputs, labels),
        validation=(inputs[:9], labels[:9]),
        epochs=STEPS * 23 / ROWS,
        **(changes or {}),
    )
    factory = TorchFactory(task)
    given = sections or {}
    optimizer = {"learning_rate": 1e-2, "weight_decay": 1e-2, **given.get("optimizer", {})}
    others = {"regularization": {"l2": 1e-3}, **given, "optimizer": optimizer, "batch": {"size": 23, **batch}}
    recipe = sf.Recipe(**others)
    run = factory.create(recipe.complete(factory.num_rows), seed=1)
    run.advance(run.horizon, should_stop=never)
    return {name: value.clone() for name, value in run.model.state_dict().items()}, run


def assert_close(left: dict[str, Tensor], right: dict[str, Tensor], tolerance: float = TOLERANCE) -> None:
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("micro_batch", [1, 7, 22])
def test_micro_batches_leave_the_trajectory_as_it_was(model: str, micro_batch: int) -> None:
    whole, _ = trained(MODELS[model])
    parts, _ = trained(MODELS[model], micro_batch=micro_batch)
    assert_close(whole, parts)


def test_micro_batches_of_a_token_weighted_loss() -> None:
    changes = {"step": token_weighted}
    whole, _ = trained(dense, changes=changes)
    assert_close(whole, trained(dense, changes=changes, micro_batch=5)[0])


@pytest.mark.parametrize(
    "loss", [nn.CrossEntropyLoss(reduction="sum"), nn.CrossEntropyLoss(torch.tensor([1.0, 2, 5]).double())]
)
def test_micro_batches_of_a_loss_of_ones_own(loss: nn.Module) -> None:
    if loss.reduction == "mean":
        changes: dict[str, Any] = {
            "step": lambda model, batch: (loss(model(batch[0]), batch[1]), loss.weight[batch[1]].sum())
        }
    else:
        changes = {"loss": loss}
    whole, run = trained(dense, changes=changes)
    parts, other = trained(dense, changes=changes, micro_batch=5)
    assert_close(whole, parts)
    assert run._first_loss == pytest.approx(other._first_loss)


@pytest.mark.parametrize("recipe", ["clipped", "proximal", "weighted classes"])
def test_micro_batches_under_clipping_shrinking_and_class_weights(recipe: str) -> None:
    sections: dict[str, Any] = {
        "clipped": {"optimizer": {"max_gradient_norm": 0.1}},
        "proximal": {"regularization": {"l1": 0.01, "l1_method": "proximal"}},
        "weighted classes": {"loss": {"class_weights": [1.0, 3.0, 9.0], "label_smoothing": 0.1}},
    }[recipe]
    whole, _ = trained(dense, sections=sections)
    assert_close(whole, trained(dense, sections=sections, micro_batch=5)[0])
    assert any(not torch.allclose(value, trained(dense)[0][name]) for name, value in whole.items())


def test_looks_at_the_noise_leave_the_trajectory_as_it_was() -> None:
    still = {"smallest": 23, "largest": 23, "policy": "noise_scale"}
    whole, _ = trained(Attention)
    looked, run = trained(Attention, look_every=1, **still)
    assert run._steering._seen.noise.looks == run._steps
    assert_close(whole, looked)
    assert_close(trained(dense)[0], trained(dense, look_every=1, **still)[0])


class Failing:
    """Raises an out-of-memory error at chosen calls of a function."""

    def __init__(self, function: Callable[..., Any], at: set[int]) -> None:
        self.function, self.at, self.calls = function, at, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls in self.at:
            raise torch.OutOfMemoryError("injected")
        return self.function(*arguments, **named)


@pytest.fixture(params=["forward", "backward", "optimizer"])
def injected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    places: dict[str, tuple[Any, str]] = {
        "forward": (nn.Linear, "forward"),
        "backward": (Tensor, "backward"),
        "optimizer": (torch.optim.AdamW, "step"),
    }
    owner, name = places[request.param]
    failing = Failing(getattr(owner, name), {1, 40, 90})
    monkeypatch.setattr(owner, name, lambda *given, **named: failing(*given, **named))
    yield request.param
    assert failing.calls > 90


@pytest.mark.parametrize("model", ["dense", "attention"])
def test_running_out_of_memory_changes_nothing(model: str, injected: str) -> None:
    interrupted, run = trained(MODELS[model])
    names = [change.name for change in run.changes]
    assert names == ([] if injected == "optimizer" else ["micro_batch"] * len(names))
    assert injected == "optimizer" or "do not fit in memory" in run.changes[0].reason
    assert_close(WHOLE[model], interrupted)


# before anything is injected
WHOLE = {name: trained(model)[0] for name, model in MODELS.items() if name != "convolution"}


def test_memory_that_ends_in_the_middle_of_an_optimizer_step_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(optimizer: Any) -> None:
        with torch.no_grad():
            optimizer.param_groups[0]["params"][0].add_(1.0)
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(torch.optim.AdamW, "step", half)
    generator = np.random.default_rng(0)
    task = sf.Task(model=dense, train=(generator.normal(size=(20, 4)).astype("f"), generator.integers(3, size=20)))
    factory = TorchFactory(task)
    run = factory.create(sf.Recipe().complete(factory.num_rows), seed=0)
    done = run.advance(20, should_stop=never)
    assert (done.failure, done.reason) == ("out_of_memory", "the optimizer ran out of memory in the middle of its step")


def test_what_batch_normalisation_sees_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(nn.Linear.forward, {3})
    monkeypatch.setattr(nn.Linear, "forward", lambda *given: failing(*given))
    _, run = trained(lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)))
    assert [(change.name, change.after) for change in run.changes] == [("micro_batch", 12)]
    assert "batch normalisation" in run.changes[0].reason


def test_an_evaluation_that_runs_out_of_memory_gives_the_same_numbers(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = TorchFactory(make_task())
    run = factory.create(sf.Recipe().complete(factory.num_rows), seed=0)
    calm = run.evaluate("validation")
    failing = Failing(nn.Linear.forward, {1})
    monkeypatch.setattr(nn.Linear, "forward", lambda *given: failing(*given))
    assert run.evaluate("validation") == pytest.approx(calm, rel=1e-6)
    assert failing.calls > 2


CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("shape", [(6, 5, 3, 2), (12, 5, 3, 2)])
def test_masks_of_parts_are_those_of_the_whole(name: str, shape: tuple[int, ...]) -> None:
    function, values = getattr(nn.functional, name), torch.randn(shape)
    each = shape[0] // 6
    torch.manual_seed(3)
    whole = function(values, 0.4, True)
    following = torch.rand(1)
    torch.manual_seed(3)
    masks, parts = MaskStream(6, CPU), []
    for start, stop in ((0, 4), (4, 6)):
        with masks.part(start, stop):
            parts.append(getattr(nn.functional, name)(values[start * each : stop * each], 0.4, True))
    masks.finish()
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-6, atol=1e-6)
    assert torch.rand(1) == following, "the stream goes on where the whole batch would have left it"
    assert getattr(nn.functional, name) is function


def test_a_sequence_before_its_rows_keeps_its_masks() -> None:
    values = torch.ones(5, 6, 3)
    torch.manual_seed(0)
    whole = nn.functional.dropout(values, 0.5)
    torch.manual_seed(0)
    with MaskStream(6, CPU).part(2, 6):
        part = nn.functional.dropout(values[:, 2:6], 0.5)
    assert torch.equal(part, whole[:, 2:6])


def test_other_draws_differ_from_part_to_part() -> None:
    masks = MaskStream(4, CPU)
    drawn = []
    for start in (0, 2):
        with masks.part(start, start + 2):
            nn.functional.dropout(torch.ones(2, 3), 0.5)
            drawn.append(torch.rand(2))
    masks.finish()
    assert not torch.equal(*drawn)


def test_threads_that_cross_leave_the_functions_as_they_were() -> None:
    original = nn.functional.dropout
    one, other = MaskStream(4, CPU).part(0, 2), MaskStream(4, CPU).part(2, 4)
    entered, left = threading.Event(), threading.Event()

    def cross() -> None:
        with other:
            entered.set()
            left.wait(5)

    thread = threading.Thread(target=cross)
    with one:
        thread.start()
        entered.wait(5)
    assert nn.functional.dropout(torch.ones(2, 3), 0.5).shape == (2, 3)
    left.set()
    thread.join()
    assert nn.functional.dropout is original


def slow_twin(model: nn.Module, inputs: Tensor, labels: Tensor) -> NoiseSample:
    """Every row's gradient by a backward pass of its own."""
    rows = []
    for index in range(len(labels)):
        twin = copy.deepcopy(model)
        nn.functional.cross_entropy(twin(inputs[index : index + 1]), labels[index : index + 1]).backward()
        rows.append(torch.cat([value.grad.reshape(-1) for value in twin.parameters() if value.grad is not None]))
    stacked = torch.stack(rows)
    mean = stacked.mean(0)
    return from_examples(
        stacked.square().sum(1).tolist(),
        mean_squared_norm=float(mean.square().sum()),
        dots=(stacked @ mean).tolist(),
        num_rows=50,
    )


def test_norms_of_rows_agree_with_a_pass_for_each() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3, bias=False)).double()
    inputs, labels = torch.randn(12, 4).double(), torch.randint(3, (12,))
    norms = RowNorms(model, wants_dots=True)
    with norms.watching():
        nn.functional.cross_entropy(model(inputs), labels).backward()
    assert norms.sample(50, count=12) == pytest.approx(slow_twin(model, inputs, labels), rel=1e-9)
    assert norms.sample(50, count=6) is None, "more than one line a row"
    model.zero_grad()
    with norms.watching():
        nn.functional.cross_entropy(model(inputs), labels, reduction="sum").backward()
    summed = norms.sample(50, count=12, is_sum=True)
    assert summed == pytest.approx(slow_twin(model, inputs, labels), rel=1e-9)


@pytest.mark.parametrize("sizes", [(6, 6), (7, 5), (5, 4, 3)])
def test_norms_of_parts_agree_with_their_definition(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    inputs, labels = torch.randn(12, 4).double(), torch.randint(3, (12,))
    parameters = list(model.parameters())
    norms, means = PartNorms(parameters, wants_dots=True), []
    start = 0
    for size in sizes:
        loss = nn.functional.cross_entropy(model(inputs[start : start + size]), labels[start : start + size])
        means.append(
            torch.cat([value.reshape(-1) for value in torch.autograd.grad(loss, parameters, retain_graph=True)])
        )
        (loss * size).backward()
        norms.take(size)
        start += size
    mean = sum(size * value for size, value in zip(sizes, means, strict=True)) / 12
    wanted = from_micro_gradients(
        [float(value.square().sum()) for value in means],
        sizes=sizes,
        mean_squared_norm=float(mean.square().sum()),
        dots=[float(value @ mean) for value in means],
        num_rows=40,
    )
    assert norms.sample(40, weight=12.0) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, affine=False), nn.Linear(6, 3)),
        nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)),
        nn.Sequential(nn.Conv1d(1, 2, 2), nn.Linear(2, 3)),
    ],
)
def test_rows_are_not_looked_at_where_the_formula_does_not_hold(model: nn.Module) -> None:
    assert not RowNorms.suits(model)


def test_a_layer_that_is_used_twice_is_looked_at_in_parts(make_task: Make) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            found: Tensor = self.outer(self.inner(torch.relu(self.inner(inputs))))
            return found

    factory = TorchFactory(make_task(model=Twice))
    recipe = sf.Recipe(batch={"policy": "noise_scale", "look_every": 2, "size": 8})
    run = factory.create(recipe.complete(factory.num_rows), seed=0)
    run.advance(run.horizon, should_stop=never)
    assert run._descent._by_rows is None
    assert run._steering._seen.noise.looks > 5


def test_sparse_gradients_are_refused_in_one_line(make_task: Make) -> None:
    task = make_task(
        model=lambda: nn.Sequential(nn.EmbeddingBag(9, 4, sparse=True), nn.Linear(4, 3)),
        train=(np.zeros((20, 4), dtype=int), np.zeros(20, dtype=int)),
    )
    with pytest.raises(TaskError, match="sparse=False"):
        sf.fit(task, sf.Recipe(optimizer={"name": "sgd"}, batch={"policy": "norm_test"}))


def test_looks_in_parts_and_by_rows_see_the_same_noise_under_weights() -> None:
    """Halves of weighted rows are counted as if every row weighed the same: the analysis of variance stays unbiased."""
    generator = torch.Generator().manual_seed(0)
    rows, weights = 4000, torch.where(torch.rand(4000, generator=generator) < 0.1, 10.0, 1.0).double()
    inputs, targets = (torch.randn(rows, generator=generator).double() for _ in range(2))
    weight = nn.Parameter(torch.zeros((), dtype=torch.double))
    found = []
    for start in range(0, rows, 8):
        weight.grad, norms = None, PartNorms([weight], wants_dots=False)
        for part in (slice(start, start + 4), slice(start + 4, start + 8)):
            losses = (targets[part] - 1.0 - weight * inputs[part]) ** 2
            (losses * weights[part]).sum().backward()
            norms.take(4)
        found.append(norms.sample(10**9, weight=8.0))
    own = -2.0 * (targets - 1.0) * inputs * weights  # with a weight of 8 for 8 rows, a row's share of the gradient
    noise = sum(look.noise for look in found) / len(found)
    assert noise == pytest.approx(float(own.var()), rel=0.15)


def test_parts_are_even_and_none_is_a_single_row() -> None:
    for count in range(1, 70):
        for most in range(1, 40):
            sizes = part_sizes(count, most)
            assert sum(sizes) == count
            assert max(sizes) - min(sizes) <= 1
            assert most == 1 or count == 1 or min(sizes) > 1
            assert max(sizes) <= most + (most > 1)


def test_batch_normalisation_takes_a_tail_in_parts() -> None:
    norm = lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))  # noqa: E731 - a builder
    _, run = trained(norm, micro_batch=22)
    assert [change.name for change in run.changes] == ["micro_batch"]
    assert "batch normalisation sees" in run.changes[0].reason
    _, looked = trained(norm, policy="noise_scale", look_every=1, smallest=3, largest=23, share=1e-3)
    assert looked.samples_seen == looked.horizon


def test_parts_without_weight_count_for_nothing(make_task: Make) -> None:
    mask = np.zeros(48)
    mask[::7] = 1.0
    base = make_task(rows=60)
    task = make_task(train=(*base.train, mask), validation=base.validation)
    weights = []
    for batch in ({"size": 16}, {"size": 16, "micro_batch": 2}):
        factory = TorchFactory(task)
        run = factory.create(sf.Recipe(batch=batch).complete(factory.num_rows), seed=0)
        assert run.advance(run.horizon, should_stop=never).failure == ""
        weights.append(run.model.state_dict())
    assert_close(*weights, tolerance=1e-4)


@pytest.mark.parametrize("name", ["nadamw", "rmsprop", "adagrad", "prodigy"])
def test_a_step_that_was_half_done_is_not_repeated(make_task: Make, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    factory = TorchFactory(make_task())
    run = factory.create(sf.Recipe(optimizer={"name": name}).complete(factory.num_rows), seed=0)
    run.advance(20, should_stop=never)
    for owner, method in ((torch, "_foreach_sqrt"), (Tensor, "sqrt")):
        monkeypatch.setattr(owner, method, Failing(getattr(owner, method), {1}))
    done = run.advance(20, should_stop=never)
    assert done.reason == "the optimizer ran out of memory in the middle of its step"


class Counting(nn.Linear):
    """Counts its forward passes in a buffer."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(inputs)


def test_buffers_are_put_back_before_a_step_is_repeated(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    factory = TorchFactory(make_task(model=Counting))
    run = factory.create(sf.Recipe(batch={"size": 16}).complete(factory.num_rows), seed=0)
    failing = Failing(Tensor.backward, {2})
    monkeypatch.setattr(Tensor, "backward", lambda *given, **named: failing(*given, **named))
    run.advance(32, should_stop=never)
    assert run.model.calls == 1 + 2, "one whole batch, and one in two parts"


def test_a_batch_that_cannot_even_be_fetched_is_out_of_memory(make_task: Make) -> None:
    class Rows:
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> Any:
            if self.is_full:
                raise MemoryError
            return np.zeros(4, dtype="f"), index % 3

        is_full = False

    rows = Rows()
    factory = TorchFactory(make_task(train=rows, validation=make_task().validation, loss="cross_entropy"))
    run = factory.create(sf.Recipe().complete(factory.num_rows), seed=0)
    rows.is_full = True
    assert run.advance(10, should_stop=never).failure == "out_of_memory"


def test_models_that_flatten_their_rows_are_looked_at_in_parts() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.Linear(2, 3), nn.Linear(6, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            found: Tensor = self.out(torch.relu(self.layer(inputs.reshape(-1, 2))).reshape(len(inputs), 6))
            return found

    _, run = trained(Flat, policy="noise_scale", look_every=1, smallest=23, largest=23)
    assert run._descent._by_rows is None
    assert run._steering._seen.noise.samples == run.horizon


def test_batches_are_cut_by_rows() -> None:
    batch = {"x": torch.arange(6), "pair": (torch.ones(6, 2), ["a", "b", "c", "d", "e", "f"]), "scale": 2.0}
    part = part_of(batch, 2, 5, count=6)
    assert part["x"].tolist() == [2, 3, 4]
    assert (part["pair"][0].shape, part["pair"][1], part["scale"]) == ((3, 2), ["c", "d", "e"], 2.0)
    nested = part_of([{"a": torch.arange(6)}, [torch.ones(6), torch.zeros(6, 2)]], 0, 2, count=6)
    assert (nested[0]["a"].tolist(), nested[1][1].shape) == ([0, 1], (2, 2))
    assert part_of([torch.arange(2), torch.arange(2) * 5], 1, 2, count=2)[1].tolist() == [5]
    assert part_of(("a", "b", "c"), 1, 3, count=3) == ("b", "c")
    with pytest.raises(TaskError, match="cannot be split by rows"):
        part_of({"edges": torch.ones(2, 17)}, 0, 3, count=6)


def test_a_step_sets_what_moved(make_task: Make, tmp_path: Path) -> None:
    """Under a coupling the betas and the decay in the optimizer are those of the batch, also after a resume."""
    recipe = sf.Recipe(
        optimizer={"learning_rate": 1e-3, "weight_decay": 0.01},
        batch={"policy": "step_ramp", "size": 4, "last": 16, "every": 0.25},
        schedule={"name": "constant", "warmup": 0.0},
    )
    factory = TorchFactory(make_task())
    run: TorchRun = factory.create(recipe.complete(factory.num_rows), seed=0)
    run.advance(run.horizon // 2, should_stop=never)
    group = run._optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(1e-3 * 2**0.5)
    assert group["betas"] == pytest.approx((0.9**2, 0.999**2))
    assert group["weight_decay"] == pytest.approx(0.01 * 2**0.5)
    run.save_checkpoint(tmp_path, {})
    other: TorchRun = factory.create(recipe.complete(factory.num_rows), seed=0)
    other.load_checkpoint(tmp_path)
    for each in (run, other):
        each.advance(each.horizon, should_stop=never)
    assert all(torch.equal(a, b) for a, b in zip(run.model.parameters(), other.model.parameters(), strict=True))
    assert descent.Descent.__doc__


def test_dense_layers_speak_for_a_network_that_is_nearly_all_dense() -> None:
    """The noise of the dense layers alone, by their definition; and looks are more frequent where they are cheap."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Unflatten(1, (1, 8)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(14, 40)).double()
    assert RowNorms.suits(model)
    inputs, labels = torch.randn(12, 8).double(), torch.randint(40, (12,))
    norms = RowNorms(model, wants_dots=False)
    with norms.watching():
        nn.functional.cross_entropy(model(inputs), labels).backward()
    rows = []
    for index in range(12):
        loss = nn.functional.cross_entropy(model(inputs[index : index + 1]), labels[index : index + 1])
        rows.append(torch.cat([value.reshape(-1) for value in torch.autograd.grad(loss, list(model[3].parameters()))]))
    stacked = torch.stack(rows)
    mean = float(stacked.mean(0).square().sum())
    wanted = from_examples(stacked.square().sum(1).tolist(), mean_squared_norm=mean, num_rows=50)
    found = norms.sample(50, count=12)
    assert found is not None
    assert found[:3] == pytest.approx(wanted[:3], rel=1e-9)
    task = sf.Task(
        model=lambda: nn.Sequential(nn.Unflatten(1, (1, 8)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(14, 40)),
        train=(np.zeros((40, 8), dtype="f"), np.zeros(40, dtype=int)),
    )
    factory = TorchFactory(task)
    run = factory.create(sf.Recipe(batch={"policy": "noise_scale", "size": 8}).complete(factory.num_rows), seed=0)
    assert run._steering.looks_every == LOOK_OFTEN
