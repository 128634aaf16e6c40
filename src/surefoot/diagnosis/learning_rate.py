"""Whether a learning rate was too high or too low, from one curve alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from surefoot.diagnosis.curve import Curve, course_of, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import fell_with_the_rate, has_come_down, restarts
from surefoot.diagnosis.rate_chances import WITH_START, WITHOUT_START, Judgement, Table
from surefoot.diagnosis.rate_measures import Looks, looks_at
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["FEWEST_POINTS", "Judged", "has_start", "judged_rate", "learning_rate", "plain", "points_above"]

FEWEST_POINTS = 8
# Above its start: so many points, by this share of it and so many deviations of a point that are not the weights' own,
# since a mean over few rows jumps by itself, and a single point may be a broken row.
FEWEST_ABOVE, JUMP, DEVIATIONS = 2, 0.02, 4.0
ABOVE = "the training loss was above its start on the way"
LEAST_GAIN, STEADY = 0.01, 0.9  # of the start; the share of steps that go down
EVEN = 0.5  # the chance of what was not measured
# A straight line gains half of all in its second half; one that has levelled out, less than a quarter.
STRAIGHT = 0.25
BACK, AT_ONCE = 0.03, 0.9  # from which share of the gain a rise, or a first step, is the reason to name
# A loss that gained less than this share of its start jumps with the rows it was measured on, not with the rate. Chosen
# on TaskSet, whose text classifiers stay at ln 2 for long.
ENOUGH_GAIN = 0.1
# A verdict that is wrong is worse than none: at this chance nine of ten were right on problems that were held out
# (``python -m benchmarks.held_out_rates``).
SURE = 0.8
MOST_SURE = 0.95  # of those with a higher chance, nine to ten of ten were
# Verdicts whose own cause makes a curve look as a rate too low or too high does: beside them no guess is said.
LOOKS_SLOW = frozenset(
    {
        "accuracy stands still",
        "batch far above the noise",
        "dead units",
        "does not generalise",
        "getting worse",
        "overfitting",
    }
)
LOOKS_RESTLESS = (LOOKS_SLOW - {"dead units"}) | {  # units die of a rate too high as well
    "batch far below the noise",
    "imbalance hidden by accuracy",
    "underfitting",
    "validation too small to tell",
}
# Verdicts that say all there is to say of a curve: beside them not even a loss above its start counts.
EXPLAINS_ALL = frozenset(
    {
        "gradients explode",
        "gradients vanished",
        "learned nothing",
        "outputs too large at first",
        "train and validation swapped",
        "validation better than training",
        "warmup missing",
    }
)


class Judged(NamedTuple):
    """A judgement, what it was read off, and how likely it is.

    Attributes:
        chance: that it is right; None where it is no guess, the loss itself being above its start or not finite.
        is_like_known: whether the curve resembles those the chances were fitted to.
        is_of_points: whether some points say it, which spikes explain as well: broken rows make them, too.
    """

    judgement: Judgement
    why: str
    chance: float | None = None
    is_like_known: bool = True
    is_of_points: bool = False


@np.errstate(over="ignore", invalid="ignore")
def judged_rate(log: Log, *, table: Table | None = None) -> Judged | None:
    """The most likely judgement; None where the log is too short or has no training loss.

    A rate is right that ends with few errors on validation rows, or a low loss where no accuracy was logged; one that
    learns by heart early is too high for its length.

    Args:
        log: so far.
        table: what the chances are read off; as the log has the loss before the first step, or begins after it.
    """
    training = curve_of(log, "train")
    if log.get("train_loss") is not None and training is None:
        return Judged("too high", say("no training loss is finite"))
    if training is None or len(training.values) < FEWEST_POINTS:
        return None
    validation = curve_of(log, "validation")
    found = plain(training, validation)
    if found is not None:
        return found
    table = table or (WITH_START if has_start(log) else WITHOUT_START)
    looks = looks_at(log, training)
    judgement, chance = table.most_likely(looks.measures)
    if judgement != "too high" and points_above(training, validation):
        return Judged("too high", say(ABOVE), EVEN, is_like_known=False)
    fell = float(training.values[0] - training.smooth.min()) >= ENOUGH_GAIN * abs(float(training.values[0]))
    is_like_known = table.has_seen(looks.measures) and (fell or judgement != "too high")
    return Judged(judgement, _reason(judgement, looks), chance, is_like_known)


def has_start(log: Log) -> bool:
    """Whether a log has the loss before the first step; most begin after the first epoch."""
    losses = log.get("train_loss")
    return log.unit == "epoch" and losses is not None and bool(losses.at[0] <= 0.0)


def plain(training: Curve, validation: Curve | None) -> Judged | None:
    """What the level of the training loss says without a guess; None where it fell and stayed below its start."""
    return _above_its_start(training, validation) or _hardly_moved(training)


def _above_its_start(training: Curve, validation: Curve | None) -> Judged | None:
    if not np.isfinite(training.values).all():
        return Judged("too high", say("the training loss is not finite any more"))
    start = float(training.values[0])
    if training.smooth[-1] > start + 2.0 * training.noise:
        return Judged("too high", say("the training loss ends above its start"))
    if start - training.smooth.min() >= LEAST_GAIN * abs(start):
        is_above = points_above(training, validation) >= FEWEST_ABOVE
        return Judged("too high", say(ABOVE), is_of_points=True) if is_above else None
    return None


def points_above(training: Curve, validation: Curve | None) -> int:
    """How many lie above the start by more than the jumps that are not the weights' own."""
    start, of_the_rows = float(training.values[0]), training.noise
    if validation is not None:  # what both losses share comes of the weights
        shared = validation.noise / max(float(validation.finite[0] - validation.smooth.min()), 1e-12)
        of_the_rows = max(training.noise - shared * float(start - training.smooth.min()), 0.0)
    return int((training.values > start + JUMP * abs(start) + DEVIATIONS * of_the_rows).sum())


def _hardly_moved(training: Curve) -> Judged | None:
    """Of a loss that gained less than a hundredth: likely too slow where it falls in a straight line, but none is sure.

    On a plateau, as before the first words are told apart, even the best rate of a sweep looks so.
    """
    smooth = training.smooth
    start, gained = float(training.values[0]), float(smooth[0] - smooth.min())
    if start - smooth.min() >= LEAST_GAIN * abs(start):
        return None
    if (np.diff(smooth) < 0).mean() <= STEADY:
        why = say("the training loss gained less than a hundredth of its start, and does not fall steadily")
        return Judged("too high", why, EVEN, is_like_known=False)
    if smooth[len(smooth) // 2] - smooth[-1] < STRAIGHT * gained:
        why = say("the loss fell fast at first, then levelled out")
        return Judged("about right", why, EVEN, is_like_known=False)
    why = say("the training loss falls steadily, by less than a hundredth of its start")
    return Judged("too low", why, EVEN, is_like_known=False)


def _reason(judgement: Judgement, looks: Looks) -> str:
    """What of the curve speaks most for the judgement."""
    if judgement == "about right":
        return (
            say("the loss still falls, by less than it goes up and down")
            if looks.rises > looks.still > 0.0
            else say("the loss fell fast at first, then levelled out")
        )
    loss = say(looks.errors.name)
    if judgement == "too low":
        if looks.still < STRAIGHT and looks.first < STRAIGHT:
            first = share(max(looks.first, 0.0))
            return say("only {share} of the gain of the training loss came with its first looks", share=first)
        still = share(max(looks.still, 0.0))
        return say("{share} of what the training loss gained came with the second half of the rate", share=still)
    if looks.back >= 1.0:
        return say("the {loss} ends further above its lowest than it ever fell", loss=loss)
    if looks.back > BACK:
        return say("the {loss} ends {share} of its gain above its lowest", loss=loss, share=share(looks.back))
    if looks.first > AT_ONCE:
        return say("{share} of what the training loss gained came with its first look", share=share(looks.first))
    if looks.rises > looks.noise:
        return say(
            "the {loss} goes up and down by {share} of its gain in the second half", loss=loss, share=share(looks.rises)
        )
    return say("from point to point the losses jump by {share} of all that they fell", share=share(looks.noise))


def learning_rate(log: Log, *, beside: Collection[str]) -> Finding | None:
    """The judgement as a verdict, to stand beside what else is wrong; None where it seems right or cannot be told.

    Args:
        log: of one training.
        beside: the other verdicts on it.
    """
    judged = judged_rate(log)
    if judged is None or judged.judgement == "about right" or len(restarts(log)):  # up and down is what restarts make
        return None
    if not EXPLAINS_ALL.isdisjoint(beside) or (judged.is_of_points and "spikes" in beside):
        return None
    if judged.chance is not None and not _is_sure(judged, log, beside):
        return None
    why = judged.why
    if judged.chance is not None:
        why = say(
            "{why}; {chance} likely, as sweeps over the rate say", why=why, chance=share(min(judged.chance, MOST_SURE))
        )
    return Finding(
        verdict=f"learning rate {judged.judgement}",
        run=log.name,
        evidence=why,
        advice=_advice(judged.judgement, log),
        certainty="possible",
    )


def _is_sure(judged: Judged, log: Log, beside: Collection[str]) -> bool:
    """Whether a guess is worth saying."""
    if not judged.is_like_known or (judged.chance or 0.0) < SURE:
        return False
    if judged.judgement == "too high":
        return LOOKS_RESTLESS.isdisjoint(beside)
    return LOOKS_SLOW.isdisjoint(beside) and not _has_done_its_part(log)


def _advice(judgement: Judgement, log: Log) -> str:
    if judgement == "too low":
        return say("try 3 times the learning rate; a range test finds its upper end: surefoot probe")
    rates = log.get("learning_rate")
    highest = None if rates is None or not len(rates.finite) else rates.finite.values.max()
    return say(
        "try a third of the learning rate{known}; a range test finds its upper end: surefoot probe",
        known="" if highest is None else say(", below {rate:.3g}", rate=highest),
    )


def _has_done_its_part(log: Log) -> bool:
    """Whether the rate came down and the loss fell less with it, in the end, than while it was up."""
    curve = course_of(log)
    return curve is not None and has_come_down(log) and not fell_with_the_rate(log, curve)
