"""What the first losses of trainings at constant rates say about the rate for a whole training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surefoot.curves.smoothing import noise_of

__all__ = ["EarlyReading", "RateLook", "Status", "read_early"]

Curve = npt.NDArray[np.float64]
Status = Literal["diverged", "rising", "flat", "falling"]

SHORTEST = 12
# Levels are means over the last quarter, and rates tie where 95 % of a normal error reaches.
STRETCHES, TIED = 4, 2.0
# Many curves are asked whether they moved at all: one in thousands then says so by chance.
MOVED = 4.0
# The best rate falls as horizon^-0.32 (Bjorck et al. 2024, arXiv:2409.19913); -0.29 here (docs/log.md,
# 2026-11-20: 1.5 for four times the horizon).
HORIZON_EXPONENT = 0.32
# The constant rate with the best bound after N steps falls as N^-1/2 (Nemirovski et al. 2009, SIAM J. Optim. 19(4)).
STEEPEST_EXPONENT = 0.5
# Where nobody says how long the training is: a look that takes the twentieth that probes may take of one.
USUAL_HORIZON = 20.0


@dataclass(frozen=True)
class RateLook:
    """One rate's early curve.

    Attributes:
        rate: its constant learning rate.
        status: "diverged" ends above the start, is not finite or was ended before the others; "rising" ends above an
            earlier stretch of its own; both only where it does not end below the slowest rate. "falling" ends below
            the start or below the slowest rate; "flat" does none of these.
        level: mean loss over the last quarter of the steps, None where it is not finite or not there.
        error: standard error of ``level`` from the noise of single losses.
    """

    rate: float
    status: Status
    level: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class EarlyReading:
    """What a few early curves say: a band of rates, or a reason why they say nothing.

    Attributes:
        looks: the rates from slow to fast.
        low: the lowest rate that the band holds, None where there is none.
        value: the rate to train with.
        high: the best rate over the steps that were looked at, or half a step of the grid above ``value``.
        diverged_above: the lowest rate that did not hold, above one at which the loss fell.
        reason: what ``value`` follows from, or why there is none.
    """

    looks: tuple[RateLook, ...] = ()
    low: float | None = None
    value: float | None = None
    high: float | None = None
    diverged_above: float | None = None
    reason: str = ""


def read_early(
    rates: Sequence[float], curves: Sequence[Sequence[float]], *, horizon: float | None = None
) -> EarlyReading:
    """The rate for a whole training, from short trainings at constant rates that begin at the same weights.

    The rate with the lowest loss at the end of the looks is found first; where slower ones tie with it, the middle of
    them in the logarithm. Losses are compared step by step, so that what the batches have in common cancels when
    all rates saw the same ones. That rate is the best over the looks' steps, and too fast for a longer training when
    it was the noise of the gradients that stopped faster ones: then it is lowered by (looks' steps / horizon)^0.32.
    When curvature stopped them it stays: a quadratic's stability limit knows no horizon.

    Args:
        rates: positive, in any order, no two alike; three or more, a factor of 2 to 4 apart, are best.
        curves: the loss of every step at each rate. One that is shorter than the longest was ended by whoever ran it
            and counts as diverged, as does one with a loss that is not finite.
        horizon: steps of the whole training; twenty times those of a look where it is None.

    >>> falling = [[2.0 - 0.1 * rate * step for step in range(20)] for rate in (0.1, 0.3)]
    >>> read_early([0.1, 0.3, 1.0], [*falling, [2.0, 9.0, float("inf")]], horizon=20).value
    0.3
    """
    complaint = _complaint(rates, curves, horizon)
    if complaint:
        return EarlyReading(reason=complaint)
    order = np.argsort(rates)
    sorted_rates = np.asarray(rates, dtype=np.float64)[order]
    with np.errstate(all="ignore"):
        return _read(sorted_rates, [np.asarray(curves[index], dtype=np.float64) for index in order], horizon)


def _complaint(rates: Sequence[float], curves: Sequence[Sequence[float]], horizon: float | None) -> str:
    if len(rates) != len(curves):
        return f"{len(rates)} rates and {len(curves)} curves do not go together"
    if not all(math.isfinite(rate) and rate > 0 for rate in rates) or len(set(rates)) < len(rates):
        return "rates must be positive and finite, no two alike"
    if len(rates) < 2:
        return "one rate alone cannot be compared"
    if horizon is not None and not (math.isfinite(horizon) and horizon > 0):
        return f"the horizon must be a positive number of steps, not {horizon!r}"
    longest = max(len(curve) for curve in curves)
    return "" if longest >= SHORTEST else f"{longest} steps are too few to read, {SHORTEST} are the least"


def _read(rates: Curve, curves: list[Curve], horizon: float | None) -> EarlyReading:
    num_steps = max(len(curve) for curve in curves)
    looks = _look(rates, curves, num_steps)
    falling = [index for index, look in enumerate(looks) if look.status == "falling"]
    failed = [index for index, look in enumerate(looks) if look.status in ("diverged", "rising")]
    if not falling:
        return EarlyReading(looks, reason=_why_nothing(looks))
    ceiling = min((index for index in failed if index > falling[0]), default=len(looks))
    diverged_above = float(rates[ceiling]) if ceiling < len(looks) else None
    best = min((index for index in falling if index < ceiling), key=lambda index: float(looks[index].level or 0.0))
    lowest = _lowest_tied(curves, looks, best)
    middle = math.sqrt(rates[lowest] * rates[best])
    ratio = max((USUAL_HORIZON * num_steps if horizon is None else horizon) / num_steps, 1.0)
    by_curvature = _is_limited_by_curvature(rates, curves, looks, best)
    value = middle if by_curvature else middle * ratio**-HORIZON_EXPONENT
    low = float(rates[lowest]) * (1.0 if by_curvature else ratio**-STEEPEST_EXPONENT)
    half_step = math.sqrt(rates[best] / rates[best - 1] if best else rates[best + 1] / rates[best])
    high = max(float(rates[best]), value * half_step)
    return EarlyReading(
        looks,
        low=min(low, value / half_step),
        value=value,
        high=high if diverged_above is None else max(value, min(high, math.sqrt(rates[best] * diverged_above))),
        diverged_above=diverged_above,
        reason=_reason(rates, best, lowest, ceiling, None if by_curvature else ratio),
    )


def _look(rates: Curve, curves: list[Curve], num_steps: int) -> tuple[RateLook, ...]:
    """Every rate's status; the slowest whole curve tells where they all began."""
    whole = [len(curve) == num_steps and bool(np.isfinite(curve).all()) for curve in curves]
    if not any(whole):
        return tuple(RateLook(float(rate), "diverged") for rate in rates)
    slowest = curves[whole.index(True)]
    start = float(np.mean(slowest[: num_steps // STRETCHES]))
    return tuple(
        _look_at(float(rate), curve, slowest, start) if is_whole else RateLook(float(rate), "diverged")
        for rate, curve, is_whole in zip(rates, curves, whole, strict=True)
    )


def _look_at(rate: float, curve: Curve, slowest: Curve, start: float) -> RateLook:
    stretches = [float(np.mean(stretch)) for stretch in np.array_split(curve, STRETCHES)]
    level, error = stretches[-1], noise_of(curve[len(curve) // 2 :]) / math.sqrt(len(curve) // STRETCHES)
    if not (math.isfinite(level) and math.isfinite(error)):
        return RateLook(rate, "diverged")
    room = MOVED * math.sqrt(2.0) * error  # two means differ by √2 errors
    gap, gap_error = _gap(curve, slowest)
    is_below_slowest = gap < -MOVED * gap_error
    status: Status = "flat"
    if level > start + room and not is_below_slowest:
        status = "diverged"
    elif level > min(stretches[:-1]) + room and not is_below_slowest:
        status = "rising"
    elif level < start - room or is_below_slowest:
        status = "falling"
    return RateLook(rate, status, level, error)


def _gap(curve: Curve, other: Curve) -> tuple[float, float]:
    """How far a curve ends above another, and the standard error of that, from their differences step by step."""
    differences = _late(curve) - _late(other)
    return float(np.mean(differences)), float(np.std(differences, ddof=1)) / math.sqrt(len(differences))


def _late(curve: Curve) -> Curve:
    return curve[-(len(curve) // STRETCHES) :]


def _lowest_tied(curves: list[Curve], looks: tuple[RateLook, ...], best: int) -> int:
    """The slowest rate that ends no higher than the best one, as far as noise lets it be told."""
    lowest = best
    while lowest > 0 and looks[lowest - 1].status == "falling":
        gap, error = _gap(curves[lowest - 1], curves[best])
        if not gap <= TIED * error:
            break
        lowest -= 1
    return lowest


def _is_limited_by_curvature(rates: Curve, curves: list[Curve], looks: tuple[RateLook, ...], best: int) -> bool:
    """Whether the best rate pays too little for noise to be the one where noise begins to cost more than speed gains.

    With L = f(ηt) + g(η), progress along the gradient flow and what noise adds, the best η after t steps has
    dg/d ln η = −df/d ln(ηt); g grows like η (Bottou, Curtis, Nocedal 2018, theorem 4.6), so g is as large as the loss's
    fall per e-fold of steps. g is read from a slower rate where both have come equally far in ηt.
    """
    slower = max(
        (j for j in range(best) if rates[best] / rates[j] >= 1.99 and looks[j].error is not None), default=None
    )
    if slower is None:
        return False
    curve, ratio = curves[best], rates[best] / rates[slower]
    late = _late(curves[slower])
    equally_far = curve[int((len(curve) - len(late)) / ratio) : math.ceil(len(curve) / ratio)]
    if len(equally_far) < 2:
        return False
    share = 1.0 - 1.0 / ratio  # g(η) − g(η / ratio) for a g in proportion to η
    half = len(curve) // 2
    error = math.hypot(
        noise_of(curve[:half]) / math.sqrt(len(equally_far)), noise_of(curves[slower][half:]) / math.sqrt(len(late))
    )
    most_noise = (float(np.mean(equally_far) - np.mean(late)) + TIED * error) / share
    before = curve[(len(curve) - len(late)) // 2 : half]
    fall = float(np.mean(before) - np.mean(_late(curve)))
    least_fall = (fall - TIED * noise_of(curve[half:]) * math.sqrt(1.0 / len(before) + 1.0 / len(late))) / math.log(2.0)
    return bool(most_noise < least_fall)


def _why_nothing(looks: tuple[RateLook, ...]) -> str:
    if all(look.status in ("diverged", "rising") for look in looks):
        return f"every rate failed, down to {looks[0].rate:.3g}: try slower ones"
    if all(look.status == "flat" for look in looks):
        return "the loss never fell by more than its own noise"
    return "no rate both held and lowered the loss by more than its noise"


def _reason(rates: Curve, best: int, lowest: int, ceiling: int, ratio: float | None) -> str:
    words = f"{rates[best]:.3g} ends lowest"
    if lowest < best:
        words += f", tied with rates down to {rates[lowest]:.3g}"
    if ratio is None:
        words += "; curvature limits it, so it holds for longer trainings"
    elif ratio > 1.0:
        words += f"; lowered for a training {ratio:.3g} times as long"
    if best == 0:
        words += "; no slower rate was tried"
    elif best == len(rates) - 1 and ceiling == len(rates):
        words += "; no faster rate was tried"
    return words
