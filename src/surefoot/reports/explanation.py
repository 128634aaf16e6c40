"""Why a study ended as it did: what each run was for, why it lost, how sure the winner is, what more would try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.records import RangeTest, Run, Study, belief, ranked

__all__ = ["Explanation", "explained"]

# Runs of the same length whose difference is believed less than this are said to be equals.
EQUALS = 0.9


@dataclass(frozen=True)
class Explanation:
    """A study in words.

    Attributes:
        lines: what the probes said, how sure the winner is, what a larger budget would try; a sentence or two each.
        purposes: why each run was made, by its number.
        fates: how each run fared against the kept one and its own kind, by its number.
    """

    lines: tuple[str, ...]
    purposes: dict[int, str]
    fates: dict[int, str]


def explained(study: Study) -> Explanation:
    """The words for a study that was tuned; runs of other searchers have no purposes of their own."""
    winner = study.winning_run
    lines = [*_probes(study.probes)]
    if winner is not None:
        lines += [_certainty(study, winner), *_caution(winner), _more(study, winner)]
    purposes = {run.number: str(run.coordinates.get("why", "")) for run in study.runs}
    return Explanation(tuple(lines), purposes, {run.number: _fate(run, study) for run in study.runs})


def _probes(tests: Sequence[RangeTest]) -> list[str]:
    found = []
    for test in tests:
        if test.value is None:
            found.append(f"The range test of {test.optimizer} gave no rate: {test.reason}.")
            continue
        limit = f", and diverged at {test.diverged_above:.2g}" if test.diverged_above is not None else ""
        found.append(f"The range test of {test.optimizer} points to a learning rate near {test.value:.2g}{limit}.")
    return found


def _fate(run: Run, study: Study) -> str:
    """What became of a run, in a few words."""
    winner = study.winning_run
    if run.status in {"diverged", "out_of_memory"}:
        return run.status.replace("_", " ")
    if winner is None or run.best is None:
        return run.status.replace("_", " ")
    if run.number == winner.number:
        return "kept"
    alike = ranked([other for other in study.runs if _is_as_long(other, run)])
    if alike and alike[0].number == run.number:
        return "best of its length" if run.share < winner.share else "best of its length, but longer and no better"
    if not alike:
        return ""
    sure = belief(alike[0], run)
    verdict = f"an equal of {alike[0].name}" if sure < EQUALS else f"lost to {alike[0].name}"
    return f"{verdict} by {abs(run.judged - alike[0].judged):.3g}"


def _certainty(study: Study, winner: Run) -> str:
    """How sure it is that the kept run is the best one."""
    rows, name = study.rows.get("validation", 0), winner.name.capitalize()
    look = winner.best_evaluation
    error = None if look is None else look.standard_error
    about = f"{study.objective.name.replace('_', ' ')} {winner.value:.4g}"
    about += f" ± {error:.2g} on {rows:,} rows" if error is not None else f" on {rows:,} rows"
    rivals = [run for run in ranked(study.runs) if run.number != winner.number and _is_as_long(run, winner)]
    if rivals:
        return (
            f"{name} was kept: {about}. It is better than {rivals[0].name}, its nearest rival of the same "
            f"length, with a probability of {belief(winner, rivals[0]):.0%}."
        )
    shorter = [run for run in ranked(study.runs) if run.number != winner.number]
    if not shorter:
        return f"{name} was the only usable run: {about}."
    return (
        f"{name} was kept: {about}. It is the only run of its length; the best shorter one, {shorter[0].name}, "
        f"ended at {shorter[0].value:.4g} after {shorter[0].share / winner.share:.2g} of its samples."
    )


def _caution(winner: Run) -> list[str]:
    """That the judgment was not of the plain loss, where that made a difference."""
    if not math.isfinite(winner.judged) or winner.judged < 1.1 * winner.value:
        return []
    return [
        f"With so few validation rows a loss of {winner.value:.3g} was judged as {winner.judged:.3g}: as if one more "
        "row had a label that is any of the classes. Being sure of every row gains nothing there."
    ]


def _more(study: Study, winner: Run) -> str:
    """What a larger budget would do."""
    optimizers = {run.recipe["optimizer"]["name"] for run in study.runs}
    settings = winner.recipe["optimizer"]
    tries = [
        f"learning rates beside {settings['learning_rate']:.2g} and decays beside {settings['weight_decay']:.2g} at "
        "full length"
    ]
    tries += [f"{name} at full length" for name in sorted(optimizers - {settings["name"]})]
    if winner.share < 1.0:
        tries.insert(0, "a whole training")
    return f"A larger budget would try {', '.join(tries)}."


def _is_as_long(run: Run, other: Run) -> bool:
    return math.isclose(run.share, other.share, rel_tol=0.1)
