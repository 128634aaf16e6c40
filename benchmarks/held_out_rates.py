"""How often the judgement of rates is right on problems, optimizers and tables that had no part in fitting it.

    python -m benchmarks.held_out_rates

The tables are fitted as ``benchmarks.fit_rates`` does, each time without one problem (or one optimizer, on all
problems), and judge the runs of that one; for logs that have the loss before the first step and for those that begin
after the first epoch. "Said" are judgements with the chance from which a verdict speaks. TaskSet is judged by the
tables in use and has no part in them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.fit_rates import Corpus, corpus_of, fitted, gathered
from benchmarks.rate_corpus import Judgeable, taskset
from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.learning_rate import SURE, judged_rate
from surefoot.diagnosis.rate_chances import Table

Truths = npt.NDArray[np.str_]


def judged(corpus: Corpus, which: npt.NDArray[np.bool_], table: Table | None) -> tuple[Truths, npt.NDArray[np.bool_]]:
    """What is said of some of the logs, and whether surely."""
    said, is_sure = np.full(len(corpus.runs), "", dtype="<U11"), np.zeros(len(corpus.runs), dtype=bool)
    for place in np.flatnonzero(which):
        found = judged_rate(corpus.runs[place].log, table=table)
        if found is not None:
            said[place] = found.judgement
            is_sure[place] = found.is_like_known and (found.chance is None or found.chance >= SURE)
    return said, is_sure


def held_out(corpus: Corpus, of: Callable[[Judgeable], str]) -> tuple[Truths, npt.NDArray[np.bool_]]:
    groups = corpus.each(of)
    said, is_sure = np.full(len(groups), "", dtype="<U11"), np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        those = groups == group
        part = judged(corpus, those, fitted(corpus, ~those))
        said[those], is_sure[those] = part[0][those], part[1][those]
    return said, is_sure


def told(corpus: Corpus, said: Truths, is_sure: npt.NDArray[np.bool_]) -> str:
    """Agreement by source, and how many of the judgements that would be said are right."""
    sources, truths = corpus.each(lambda run: run.source), corpus.each(lambda run: run.truth)
    words = [f"{source} {(said == truths)[sources == source].mean():.3f}" for source in np.unique(sources)]
    for judgement in ("too low", "too high"):
        those = is_sure & (said == judgement)
        rate = (truths[those] == judgement).mean() if those.any() else float("nan")
        words.append(f"'{judgement}' said of {those.sum()}, {rate:.2f} right")
    return "; ".join(words)


def diagnosed(corpus: Corpus) -> str:
    """How many verdicts on the rate stand in the end, beside what else is said, and how many are right."""
    right = [
        verdict == f"learning rate {run.truth}"
        for run in corpus.runs
        for verdict in (finding.verdict for finding in verdicts(run.log))
        if verdict.startswith("learning rate")
    ]
    return f"{sum(right)} of {len(right)} right, of {len(corpus.runs)} logs"


def main() -> None:
    for name, has_start in (("with the start", True), ("without it", False)):
        corpus = corpus_of(has_start=has_start)
        print(f"{name}, {len(corpus.runs)} logs, {corpus.is_guess.sum()} of them judged by a guess")
        everything = np.ones(len(corpus.runs), dtype=bool)
        print("  as fitted:", told(corpus, *judged(corpus, everything, None)), flush=True)
        for kind, of in (("problem", lambda run: run.problem), ("optimizer", lambda run: run.optimizer)):
            print(f"  each {kind} held out:", told(corpus, *held_out(corpus, of)), flush=True)
        foreign = gathered(taskset(has_start=has_start))
        everything = np.ones(len(foreign.runs), dtype=bool)
        print("  on another table:", told(foreign, *judged(foreign, everything, None)))
        print("  verdicts of a diagnosis there:", diagnosed(foreign), flush=True)


if __name__ == "__main__":
    main()
