"""Why a study ended as it did: what each run was for, why it lost, how sure the winner is, what more would try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.language import retold, say
from surefoot.records import RangeTest, Run, Study, belief, ranked
from surefoot.reports.words import in_words

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
    purposes = {run.number: retold(str(run.coordinates.get("why", ""))) for run in study.runs}
    return Explanation(tuple(lines), purposes, {run.number: _fate(run, study) for run in study.runs})


def _probes(tests: Sequence[RangeTest]) -> list[str]:
    found = []
    for test in tests:
        if test.value is None:
            sentence = "The range test of {optimizer} gave no rate: {reason}."
            found.append(say(sentence, optimizer=test.optimizer, reason=retold(test.reason)))
            continue
        sentence = "The range test of {optimizer} points to a learning rate near {rate:.2g}."
        if test.diverged_above is not None:
            sentence = (
                "The range test of {optimizer} points to a learning rate near {rate:.2g}, and diverged at {limit:.2g}."
            )
        found.append(say(sentence, optimizer=test.optimizer, rate=test.value, limit=test.diverged_above))
    return found


def _fate(run: Run, study: Study) -> str:
    """What became of a run, in a few words."""
    winner = study.winning_run
    if run.status in {"diverged", "out_of_memory"} or winner is None or run.best is None:
        return in_words(run.status)
    if run.number == winner.number:
        return say("kept")
    alike = ranked([other for other in study.runs if _is_as_long(other, run)])
    if alike and alike[0].number == run.number:
        is_short = run.share < winner.share
        return say("best of its length") if is_short else say("best of its length, but longer and no better")
    if not alike:
        return ""
    by = abs(run.judged - alike[0].judged)
    if belief(alike[0], run) < EQUALS:
        return say("an equal of {name} by {difference:.3g}", name=retold(alike[0].name), difference=by)
    return say("lost to {name} by {difference:.3g}", name=retold(alike[0].name), difference=by)


def _certainty(study: Study, winner: Run) -> str:
    """How sure it is that the kept run is the best one."""
    name, about = retold(winner.name), _about(study, winner)
    name = name[:1].upper() + name[1:]
    rivals = [run for run in ranked(study.runs) if run.number != winner.number and _is_as_long(run, winner)]
    if rivals:
        return say(
            "{name} was kept: {about}. It is better than {rival}, its nearest rival of the same length, "
            "with a probability of {belief}.",
            name=name, about=about, rival=retold(rivals[0].name), belief=_probability(belief(winner, rivals[0])),
        )  # fmt: skip
    shorter = [run for run in ranked(study.runs) if run.number != winner.number]
    if not shorter:
        return say("{name} was the only usable run: {about}.", name=name, about=about)
    return say(
        "{name} was kept: {about}. It is the only run of its length; the best shorter one, {rival}, "
        "ended at {value:.4g} after {share:.2g} of its samples.",
        name=name, about=about, rival=retold(shorter[0].name), value=shorter[0].value,
        share=shorter[0].share / winner.share,
    )  # fmt: skip


def _probability(value: float) -> str:
    """In percent; nothing that was measured once is certain."""
    return say("more than {share}", share="99 %") if value > 0.99 else f"{100 * value:.0f} %"


def _about(study: Study, winner: Run) -> str:
    """What the winner reached, with its error where that is known."""
    look = winner.best_evaluation
    error = None if look is None else look.standard_error
    sentence = (
        "{name} {value:.4g} on {rows:,} rows" if error is None else "{name} {value:.4g} ± {error:.2g} on {rows:,} rows"
    )
    name = in_words(study.objective.name)
    return say(sentence, name=name, value=winner.value, error=error, rows=study.rows.get("validation", 0))


def _caution(winner: Run) -> list[str]:
    """That the judgment was not of the plain loss, where that made a difference."""
    if not math.isfinite(winner.judged) or winner.judged < 1.1 * winner.value:
        return []
    return [
        say(
            "With so few validation rows a loss of {value:.3g} was judged as {judged:.3g}: as if one more "
            "row had a label that is any of the classes. Being sure of every row gains nothing there.",
            value=winner.value,
            judged=winner.judged,
        )
    ]


def _more(study: Study, winner: Run) -> str:
    """What a larger budget would do."""
    optimizers = {run.recipe["optimizer"]["name"] for run in study.runs}
    settings = winner.recipe["optimizer"]
    tries = [
        say(
            "learning rates beside {rate:.2g} and decays beside {decay:.2g} at full length",
            rate=settings["learning_rate"],
            decay=settings["weight_decay"],
        )
    ]
    tries += [say("{name} at full length", name=name) for name in sorted(optimizers - {settings["name"]})]
    if winner.share < 1.0:
        tries.insert(0, say("a whole training"))
    return say("A larger budget would try {tries}.", tries=say(", ").join(tries))


def _is_as_long(run: Run, other: Run) -> bool:
    return math.isclose(run.share, other.share, rel_tol=0.1)
