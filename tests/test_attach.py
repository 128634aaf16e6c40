"""A user's own loop: batches, rates and resuming with ``sf.attach``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

import surefoot as sf
from surefoot import batching, schedules
from surefoot.errors import RecipeError, RequestError


class Numbers:
    """A map-style dataset whose items are their own index."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> int:
        return index


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.zeros(2))


def sgd(rate: float = 0.1, **others: Any) -> optim.Optimizer:
    return optim.SGD([parameter()], lr=rate, **others)


RAMP = {"policy": "linear_ramp", "size": 4, "last": 20}


def test_every_index_comes_once_an_epoch_whatever_the_batch_does() -> None:
    pilot = sf.attach(sgd(), Numbers(53), epochs=3, batch=RAMP)
    epochs = [[batch.tolist() for batch in batches] for batches in pilot.epochs()]
    assert len(epochs) == 3
    for batches in epochs:
        assert sorted(index for batch in batches for index in batch) == list(range(53))
    assert epochs[0][0] != epochs[1][0][:4]
    assert {len(batch) for batch in epochs[0]} != {len(batch) for batch in epochs[2]}
    assert pilot.samples == pilot.horizon == 159
    assert pilot.epoch == 3.0


def test_the_batches_follow_the_policy_and_the_rate_the_schedule() -> None:
    optimizer = sgd(0.5)
    schedule = {"name": "linear", "warmup": 0.0}
    pilot = sf.attach(optimizer, Numbers(100), epochs=2, schedule=schedule, batch=RAMP, coupling="none")
    policy = batching.LinearRamp(4, last=20)
    line = schedules.linear()
    for batch in pilot:
        before = pilot.samples - len(batch)
        assert pilot.batch_size == policy(before / 200, num_rows=100)
        middle = (before + len(batch) / 2) / 200
        assert pilot.learning_rate == pytest.approx(0.5 * line(middle))
        assert optimizer.param_groups[0]["lr"] == pilot.learning_rate


def test_every_group_keeps_its_proportion() -> None:
    groups = [{"params": [parameter()], "lr": 0.1}, {"params": [parameter()], "lr": 0.02, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, weight_decay=0.5, betas=(0.9, 0.99))
    pilot = sf.attach(optimizer, Numbers(256), epochs=1, schedule="cosine", batch={**RAMP, "last": 64}, coupling="sqrt")
    for _ in pilot:
        first, second = optimizer.param_groups
        assert second["lr"] == pytest.approx(0.2 * first["lr"])
        assert second["weight_decay"] == 0.0
        assert first["betas"] == pytest.approx(second["betas"])


def test_coupling_moves_rate_betas_and_decay() -> None:
    optimizer = optim.AdamW([parameter()], lr=0.01, weight_decay=0.1, betas=(0.9, 0.99), eps=1e-6)
    constant = {"name": "constant", "warmup": 0.0}
    pilot = sf.attach(optimizer, Numbers(512), epochs=1, schedule=constant, batch={**RAMP, "last": 64})
    knobs = batching.Knobs(0.01, 0.1, 0.9, 0.99, 1e-6)
    for _ in pilot:
        group = optimizer.param_groups[0]
        wanted, _ = batching.couple(knobs, optimizer="adamw", batch_size=4, new_batch_size=pilot.batch_size)
        assert group["lr"] == pytest.approx(wanted.learning_rate)
        assert group["weight_decay"] == pytest.approx(wanted.weight_decay)
        assert group["betas"] == pytest.approx((wanted.beta1, wanted.beta2))
        assert group["eps"] == pytest.approx(wanted.epsilon)
    assert group["lr"] > 0.03


def noisy(loss: float) -> batching.NoiseSample:
    return batching.NoiseSample(noise=400.0, signal=1.0, samples=32)


def test_a_measured_policy_hears_what_the_loop_says() -> None:
    batch = {"policy": "noise_scale", "size": 8, "share": 1.0, "share_of_rows": 1.0, "memory": 0.01, "look_every": 2}
    pilot = sf.attach(sgd(), Numbers(2_000), epochs=10, batch=batch)
    for _ in pilot:
        pilot.observe(loss=1.0, noise=noisy(1.0) if pilot.wants_noise else None)
    assert 250 <= pilot.batch_size <= 600
    moved = [change for change in pilot.changes if change.name == "batch_size"]
    assert "noise scale" in moved[0].reason
    assert any(change.name == "learning_rate" for change in pilot.changes)


def test_a_measured_policy_that_hears_nothing_says_so() -> None:
    pilot = sf.attach(sgd(), Numbers(64), epochs=2, batch={"policy": "noise_scale", "size": 8})
    with pytest.warns(UserWarning, match="never heard of noise"):
        list(pilot)


def test_a_plateau_cuts_the_rate_on_what_is_reported() -> None:
    schedule = {"name": "plateau", "factor": 0.5, "patience": 0.2, "warmup": 0.0}
    pilot = sf.attach(sgd(0.4), Numbers(20), epochs=10, schedule=schedule, batch=5)
    rates = []
    for batches in pilot.epochs():
        rates.extend([pilot.learning_rate for _ in batches])
        pilot.report(1.0)
    assert rates[0] == pytest.approx(0.4)
    assert rates[-1] == pytest.approx(0.4 * 0.5**4)  # the last of the cuts at looks 2, 4, 6, 8 (from 0) was heard


def train(pilot: sf.Pilot, model: nn.Module, optimizer: optim.Optimizer, *, stop_after: int | None = None) -> None:
    for step, (inputs, targets) in enumerate(pilot, start=1):
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        pilot.observe(loss=float(loss.detach()), noise=noisy(1.0))
        if step == stop_after:
            return


@pytest.mark.parametrize("stop_after", [1, 7, 23])
@pytest.mark.parametrize("batch", [RAMP, {"policy": "noise_scale", "size": 4, "share_of_rows": 1.0, "memory": 0.02}])
@pytest.mark.parametrize("pilot_first", [True, False])
def test_a_loop_resumes_to_the_same_weights(stop_after: int, batch: dict[str, Any], pilot_first: bool) -> None:
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(90, 4), torch.randint(3, (90,)))

    def made(state: dict[str, Any] | None = None) -> tuple[nn.Module, optim.Optimizer, sf.Pilot]:
        torch.manual_seed(1)
        model = nn.Linear(4, 3)
        groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.001}]
        optimizer = optim.AdamW(groups, lr=0.01)
        if state is not None:
            model.load_state_dict(state["model"])
            if not pilot_first:
                optimizer.load_state_dict(state["optimizer"])
        pilot = sf.attach(optimizer, data, epochs=4, schedule="cosine", batch=batch)
        if state is not None:
            pilot.load_state_dict(json.loads(json.dumps(state["pilot"])))
            if pilot_first:
                optimizer.load_state_dict(state["optimizer"])
        return model, optimizer, pilot

    whole, optimizer, pilot = made()
    train(pilot, whole, optimizer)
    model, optimizer, pilot = made()
    train(pilot, model, optimizer, stop_after=stop_after)
    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "pilot": pilot.state_dict()}
    resumed, optimizer, pilot = made(states)
    train(pilot, resumed, optimizer)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_rate_that_its_owner_set_anew_is_a_new_base() -> None:
    optimizer = sgd(0.1)
    list(sf.attach(optimizer, Numbers(32), epochs=1, schedule="cosine", batch=8))
    assert optimizer.param_groups[0]["lr"] < 0.02
    again = sf.attach(optimizer, Numbers(32), epochs=1, schedule={"name": "constant", "warmup": 0.0}, batch=8)
    next(iter(again))
    assert again.learning_rate == pytest.approx(0.1)
    optimizer.param_groups[0]["lr"] = 0.7
    list(again)
    assert again.learning_rate == pytest.approx(0.7)


def test_a_rate_in_a_tensor_stays_there() -> None:
    rate = torch.tensor(0.1)
    optimizer = optim.AdamW([parameter()], lr=rate)
    list(sf.attach(optimizer, Numbers(32), epochs=1, schedule="linear", batch=8))
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) < 0.02


def test_a_recipe_supplies_schedule_and_batch() -> None:
    recipe = sf.Recipe(schedule={"name": "constant", "warmup": 0}, batch={"size": 16})
    pilot = sf.attach(sgd(0.3), (torch.zeros(64, 2), torch.zeros(64)), recipe, epochs=1)
    inputs, _ = next(iter(pilot))
    assert len(inputs) == 16
    assert pilot.learning_rate == pytest.approx(0.3)


def test_a_dataset_may_be_collated_by_its_owner() -> None:
    pilot = sf.attach(sgd(), Numbers(10), epochs=1, batch=5, collate=lambda items: {"index": items})
    assert sorted(index for batch in pilot for index in batch["index"]) == list(range(10))


def test_a_loop_that_takes_no_batch_is_told() -> None:
    with pytest.raises(RequestError, match="no batch was taken"):
        for _ in sf.attach(sgd(), Numbers(10), epochs=1, batch=5).epochs():
            pass


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sf.attach("adam", Numbers(9), epochs=1), "optimizer must be a torch.optim.Optimizer"),
        (lambda: sf.attach(sgd(), DataLoader(Numbers(9)), epochs=1), "not a DataLoader"),
        (lambda: sf.attach(sgd(), iter([1]), epochs=1), "map-style or a pair"),
        (lambda: sf.attach(sgd(), Numbers(0), epochs=1), "no rows"),
        (lambda: sf.attach(sgd(), (torch.zeros(3, 1), torch.zeros(2)), epochs=1), "must pair up"),
        (lambda: sf.attach(sgd(), Numbers(9), epochs=0), "epochs must be a number above 0"),
        (lambda: sf.attach(sgd(0.0), Numbers(9), epochs=1), "must be above 0"),
        (lambda: sf.attach(sgd(), Numbers(9), epochs=1, schedule="cosin"), "cosine"),
        (lambda: sf.attach(sgd(), Numbers(9), epochs=1, batch=10), "9 training rows"),
        (lambda: sf.attach(sgd(), Numbers(9), epochs=1, batch=2.5), "must be a name or a table"),
        (lambda: sf.attach(sgd(), Numbers(9), {"batch": {}}, epochs=1), "recipe must be a surefoot.Recipe"),
        (lambda: sf.attach(sgd(), Numbers(9), epochs=1, batch={"micro_batch": 2}), "split the batch yourself"),
    ],
)
def test_a_wrong_call_gets_one_line(call: Callable[[], Any], said: str) -> None:
    with pytest.raises((RequestError, RecipeError), match=said) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_a_state_of_another_loop_is_refused() -> None:
    state = sf.attach(sgd(), Numbers(10), epochs=1, batch=5).state_dict()
    with pytest.raises(RequestError, match="saved with rows 10, not 12"):
        sf.attach(sgd(), Numbers(12), epochs=1, batch=5).load_state_dict(state)
    with pytest.raises(RequestError, match="saved with batch"):
        sf.attach(sgd(), Numbers(10), epochs=1, batch=2).load_state_dict(state)
