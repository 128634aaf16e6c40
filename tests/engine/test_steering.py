"""What a run's settings do while it goes on: measured batches, couplings, reactive schedules."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from trained_run import trained

import surefoot as sf
from surefoot.batching import OBSERVING, NoiseSample
from surefoot.engine import TorchFactory, optimizers
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import RecipeError
from surefoot.steering import Steering
from surefoot.training import never

Make = Callable[..., Any]
MEASURED = sorted(OBSERVING - {"plateau_growth"})
QUICK = {
    "look_every": 2,
    "min_looks": 2,
    "least_looks": 2,
    "memory": 0.05,
    "hysteresis": 1.0,
    "share_of_rows": 1.0,
    "deviations": 0.1,
}


def steering(num_rows: int = 1000, horizon: int = 10_000, **sections: Any) -> Steering:
    return Steering(sf.Recipe(**sections).complete(num_rows), num_rows=num_rows, horizon=horizon)


def feed(steered: Steering, *, noise: float, steps: int, samples: int = 0) -> int:
    """Steps that all show the same noise scale; the clock after them."""
    for _ in range(steps):
        size = steered.batch_size(samples)
        samples += size
        steered.stepped(samples, loss=1.0, learning_rate=0.1, noise=NoiseSample(noise, 1.0, size))
    return samples


def run_of(task: Any, recipe: sf.Recipe, *, seed: int = 0) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(recipe.complete(factory.num_rows), seed=seed)


def test_a_measured_batch_moves_the_rate_with_it_and_says_why() -> None:
    steered = steering(
        optimizer={"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.01},
        schedule={"name": "constant", "warmup": 0},
        batch={"policy": "noise_scale", "size": 16, "share": 0.5, **QUICK},
    )
    samples = feed(steered, noise=100.0, steps=200)
    assert steered.batch_size(samples) == 50
    assert steered.settings(samples + 4000, 50).learning_rate == pytest.approx(0.1 * 50 / 16)
    told = [(change.name, change.before, change.after) for change in steered.changes]
    assert told[:2] == [("batch_size", 16, 32), ("learning_rate", 0.1, 0.2)]
    assert all(change.reason for change in steered.changes)


def test_a_coupled_rate_stops_at_the_noise_scale_and_at_its_limit() -> None:
    section = {"policy": "noise_scale", "size": 16, "share": 2.0, **QUICK}
    sgd = {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "schedule": {"name": "constant", "warmup": 0}}
    capped = steering(**sgd, batch=section)
    feed(capped, noise=64.0, steps=300)
    assert capped.settings(9000, capped.batch_size(9000)).learning_rate == pytest.approx(0.4)  # 64/16, not 128/16
    limited = steering(**sgd, batch={**section, "max_learning_rate": 0.13})
    feed(limited, noise=64.0, steps=300)
    assert limited.settings(9000, limited.batch_size(9000)).learning_rate == pytest.approx(0.13)


def test_after_a_jump_the_rate_climbs_without_a_step() -> None:
    steered = steering(
        optimizer={"name": "sgd", "learning_rate": 0.1},
        schedule={"name": "constant", "warmup": 0},
        batch={"policy": "noise_scale", "size": 16, "share": 4.0, **QUICK},
    )
    samples = 0
    while steered.batch_size(samples) == 16 and samples < 10_000:
        samples = feed(steered, noise=1000.0, steps=1, samples=samples)
    jumped = steered.changes[0].samples
    rates = [steered.settings(jumped + since, 32).learning_rate for since in (0, 50, 100, 200)]
    assert rates == pytest.approx([0.1, 0.125, 0.15, 0.2])


def test_growth_instead_of_decay_keeps_what_sgd_feels() -> None:
    sections = {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "schedule": {"name": "linear", "warmup": 0}}
    grown = steering(**sections, batch={"policy": "growth_replaces_decay", "size": 10})
    decayed = steering(**sections, batch={"size": 10})
    for samples in (0, 3000, 5000, 8000, 9800):
        size = grown.batch_size(samples)
        rate, usual = grown.settings(samples, size).learning_rate, decayed.settings(samples, 10).learning_rate
        assert rate / size == pytest.approx(usual / 10, rel=1e-9)
    assert grown.batch_size(5000) == 20
    assert grown.batch_size(9800) == 100, "a tenth of the rows is the cap"


def test_growth_instead_of_decay_under_adam_follows_the_root() -> None:
    grown = steering(schedule={"name": "linear", "warmup": 0}, batch={"policy": "growth_replaces_decay", "size": 10})
    settings = grown.settings(5000, grown.batch_size(5000))
    assert settings.learning_rate == pytest.approx(3e-3 * 0.5 * 2**0.5)
    assert (settings.beta1, settings.beta2) == pytest.approx((0.9**2, 0.999**2))


def test_settings_can_belong_to_another_batch_than_the_first() -> None:
    section = {"reference_size": 16, "size": 64}
    steered = steering(schedule={"name": "constant", "warmup": 0}, optimizer={"weight_decay": 0.1}, batch=section)
    settings = steered.settings(100, 64)
    assert settings.learning_rate == pytest.approx(3e-3 * 2)
    assert (settings.beta1, settings.beta2) == pytest.approx((0.9**4, 0.999**4))
    assert settings.weight_decay == pytest.approx(0.1 * 2)
    assert sf.Recipe(batch=section).steps_per_sample(1000) == 1 / 16
    assert sf.Recipe(batch={**section, "coupling": "none"}).steps_per_sample(1000) == 1 / 64
    moved, _ = sf.rescale(sf.Recipe(batch=section), batch_size=128)
    assert (moved.batch.size, moved.batch.reference_size) == (128, 32)


@pytest.mark.parametrize("policy", ["plateau_growth", "random", "ada_batch"])
def test_a_reference_does_not_couple_what_stands_for_a_decay(policy: str) -> None:
    batch = {"policy": policy, "reference_size": 16, "size": 32}
    sgd, flat = {"name": "sgd", "learning_rate": 0.1}, {"name": "constant", "warmup": 0}
    steered = steering(optimizer=sgd, batch=batch, schedule=flat)
    assert {steered.settings(100, size).learning_rate for size in (16, 32, 64)} == {0.2}


def test_back_at_the_first_batch_everything_is_as_it_was() -> None:
    """Nothing may be left over from a batch in between."""
    section = {"policy": "random", "size": 8, "sizes": [8, 32], "coupling": "sqrt"}
    steered = steering(optimizer={"weight_decay": 0.1}, batch=section, schedule={"name": "constant", "warmup": 0})
    first, between, again = (steered.settings(100, size) for size in (8, 32, 8))
    assert first == again != between
    assert (first.beta1, first.beta2, first.weight_decay, first.epsilon) == (0.9, 0.999, 0.1, 1e-8)


def test_rmsprop_gets_its_epsilon() -> None:
    settings = steering(optimizer={"name": "rmsprop"}, batch={"reference_size": 16, "size": 64}).settings(100, 64)
    assert settings.epsilon == pytest.approx(1e-8 / 2)


def test_a_noise_scale_of_nothing_shrinks_the_batch_and_breaks_nothing() -> None:
    steered = steering(batch={"policy": "noise_scale", "size": 64, "smallest": 2, **QUICK})
    samples = feed(steered, noise=-1.0, steps=500)
    assert steered.batch_size(samples) == 2
    assert steered.settings(samples, 2).learning_rate > 0


def test_goodput_goes_on_with_the_step_time_it_had() -> None:
    batch = {"policy": "goodput", "size": 16, **QUICK}
    one, other = steering(batch=batch), steering(batch=batch)
    for size in (8, 16):
        for _ in range(8):
            one.timed(size, 0.01 + 0.0001 * size)
    for _ in range(5):
        one.timed(8, 99.0)  # not enough to fit anew
    other.load_json(json.loads(json.dumps(one.to_json())))
    for steered in (one, other):
        feed(steered, noise=100.0, steps=400)
    assert one.batch_size(0) == other.batch_size(0) > 16


@pytest.mark.parametrize("policy", ["random", "ada_batch", "plateau_growth"])
def test_policies_that_stand_for_something_else_leave_the_rate(policy: str) -> None:
    assert sf.Recipe(batch={"policy": policy}).batch.rule("sgd") == "none"
    assert sf.Recipe(batch={"policy": policy, "coupling": "linear"}).batch.rule("sgd") == "linear"


def test_one_cycle_moves_the_momentum_the_other_way() -> None:
    steered = steering(optimizer={"name": "sgd"}, schedule={"name": "one_cycle"})
    momenta = [steered.settings(at, 32).momentum for at in (0, 3000, 10_000)]
    assert momenta == pytest.approx([0.95, 0.85, 0.95], abs=1e-6)
    adam = steering(schedule={"name": "one_cycle"}).settings(3000, 32)
    assert (adam.beta1, adam.beta2) == pytest.approx((0.85, 0.999), abs=1e-6)
    plain = steering(optimizer={"name": "sgd", "momentum": 0.0, "nesterov": False}, schedule={"name": "one_cycle"})
    assert plain.settings(3000, 32).momentum is None


@pytest.mark.parametrize("name", ["plateau", "reduce_then_raise"])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_reactive_schedule_watches_the_objective(name: str, direction: str) -> None:
    given = {"patience": 0.2} if name == "plateau" else {"plateau": {"patience": 0.2}}
    recipe = sf.Recipe(schedule={"name": name, "warmup": 0, **given}).complete(1000)
    steered = Steering(recipe, num_rows=1000, horizon=10_000, direction=direction)
    worse = 1.0 if direction == "min" else -1.0
    rates = []
    for look in range(5):
        steered.looked(1000 * look, worse * look)
        rates.append(steered.settings(1000 * look, 32).learning_rate / 3e-3)
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert [change.name for change in steered.changes] == ["rate_multiplier"] * 2


def test_the_state_survives_json_and_decides_as_before() -> None:
    sections = {"batch": {"policy": "norm_test", "size": 16, **QUICK}, "schedule": {"name": "plateau"}}
    one, other = steering(**sections), steering(**sections)
    samples = feed(one, noise=50.0, steps=17)
    one.looked(samples, 1.0)
    one.timed(16, 0.01)
    other.load_json(json.loads(json.dumps(one.to_json())))
    for steered in (one, other):
        feed(steered, noise=50.0, steps=100, samples=samples)
    assert one.to_json() == other.to_json()
    assert one.changes


def test_goodput_waits_for_the_time_of_two_sizes() -> None:
    batch = {"policy": "goodput", "size": 16, **QUICK}
    silent, timed = steering(batch=batch), steering(batch=batch)
    for size in (8, 16):
        for _ in range(8):
            timed.timed(size, 0.01 + 0.0001 * size)
    for steered in (silent, timed):
        feed(steered, noise=100.0, steps=400)
    assert silent.batch_size(0) == 16
    assert timed.batch_size(0) == pytest.approx(100, rel=0.1)  # √(B_s·α/β)


@pytest.mark.parametrize("policy", [*MEASURED, "plateau_growth", "growth_replaces_decay"])
def test_every_policy_drives_a_training_and_resumes_to_the_same_bits(
    make_task: Make, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("surefoot.engine.run.time.perf_counter", lambda: next(ticks) * 1e-3)
    monkeypatch.setattr("surefoot.engine.descent.time.perf_counter", lambda: next(ticks) * 1e-3)
    own = {"patience": 0} if policy == "plateau_growth" else {} if policy == "growth_replaces_decay" else QUICK
    task = make_task(rows=120, epochs=6)
    recipe = sf.Recipe(batch={"policy": policy, "size": 4, **own}, model={"dropout": 0.2})
    if policy == "inner_product_test":
        recipe = recipe.with_changes({"batch.theta": 0.1})
    if policy == "cabs":
        recipe = recipe.with_changes({"optimizer.learning_rate": 0.05, "optimizer.name": "sgd"})
    whole, parts = run_of(task, recipe), run_of(task, recipe)
    sizes = []
    for stretch in range(12):
        for run in (whole, parts):
            sizes.append(run.advance(48, should_stop=never).batch_size)
            run.looked(1.0)
        if stretch % 3 == 0:
            parts.save_checkpoint(tmp_path, {"at": stretch})
            parts = run_of(task, recipe)
            assert parts.load_checkpoint(tmp_path) == {"at": stretch}
    if policy != "goodput":  # it follows a clock that both runs move
        assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True))
        assert whole.changes == parts.changes
    assert {*sizes} != {4}, f"{policy} never moved the batch"


def test_a_run_says_when_the_batch_did_not_move(make_task: Make) -> None:
    record, _ = trained(make_task(), sf.Recipe(batch={"policy": "norm_test", "size": 8}))
    assert "the batch stayed at 8" in record.remark
    assert "looks at the noise are too few to tell, it takes 10" in record.remark


@pytest.mark.parametrize(("per_row", "verdict"), [(0.0, "save time"), (1.0, "hardly any time")])
def test_a_run_says_whether_a_larger_batch_saved_time(per_row: float, verdict: str) -> None:
    steered = steering(batch={"policy": "growth_replaces_decay", "size": 16})
    for size in (16, 64):
        for _ in range(8):
            steered.timed(size, 0.01 + per_row * size)
    assert verdict in steered.remark


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        (
            {"batch": {"policy": "noise_scale", "theta": 0.5}},
            'batch.theta is not an argument of the batch policy "noise_scale"',
        ),
        ({"batch": {"policy": "norm_test", "theta": 2}}, "batch.theta must lie"),
        ({"batch": {"policy": "norm_test", "memory": 3}}, "batch.memory must be a share of the horizon"),
        (
            {"batch": {"policy": "goodput", "step_time": 1}},
            'batch.step_time is not an argument of the batch policy "goodput"',
        ),
        ({"batch": {"policy": "fixed", "coupling": "sqrt"}}, "is for a batch that moves"),
        ({"batch": {"policy": "linear_ramp", "look_every": 8}}, "is for policies that look at the noise"),
        ({"batch": {"policy": "norm_test", "coupling": "adascale"}}, "is derived for sgd"),
        (
            {"batch": {"policy": "linear_ramp", "coupling": "adascale"}, "optimizer": {"name": "sgd"}},
            "needs a policy that",
        ),
        ({"batch": {"policy": "noise_scal"}}, 'did you mean "noise_scale"'),
        ({"batch": {"micro_batch": 0}}, "batch.micro_batch is 0"),
        ({"stopping": {"retry_factor": 1.5}}, "stopping.retry_factor is 1.5"),
        ({"schedule": {"name": "plateau", "patience": -1}}, "schedule.patience"),
        ({"schedule": {"name": "plateau", "mode": "max"}}, "follows the objective"),
    ],
)
def test_a_recipe_that_cannot_be_steered_is_refused_in_one_line(sections: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        sf.Recipe(**sections)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_reach_the_optimizer_and_none_leaves_them() -> None:
    from surefoot.steering import Settings

    weight = nn.Parameter(torch.zeros(2, 2))
    adam = torch.optim.AdamW([{"params": [weight], "weight_decay": 0.1}], lr=1.0)
    optimizers.set_knobs(adam, **Settings(0.5, beta2=0.9)._asdict())
    group = adam.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.5, 0.1, (0.9, 0.9))
