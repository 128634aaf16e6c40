"""Whether a learning rate was too high or too low, from one curve alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.logged_rate import fell_with_the_rate, has_come_down, restarts
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["Judgement", "Shares", "judged_rate", "learning_rate"]

Judgement = Literal["too low", "about right", "too high"]

FEWEST_POINTS = 8
# All are shares of what a curve gained; of a coarse grid, what agrees best with DeepOBS's sweeps
# (``benchmarks.verdicts``; ``benchmarks.held_out_rates`` has what is left of it on problems that were held out).
JUMP = 0.02  # above its start at any time
RISE = 0.01  # of the validation loss above its lowest, at the end
STUCK = 0.02  # what the training loss gained after the first look, in a log that has its start
LEAST_GAIN, STEADY = 0.01, 0.9  # of the start; the share of steps that go down


@dataclass(frozen=True)
class Shares:
    """From which share of what a curve gained on a course says something.

    Attributes:
        still: what the validation loss gained in the second half, for a rate that is too low.
        restless: all rises of the training loss in the second half together, for one that is too high.
        slow_start: gained by the second look, for one that is too low.
    """

    still: float
    restless: float
    slow_start: float


# The first epoch brings most of what is gained, so in a log that begins after it the same course is a larger share.
WITH_START, WITHOUT_START = Shares(0.02, 0.1, 0.5), Shares(0.08, 0.5, 0.1)


def judged_rate(log: Log, *, shares: Shares | None = None) -> tuple[Judgement, str] | None:
    """The judgement and what it was read off; None where the log is too short or has no training loss.

    A rate is right that ends with few errors on validation rows, or a low loss where no accuracy was logged; one that
    learns by heart early is too high for its length.

    Args:
        log: so far.
        shares: what a course is measured by; as the log has the loss before the first step, or begins after it.
    """
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    losses = log.get("train_loss")
    if losses is not None and training is None:
        return "too high", say("no training loss is finite")
    if training is None or len(training.values) < FEWEST_POINTS:
        return None
    if not np.isfinite(training.values).all():
        return "too high", say("the training loss is not finite any more")
    start = float(training.values[0])
    if training.smooth[-1] > start:
        return "too high", say("the training loss ends above its start")
    if start - training.smooth.min() < LEAST_GAIN * abs(start):
        if bool((np.diff(training.smooth) < 0).mean() > STEADY):
            return "too low", say("the training loss falls steadily, by less than a hundredth of its start")
        return "too high", say(
            "the training loss gained less than a hundredth of its start, and does not fall steadily"
        )
    if training.values.max() > start + JUMP * abs(start):
        return "too high", say("the training loss was above its start on the way")
    validation = validation or training
    has_start = log.unit == "epoch" and training.raw.at[0] <= 0.0
    shares = shares or (WITH_START if has_start else WITHOUT_START)
    return _of_a_curve_that_fell(training, validation, _errors(log) or validation, shares, has_start=has_start)


def _errors(log: Log) -> Curve | None:
    accuracy = log.get("validation_accuracy")
    if accuracy is None or log.get("validation_loss") is None:
        return None
    known = accuracy.finite
    errors = Series(known.at, known.values.max(initial=1.0) - known.values)
    return curve_of(Log(log.name, log.unit, {"validation_loss": errors}), "validation", name="validation error")


def _of_a_curve_that_fell(
    training: Curve, validation: Curve, errors: Curve, shares: Shares, *, has_start: bool
) -> tuple[Judgement, str]:
    gained = float(training.values[0] - training.values.min())
    rise = float(errors.smooth[-1] - errors.smooth.min()) / _room(errors)
    if rise > RISE:
        if rise >= 1.0:
            return "too high", say("the {loss} ends further above its lowest than it ever fell", loss=say(errors.name))
        return "too high", say(
            "the {loss} ends {share} of its gain above its lowest", loss=say(errors.name), share=share(rise)
        )
    if has_start and training.values[1] - training.values.min() < STUCK * gained:
        return "too high", say("all that the training loss gained came with its first look, and nothing since")
    steps = np.diff(training.values[len(training.values) // 2 :]) / gained
    rises, fell = float(np.maximum(steps, 0.0).sum()), -float(steps.sum())
    still = float(validation.smooth[len(validation.smooth) // 2] - validation.smooth[-1]) / _room(validation)
    if still > shares.still:
        if rises > fell:  # its noise, not the length of its steps, holds it up
            return "about right", say("the loss still falls, by less than it goes up and down")
        return "too low", say(
            "{share} of what the {loss} gained came in the second half", share=share(still), loss=say(validation.name)
        )
    if rises > shares.restless:
        return "too high", say(
            "the training loss goes up and down by {share} of its gain in the second half", share=share(rises)
        )
    if training.values[0] - training.smooth[1] < shares.slow_start * gained:
        return "too low", say(
            "only {share} of the gain of the training loss came with its first looks",
            share=share(max(float(training.values[0] - training.smooth[1]) / gained, 0.0)),
        )
    return "about right", say("the loss fell fast at first, then levelled out")


def _room(curve: Curve) -> float:
    return max(float(curve.values[0] - curve.smooth.min()), 1e-12)


def learning_rate(log: Log, *, from_training: bool = False) -> Finding | None:
    """The judgement as a verdict, to stand beside what else is wrong; None where the rate seems right.

    Args:
        log: of one training.
        from_training: whether a rise of the validation loss was said already: then only the training loss is evidence,
            and only of a rate that is too high.
    """
    if from_training:
        log = Log(log.name, log.unit, {name: one for name, one in log.series.items() if "validation" not in name})
    judged = judged_rate(log)
    if judged is None or judged[0] == "about right" or len(restarts(log)):  # up and down is what restarts make
        return None
    if judged[0] == "too low" and (from_training or _has_done_its_part(log)):
        return None
    judgement, why = judged
    if judgement == "too low":
        advice = say("try 3 times the learning rate; a range test finds its upper end: surefoot probe")
    else:
        rates = log.get("learning_rate")
        highest = None if rates is None or not len(rates.finite) else rates.finite.values.max()
        advice = say(
            "try a third of the learning rate{known}; a range test finds its upper end: surefoot probe",
            known="" if highest is None else say(", below {rate:.3g}", rate=highest),
        )
    return Finding(
        verdict=f"learning rate {judgement}", run=log.name, evidence=why, advice=advice, certainty="possible"
    )


def _has_done_its_part(log: Log) -> bool:
    """Whether the rate came down and the loss fell less with it, in the end, than while it was up."""
    curve = curve_of(log, "validation") or curve_of(log, "train")
    return curve is not None and has_come_down(log) and not fell_with_the_rate(log, curve)
