"""Against PyTorch's schedulers, run here on random parameters. Where ours differs on purpose, the test says so."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as peer

from surefoot import schedules as s

SEEDS = range(6)


def peer_rates(make: Callable[[torch.optim.Optimizer], Any], num_steps: int, base: float) -> list[float]:
    """The rate at every step, as a training loop would see it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)
    scheduler, rates = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a scheduler that is stepped past its end, or inside a sequence, warns
        for _ in range(num_steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


def agree(schedule: Any, make: Callable[[torch.optim.Optimizer], Any], num_steps: int, base: float) -> None:
    ours = base * schedule(np.arange(num_steps, dtype=float))
    assert np.allclose(ours, peer_rates(make, num_steps, base), rtol=1e-9, atol=1e-12 * base)


@pytest.fixture(scope="module", autouse=True)
def _late_imports() -> None:
    """The first optimizer of a process imports for seconds; it does so here, outside the tests' own time."""
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()


@pytest.fixture(params=SEEDS)
def draw(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_constant_is_constant_lr_that_never_ends(draw: np.random.Generator) -> None:
    base, value = draw.uniform(0.01, 1.0), draw.uniform(0.1, 1.0)
    agree(s.constant(value), lambda o: peer.ConstantLR(o, factor=value, total_iters=1000), 50, base)
    # On purpose: theirs is over after total_iters.
    theirs = peer_rates(lambda o: peer.ConstantLR(o, factor=value, total_iters=3), 4, base)
    assert math.isclose(theirs[-1], base)
    assert s.constant(value)(3.0) == value


def test_step_and_multistep(draw: np.random.Generator) -> None:
    every, factor, base = int(draw.integers(1, 20)), draw.uniform(0.1, 0.95), draw.uniform(0.01, 1.0)
    agree(s.step(every=every, factor=factor), lambda o: peer.StepLR(o, every, gamma=factor), 100, base)
    marks = sorted(draw.choice(np.arange(1, 90), size=4, replace=False).tolist())
    agree(s.multistep(tuple(marks), factor=factor), lambda o: peer.MultiStepLR(o, marks, gamma=factor), 100, base)


def test_exponential_names_its_end_where_pytorch_names_a_factor_a_step(draw: np.random.Generator) -> None:
    gamma, horizon, base = draw.uniform(0.9, 0.999), int(draw.integers(10, 100)), draw.uniform(0.01, 1.0)
    schedule = s.exponential(horizon=horizon, last=gamma**horizon)
    agree(schedule, lambda o: peer.ExponentialLR(o, gamma), horizon + 1, base)
    # On purpose: past the horizon ours stays, theirs falls on.
    assert schedule(3.0 * horizon) == schedule(float(horizon)) > gamma ** (3 * horizon)


def test_linear_and_polynomial(draw: np.random.Generator) -> None:
    horizon, power, base = int(draw.integers(5, 80)), draw.uniform(0.3, 4.0), draw.uniform(0.01, 1.0)
    agree(
        s.polynomial(horizon=horizon, power=power),
        lambda o: peer.PolynomialLR(o, total_iters=horizon, power=power),
        horizon + 10,
        base,
    )
    floor = draw.uniform(0.0, 0.9)
    agree(
        s.linear(horizon=horizon, floor=floor),
        lambda o: peer.LinearLR(o, start_factor=1.0, end_factor=floor, total_iters=horizon),
        horizon + 10,
        base,
    )


def test_cosine_stays_at_its_floor_where_pytorch_climbs_again(draw: np.random.Generator) -> None:
    horizon, floor, base = int(draw.integers(5, 80)), draw.uniform(0.0, 0.9), draw.uniform(0.01, 1.0)
    schedule = s.cosine(horizon=horizon, floor=floor)

    def make(optimizer: torch.optim.Optimizer) -> Any:
        return peer.CosineAnnealingLR(optimizer, T_max=horizon, eta_min=floor * base)

    agree(schedule, make, horizon + 1, base)
    # On purpose: theirs is periodic and is back at the top at 2 T.
    assert math.isclose(peer_rates(make, 2 * horizon + 1, base)[-1], base, rel_tol=1e-6)
    assert schedule(2.0 * horizon) == floor


def test_cosine_restarts_fill_a_horizon(draw: np.random.Generator) -> None:
    first, factor, cycles = int(draw.integers(2, 8)), int(draw.integers(1, 4)), int(draw.integers(1, 4))
    floor, base = draw.uniform(0.0, 0.5), draw.uniform(0.01, 1.0)
    horizon = first * sum(factor**cycle for cycle in range(cycles))
    schedule = s.cosine_restarts(horizon=horizon, num_cycles=cycles, growth=float(factor), floor=floor)

    def make(optimizer: torch.optim.Optimizer) -> Any:
        return peer.CosineAnnealingWarmRestarts(optimizer, T_0=first, T_mult=factor, eta_min=floor * base)

    agree(schedule, make, horizon, base)
    # On purpose: at the end of the horizon theirs restarts, ours has come to rest.
    assert math.isclose(peer_rates(make, horizon + 1, base)[-1], base)
    assert schedule(float(horizon)) == floor


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_triangular_takes_the_highest_rate_as_the_base(draw: np.random.Generator, mode: Any) -> None:
    up, down, cycles = int(draw.integers(2, 20)), int(draw.integers(2, 20)), int(draw.integers(1, 5))
    floor, base, gamma = draw.uniform(0.0, 0.9), draw.uniform(0.01, 1.0), draw.uniform(0.9, 0.999)
    horizon = (up + down) * cycles
    schedule = s.triangular(
        horizon=horizon,
        num_cycles=cycles,
        mode=mode,
        rise_share=up / (up + down),
        last=gamma**horizon,
        floor=floor,
    )

    def make(optimizer: torch.optim.Optimizer) -> Any:
        return peer.CyclicLR(
            optimizer, base_lr=floor * base, max_lr=base, step_size_up=up, step_size_down=down, mode=mode, gamma=gamma,
            cycle_momentum=False,
        )  # fmt: skip

    agree(schedule, make, horizon, base)
    # On purpose: past the horizon ours rests at the low rate, theirs cycles on.
    assert schedule(horizon + float(up)) == floor
    assert peer_rates(make, horizon + up + 1, base)[-1] > floor * base


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_one_cycle_and_its_momentum(draw: np.random.Generator, shape: Any) -> None:
    """On purpose: PyTorch's last step is T − 1 and its peak lies at share · T − 1; ours lie at T and share · T."""
    total, share, base = int(draw.integers(20, 200)), draw.uniform(0.2, 0.6), draw.uniform(0.01, 1.0)
    divisor, final = draw.uniform(2.0, 30.0), draw.uniform(2.0, 1e4)
    schedule = s.one_cycle(
        horizon=total - 1,
        rise_share=(share * total - 1) / (total - 1),
        start=1 / divisor,
        last=1 / divisor / final,
        shape=shape,
    )
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)
    scheduler = peer.OneCycleLR(
        optimizer, max_lr=base, total_steps=total, pct_start=float(share), div_factor=divisor, final_div_factor=final,
        anneal_strategy="cos" if shape == "cosine" else "linear",
    )  # fmt: skip
    for step in range(total):
        group = optimizer.param_groups[0]
        assert math.isclose(base * schedule(step), group["lr"], rel_tol=1e-9)
        assert math.isclose(schedule.momentum(step), group["momentum"], rel_tol=1e-9)
        optimizer.step()
        if step < total - 1:
            scheduler.step()


@pytest.mark.parametrize("member", ["inverse_time", "inverse_sqrt", "power", "stable"])
def test_what_pytorch_leaves_to_a_lambda(draw: np.random.Generator, member: str) -> None:
    delta, power, base = draw.uniform(0.01, 1.0), draw.uniform(0.5, 3.0), draw.uniform(0.01, 1.0)
    warmup, horizon, cooldown = 7, 100, 25

    def stable(step: int) -> float:
        if step < warmup:
            return step / warmup
        if step < horizon - cooldown:
            return 1.0
        return max(0.0, 1.0 - math.sqrt((step - horizon + cooldown) / cooldown)) if step < horizon else 0.0

    schedule, formula = {
        "inverse_time": (s.inverse_time(delta=delta), lambda step: 1 / (1 + delta * step)),
        "inverse_sqrt": (s.inverse_sqrt(timescale=1 / delta), lambda step: 1 / math.sqrt(1 + delta * step)),
        "power": (s.power(delta=delta, power=power), lambda step: (1 / math.sqrt(1 + delta * step)) ** power),
        "stable": (s.warmup_stable_decay(horizon, warmup_length=warmup, cooldown_length=cooldown), stable),
    }[member]
    agree(schedule, lambda o: peer.LambdaLR(o, formula), 130, base)


def test_warmup_reaches_the_top_at_its_end(draw: np.random.Generator) -> None:
    length, start, base = int(draw.integers(2, 20)), draw.uniform(0.01, 0.9), draw.uniform(0.01, 1.0)
    agree(
        s.warmup(length=length, start=start),
        lambda o: peer.LinearLR(o, start_factor=start, end_factor=1.0, total_iters=length),
        length + 10,
        base,
    )


def test_warmup_and_vaswani_are_one_closed_form() -> None:
    """Vaswani et al. 2017, equation 3, relative to its peak: min(t/W, √(W/t))."""
    warmup = 4000
    schedule = s.warmup(s.inverse_sqrt(timescale=warmup), length=warmup)
    steps = np.arange(1, 100_000, 97, dtype=float)
    assert np.allclose(schedule(steps), np.minimum(steps / warmup, np.sqrt(warmup / steps)))


def test_sequence_is_sequential_lr(draw: np.random.Generator) -> None:
    first, second, base = int(draw.integers(2, 20)), int(draw.integers(25, 40)), draw.uniform(0.01, 1.0)
    schedule = s.sequence(
        (s.warmup(length=first, start=0.1), s.step(every=5, factor=0.5), s.exponential(horizon=90, last=0.9**90)),
        boundaries=(first, second),
    )

    def make(optimizer: torch.optim.Optimizer) -> Any:
        parts = [
            peer.LinearLR(optimizer, start_factor=0.1, total_iters=first),
            peer.StepLR(optimizer, 5, gamma=0.5),
            peer.ExponentialLR(optimizer, 0.9),
        ]
        return peer.SequentialLR(optimizer, parts, milestones=[first, second])

    agree(schedule, make, 90, base)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_is_reduce_on_plateau_with_one_more_look_of_patience(draw: np.random.Generator, mode: Any) -> None:
    """On purpose: patience p there is p + 1 here, "no improvement for p + 1 looks"; values above 0 agree otherwise."""
    patience, cooldown, factor = int(draw.integers(0, 5)), int(draw.integers(0, 5)), draw.uniform(0.2, 0.8)
    threshold, floor = draw.uniform(0.0, 0.05), draw.uniform(0.001, 0.1)
    values = np.exp(np.cumsum(draw.normal(0.0, 0.05, size=200))).round(6).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = peer.ReduceLROnPlateau(
        optimizer, mode=mode, factor=factor, patience=patience, cooldown=cooldown, threshold=threshold, min_lr=floor,
        eps=0.0,
    )  # fmt: skip
    plateau = s.plateau(
        mode=mode, factor=factor, patience=patience + 1, cooldown=cooldown, threshold=threshold, floor=floor
    )
    state = plateau.init()
    for look, value in enumerate(values):
        scheduler.step(value)
        state, decision = plateau.update(state, value, position=look)
        assert math.isclose(decision.multiplier, optimizer.param_groups[0]["lr"], rel_tol=1e-9)
    assert state.num_cuts > 0


def test_a_negative_objective_improves_when_it_falls_and_not_when_it_rises() -> None:
    """On purpose: PyTorch's best · (1 − threshold) takes −0.99995 for better than −1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = peer.ReduceLROnPlateau(optimizer, patience=0)
    plateau = s.plateau(patience=1)
    state = plateau.init()
    for look, value in enumerate([-1.0, -0.99995]):
        scheduler.step(value)
        state, _ = plateau.update(state, value, position=look)
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert state.multiplier == 0.1
    assert state.best == -1.0


def reduced(values: list[float], **arguments: Any) -> list[float]:
    """PyTorch's rate after every look at a value, from a base of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = peer.ReduceLROnPlateau(optimizer, factor=0.5, **arguments), []
    for value in values:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize(("cooldown", "looks"), [(0, [3, 6, 9, 12]), (2, [3, 8, 13])])
def test_the_looks_that_the_documentation_tells(cooldown: int, looks: list[int]) -> None:
    rates = [1.0, *reduced([1.0] * 14, patience=2, cooldown=cooldown)]
    assert [look for look in range(14) if rates[look + 1] < rates[look]] == looks


def test_what_else_the_documentation_tells_of_a_plateau_in_pytorch() -> None:
    # not-a-number is never an improvement, at the first look either
    assert reduced([math.nan, 1.0, 0.5, 0.25], patience=1)[-1] == 1.0
    assert reduced([1.0, math.nan, math.nan], patience=1)[-1] == 0.5
    # a cut below eps is not made; below 0 an absolute threshold is the right way round
    assert reduced([1.0] * 40, patience=0)[-1] > 1e-8 > reduced([1.0] * 40, patience=0, eps=0.0)[-1]
    assert reduced([-1.0, -0.99995], patience=0, threshold_mode="abs")[-1] == 0.5
