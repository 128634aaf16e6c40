"""One learning rate from all that was measured: each witness with its own error, weighed by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surefoot.batching import adascale_gain, default_coupling, rate_factor
from surefoot.recipe import Optimizer
from surefoot.records import Suggestion

__all__ = [
    "Witness",
    "at_batch",
    "batch_factor",
    "from_range_test",
    "from_short_trainings",
    "highest_rate",
    "prior",
    "suggest_rate",
]

# Standard errors in decades, of the rate for a whole training at a batch of 16 (measured: docs/log.md, 2026-11-21).
PRIOR_ERROR, SWEEP_ERROR = 0.6, 0.6
# Of SGD's rate less is known beforehand: nothing in its step takes the gradient's own scale out.
SGD_PRIOR_ERROR = 0.8
# Prodigy finds its rate itself: a factor of 1 is its authors' word, and hardly anything speaks against it.
PRODIGY_PRIOR_ERROR = 0.1
# A short training over so many samples is off by this, a longer one by less: as the root of its samples.
SHORT_ERROR, SHORT_SAMPLES = 0.3, 768
SMALLEST_ERROR, LARGEST_ERROR = 0.2, 0.8
# Set by eye: a larger batch stands at least so many times the rate at which a sweep's loss was lowest.
PAST_EDGE = 2.0
# Of the rate that the curvature forbids; young weights grow unsteady from there on (docs/log.md, 2026-11-21).
STEADY_SHARE = 0.25
# Set by eye; 1 and 2 did as well (docs/log.md, 2026-11-21).
NOISE_GROWS = 4.0
# How the best rate follows AdaScale's gain, by the optimizer's usual rule.
_POWERS = {"linear": 1.0, "sqrt": 0.5, "none": 0.0}
# Set by eye: rates to start from at a batch of 16 and a momentum of 0.9, for whoever has measured nothing.
_PRIORS = {"sgd": 0.03, "adam": 0.007, "adamw": 0.007, "nadamw": 0.007, "rmsprop": 0.003}
_PRIOR_MOMENTUM, _PRIOR_BATCH = 0.9, 16
# 90 % of a normal error, and the widest interval that still says something: a decade.
DEVIATIONS, WIDEST = 1.645, 0.5


@dataclass(frozen=True)
class Witness:
    """A rate for the whole training, and how far off it may be.

    Attributes:
        rate: at the batch size of the measurement.
        error: standard error of its logarithm, in decades.
        name: what speaks.
    """

    rate: float
    error: float
    name: str


def prior(optimizer: Optimizer, *, batch_size: int) -> Witness:
    """What is known before anything was measured; momentum β makes a step 1/(1 − β) times as long."""
    usual = Optimizer(name=optimizer.name).complete().learning_rate
    assert usual is not None, "complete() writes a rate"
    rate = _PRIORS.get(optimizer.name, usual)
    if optimizer.name == "sgd":
        rate *= (1.0 - (optimizer.momentum or 0.0)) / (1.0 - _PRIOR_MOMENTUM)
    rule = default_coupling(optimizer.name)
    rate *= rate_factor(rule, batch_size=_PRIOR_BATCH, new_batch_size=batch_size)
    error = {"linear": SGD_PRIOR_ERROR}.get(rule, PRIOR_ERROR)
    error = PRODIGY_PRIOR_ERROR if optimizer.name == "prodigy" else error
    return Witness(rate, error, "the usual rate of this optimizer")


def from_range_test(value: float) -> Witness:
    """What a sweep says."""
    return Witness(value, SWEEP_ERROR, "the range test")


def from_short_trainings(value: float, *, samples: int) -> Witness:
    """What short trainings over so many samples each say."""
    error = SHORT_ERROR * math.sqrt(SHORT_SAMPLES / samples)
    return Witness(value, min(max(error, SMALLEST_ERROR), LARGEST_ERROR), "short trainings")


def suggest_rate(*witnesses: Witness) -> Suggestion:
    """The mean of their logarithms, each weighed by the inverse square of its error, and where it lies with 90 %."""
    weights = [witness.error**-2 for witness in witnesses]
    total = sum(weights)
    center = sum(weight * math.log10(witness.rate) for weight, witness in zip(weights, witnesses, strict=True)) / total
    reach = min(WIDEST, DEVIATIONS / math.sqrt(total))
    said = ", ".join(f"{witness.name} {witness.rate:.2g}" for witness in witnesses)
    return Suggestion(low=10.0 ** (center - reach), value=10.0**center, high=10.0 ** (center + reach), reason=said)


def batch_factor(optimizer: str, *, batch_size: int, new_batch_size: int, noise_scale: float | None) -> float:
    """What the best rate is multiplied by for another batch: AdaScale's gain for SGD, its root for Adam's family.

    (1 + B_s/B)/(1 + B_s/B_new), which is B_new/B without a noise scale (McCandlish et al. 2018, arXiv:1812.06162,
    section 2.2; the root: Malladi et al. 2022, arXiv:2205.10287). The noise scale grows while a model trains, so that
    of a whole training is taken as four times what the probe saw.
    """
    scale = math.inf if noise_scale is None else NOISE_GROWS * noise_scale
    gain = adascale_gain(new_batch_size / batch_size, noise_scale=scale, batch_size=batch_size)
    return float(gain ** _POWERS[default_coupling(optimizer)])


def at_batch(
    suggestion: Suggestion,
    optimizer: str,
    *,
    measured_at: int,
    batch_size: int,
    noise_scale: float | None = None,
    limit: float | None = None,
) -> Suggestion:
    """The suggestion for another batch size than it was measured at.

    Args:
        suggestion: at ``measured_at``.
        optimizer: a recipe's name for it.
        measured_at: rows a step of the probe.
        batch_size: rows a step of the training.
        noise_scale: S/‖G‖² after a short descent, where it is known.
        limit: a rate is not raised beyond this for a larger batch.
    """
    if suggestion.value is None or suggestion.low is None or suggestion.high is None:
        return suggestion
    factor, reason = 1.0, suggestion.reason
    if batch_size != measured_at:
        factor = batch_factor(optimizer, batch_size=measured_at, new_batch_size=batch_size, noise_scale=noise_scale)
        reason += f"; times {factor:.2g} from a batch of {measured_at} to {batch_size}"
    value = suggestion.value * factor
    if limit is not None and factor > 1.0 and value > limit:
        value = max(limit, suggestion.value)
        reason += f"; not raised beyond {value:.2g}, above which it may be unstable"
    ratio = value / suggestion.value
    return Suggestion(low=suggestion.low * ratio, value=value, high=suggestion.high * ratio, reason=reason)


def highest_rate(*, edge: float | None, curvature_limit: float | None, ratio: float) -> float | None:
    """The rate that a larger batch should not pass: by the curvature, or else by where a sweep's loss was lowest.

    Training becomes unsteady below the limit of a quadratic, young weights from a quarter of it on (measured:
    docs/log.md, 2026-11-21), so a quarter counts. The edge of a small batch is where its noise takes over, and that
    rises with the root of the batch.

    Args:
        edge: where a sweep's loss was lowest.
        curvature_limit: the rate above which a quadratic of the measured curvature diverges.
        ratio: of the batch sizes of the training and of the sweep.
    """
    if curvature_limit is not None:
        return STEADY_SHARE * curvature_limit
    return None if edge is None else edge * max(PAST_EDGE, math.sqrt(ratio))
