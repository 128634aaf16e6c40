"""One learning rate from all that was measured: each witness with its own error, weighed by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surefoot.batching import default_coupling, rate_factor
from surefoot.recipe import Optimizer
from surefoot.records import Suggestion

__all__ = ["Witness", "from_range_test", "from_short_trainings", "prior", "suggest_rate", "to_batch"]

# Standard errors in decades, of the rate for a whole training at a batch of 16 (measured: docs/log.md, 2026-11-21).
PRIOR_ERROR, SWEEP_ERROR = 0.6, 0.5
# A short training of 48 steps is off by this, a longer one by less: its error falls with the root of its steps.
SHORT_ERROR, SHORT_STEPS = 0.35, 48
SMALLEST_ERROR, LARGEST_ERROR = 0.2, 0.8
# Where the loss of a sweep is lowest lies this far above the best rate of a whole training.
BELOW_EDGE = 10.0**0.6
# Rates to start from at a batch of 16 and a momentum of 0.9, for whoever has measured nothing.
_PRIORS = {"sgd": 0.03, "adam": 0.007, "adamw": 0.007, "nadamw": 0.007, "rmsprop": 0.003}
_PRIOR_MOMENTUM = 0.9
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


def prior(optimizer: Optimizer) -> Witness:
    """What is known before anything was measured; momentum β makes a step 1/(1 − β) times as long."""
    assert optimizer.learning_rate is not None, "a complete recipe has a rate"
    rate = _PRIORS.get(optimizer.name, optimizer.learning_rate)
    if optimizer.name == "sgd":
        rate *= (1.0 - (optimizer.momentum or 0.0)) / (1.0 - _PRIOR_MOMENTUM)
    return Witness(rate, PRIOR_ERROR, "the usual rate of this optimizer")


def from_range_test(edge: float) -> Witness:
    """What a sweep says whose loss was lowest at ``edge``."""
    return Witness(edge / BELOW_EDGE, SWEEP_ERROR, "the range test")


def from_short_trainings(value: float, *, steps: int) -> Witness:
    """What short trainings of so many steps say."""
    error = SHORT_ERROR * math.sqrt(SHORT_STEPS / steps)
    return Witness(value, min(max(error, SMALLEST_ERROR), LARGEST_ERROR), "short trainings")


def suggest_rate(*witnesses: Witness) -> Suggestion:
    """The mean of their logarithms, each weighed by the inverse square of its error; the interval holds it with 90 %."""
    weights = [witness.error**-2 for witness in witnesses]
    total = sum(weights)
    center = sum(
        weight * math.log10(witness.rate) for weight, witness in zip(weights, witnesses, strict=True)
    ) / total
    reach = min(WIDEST, DEVIATIONS / math.sqrt(total))
    said = ", ".join(f"{witness.name} {witness.rate:.2g}" for witness in witnesses)
    return Suggestion(low=10.0 ** (center - reach), value=10.0**center, high=10.0 ** (center + reach), reason=said)


def to_batch(
    suggestion: Suggestion, optimizer: str, *, measured_at: int, batch_size: int, edge: float | None
) -> Suggestion:
    """The suggestion for another batch size than it was measured at.

    The rate follows the batch by the optimizer's usual rule, upwards no further than ``edge``: the rate at which a sweep's
    loss was lowest is the last that is known to be stable.
    """
    if suggestion.value is None or suggestion.low is None or suggestion.high is None or batch_size == measured_at:
        return suggestion
    factor = rate_factor(default_coupling(optimizer), batch_size=measured_at, new_batch_size=batch_size)
    value = suggestion.value * factor
    reason = f"{suggestion.reason}, at a batch of {measured_at}"
    if edge is not None and factor > 1.0 and value > edge:
        value = max(edge, suggestion.value)
    ratio = value / suggestion.value
    return Suggestion(low=suggestion.low * ratio, value=value, high=suggestion.high * ratio, reason=reason)
