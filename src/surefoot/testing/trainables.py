"""What every trainable must do."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from surefoot.protocols import Curved, KnowsFixedLoss, LooksAtNoise, RatePerStep, TellsCost, Trainable
from surefoot.protocols.search import never

__all__ = ["check_trainable"]


def check_trainable(make: Callable[[], Trainable]) -> None:
    """Check a trainable's core, and what probes may ask it for where it has that.

    Args:
        make: gives a fresh run of the same recipe with the same seed at every call, of at least four steps.

    Raises:
        AssertionError: the trainable breaks a rule, which the message names.
    """
    whole = _trained(make())
    assert whole == _trained(make()), "the same seed must give the same run"
    _check_chunks(make, whole)
    _check_checkpoint(make, whole)
    _check_best(make)
    _check_weights(make, whole)
    if isinstance(make(), RatePerStep):
        _check_range_test(make, whole)
        _check_cost(make, whole)
        _check_looks(make, whole)


def _trained(run: Trainable) -> dict[str, float]:
    """Validation metrics after the whole horizon."""
    run.advance(run.horizon, should_stop=never)
    assert run.samples_seen == run.horizon, "a run must end exactly at its horizon"
    measured = run.evaluate("validation")
    assert math.isfinite(measured["loss"]), "a check needs a recipe that does not diverge"
    assert measured == run.evaluate("validation"), "evaluating must change nothing"
    return measured


def _check_chunks(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    run = make()
    while run.samples_seen < run.horizon:
        before = run.samples_seen
        done = run.advance(1, should_stop=never)
        assert done.samples == run.samples_seen - before > 0, "advance must take a step and say how many samples it saw"
        run.evaluate("validation")
    assert run.evaluate("validation") == whole, "chunking the samples must not change the run"
    stopped = make()
    assert stopped.advance(stopped.horizon, should_stop=lambda: True).steps == 0, (
        "should_stop is asked before each step"
    )


def _check_checkpoint(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        assert make().load_checkpoint(directory) is None, "an empty directory holds no checkpoint"
        first = make()
        first.advance(first.horizon // 2, should_stop=never)
        first.save_checkpoint(directory, {"note": 1})
        second = make()
        assert second.load_checkpoint(directory) == {"note": 1}, "a checkpoint must give back the caller's progress"
        assert second.samples_seen == first.samples_seen, "a checkpoint must give back the clock"
        assert _trained(second) == whole, "a resumed run must end as the uninterrupted one"


def _check_best(make: Callable[[], Trainable]) -> None:
    run = make()
    run.advance(run.horizon // 2, should_stop=never)
    middle = run.evaluate("validation")
    run.keep_best()
    run.advance(run.horizon, should_stop=never)
    run.recall_best()
    assert run.evaluate("validation") == middle, "recall_best must bring back the weights that keep_best saw"


def _check_weights(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.safetensors"
        trained, fresh = make(), make()
        trained.advance(trained.horizon, should_stop=never)
        trained.save_weights(path)
        fresh.load_weights(path)
        assert fresh.evaluate("validation") == whole, "weights must survive being written and read"


def _check_range_test(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    run = make()
    assert isinstance(run, RatePerStep)
    try:
        with run.restored():
            for step in range(5):
                run.step_at(10.0**step, batch_size=2)
            raise _InterruptionError
    except _InterruptionError:
        pass
    assert run.samples_seen == 0, "restored must bring back the clock, also on an exception"
    assert _trained(run) == whole, "probing and then training must equal training"


def _check_cost(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    run = make()
    if not isinstance(run, TellsCost):
        return
    assert isinstance(run, RatePerStep)
    assert run.device, "a device has a name"
    with run.restored():
        for with_memory in (False, True):
            cost = run.step_cost(batch_size=2, with_memory=with_memory)
            assert cost is not None, "a step of two rows must fit in memory"
            assert cost.seconds > 0, "a step takes time"
            assert cost.peak_bytes is None or cost.peak_bytes > 0, "a step takes memory, or it cannot be told"
    assert _trained(run) == whole, "weighing and then training must equal training"


def _check_looks(make: Callable[[], Trainable], whole: dict[str, float]) -> None:
    run = make()
    assert isinstance(run, RatePerStep)
    with run.restored():
        if isinstance(run, LooksAtNoise):
            loss, _ = run.look_at(1e-6, batch_size=4)
            assert math.isfinite(loss), "a look is a step, and tells the loss before it"
        if isinstance(run, KnowsFixedLoss):
            assert run.fixed_loss(4) == run.fixed_loss(4), "the same rows have the same loss again"
        if isinstance(run, Curved):
            run.top_eigenvalue(batch_size=4, max_products=2, preconditioned=False)
    if isinstance(run, KnowsFixedLoss):
        run.fixed_loss(4)
    assert _trained(run) == whole, "looking and then training must equal training"


class _InterruptionError(Exception):
    """Stands for whatever may go wrong inside a probe."""
