"""What the first points of a log tell: outputs far too large, and a rate that was not warmed up."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import restarts
from surefoot.diagnosis.wording import at_place, place_of
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["too_large_at_first", "warmup_missing"]

# A network that begins small gives every class its share: a loss of about -ln(accuracy), and no more than a few times
# that where it is surer than it is right. Of the made trainings, healthy ones begin at 1.5 times it at most.
FAR_ABOVE = 4.0
# Trouble of the first third; a rate within a tenth of its largest at the first point was not warmed up.
EARLY, AT_ONCE = 1.0 / 3.0, 0.9
# A loss this share of its start, and so many deviations of a point, above its lowest so far, which takes this share of
# the log to come back.
RISES, SURE, TAKES = 0.1, 5.0, 0.1
FEWEST_POINTS = 8


def too_large_at_first(log: Log) -> Finding | None:
    """The first loss is far above what its accuracy allows: the outputs are large, so the inputs or weights are."""
    for part, name in (("train", "training loss"), ("validation", "validation loss")):
        losses, accuracies = log.get(f"{part}_loss"), log.get(f"{part}_accuracy")
        if losses is None or accuracies is None or losses.at[0] != accuracies.at[0]:
            continue
        loss, accuracy = float(losses.values[0]), float(accuracies.values[0])
        if not (math.isfinite(loss) and 0.0 < accuracy <= 1.0):
            continue
        # of two classes or more, the loss of a network that knows nothing is at least ln 2
        usual = max(-math.log(accuracy), math.log(2.0))
        if loss < FAR_ABOVE * usual:
            return None
        return Finding(
            verdict="outputs too large at first",
            run=log.name,
            epoch=place_of(log, losses.at[0]),
            evidence=say(
                "the {loss} is {first:.3g} at {place}, where {accuracy:.0%} are right: answers that sure of nothing "
                "would have about {usual:.2g}",
                loss=say(name),
                first=loss,
                place=at_place(log, losses.at[0]),
                accuracy=accuracy,
                usual=usual,
            ),
            advice=say(
                "standardise the inputs (mean 0, deviation 1); if they are, scale the first weights to their inputs "
                "(Kaiming, Xavier), and after that lower the learning rate 10 times"
            ),
            certainty="likely",
        )
    return None


def warmup_missing(log: Log) -> Finding | None:
    """A rate that stood at its largest from the first point on, and a training loss that left the ground early."""
    rates, curve = log.get("learning_rate"), curve_of(log, "train")
    if rates is None or curve is None or len(curve.values) < FEWEST_POINTS:
        return None
    known = rates.finite.values
    if len(known) < 2 or known[0] < AT_ONCE * known.max() or known.max() <= 0.0:
        return None
    found = _early_trouble(curve, restarts(log))
    if found is None:
        return None
    low, high = found
    return Finding(
        verdict="warmup missing",
        run=log.name,
        epoch=place_of(log, curve.at[high]),
        evidence=say(
            "the learning rate begins at its largest, {rate:.3g}, and the training loss rose from {low:.3g} to "
            "{high:.3g} by {place}, in the first third",
            rate=float(known[0]),
            low=float(curve.values[low]),
            high=float(curve.values[high]),
            place=at_place(log, curve.at[high]),
        ),
        advice=say(
            "raise the rate from zero over the first 5 to 10 % of the training; if the loss still rises, lower the "
            "rate 3 times"
        ),
        certainty="likely",
    )


def _early_trouble(curve: Curve, restarted: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """Lowest point before, and the first one clearly above it in the first third, if the way back is long.

    A rise since the rate jumped back up is what a warm restart is for.
    """
    finite = np.where(np.isfinite(curve.values), curve.values, np.inf)
    best = np.minimum.accumulate(finite)
    margin = max(RISES * abs(float(finite[0])), SURE * curve.noise)
    for place in range(1, max(2, math.ceil(EARLY * len(finite)))):
        if finite[place] <= best[place - 1] + margin:
            continue
        low = int(np.argmin(finite[:place]))
        if ((restarted > curve.at[low]) & (restarted <= curve.at[place])).any():
            continue
        back = np.flatnonzero(finite[place:] <= best[place - 1])
        if not len(back) or back[0] >= max(2, TAKES * len(finite)):
            return low, place
    return None
