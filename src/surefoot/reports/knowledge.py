"""What the runs so far say of the best learning rate: between which rates it lies."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.language import say
from surefoot.records import Run, belief, ranked

__all__ = ["best_rate_band"]

# A rate is ruled out when the best one is better with this certainty.
CERTAIN = 0.9


def best_rate_band(runs: Sequence[Run]) -> str:
    """The leading optimizer and between which of the rates that were tried its best one lies, or "".

    A rate is ruled out beside runs that differ from it in their rate alone, at whichever length, and where it diverged;
    a side on which none is ruled out is open.
    """
    order = ranked(runs)
    if not order:
        return ""
    lead = max(order, key=lambda run: run.share)
    name, rate = lead.recipe["optimizer"]["name"], float(lead.recipe["optimizer"]["learning_rate"])
    lower, upper = 0.0, float("inf")
    for run in runs:
        settings = run.recipe["optimizer"]
        if settings["name"] != name or not _is_ruled_out(run, runs):
            continue
        other = float(settings["learning_rate"])
        lower = max(lower, other) if other < rate else lower
        upper = min(upper, other) if other > rate else upper
    if lower <= 0.0 and upper == float("inf"):
        return ""
    if upper == float("inf"):
        return say("{optimizer}: best rate above {low:.2g}", optimizer=name, low=lower)
    if lower <= 0.0:
        return say("{optimizer}: best rate below {high:.2g}", optimizer=name, high=upper)
    return say("{optimizer}: best rate {low:.2g} to {high:.2g}", optimizer=name, low=lower, high=upper)


def _is_ruled_out(run: Run, runs: Sequence[Run]) -> bool:
    """Whether a run that differs in its rate alone was surely better, or this one failed."""
    if run.status == "diverged":
        return True
    order = ranked([other for other in runs if _kind(other) == _kind(run)])
    return bool(order) and run.best is not None and belief(order[0], run) > CERTAIN


def _kind(run: Run) -> tuple[object, ...]:
    """What two runs must have in common for their rates to be compared."""
    decay = run.coordinates.get("decay")
    return run.share, run.recipe["optimizer"]["name"], run.recipe["batch"]["size"], decay and f"{decay:.3g}"
