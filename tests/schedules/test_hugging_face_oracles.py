"""Against Hugging Face's schedulers, run here on random parameters. Where ours differs on purpose, the test says so."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from surefoot import schedules as s

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what an import of theirs warns of is not ours to mend
    from transformers import get_scheduler

SEEDS = range(6)


def peer_rates(name: str, num_steps: int, base: float, **arguments: Any) -> list[float]:
    """The rate at every step, as a training loop would see it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    specific = arguments.pop("specific", None)
    scheduler, rates = get_scheduler(name, optimizer, scheduler_specific_kwargs=specific, **arguments), []
    for _ in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def agree(schedule: Any, theirs: list[float], base: float) -> None:
    ours = base * schedule(np.arange(len(theirs), dtype=float))
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12 * base)


@pytest.fixture(scope="module", autouse=True)
def _late_imports() -> None:
    """The first optimizer of a process imports for seconds; it does so here, outside the tests' own time."""
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()


@pytest.fixture(params=SEEDS)
def draw(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


@pytest.fixture
def lengths(draw: np.random.Generator) -> tuple[int, int, float]:
    """A warmup, a training, a base rate."""
    warmup = int(draw.integers(1, 20))
    return warmup, warmup + int(draw.integers(10, 80)), draw.uniform(0.01, 1.0)


def test_constant_with_warmup(lengths: tuple[int, int, float]) -> None:
    warmup, _, base = lengths
    theirs = peer_rates("constant_with_warmup", 60, base, num_warmup_steps=warmup)
    agree(s.warmup(length=warmup), theirs, base)


def test_linear(lengths: tuple[int, int, float]) -> None:
    warmup, total, base = lengths
    theirs = peer_rates("linear", total + 20, base, num_warmup_steps=warmup, num_training_steps=total)
    agree(s.warmup(s.linear(horizon=total - warmup), length=warmup), theirs, base)


@pytest.mark.parametrize("name", ["cosine", "cosine_with_min_lr"])
def test_cosine_stays_at_its_floor_where_theirs_climbs_again(
    draw: np.random.Generator, lengths: tuple[int, int, float], name: str
) -> None:
    warmup, total, base = lengths
    floor = draw.uniform(0.0, 0.9) if name == "cosine_with_min_lr" else 0.0
    schedule = s.warmup(s.cosine(horizon=total - warmup, floor=floor), length=warmup)
    theirs = peer_rates(
        name, 2 * total - warmup + 1, base, num_warmup_steps=warmup, num_training_steps=total,
        specific={"min_lr_rate": floor} if floor else None,
    )  # fmt: skip
    agree(schedule, theirs[: total + 1], base)
    # On purpose: as far past the end as the decay was long, theirs is back at the top.
    assert math.isclose(theirs[-1], base)
    assert schedule(2.0 * total - warmup) == floor


def test_hard_restarts_are_equal_cycles_that_fill_the_training(
    draw: np.random.Generator, lengths: tuple[int, int, float]
) -> None:
    warmup, _, base = lengths
    # powers of two, so that a restart does not hang on rounding in theirs
    cycles, length = int(draw.choice([1, 2, 4])), int(draw.choice([4, 8, 16]))
    total = warmup + cycles * length
    theirs = peer_rates(
        "cosine_with_restarts", total + 20, base, num_warmup_steps=warmup, num_training_steps=total,
        specific={"num_cycles": cycles},
    )  # fmt: skip
    schedule = s.cosine_restarts(horizon=total - warmup, num_cycles=cycles, growth=1.0)
    agree(s.warmup(schedule, length=warmup), theirs, base)


def test_polynomial(draw: np.random.Generator, lengths: tuple[int, int, float]) -> None:
    """Theirs names the last rate, ours the share of the first one."""
    warmup, total, base = lengths
    floor, power = draw.uniform(0.0, 0.9), draw.uniform(0.3, 4.0)
    theirs = peer_rates(
        "polynomial", total + 20, base, num_warmup_steps=warmup, num_training_steps=total,
        specific={"lr_end": floor * base, "power": power},
    )  # fmt: skip
    schedule = s.polynomial(horizon=total - warmup, power=power, floor=floor)
    agree(s.warmup(schedule, length=warmup), theirs, base)


def test_inverse_sqrt_with_and_without_a_timescale(draw: np.random.Generator, lengths: tuple[int, int, float]) -> None:
    warmup, _, base = lengths
    timescale = int(draw.integers(1, 100))
    for given, used in (({"timescale": timescale}, timescale), (None, warmup)):
        theirs = peer_rates("inverse_sqrt", 100, base, num_warmup_steps=warmup, specific=given)
        agree(s.warmup(s.inverse_sqrt(timescale=used), length=warmup), theirs, base)


@pytest.mark.parametrize(("ours", "theirs"), [("linear", "linear"), ("cosine", "cosine"), ("one_minus_sqrt", "1-sqrt")])
def test_warmup_stable_decay(
    draw: np.random.Generator, lengths: tuple[int, int, float], ours: Any, theirs: str
) -> None:
    warmup, total, base = lengths
    cooldown, floor = int(draw.integers(1, total - warmup + 1)), draw.uniform(0.01, 0.9)

    def rates(ratio: float) -> list[float]:
        return peer_rates(
            "warmup_stable_decay", total + 20, base, num_warmup_steps=warmup, num_training_steps=total,
            specific={"num_decay_steps": cooldown, "decay_type": theirs, "min_lr_ratio": ratio},
        )  # fmt: skip

    def schedule(last: float, length: int, horizon: int) -> Any:
        return s.warmup_stable_decay(horizon, warmup_length=length, cooldown_length=cooldown, cooldown=ours, floor=last)

    agree(schedule(0.0, warmup, total), rates(0.0), base)
    # On purpose: with a floor, theirs begins its warmup at the floor, ours at 0; after it they agree.
    found = np.array(rates(floor))
    positions = np.arange(len(found), dtype=float)
    assert np.allclose(base * schedule(floor, warmup, total)(positions)[warmup:], found[warmup:], rtol=1e-9)
    assert schedule(floor, warmup, total)(0.0) == 0.0
    assert math.isclose(found[0], floor * base)
    agree(s.warmup(schedule(floor, 0, total - warmup), length=warmup, start=floor), found.tolist(), base)


def test_a_warmup_starts_with_a_step_of_size_zero_in_theirs() -> None:
    """On purpose: they read the schedule where a step begins, a run here at the middle of its batch."""
    assert peer_rates("linear", 2, 1.0, num_warmup_steps=4, num_training_steps=10) == [0.0, 0.25]
    schedule = s.warmup(s.linear(horizon=6), length=4)
    assert [schedule(0.5), schedule(1.5)] == [0.125, 0.375]


def test_the_cooldown_is_a_cosine_in_theirs_when_nothing_is_said() -> None:
    """On purpose: ours is 1 − √p, which Hägele et al. 2024 (arXiv:2405.18392) find ahead of the straight line."""
    arguments: Any = {"num_warmup_steps": 5, "num_training_steps": 40, "specific": {"num_decay_steps": 20}}
    theirs = peer_rates("warmup_stable_decay", 50, 1.0, **arguments)
    lengths: Any = {"warmup_length": 5, "cooldown_length": 20}
    agree(s.warmup_stable_decay(40, cooldown="cosine", **lengths), theirs, 1.0)
    assert s.warmup_stable_decay(40, **lengths)(30.0) < theirs[30] - 0.1
