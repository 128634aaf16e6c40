"""How likely a rate was too low, about right or too high, by what its curve shows: a fitted table.

Multinomial logistic regression, "about right" being the reference: of each other judgement the logarithm of its chance
against that one is a sum of measures times weights. ``python -m benchmarks.fit_rates`` prints both tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surefoot.diagnosis.rate_measures import Measures

__all__ = ["WITHOUT_START", "WITH_START", "Judgement", "Table"]

Judgement = Literal["too low", "about right", "too high"]
BEYOND = 0.1
JUDGEMENTS: tuple[Judgement, ...] = ("too low", "about right", "too high")


@dataclass(frozen=True)
class Table:
    """Weights of the measures.

    Attributes:
        base: of a curve whose measures are all zero: too low, too high.
        weights: of each measure, likewise.
        seen: the lowest and highest of each among the curves it was fitted to, but for one of a thousand at either end.
    """

    base: tuple[float, float]
    weights: Mapping[str, tuple[float, float]]
    seen: Mapping[str, tuple[float, float]]

    def most_likely(self, measures: Measures) -> tuple[Judgement, float]:
        """The judgement and its chance; a measure beyond those that were seen counts as the last one that was."""
        chances = self.chances(measures)
        best = int(np.argmax(chances))
        return JUDGEMENTS[best], float(chances[best])

    def chances(self, measures: Measures) -> np.ndarray:
        """Of too low, about right and too high; they sum to one."""
        low, high = self.base
        for name, value in measures._asdict().items():
            kept = float(np.clip(value, *self.seen[name]))
            low, high = low + self.weights[name][0] * kept, high + self.weights[name][1] * kept
        against = np.exp(np.array([low, 0.0, high]) - max(low, 0.0, high))
        return np.asarray(against / against.sum())

    def has_seen(self, measures: Measures) -> bool:
        """Whether no measure lies beyond those it was fitted to by more than a tenth of their range."""
        for name, value in measures._asdict().items():
            low, high = self.seen[name]
            if not low - BEYOND * (high - low) <= value <= high + BEYOND * (high - low):
                return False
        return True


# Printed by ``python -m benchmarks.fit_rates``; held-out figures in docs/log.md, 2026-11-22.
WITH_START = Table(
    base=(5.709, -8.772),
    weights={
        "jumps": (-0.506, -0.012),
        "noise": (-2.248, -0.358),
        "first": (-1.404, 1.565),
        "still": (-0.854, -1.670),
        "last": (3.367, -0.065),
        "back": (0.678, 1.345),
        "apart": (-0.369, 0.369),
        "falls_noisily": (0.416, 0.600),
        "falls_on": (-0.359, 0.360),
    },
    seen={
        "jumps": (0.000, 8.113),
        "noise": (0.000, 4.624),
        "first": (0.000, 5.599),
        "still": (0.000, 5.595),
        "last": (0.000, 5.179),
        "back": (0.000, 8.113),
        "apart": (-1.000, 2.000),
        "falls_noisily": (0.000, 23.371),
        "falls_on": (0.000, 26.817),
    },
)

WITHOUT_START = Table(
    base=(2.197, 0.843),
    weights={
        "jumps": (-0.530, 0.190),
        "noise": (-2.185, -0.535),
        "first": (-0.424, -0.155),
        "still": (-1.068, -0.794),
        "last": (1.592, -1.471),
        "back": (0.419, 0.700),
        "apart": (-0.515, -0.571),
        "falls_noisily": (0.394, 0.350),
        "falls_on": (0.090, 0.395),
    },
    seen={
        "jumps": (0.000, 8.113),
        "noise": (0.000, 5.060),
        "first": (0.000, 5.614),
        "still": (0.000, 5.639),
        "last": (0.000, 5.277),
        "back": (0.000, 8.113),
        "apart": (-1.000, 2.000),
        "falls_noisily": (0.000, 25.254),
        "falls_on": (0.000, 27.840),
    },
)
