"""Verdicts on a log: from what ends a training to what might be better."""

from __future__ import annotations

import numpy as np

from surefoot.diagnosis.accuracy import accuracy, says_one_class
from surefoot.diagnosis.batch_size import batch_size
from surefoot.diagnosis.beginning import too_large_at_first, warmup_missing
from surefoot.diagnosis.convergence import convergence, held_up
from surefoot.diagnosis.curve import FEWEST_OF_A_COURSE, course_of
from surefoot.diagnosis.divergence import divergence, spikes
from surefoot.diagnosis.doubts import doubts
from surefoot.diagnosis.generalising import does_not_generalise
from surefoot.diagnosis.gradients import dead_units, gradients
from surefoot.diagnosis.learning_rate import learning_rate
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.overfitting import overfitting
from surefoot.diagnosis.underfitting import underfitting
from surefoot.diagnosis.wording import at_place
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["verdicts"]

ENOUGH_FOR_AN_END = 6


def verdicts(log: Log) -> list[Finding]:
    """What is wrong with a training, the worst first; one that says so when nothing is.

    Only what is in the log counts: for a verdict while a training runs, give the log so far (``log.until``).
    """
    fatal = divergence(log)
    seen = [finding for judge in (gradients, dead_units, too_large_at_first, warmup_missing) if (finding := judge(log))]
    if fatal is not None:  # what the course looks like no longer counts, what led to it does
        return [fatal, *seen]
    course = _course(log)
    # a model is not too small where a cause was seen, noise holds it up, it learned nothing, or is still learning
    is_noisy = any(one.verdict == "held up by noise" for one in course)
    is_open = not (seen or is_noisy or {"learned nothing", "not converged"} & {one.verdict for one in course})
    found = [*course, underfitting(log) if is_open else None, spikes(log), *seen, *doubts(log, is_noisy=is_noisy)]
    found += [accuracy(log), batch_size(log, is_noisy=is_noisy)]
    said = [finding for finding in found if finding is not None]
    # a guess from one curve is said only beside something to explain
    rate = learning_rate(log, beside={one.verdict for one in said}) if said else None
    return [*said, *([rate] if rate else [])] or [_nothing(log)]


def _course(log: Log) -> list[Finding]:
    """Where the losses went: apart, up, nowhere, or on; or held up, and then a rise that is not sure is noise."""
    learned = None if says_one_class(log) else does_not_generalise(log)
    if learned is not None:
        return [learned]
    worse = overfitting(log)
    if worse is None:
        course = convergence(log)
        return [course] if course is not None else []
    noise = held_up(log)
    if noise is None:
        return [worse]
    return [worse, noise] if worse.certainty == "certain" else [noise]


def _nothing(log: Log) -> Finding:
    curve = course_of(log)
    if curve is None:
        return Finding(
            verdict="too short to tell",
            run=log.name,
            evidence=say("only accuracies were logged, and verdicts are read off losses"),
            advice=say("log the losses of both parts too: they show sooner where a training goes"),
        )
    if len(curve.smooth) < FEWEST_OF_A_COURSE:
        return Finding(
            verdict="too short to tell",
            run=log.name,
            evidence=say(
                "{points} points of a loss, and a verdict needs {fewest}",
                points=len(curve.raw),
                fewest=FEWEST_OF_A_COURSE,
            ),
            advice=say("log the loss more often, or train longer"),
        )
    course = {
        "loss": say(curve.name),
        "first": curve.first,
        "last": curve.last,
        "place": at_place(log, curve.finite_at[-1]),
    }
    if len(curve.smooth) < ENOUGH_FOR_AN_END and curve.smooth[-2] - curve.smooth[-1] > 0.05 * np.ptp(curve.smooth):
        return Finding(
            verdict="too short to tell",
            run=log.name,
            evidence=say(
                "the {loss} fell from {first:.3g} to {last:.3g} by {place} and was still falling; with {points} points "
                "there is no saying for how long",
                points=len(curve.raw),
                **course,
            ),
            advice=say("train longer"),
        )
    return Finding(
        verdict="nothing wrong",
        run=log.name,
        evidence=say(
            "the {loss} fell from {first:.3g} to {last:.3g} by {place}, its lowest was {best:.3g}, and it levelled out",
            best=curve.best[1],
            **course,
        ),
        advice=say(_after_nothing(log)),
        certainty="likely",
    )


def _after_nothing(log: Log) -> str:
    looked = [len(series.finite) for part in ("loss", "accuracy") if (series := log.get(f"validation_{part}"))]
    if not looked:
        return "log a validation loss too: without one, overfitting is not seen"
    if max(looked) < FEWEST_OF_A_COURSE:
        return "look at the validation rows more often: in so few looks overfitting is not seen"
    return "use the model"
