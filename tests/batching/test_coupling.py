from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.batching import (
    Knobs,
    adascale_gain,
    couple,
    default_coupling,
    fit_critical_batch,
    rate_after_jump,
    rate_factor,
)

sizes = st.integers(1, 10_000)
scales = st.floats(1.0, 1e5)
ADAM = Knobs(3e-3, 0.1, 0.9, 0.999, 1e-8)


def test_goyal_2017():
    """ImageNet: 0.1 at a batch of 256 becomes 3.2 at 8,192, with the decay as it was."""
    knobs, changes = couple(Knobs(0.1, 1e-4), optimizer="sgd", batch_size=256, new_batch_size=8_192)
    assert knobs == Knobs(pytest.approx(3.2), pytest.approx(1e-4))
    assert [change.name for change in changes] == ["learning_rate"]


def test_malladi_2022():
    """√κ, 1 − κ(1 − β), ε/√κ: to first order in 1 − β, and where theirs leaves [0, 1) ours does not."""
    knobs, _ = couple(ADAM, optimizer="adamw", batch_size=64, new_batch_size=256)
    assert knobs.learning_rate == pytest.approx(2 * 3e-3)
    assert knobs.epsilon == pytest.approx(1e-8 / 2)
    assert knobs.beta2 == pytest.approx(1 - 4 * 0.001, abs=1e-5)
    assert knobs.beta1 == pytest.approx(1 - 4 * 0.1, abs=0.06)
    far, _ = couple(ADAM, optimizer="adamw", batch_size=64, new_batch_size=64 * 32)
    assert 0.0 < far.beta1 < 0.05
    assert far.beta2 == pytest.approx(0.999**32)


@given(sizes, sizes, sizes, scales, st.sampled_from(["none", "linear", "sqrt", "adascale"]))
def test_two_changes_are_one_and_the_way_back_undoes(first, second, third, noise_scale, coupling):
    def factor(one, other):
        return rate_factor(coupling, batch_size=one, new_batch_size=other, noise_scale=noise_scale)

    assert factor(first, second) * factor(second, third) == pytest.approx(factor(first, third))
    assert factor(first, second) * factor(second, first) == pytest.approx(1.0)


@given(sizes, sizes, scales)
def test_no_rule_goes_past_linear_and_the_gain_lies_between_none_and_linear(small, more, noise_scale):
    large = small + more
    linear = rate_factor("linear", batch_size=small, new_batch_size=large)
    root = rate_factor("sqrt", batch_size=small, new_batch_size=large)
    gain = adascale_gain(large / small, noise_scale=noise_scale, batch_size=small)
    assert 1.0 <= root <= linear
    assert 1.0 <= gain <= linear * (1 + 1e-12)
    capped = rate_factor("linear", batch_size=small, new_batch_size=large, noise_scale=noise_scale)
    assert 1.0 <= capped <= max(1.0, noise_scale / small) * (1 + 1e-12)
    # the gain is at least half of what linear up to the noise scale gives: the cap is the gain's corner
    assert gain >= 0.5 * capped


@given(
    sizes,
    sizes,
    st.sampled_from(["sgd", "adamw", "nadamw", "schedule_free_sgd", "schedule_free_adamw"]),
    st.none() | scales,
    st.none() | st.floats(1e-4, 1.0),
)
def test_rate_times_decay_a_sample_stays(small, large, optimizer, noise_scale, limit):
    knobs = Knobs(1e-2, 0.05) if optimizer.endswith("sgd") else ADAM
    new, _ = couple(
        knobs,
        optimizer=optimizer,
        batch_size=small,
        new_batch_size=large,
        noise_scale=noise_scale,
        learning_rate_limit=limit,
    )
    before = knobs.learning_rate * knobs.weight_decay / small
    assert new.learning_rate * new.weight_decay / large == pytest.approx(before)
    assert limit is None or new.learning_rate <= limit or new.learning_rate <= knobs.learning_rate


@given(sizes, sizes)
def test_moments_keep_their_memory_in_samples(small, large):
    new, _ = couple(ADAM, optimizer="adamw", batch_size=small, new_batch_size=large)
    for before, after in ((ADAM.beta1, new.beta1), (ADAM.beta2, new.beta2)):
        assert 0.0 <= after < 1.0
        if after > 1e-300:
            assert math.log(after) / large == pytest.approx(math.log(before) / small)


def test_what_tuning_free_optimizers_leave_alone():
    new, changes = couple(ADAM, optimizer="schedule_free_adamw", batch_size=32, new_batch_size=128)
    assert new.beta1 == ADAM.beta1, "it says where the gradient is taken, not how long it is remembered"
    assert {change.name for change in changes} >= {"learning_rate", "beta2", "epsilon"}
    assert couple(ADAM, optimizer="prodigy", batch_size=32, new_batch_size=128) == (ADAM, ())


def test_where_the_decay_does_not_move():
    """Adam normalises the gradient that holds its decay: c = Σ ηλ says nothing there, and λ stays part of J."""
    new, changes = couple(ADAM, optimizer="adam", batch_size=32, new_batch_size=128)
    assert new.weight_decay == ADAM.weight_decay
    assert "weight_decay" not in [change.name for change in changes]
    assert couple(ADAM, optimizer="adamw", batch_size=32, new_batch_size=128, coupling="none") == (ADAM, ())


def test_adagrad_needs_no_coupling_while_noise_dominates():
    """The derivation, run: Adagrad on pure noise plus a drift goes as far per sample at any batch, at one rate."""
    import numpy as np

    def travelled(batch, samples=65_536):
        random = np.random.default_rng(0)
        steps = samples // batch
        gradients = 0.02 + random.standard_normal((200, steps)) / math.sqrt(batch)
        return float((gradients / np.sqrt(np.cumsum(gradients**2, axis=1))).sum(axis=1).mean())

    assert default_coupling("adagrad") == "none"
    assert travelled(64) == pytest.approx(travelled(16), rel=0.1)


def test_the_rate_rises_over_the_warmup_and_falls_at_once():
    rates = [rate_after_jump(0.1, 0.8, samples_since=since, length=70) for since in range(0, 100, 10)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.8, 0.8])
    assert rate_after_jump(0.8, 0.1, samples_since=0, length=70) == 0.1
    assert rate_after_jump(0.1, 0.8, samples_since=0, length=0) == 0.8


def test_reasons_name_the_cap_that_held():
    _, (rate, *_) = couple(Knobs(0.1), optimizer="sgd", batch_size=32, new_batch_size=512, noise_scale=64)
    assert rate.reason.endswith("counted up to the noise scale of 64")
    _, (rate, *_) = couple(Knobs(0.1), optimizer="sgd", batch_size=32, new_batch_size=512, learning_rate_limit=0.13)
    assert rate.reason == "linear rule would give 1.6, past the highest stable rate"


@given(st.floats(1.0, 1e4), st.floats(4.0, 1e5))
def test_the_critical_batch_is_found_again(least, critical):
    batches = [critical * factor for factor in (0.1, 0.5, 1, 2, 10)]
    law = fit_critical_batch(batches, [least * (1 + batch / critical) for batch in batches])
    assert (law.least, law.batch_size) == (pytest.approx(least, rel=1e-3), pytest.approx(critical, rel=1e-3))
    assert law.error < 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coupling": "linaer"}, 'coupling is "linaer", which does not exist; did you mean "linear"'),
        ({"coupling": "adascale"}, 'coupling "adascale" needs the noise_scale'),
        ({"coupling": "adascale", "optimizer": "adamw"}, 'coupling "adascale" is derived for sgd, not for "adamw"'),
        ({"new_batch_size": 0}, "new_batch_size must be a whole number of at least 1, not 0"),
        ({"noise_scale": 0.0}, "noise_scale must be a finite number above 0, not 0.0: .* leave it out"),
        ({"learning_rate_limit": -1.0}, "learning_rate_limit must be a finite number above 0, not -1.0"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        couple(Knobs(0.1), **{"optimizer": "sgd", "batch_size": 32, "new_batch_size": 64, **arguments})
