"""Against Keras's schedules, run in a process of their own on random parameters. What differs on purpose is said."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot import schedules as s

SEEDS = range(6)


class Peer:
    """Keras behind a pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **request: Any) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "Keras stopped; what it said is on standard error"
        answer: list[float] = json.loads(line)
        return answer

    def rates(self, schedule: str, steps: Sequence[float] | np.ndarray, **arguments: Any) -> list[float]:
        """The rate at every step."""
        return self.ask(schedule=schedule, arguments=arguments, steps=np.asarray(steps, dtype=float).tolist())

    def reduce_on_plateau(self, values: Sequence[float | None], **arguments: Any) -> list[float]:
        """The rate after every look, from a base of 1; None is where ``fit`` is called again."""
        return self.ask(plateau={"mode": "min", **arguments}, values=list(values))


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    program = Path(__file__).with_name("keras_peer.py")
    home = str(tmp_path_factory.mktemp("keras"))  # importing it writes settings into a folder
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": home}
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        peer = Peer(process)
        peer.rates("ExponentialDecay", [0.0], initial_learning_rate=1.0, decay_steps=1, decay_rate=0.5)
        yield peer
    assert process.returncode == 0


@pytest.fixture(params=SEEDS)
def draw(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def agree(ours: Any, theirs: Sequence[float], base: float) -> None:
    assert np.allclose(base * ours, theirs, rtol=1e-9, atol=1e-12 * base)


def test_cosine_rests_at_its_floor_in_both(keras: Peer, draw: np.random.Generator) -> None:
    horizon, floor, base = int(draw.integers(5, 80)), draw.uniform(0.0, 0.9), draw.uniform(0.01, 1.0)
    steps = np.arange(horizon + 20)
    theirs = keras.rates("CosineDecay", steps, initial_learning_rate=base, decay_steps=horizon, alpha=floor)
    agree(s.cosine(horizon=horizon, floor=floor)(steps.astype(float)), theirs, base)


def test_a_warmup_stands_in_front_of_the_cosine_in_both(keras: Peer, draw: np.random.Generator) -> None:
    horizon, floor, base = int(draw.integers(5, 80)), draw.uniform(0.0, 0.9), draw.uniform(0.01, 1.0)
    length, start = int(draw.integers(1, 20)), draw.uniform(0.0, 0.9)
    steps = np.arange(horizon + length + 20)
    theirs = keras.rates(
        "CosineDecay", steps, initial_learning_rate=start * base, decay_steps=horizon, alpha=floor,
        warmup_target=base, warmup_steps=length,
    )  # fmt: skip
    ours = s.warmup(s.cosine(horizon=horizon, floor=floor), length=length, start=start)
    agree(ours(steps.astype(float)), theirs, base)


def test_cosine_restarts_fill_a_horizon_and_end_there(keras: Peer, draw: np.random.Generator) -> None:
    first, growth, cycles = int(draw.integers(2, 20)), draw.choice([1.0, 1.5, 2.0, 3.0]), int(draw.integers(1, 5))
    floor, base, peak = draw.uniform(0.0, 0.5), draw.uniform(0.01, 1.0), draw.uniform(0.3, 1.0)
    horizon = float(first * sum(growth**cycle for cycle in range(cycles)))
    schedule = s.cosine_restarts(horizon, num_cycles=cycles, growth=growth, peak_factor=peak, floor=floor)
    arguments = {
        "initial_learning_rate": base, "first_decay_steps": first, "t_mul": growth, "m_mul": peak, "alpha": floor,
    }  # fmt: skip
    # not on a restart itself: which side it belongs to hangs there on the rounding of a quotient of logarithms
    positions = draw.uniform(0.0, horizon, size=100)
    agree(schedule(positions), keras.rates("CosineDecayRestarts", positions, **arguments), base)
    # On purpose: just past the horizon theirs has restarted, ours has come to rest.
    past = horizon + 1e-3
    (theirs,) = keras.rates("CosineDecayRestarts", [past], **arguments)
    assert math.isclose(theirs, base * (floor + (1.0 - floor) * peak**cycles), rel_tol=1e-3)
    assert schedule(past) == floor < theirs / base


def test_exponential_names_its_end_where_keras_names_a_factor(keras: Peer, draw: np.random.Generator) -> None:
    rate, every = draw.uniform(0.1, 0.99), int(draw.integers(5, 50))
    horizon, base = int(draw.integers(10, 100)), draw.uniform(0.01, 1.0)
    arguments = {"initial_learning_rate": base, "decay_steps": every, "decay_rate": rate}
    schedule = s.exponential(horizon=horizon, last=rate ** (horizon / every))
    steps = np.arange(horizon + 1)
    agree(schedule(steps.astype(float)), keras.rates("ExponentialDecay", steps, **arguments), base)
    # On purpose: past the horizon ours stays, theirs falls on.
    (later,) = keras.rates("ExponentialDecay", [3 * horizon], **arguments)
    assert base * schedule(3.0 * horizon) > later


def test_step_is_the_exponential_staircase(keras: Peer, draw: np.random.Generator) -> None:
    every, factor, base = int(draw.integers(1, 20)), draw.uniform(0.1, 0.95), draw.uniform(0.01, 1.0)
    steps = np.arange(100)
    theirs = keras.rates(
        "ExponentialDecay", steps, initial_learning_rate=base, decay_steps=every, decay_rate=factor, staircase=True
    )
    agree(s.step(every=every, factor=factor)(steps.astype(float)), theirs, base)


def test_a_milestone_belongs_to_what_follows_here_and_to_what_precedes_in_keras(
    keras: Peer, draw: np.random.Generator
) -> None:
    marks = sorted(draw.choice(np.arange(1, 90), size=4, replace=False).tolist())
    factor, base = draw.uniform(0.1, 0.95), draw.uniform(0.01, 1.0)
    schedule = s.multistep(tuple(marks), factor=factor)
    arguments = {"boundaries": marks, "values": [base * factor**cuts for cuts in range(5)]}
    steps = np.setdiff1d(np.arange(100), marks)
    agree(schedule(steps.astype(float)), keras.rates("PiecewiseConstantDecay", steps, **arguments), base)
    # On purpose: at a milestone ours is already cut, as in PyTorch; theirs one step later.
    at_marks = keras.rates("PiecewiseConstantDecay", marks, **arguments)
    agree(schedule(np.array(marks, dtype=float)), [factor * rate for rate in at_marks], base)


def test_polynomial_and_linear(keras: Peer, draw: np.random.Generator) -> None:
    horizon, power = int(draw.integers(5, 80)), draw.uniform(0.3, 4.0)
    floor, base = draw.uniform(0.0, 0.9), draw.uniform(0.01, 1.0)
    steps = np.arange(horizon + 20)
    arguments = {"initial_learning_rate": base, "decay_steps": horizon, "end_learning_rate": floor * base}
    theirs = keras.rates("PolynomialDecay", steps, power=power, **arguments)
    agree(s.polynomial(horizon=horizon, power=power, floor=floor)(steps.astype(float)), theirs, base)
    theirs = keras.rates("PolynomialDecay", steps, power=1.0, **arguments)
    agree(s.linear(horizon=horizon, floor=floor)(steps.astype(float)), theirs, base)


def test_inverse_time(keras: Peer, draw: np.random.Generator) -> None:
    rate, every, base = draw.uniform(0.1, 5.0), int(draw.integers(1, 50)), draw.uniform(0.01, 1.0)
    steps = np.arange(200)
    theirs = keras.rates("InverseTimeDecay", steps, initial_learning_rate=base, decay_steps=every, decay_rate=rate)
    agree(s.inverse_time(delta=rate / every)(steps.astype(float)), theirs, base)


def multipliers(plateau: s.plateau, values: Sequence[float]) -> list[float]:
    """Ours after every look, one look a position."""
    state, found = plateau.init(), []
    for look, value in enumerate(values):
        state, decision = plateau.update(state, value, position=look)
        found.append(decision.multiplier)
    return found


@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_is_reduce_on_plateau_with_one_look_less_of_cooldown(
    keras: Peer, draw: np.random.Generator, mode: Any
) -> None:
    """On purpose: the last look of a cooldown counts for Keras's patience and not for ours, so c there is c − 1 here.

    With a threshold of 0 in both: ours is relative to the best value, theirs an amount.
    """
    patience, cooldown, factor = int(draw.integers(1, 6)), int(draw.integers(0, 6)), draw.uniform(0.2, 0.8)
    floor = draw.uniform(0.001, 0.1)
    values = np.cumsum(draw.normal(0.0, 0.05, size=200)).round(6).tolist()
    theirs = keras.reduce_on_plateau(
        values, mode=mode, factor=factor, patience=patience, cooldown=cooldown, min_lr=floor, min_delta=0.0
    )
    plateau = s.plateau(
        mode=mode, factor=factor, patience=patience, cooldown=max(cooldown - 1, 0), threshold=0.0, floor=floor
    )
    agree(np.array(multipliers(plateau, values)), theirs, 1.0)
    assert theirs[-1] < 1.0


@pytest.mark.parametrize(
    ("cooldown", "ours", "theirs"), [(0, [2, 4, 6, 8, 10], [2, 4, 6, 8, 10]), (2, [2, 6, 10], [2, 5, 8, 11])]
)
def test_the_looks_that_the_documentation_tells(keras: Peer, cooldown: int, ours: list[int], theirs: list[int]) -> None:
    def cuts(rates: Sequence[float]) -> list[int]:
        return [look for look in range(1, len(rates)) if rates[look] < rates[look - 1]]

    values = [1.0] * 12
    arguments: Any = {"factor": 0.5, "patience": 2, "cooldown": cooldown}
    assert cuts(multipliers(s.plateau(**arguments), values)) == ours
    assert cuts(keras.reduce_on_plateau(values, **arguments)) == theirs


def test_an_improvement_is_relative_here_and_an_amount_in_keras(keras: Peer) -> None:
    """On purpose: a loss of 100 that creeps down by 0.001 is stalled; the same threshold of 1e-4 in Keras takes it."""
    values = [100.0 - 0.001 * look for look in range(4)]
    assert multipliers(s.plateau(factor=0.5, patience=2), values)[-1] == 0.5
    assert keras.reduce_on_plateau(values, factor=0.5, patience=2)[-1] == 1.0


def test_not_a_number_is_no_best_value(keras: Peer) -> None:
    """On purpose: Keras takes what it sees first for the best, and nothing is better than not-a-number."""
    values = [math.nan, 1.0, 0.5, 0.25]
    assert multipliers(s.plateau(factor=0.5, patience=2), values)[-1] == 1.0
    assert keras.reduce_on_plateau(values, factor=0.5, patience=2)[-1] == 0.5
    later = [1.0, math.nan, math.nan]  # in the middle it is no improvement in either
    assert multipliers(s.plateau(factor=0.5, patience=2), later)[-1] == 0.5
    assert keras.reduce_on_plateau(later, factor=0.5, patience=2)[-1] == 0.5


def test_a_second_fit_forgets_in_keras_and_the_state_goes_on_here(keras: Peer) -> None:
    """On purpose: Keras begins anew whenever a training does."""
    assert multipliers(s.plateau(factor=0.5, patience=2), [1.0, 1.0, 1.0])[-1] == 0.5
    assert keras.reduce_on_plateau([1.0, 1.0, None, 1.0], factor=0.5, patience=2)[-1] == 1.0
