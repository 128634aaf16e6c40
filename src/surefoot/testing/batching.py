"""What every batch policy must do, and simulated gradient noise to try one on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from surefoot import seeds
from surefoot.batching import BatchPolicy, MeasuredPolicy, NoiseSample, Observation

__all__ = ["check_batch_policy", "simulated_noise"]

ROWS = (1, 2, 7, 100, 1_078, 1_000_000)


def check_batch_policy(policy: BatchPolicy | MeasuredPolicy[Any]) -> None:
    """Check a policy over positions, or a measured one with ``init`` and ``update``.

    Args:
        policy: of either kind.

    Raises:
        AssertionError: the policy breaks a rule, which the message names.

    >>> from surefoot.batching import Fixed
    >>> check_batch_policy(Fixed(32))
    """
    if hasattr(policy, "update"):
        _check_measured(policy)
    else:
        _check_positions(policy)


def simulated_noise(
    noise_scale: Callable[[int], float], *, seed: int = 0, directions: int = 100, num_parts: int = 2
) -> Iterator[Callable[[int], NoiseSample]]:
    """Looks at Gaussian gradients with ‖G‖² = 1 and S = the noise scale: at every step, batch size -> sample.

    Args:
        noise_scale: step -> true noise scale.
        seed: of the noise.
        directions: across which the noise is spread evenly; few make single looks wild.
        num_parts: micro-batches into which a batch is split.

    >>> look = next(simulated_noise(lambda step: 400.0))
    >>> look(32).samples
    32
    """
    random = seeds.stream(seed, "simulated noise")
    step = 0
    while True:
        true = noise_scale(step)

        def look(batch_size: int, true: float = true) -> NoiseSample:
            parts = min(num_parts, max(batch_size, 2))
            noise = true / directions * random.chisquare(directions * (parts - 1)) / (parts - 1)
            deviation = math.sqrt(true / batch_size / directions)
            across = deviation**2 * random.chisquare(directions - 1)
            mean = (1.0 + deviation * random.standard_normal()) ** 2 + across
            return NoiseSample(noise, mean - noise / batch_size, batch_size, along=noise / directions)

        yield look
        step += 1


def _check_positions(policy: BatchPolicy) -> None:
    positions = np.linspace(-0.5, 1.5, 101).tolist()
    for rows in ROWS:
        sizes = [policy(position, num_rows=rows) for position in positions]
        for position, size in zip(positions, sizes, strict=True):
            assert type(size) is int, f"a batch size must be an int, not {type(size).__name__} at {position}"
            assert 1 <= size <= rows, f"a batch must hold 1 to {rows} rows, not {size} at {position}"
        order = np.random.default_rng(0).permutation(len(positions)).tolist()
        again = {index: policy(positions[index], num_rows=rows) for index in order}
        assert all(again[index] == size for index, size in enumerate(sizes)), (
            "a batch size must depend on the position alone: not on a counter, a clock or a global generator"
        )


def _check_measured(policy: Any) -> None:
    num_rows = 50_000
    whole = _followed(policy, num_rows, steps=400)
    assert whole == _followed(policy, num_rows, steps=400), "the same observations must give the same decisions"
    assert whole == _followed(policy, num_rows, steps=400, through_json=True), (
        "a state must survive JSON: to_json() of it and from_json() of its class must give the same decisions"
    )
    for size in whole:
        assert type(size) is int and 1 <= size <= num_rows, f"a batch must hold 1 to {num_rows} rows, not {size!r}"
    _check_purity(policy, num_rows)
    _check_silence(policy, num_rows)
    for rows in ROWS:
        assert all(1 <= size <= rows for size in _followed(policy, rows, steps=100, size=min(32, rows))), (
            f"a batch must never pass the {rows} rows of the data"
        )


def _followed(policy: Any, num_rows: int, *, steps: int, size: int = 32, through_json: bool = False) -> list[int]:
    """The batch sizes of a training whose noise scale is 400 and whose metric stands still."""
    looks = simulated_noise(lambda _step: 400.0)
    state, sizes = policy.init(), []
    for _ in range(steps):
        observed = Observation(size, num_rows, next(looks)(size), loss=1.0, learning_rate=0.5, metric=1.0)
        state, decision = policy.update(state, observed)
        if through_json:
            state = type(state).from_json(json.loads(json.dumps(state.to_json(), allow_nan=False)))
        assert decision.batch_size is None or decision.reason, "a change must come with a reason"
        size = size if decision.batch_size is None else decision.batch_size
        sizes.append(size)
    return sizes


def _check_purity(policy: Any, num_rows: int) -> None:
    looks = simulated_noise(lambda _step: 400.0)
    observed = Observation(32, num_rows, next(looks)(32), loss=1.0, learning_rate=0.5, metric=1.0)
    state = policy.init()
    assert state == policy.init(), "init must give the same state at every call"
    before = json.dumps(state.to_json())
    first, second = policy.update(state, observed), policy.update(state, observed)
    assert first == second, "update must be a function of its arguments"
    assert json.dumps(state.to_json()) == before, "update must leave the state it was given as it is"


def _check_silence(policy: Any, num_rows: int) -> None:
    broken = NoiseSample(math.nan, math.inf, 32)
    for observed in (Observation(32, num_rows), Observation(32, num_rows, broken, loss=math.nan)):
        state, decision = policy.update(policy.init(), observed)
        assert decision.batch_size is None, "without a usable look the answer is to leave the batch alone"
        json.dumps(state.to_json(), allow_nan=False)
