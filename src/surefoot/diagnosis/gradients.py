"""Gradients that do not arrive, or grow beyond use, and units that answer to no row; where they were recorded."""

from __future__ import annotations

import re

import numpy as np

from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.wording import at_place, place_of, share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["dead_units", "gradients"]

FEWEST_POINTS = 6
VANISHED, EXPLODED = 1e-7, 1e3
# The first layer's gradient is this small beside the last one's: a step that moves the last moves the first by nothing.
LOST_ON_THE_WAY = 1e-3
# Half of the units gone is more than any network of ours has that trains well (the made healthy ones: 6 %).
MANY_DEAD, NEARLY_ALL_DEAD = 0.5, 0.9


def gradients(log: Log) -> Finding | None:
    """What the norms of the gradient say: of all of it, and of its layers."""
    return _of_the_whole(log) or _of_layers(log)


def _of_the_whole(log: Log) -> Finding | None:
    norms = log.get("gradient_norm")
    if norms is None or len(norms.finite) < FEWEST_POINTS:
        return None
    values = norms.finite.values
    start, end = float(np.median(values[: FEWEST_POINTS // 2])), float(np.median(values[-(FEWEST_POINTS // 2) :]))
    place = norms.finite.at[-1]
    if end < VANISHED or values.max() == 0.0:
        return Finding(
            verdict="gradients vanished",
            run=log.name,
            epoch=place_of(log, place),
            evidence=say(
                "the gradient's norm is {end:.2g} at {place}; it was {start:.2g} at the beginning",
                end=end,
                place=at_place(log, place),
                start=start,
            ),
            advice=say("lower the learning rate; look for units that never answer and saturated outputs"),
            certainty="certain",
        )
    if end > EXPLODED * max(start, 1e-12):
        return Finding(
            verdict="gradients explode",
            run=log.name,
            epoch=place_of(log, place),
            evidence=say(
                "the gradient's norm grew from {start:.2g} to {end:.2g} by {place}",
                start=start,
                end=end,
                place=at_place(log, place),
            ),
            advice=say("clip it near its first size, and lower the learning rate 3 times"),
            certainty="certain",
        )
    return None


def _of_layers(log: Log) -> Finding | None:
    """The first and the last layer whose norms were logged, in the order of the log."""
    layers = {name: series for name, series in log.series.items() if _is_of_a_layer(name, series)}
    if len(layers) < 2:
        return None
    (first, at_first), *_, (last, at_last) = layers.items()
    near, far = (float(np.median(series.finite.values)) for series in (at_first, at_last))
    if not 0.0 < far < np.inf or near > LOST_ON_THE_WAY * far:
        return None
    return Finding(
        verdict="gradients vanished",
        run=log.name,
        evidence=say(
            "of the gradient that reaches {last}, {far:.2g} in the middle of the log, {first} gets {near:.2g}",
            last=last,
            far=far,
            first=first,
            near=near,
        ),
        advice=say(
            "the first layers do not learn: use ReLU or GELU in place of sigmoid or tanh, first weights scaled to "
            "their inputs (Kaiming, Xavier), normalisation or skip connections, or fewer layers"
        ),
        certainty="certain" if near == 0.0 else "likely",
    )


def _is_of_a_layer(name: str, series: Series) -> bool:
    words = re.split(r"[^a-z0-9]+", name.lower())
    is_gradient = any(word.startswith("grad") for word in words) and name != "gradient_norm"
    return is_gradient and not {"bias", "total"} & set(words) and len(series.finite) >= FEWEST_POINTS


def dead_units(log: Log) -> Finding | None:
    """A share of units without an answer that was logged."""
    known = log.get("dead_units")
    if known is None or not len(known.finite):
        return None
    values = known.finite.values
    end = float(values[-1])
    if not MANY_DEAD <= end <= 1.0:
        return None
    place = float(known.finite.at[int(np.argmax(values >= MANY_DEAD))])
    return Finding(
        verdict="dead units",
        run=log.name,
        epoch=place_of(log, place),
        evidence=say(
            "{share} of the units answer to no row at the end; they were {first} at first and half at {place}",
            share=share(end),
            first=share(float(values[0])),
            place=at_place(log, place),
        ),
        advice=say(
            "lower the learning rate 3 times and warm it up, since a dead unit gets no gradient and stays dead; where "
            "they are dead from the start, look at the first biases and the scale of the inputs; leaky ReLU or GELU "
            "never die"
        ),
        certainty="certain" if end >= NEARLY_ALL_DEAD else "likely",
    )
