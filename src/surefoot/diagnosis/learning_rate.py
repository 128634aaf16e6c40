"""Whether a learning rate was too high or too low, from one curve alone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["Judgement", "judged_rate", "learning_rate"]

Judgement = Literal["too low", "about right", "too high"]

FEWEST_POINTS = 8
# Of a coarse grid, what agrees best with DeepOBS's sweeps (``benchmarks.verdicts``): .85 of its runs where the loss
# says which rate is best, .84 where accuracy does; thresholds chosen on three of its problems lose .04 on the fourth.
# All are shares of what a curve gained.
JUMP = 0.02  # above its start at any time
RISE = 0.01  # of the validation loss above its lowest, at the end
STILL = 0.02  # what the validation loss gained in the second half
RESTLESS = 0.1  # all rises of the training loss in the second half together
SLOW_START = 0.5  # gained by the second look after the start, where the log has the loss before the first step
LEAST_GAIN, STEADY = 0.01, 0.9  # of the start; the share of steps that go down


def judged_rate(log: Log) -> tuple[Judgement, str] | None:
    """The judgement and what it was read off; None where the log is too short or has no training loss.

    A rate is right that ends with few errors on validation rows, or a low loss where no accuracy was logged; one that
    learns by heart early is too high for its length.
    """
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    losses = log.get("train_loss")
    if losses is not None and training is None:
        return "too high", say("no training loss is finite")
    if training is None or len(training.values) < FEWEST_POINTS:
        return None
    if not np.isfinite(training.values).all():
        return "too high", say("the training loss is not finite any more")
    start, gained = float(training.values[0]), float(training.values[0] - training.values.min())
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
    return _of_a_curve_that_fell(log, training, validation, _errors(log) or validation, gained)


def _errors(log: Log) -> Curve | None:
    accuracy = log.get("validation_accuracy")
    if accuracy is None or log.get("validation_loss") is None:
        return None
    known = accuracy.finite
    errors = Series(known.at, known.values.max(initial=1.0) - known.values)
    return curve_of(Log(log.name, log.unit, {"validation_loss": errors}), "validation", name="validation error")


def _of_a_curve_that_fell(
    log: Log, training: Curve, validation: Curve, errors: Curve, gained: float
) -> tuple[Judgement, str]:
    rise = float(errors.smooth[-1] - errors.smooth.min()) / _room(errors)
    if rise > RISE:
        if rise >= 1.0:
            return "too high", say("the {loss} ends further above its lowest than it ever fell", loss=say(errors.name))
        return "too high", say(
            "the {loss} ends {share} of its gain above its lowest", loss=say(errors.name), share=share(rise)
        )
    still = float(validation.smooth[len(validation.smooth) // 2] - validation.smooth[-1]) / _room(validation)
    if still > STILL:
        return "too low", say(
            "{share} of what the {loss} gained came in the second half", share=share(still), loss=say(validation.name)
        )
    rises = np.maximum(np.diff(training.values[len(training.values) // 2 :]), 0.0).sum() / gained
    if rises > RESTLESS:
        return "too high", say(
            "the training loss goes up and down by {share} of its gain in the second half", share=share(float(rises))
        )
    has_start = log.unit == "epoch" and training.at[0] <= 0.0
    if has_start and training.values[0] - training.smooth[1] < SLOW_START * gained:
        return "too low", say("less than half of the gain of the training loss came with its first looks")
    return "about right", say("the loss fell fast at first, then levelled out")


def _room(curve: Curve) -> float:
    return max(float(curve.values[0] - curve.smooth.min()), 1e-12)


def learning_rate(log: Log) -> Finding | None:
    """The judgement as a verdict, to stand beside what else is wrong; None where the rate seems right."""
    judged = judged_rate(log)
    if judged is None or judged[0] == "about right":
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
