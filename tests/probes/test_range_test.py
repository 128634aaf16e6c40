"""The range test: several seeds, losses on fixed rows, and everything as before afterwards."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import surefoot as sf
from surefoot.batching import NoiseSample
from surefoot.engine import TorchFactory
from surefoot.errors import RequestError
from surefoot.probes import range_test

Make = Callable[..., Any]


class Sweepable:
    """Its loss on fixed rows falls up to ``edge`` and leaves above ``cliff``; a batch's loss only lies."""

    def __init__(self, edge: float = 0.1, cliff: float = 1.0, *, knows: bool = True) -> None:
        self.edge, self.cliff, self.rate, self.is_restored = edge, cliff, 0.0, True
        if knows:
            self.fixed_loss = self._fixed_loss

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        self.is_restored = False
        try:
            yield
        finally:
            self.is_restored = True

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        assert not self.is_restored
        self.rate = learning_rate
        return math.nan if learning_rate > self.cliff else 5.0

    def _fixed_loss(self, num_rows: int) -> float:
        return 2.0 + math.log10(self.rate / self.edge) ** 2 / 10.0


def swept(*runs: Any, **changes: Any) -> Any:
    arguments = {"optimizer": "sgd", "batch_size": 4, "num_steps": 60, **changes}
    return range_test(list(runs), **arguments)


def test_the_loss_on_fixed_rows_decides() -> None:
    found = swept(Sweepable())
    assert found.value == pytest.approx(0.025, rel=0.4)  # a quarter of the edge
    assert min(found.losses) == pytest.approx(2.0, abs=0.01)
    assert found.diverged_above == pytest.approx(1.0, rel=0.3)
    assert "never fell" in swept(Sweepable(knows=False)).reason  # the batch's loss does not move


def test_seeds_are_averaged() -> None:
    found = swept(Sweepable(edge=0.01), Sweepable(edge=1.0))
    assert len(found.curves) == 2
    assert found.value == pytest.approx(0.025, rel=0.6)  # between the two, over four
    assert found.samples == sum(4 * len(curve) for curve in found.curves)


def test_one_seed_that_leaves_early_does_not_pull_the_mean_down() -> None:
    found = swept(Sweepable(cliff=0.003), Sweepable(), Sweepable())
    early, late, _ = found.curves
    assert len(early) < len(late)
    finite = [loss for loss in found.losses if math.isfinite(loss)]
    assert len(finite) > len(early)
    assert finite[len(early)] >= max(late[len(early)], 2.0)


def test_no_seed_is_left_changed_by_an_exception() -> None:
    run = Sweepable()

    def stop() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swept(run, should_stop=stop)
    assert run.is_restored


def test_a_run_that_cannot_set_its_rate_is_refused_in_one_line() -> None:
    with pytest.raises(RequestError, match="not supported by object"):
        swept(object())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("arguments", [{}, {"norm": True}, {"dropout": 0.5}])
def test_it_sweeps_real_runs(make_task: Make, optimizer: str, arguments: dict[str, Any]) -> None:
    factory = TorchFactory(make_task(rows=200))
    recipe = sf.Recipe(optimizer={"name": optimizer}, batch={"size": 8}, model=arguments).complete(factory.num_rows)
    runs = [factory.create(recipe, seed=seed) for seed in range(2)]
    looks: list[NoiseSample] = []
    found = range_test(runs, optimizer=optimizer, batch_size=8, num_steps=40, looks=looks)
    assert found.value is not None, found.reason
    assert 1e-4 < found.value < 1.0
    assert len(looks) == 20  # the first quarter of both sweeps
    assert [run.samples_seen for run in runs] == [0, 0]


def test_several_groups_of_parameters_keep_their_ratio(make_task: Make) -> None:
    factory = TorchFactory(make_task(rows=200))
    rules = [{"parameters": "0.weight", "learning_rate_multiplier": 0.5}]
    recipe = sf.Recipe(regularization={"groups": rules}, batch={"size": 8}).complete(factory.num_rows)
    run = factory.create(recipe, seed=0)
    seen = []
    original = run.fixed_loss

    def spy(num_rows: int) -> float:
        seen.append(tuple(sorted({group["lr"] for group in run._optimizer.param_groups})))
        return original(num_rows)

    run.fixed_loss = spy
    range_test(run, optimizer="adamw", batch_size=8, num_steps=30)
    assert all(low == pytest.approx(0.5 * high) for low, high in seen)
