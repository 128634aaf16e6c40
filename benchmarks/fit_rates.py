"""Fits the judgement of rates and prints its tables, as they stand in src/surefoot/diagnosis/rate_chances.py.

    python -m benchmarks.fit_rates

Multinomial logistic regression (scikit-learn, C = 1) of nine measures, "about right" being the reference; every problem
weighs the same, those of DeepOBS four times as much, since ours are smaller and more alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.rate_corpus import Judgeable, deepobs, our_sweeps
from surefoot.diagnosis.curve import curve_of
from surefoot.diagnosis.learning_rate import FEWEST_POINTS, plain, points_above
from surefoot.diagnosis.rate_chances import Table
from surefoot.diagnosis.rate_measures import Measures, looks_at

__all__ = ["Corpus", "corpus_of", "fitted", "gathered"]

OF_DEEPOBS = 4.0
SEEN = (0.1, 99.9)


@dataclass(frozen=True)
class Corpus:
    """Logs, and the measures of those that are left to a guess (zeros for the others)."""

    runs: list[Judgeable]
    measures: npt.NDArray[np.float64]
    is_guess: npt.NDArray[np.bool_]

    def each(self, of: Callable[[Judgeable], str]) -> npt.NDArray[np.str_]:
        """A name for each log."""
        return np.array([of(run) for run in self.runs])


def gathered(runs: Iterable[Judgeable]) -> Corpus:
    kept = list(runs)
    found = [_measures(run) for run in kept]
    zeros = [0.0] * len(Measures._fields)
    return Corpus(kept, np.array([one or zeros for one in found]), np.array([one is not None for one in found]))


def _measures(run: Judgeable) -> Measures | None:
    training = curve_of(run.log, "train")
    if training is None or len(training.values) < FEWEST_POINTS:
        return None
    validation = curve_of(run.log, "validation")
    if plain(training, validation) is not None or points_above(training, validation):
        return None
    return looks_at(run.log, training).measures


def fitted(corpus: Corpus, use: npt.NDArray[np.bool_]) -> Table:
    """The table that some of the logs give."""
    use = use & corpus.is_guess
    problems, truths = corpus.each(lambda run: run.problem), corpus.each(lambda run: run.truth)
    is_deepobs = np.char.startswith(corpus.each(lambda run: run.source), "DeepOBS")
    weights = np.zeros(len(truths))
    for problem in np.unique(problems[use]):
        those = use & (problems == problem)
        weights[those] = 1000.0 / those.sum() * np.where(is_deepobs[those], OF_DEEPOBS, 1.0)
    seen = np.percentile(corpus.measures[use], SEEN, axis=0)
    inputs = np.clip(corpus.measures[use], *seen)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit((inputs - mean) / scale, truths[use], sample_weight=weights[use])
    order = [list(model.classes_).index(name) for name in ("too low", "about right", "too high")]
    slopes, bases = model.coef_[order] / scale, model.intercept_[order] - (model.coef_[order] / scale) @ mean
    names = Measures._fields
    return Table(
        base=(float(bases[0] - bases[1]), float(bases[2] - bases[1])),
        weights={
            name: (float(slopes[0, at] - slopes[1, at]), float(slopes[2, at] - slopes[1, at]))
            for at, name in enumerate(names)
        },
        seen={name: _outwards(*seen[:, at]) for at, name in enumerate(names)},
    )


def _outwards(low: float, high: float) -> tuple[float, float]:
    """As the table is written, in three digits, no narrower than it was."""
    return float(np.floor(low * 1000.0) / 1000.0), float(np.ceil(high * 1000.0) / 1000.0)


def written(name: str, table: Table) -> str:
    rows = [f"{name} = Table(", f"    base=({table.base[0]:.3f}, {table.base[1]:.3f}),"]
    for kind, numbers in (("weights", table.weights), ("seen", table.seen)):
        rows += [f"    {kind}={{"]
        rows += [f'        "{one}": ({pair[0]:.3f}, {pair[1]:.3f}),' for one, pair in numbers.items()]
        rows += ["    },"]
    return "\n".join([*rows, ")"])


def corpus_of(*, has_start: bool) -> Corpus:
    return gathered([*deepobs(has_start=has_start), *our_sweeps(has_start=has_start)])


def main() -> None:
    for name, has_start in (("WITH_START", True), ("WITHOUT_START", False)):
        corpus = corpus_of(has_start=has_start)
        print(written(name, fitted(corpus, corpus.is_guess)) + "\n")


if __name__ == "__main__":
    main()
