"""One look at the noise in a gradient: (S, ‖G‖²) from squared norms, whoever measured them.

G is the gradient over all rows, S = tr Σ the variance of one row's gradient about it, so that a batch of B rows has
E‖g_B‖² = ‖G‖² + S/B. Their ratio S/‖G‖² is the gradient noise scale of McCandlish et al. 2018 (arXiv:1812.06162).

Everything takes plain numbers. Measure before clipping, and square before an all-reduce averages the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from surefoot.batching.checks import require_count

__all__ = ["NoiseSample", "from_examples", "from_micro_gradients", "from_ranks", "from_two_sizes"]


class NoiseSample(NamedTuple):
    """One unbiased, noisy look at S and ‖G‖²; either may come out negative.

    Attributes:
        noise: S^, squared gradient units times rows.
        signal: ‖G‖²^, squared gradient units.
        samples: rows behind this look.
        along: the part of S that points along the batch's own gradient, in [0, S]; None when it was not measured.
    """

    noise: float
    signal: float
    samples: int
    along: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether a step of this look can be learned from: mixed precision overflows now and then."""
        return math.isfinite(self.noise) and math.isfinite(self.signal)


def from_micro_gradients(
    squared_norms: Sequence[float],
    *,
    sizes: Sequence[int],
    mean_squared_norm: float,
    dots: Sequence[float] | None = None,
    num_rows: int | None = None,
    loss_scale: float = 1.0,
) -> NoiseSample:
    """S and ‖G‖² from K gradients over disjoint micro-batches at the same parameters.

    With rows b_k, B = Σ b_k and ḡ = Σ b_k g_k / B, the between-group variance of an analysis of variance is unbiased
    whatever the sizes are:  S^ = (Σ b_k‖g_k‖² − B‖ḡ‖²)/(K − 1),  ‖G‖²^ = ‖ḡ‖² − S^/B.
    For equal sizes it is McCandlish et al. 2018, appendix A.1, with all K small gradients in place of one.

    Args:
        squared_norms: ‖g_k‖² of each micro-batch's mean gradient, K ≥ 2.
        sizes: b_k ≥ 1, rows of each micro-batch.
        mean_squared_norm: ‖ḡ‖² of the mean over all rows.
        dots: g_kᵀḡ, when the part along the gradient is wanted (the inner-product test reads it).
        num_rows: N, when the rows of a batch are drawn without replacement from N rows. Then E[S^] = S·N/(N−1) and
            E[‖G‖²^] = ‖G‖² − S/(N−1), which is taken back; it matters for tables, not for millions of rows.
        loss_scale: what the loss was multiplied by; norms are divided by its square.

    Raises:
        ValueError: fewer than two gradients, or lengths that differ.

    >>> from_micro_gradients([6.0, 4.0], sizes=[8, 8], mean_squared_norm=3.0)
    NoiseSample(noise=32.0, signal=1.0, samples=16, along=None)
    """
    _check(squared_norms, sizes, dots, loss_scale)
    total = sum(sizes)
    if num_rows is not None and total > num_rows:
        raise ValueError(f"num_rows is {num_rows}, but the micro-batches hold {total} rows: they must be disjoint")
    scale = 1.0 / (loss_scale * loss_scale)
    mean = mean_squared_norm * scale
    groups = len(sizes) - 1
    raw = sum(size * norm for size, norm in zip(sizes, squared_norms, strict=True)) * scale
    noise = (raw - total * mean) / groups
    signal = mean - noise / total
    along = None
    if dots is not None:
        # Σ b_k (g_kᵀḡ/‖ḡ‖ − ‖ḡ‖)²/(K − 1): the same estimate, of the gradients' shadows on ḡ
        spread = sum(size * (dot * scale - mean) ** 2 for size, dot in zip(sizes, dots, strict=True))
        along = spread / (mean * groups) if mean > 0.0 else 0.0
    if num_rows is not None:
        finite = (num_rows - 1) / num_rows
        signal += noise / num_rows
        noise *= finite
        along = None if along is None else along * finite
    return NoiseSample(noise, signal, total, along)


def from_examples(
    squared_norms: Sequence[float],
    *,
    mean_squared_norm: float,
    dots: Sequence[float] | None = None,
    num_rows: int | None = None,
    loss_scale: float = 1.0,
) -> NoiseSample:
    """S and ‖G‖² from the gradients of single rows: S^ = n/(n−1)·(mean‖g_i‖² − ‖ḡ‖²).

    The quietest form. For a linear layer on plain rows ‖g_i‖² = ‖a_i‖²‖δ_i‖² costs nothing (Goodfellow 2015,
    arXiv:1510.01799).

    Args:
        squared_norms: ‖g_i‖² of every row of the batch, at least two.
        mean_squared_norm: ‖ḡ‖² of their mean.
        dots: as in ``from_micro_gradients``, likewise ``num_rows`` and ``loss_scale``.
        num_rows: see there.
        loss_scale: see there.

    >>> from_examples([2.0, 4.0, 6.0], mean_squared_norm=2.0)
    NoiseSample(noise=3.0, signal=1.0, samples=3, along=None)
    """
    return from_micro_gradients(
        squared_norms,
        sizes=(1,) * len(squared_norms),
        mean_squared_norm=mean_squared_norm,
        dots=dots,
        num_rows=num_rows,
        loss_scale=loss_scale,
    )


def from_ranks(
    mean_of_squared_norms: float,
    *,
    num_ranks: int,
    rows_per_rank: int,
    mean_squared_norm: float,
    num_rows: int | None = None,
    loss_scale: float = 1.0,
) -> NoiseSample:
    """S and ‖G‖² from data-parallel ranks: each squares its own gradient, then both numbers are averaged.

    Two all-reduces: one of ‖g_r‖² (a single float), one of the gradients, which happens anyway.

    Args:
        mean_of_squared_norms: mean over ranks of ‖g_r‖², squared before the all-reduce.
        num_ranks: K ≥ 2 ranks.
        rows_per_rank: b rows on each.
        mean_squared_norm: ‖ḡ‖² after the all-reduce.
        num_rows: as in ``from_micro_gradients``.
        loss_scale: as there.

    >>> from_ranks(5.0, num_ranks=2, rows_per_rank=8, mean_squared_norm=3.0)
    NoiseSample(noise=32.0, signal=1.0, samples=16, along=None)
    """
    require_count("num_ranks", num_ranks, least=2)
    return from_micro_gradients(
        (mean_of_squared_norms,) * num_ranks,
        sizes=(rows_per_rank,) * num_ranks,
        mean_squared_norm=mean_squared_norm,
        num_rows=num_rows,
        loss_scale=loss_scale,
    )


def from_two_sizes(
    small_squared_norm: float,
    *,
    small_size: int,
    large_squared_norm: float,
    large_size: int,
    num_rows: int | None = None,
) -> NoiseSample:
    """S and ‖G‖² from one small and one large gradient, for who has no more: the noisiest form.

    ‖G‖²^ = (B‖g_B‖² − b‖g_b‖²)/(B − b),  S^ = (‖g_b‖² − ‖g_B‖²)/(1/b − 1/B); McCandlish et al. 2018, appendix A.1.

    Args:
        small_squared_norm: ‖g_b‖² over ``small_size`` rows.
        small_size: b ≥ 1.
        large_squared_norm: ‖g_B‖² over ``large_size`` rows.
        large_size: B > b.
        num_rows: of the data; takes back what drawing without replacement does.

    >>> from_two_sizes(6.0, small_size=1, large_squared_norm=1.5, large_size=10)
    NoiseSample(noise=5.0, signal=1.0, samples=10, along=None)
    """
    require_count("small_size", small_size)
    require_count("large_size", large_size, least=small_size + 1)
    noise = (small_squared_norm - large_squared_norm) / (1.0 / small_size - 1.0 / large_size)
    signal = (large_size * large_squared_norm - small_size * small_squared_norm) / (large_size - small_size)
    if num_rows is not None:
        require_count("num_rows", num_rows, least=large_size)
        signal += noise / num_rows
        noise *= (num_rows - 1) / num_rows
    return NoiseSample(noise, signal, large_size)


def _check(
    squared_norms: Sequence[float], sizes: Sequence[int], dots: Sequence[float] | None, loss_scale: float
) -> None:
    if len(squared_norms) < 2:
        raise ValueError(
            f"squared_norms has {len(squared_norms)} values; the noise shows only between two gradients or more: "
            "split the batch in two"
        )
    if len(sizes) != len(squared_norms):
        raise ValueError(f"sizes has {len(sizes)} values and squared_norms {len(squared_norms)}; one a gradient each")
    if dots is not None and len(dots) != len(squared_norms):
        raise ValueError(f"dots has {len(dots)} values and squared_norms {len(squared_norms)}; one a gradient each")
    if min(sizes) < 1:
        raise ValueError(f"sizes must be at least 1 each, not {min(sizes)!r}")
    if not loss_scale > 0:
        raise ValueError(f"loss_scale must be above 0, not {loss_scale!r}")
