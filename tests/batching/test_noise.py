"""The estimators on a quadratic whose S and ‖G‖² are known: J = mean ½‖θ − x_i‖², so g_i = θ − x_i."""

from __future__ import annotations

import math

import numpy as np
import pytest

from surefoot.batching import (
    NoiseSample,
    adam_preconditioner,
    from_examples,
    from_micro_gradients,
    from_ranks,
    from_two_sizes,
    squared_norm,
)

DIRECTIONS, BATCH, STEPS = 128, 32, 4_000
SIGNAL, NOISE = 1.0, 100.0


@pytest.fixture(scope="module")
def gradients():
    """Per-example gradients of many batches: (step, example, direction)."""
    random = np.random.default_rng(0)
    drawn = random.standard_normal((STEPS, BATCH, DIRECTIONS), dtype=np.float32)
    drawn *= math.sqrt(NOISE / DIRECTIONS)
    drawn[:, :, 0] += math.sqrt(SIGNAL)
    return drawn


def looks(gradients, sizes, **arguments):
    """A sample a step, from micro-batches of these sizes."""
    cuts = np.cumsum([0, *sizes[:-1]])
    means = np.add.reduceat(gradients, cuts, axis=1) / np.asarray(sizes, dtype=np.float32)[None, :, None]
    norms = (means.astype(np.float64) ** 2).sum(axis=2)
    totals = (gradients.mean(axis=1, dtype=np.float64) ** 2).sum(axis=1)
    return [
        from_micro_gradients(row, sizes=sizes, mean_squared_norm=total, **arguments)
        for row, total in zip(norms.tolist(), totals.tolist(), strict=True)
    ]


def means(samples):
    return np.mean([sample.noise for sample in samples]), np.mean([sample.signal for sample in samples])


@pytest.mark.parametrize("sizes", [(1,) * 32, (8,) * 4, (16,) * 2, (1, 2, 5, 8, 16)], ids=["1", "8", "16", "unequal"])
def test_unbiased_for_equal_and_unequal_micro_batches(gradients, sizes):
    noise, signal = means(looks(gradients, sizes))
    assert noise == pytest.approx(NOISE, rel=0.02)
    assert signal == pytest.approx(SIGNAL, rel=0.02)
    assert noise / signal == pytest.approx(NOISE / SIGNAL, rel=0.02)


def test_all_small_gradients_see_more_than_one(gradients):
    """The reason for K gradients in place of one: NeoX and KungFu use one."""
    every = [sample.noise for sample in looks(gradients[:2000], (1,) * 32)]
    one = [
        from_two_sizes(
            float((batch[0] ** 2).sum()),
            small_size=1,
            large_squared_norm=float((batch.mean(axis=0) ** 2).sum()),
            large_size=32,
        ).noise
        for batch in gradients[:2000]
    ]
    assert np.std(every) < np.std(one) / 4


@pytest.mark.parametrize("sizes", [(1,) * 32, (8,) * 4, (16,) * 2, (1, 2, 5, 8, 16)], ids=["1", "8", "16", "unequal"])
def test_unbiased_without_replacement_from_64_rows(sizes):
    random = np.random.default_rng(1)
    rows = random.standard_normal((64, 48))
    rows += 0.7 - rows.mean(axis=0)  # ‖G‖² = 48 · 0.49
    signal = float((rows.mean(axis=0) ** 2).sum())
    noise = float(((rows - rows.mean(axis=0)) ** 2).sum() / 64)
    order = random.permuted(np.tile(np.arange(64), (6_000, 1)), axis=1)[:, :32]
    samples = looks(rows[order], sizes, num_rows=64)
    assert means(samples) == (pytest.approx(noise, rel=0.02), pytest.approx(signal, rel=0.02))


def test_without_replacement_the_uncorrected_estimate_is_off_by_the_known_terms():
    """E[S^] = S·N/(N−1) and E[‖G‖²^] = ‖G‖² − S/(N−1): a batch of all rows shows it without any average."""
    rows = np.random.default_rng(2).standard_normal((64, 10)) + 0.1
    signal, noise = float((rows.mean(axis=0) ** 2).sum()), float(rows.var(axis=0).sum())
    norms, total = (rows**2).sum(axis=1).tolist(), signal
    plain = from_examples(norms, mean_squared_norm=total)
    assert plain.noise == pytest.approx(noise * 64 / 63)
    assert plain.signal == pytest.approx(signal - noise / 63)
    corrected = from_examples(norms, mean_squared_norm=total, num_rows=64)
    assert corrected.noise == pytest.approx(noise)
    assert corrected.signal == pytest.approx(signal)


def test_the_forms_agree(gradients):
    batch = gradients[0].astype(np.float64)
    total = squared_norm(batch.mean(axis=0))
    halves = [squared_norm(batch[:16].mean(axis=0)), squared_norm(batch[16:].mean(axis=0))]
    singles = [squared_norm(row) for row in batch]
    ranks = from_ranks(float(np.mean(halves)), num_ranks=2, rows_per_rank=16, mean_squared_norm=total)
    assert ranks[:3] == pytest.approx(from_micro_gradients(halves, sizes=[16, 16], mean_squared_norm=total)[:3])
    assert from_examples(singles, mean_squared_norm=total) == from_micro_gradients(
        singles, sizes=[1] * 32, mean_squared_norm=total
    )
    # McCandlish et al. 2018, appendix A.1, with the mean of the small norms
    small, large = float(np.mean(halves)), total
    published = from_two_sizes(small, small_size=16, large_squared_norm=large, large_size=32)
    assert (ranks.noise, ranks.signal) == pytest.approx((published.noise, published.signal))


def test_the_loss_scale_does_not_matter(gradients):
    scale = 2.0**16
    batch = gradients[0].astype(np.float64)
    singles, total = [squared_norm(row) for row in batch], squared_norm(batch.mean(axis=0))
    dots = (batch @ batch.mean(axis=0)).tolist()
    plain = from_examples(singles, mean_squared_norm=total, dots=dots)
    scaled = from_examples(
        [norm * scale**2 for norm in singles],
        mean_squared_norm=total * scale**2,
        dots=[dot * scale**2 for dot in dots],
        loss_scale=scale,
    )
    assert scaled == pytest.approx(plain)


def test_the_part_along_the_gradient():
    """With noise along the gradient only, all of S is along it; with noise across it only, none of it is."""
    random = np.random.default_rng(3)
    for axis, share in ((0, 1.0), (1, 0.0)):
        batch = np.zeros((512, 2))
        batch[:, 0] = 3.0
        batch[:, axis] += random.standard_normal(512)
        batch[:, 1] -= batch[:, 1].mean()
        mean = batch.mean(axis=0)
        sample = from_examples(
            [squared_norm(row) for row in batch], mean_squared_norm=squared_norm(mean), dots=(batch @ mean).tolist()
        )
        assert sample.along == pytest.approx(share * sample.noise, abs=1e-9)


def test_preconditioning_undoes_a_change_of_units():
    """Adam does not see a coordinate's unit; neither must its noise scale."""
    random = np.random.default_rng(4)
    batch = random.standard_normal((32, 6)) + 0.5
    units = np.array([1e-3, 1.0, 1e3, 1.0, 10.0, 0.1])

    def sample(rows):
        p = adam_preconditioner((rows**2).mean(axis=0), beta2=0.0, num_steps=1, epsilon=1e-12)
        return from_examples(
            [squared_norm(row, p) for row in rows], mean_squared_norm=squared_norm(rows.mean(axis=0), p)
        )

    assert sample(batch * units)[:2] == pytest.approx(sample(batch)[:2], rel=1e-6)


def test_preconditioner_debiases_as_adam_does():
    second_moment = 0.001 * 4.0  # one step of β₂ = 0.999 on a gradient of 2
    assert adam_preconditioner([second_moment], beta2=0.999, num_steps=1, epsilon=1e-8)[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"squared_norms": [1.0], "sizes": [8]}, "squared_norms has 1 values; .* split the batch in two"),
        ({"squared_norms": [1.0, 2.0], "sizes": [8]}, "sizes has 1 values and squared_norms 2"),
        ({"squared_norms": [1.0, 2.0], "sizes": [8, 0]}, "sizes must be at least 1 each, not 0"),
        ({"squared_norms": [1.0, 2.0], "sizes": [8, 8], "dots": [1.0]}, "dots has 1 values"),
        ({"squared_norms": [1.0, 2.0], "sizes": [8, 8], "num_rows": 15}, "num_rows is 15, but .* 16 rows"),
        ({"squared_norms": [1.0, 2.0], "sizes": [8, 8], "loss_scale": 0.0}, "loss_scale must be above 0, not 0.0"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        from_micro_gradients(arguments.pop("squared_norms"), mean_squared_norm=1.0, **arguments)


def test_a_look_that_overflowed_says_so():
    assert not NoiseSample(math.inf, 1.0, 8).is_finite
    assert not from_micro_gradients([math.nan, 1.0], sizes=[8, 8], mean_squared_norm=1.0).is_finite
