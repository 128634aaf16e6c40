"""What the trials of a study say about any point: a process over points and shares of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surefoot.integrations.optuna.coordinates import Coordinates
from surefoot.integrations.optuna.curves import Curve
from surefoot.tuning.scores import Scale
from surefoot.tuning.surrogate import PRIOR_LOOKS, Looks, Settings, Surrogate, fit_surrogate

__all__ = ["EXPONENTS", "Model", "fit_model"]

Array = npt.NDArray[np.float64]

# How the best rate may follow the batch: not at all, as its square root, in proportion. The trials choose.
EXPONENTS = (0.5, 1.0, 0.0)
# Of many trials the model sees the best ones and others evenly chosen by rank, of each its last looks.
MOST_TRIALS, LOOKS_EACH, APART = 100, 3, 2.5
FEWEST_FOR_LAW = 8
# Ranges are wide and most trials poor: the best quarter is to be told apart (docs/log.md, 2026-11-21).
UNIT_AT = 0.25


@dataclass(frozen=True)
class Model:
    """A fitted process with the coordinates it was fitted in.

    Attributes:
        coordinates: of the space.
        exponent: γ, the one that makes the trials most probable.
        surrogate: over scores.
        scale: of scores.
        owners: the row of each trial by its number.
    """

    coordinates: Coordinates
    exponent: float
    surrogate: Surrogate
    scale: Scale
    owners: dict[int, int]

    def ends(self, fractions: Array, *, numbers: Sequence[int] | None = None) -> tuple[Array, Array]:
        """Mean and deviation of the scores of points at the end of a training.

        Args:
            fractions: one point a row.
            numbers: the trial of each row, None where none has begun.
        """
        points = self.coordinates.encode(fractions, exponent=self.exponent)
        owners = None if numbers is None else np.array([self.owners.get(number, -1) for number in numbers])
        return self.surrogate.predict(points, runs=owners)

    def believing(self, fractions: Array, *, numbers: Sequence[int]) -> Model:
        """The model as if trials on their way had ended where it expects them to: the next goes elsewhere."""
        mean, _ = self.ends(fractions, numbers=numbers)
        looks, settings = self.surrogate.looks, self.surrogate.settings
        unseen = int(looks.runs.max()) + 1 + np.arange(len(numbers))
        rows = np.array([self.owners.get(number, row) for number, row in zip(numbers, unseen, strict=True)])
        believed = Looks(
            np.concatenate([looks.points, self.coordinates.encode(fractions, exponent=self.exponent)]),
            np.concatenate([looks.runs, rows]),
            np.concatenate([looks.shares, np.ones(len(numbers))]),
            np.concatenate([looks.scores, mean]),
        )
        return replace(self, surrogate=fit_surrogate(believed, settings=settings))


def fit_model(curves: Sequence[Curve], coordinates: Coordinates, *, always: int = -1) -> Model:
    """The process of these curves.

    Args:
        curves: at least one with a look; those without are left out.
        coordinates: of parameters that every curve has.
        always: the number of a trial that is not left out where there are many.
    """
    kept = _kept(curves, always)
    rows: list[tuple[int, float, float]] = []
    for row, curve in enumerate(kept):
        if curve.is_lost:
            rows.append((row, 1.0, np.inf))
            continue
        lowest = np.minimum.accumulate(curve.losses)
        rows.extend((row, curve.shares[look], float(lowest[look])) for look in _telling(curve.shares))
    numbers, shares, losses = (np.array(column) for column in zip(*rows, strict=True))
    scale = Scale.of(np.array([curve.lowest for curve in kept]), unit_at=UNIT_AT)
    fractions = np.stack([coordinates.fractions(kept[row].parameters) for row in numbers])
    owners = {curve.number: row for row, curve in enumerate(kept)}
    scores = scale.score(losses)

    def fitted(exponent: float, settings: Settings | None) -> Model:
        points = coordinates.encode(fractions, exponent=exponent, shares=shares)
        surrogate = fit_surrogate(Looks(points, numbers, shares, scores), settings=settings)
        return Model(coordinates, exponent, surrogate, scale, owners)

    usual = fitted(EXPONENTS[0] if coordinates.has_valley else 0.0, None)
    if not coordinates.has_valley or len(kept) < FEWEST_FOR_LAW:
        return usual
    others = [fitted(exponent, usual.surrogate.settings) for exponent in EXPONENTS[1:]]
    return max((usual, *others), key=_log_evidence)


def _log_evidence(model: Model) -> float:
    """How probable the looks are, up to a constant (Rasmussen and Williams 2006, eq. 2.30, the size integrated out)."""
    surrogate = model.surrogate
    count = PRIOR_LOOKS + len(surrogate.looks.scores)
    log_size = float(np.log(np.diagonal(surrogate.whitening)).sum())
    return surrogate.settings.log_prior() + log_size - 0.5 * count * float(np.log(surrogate.size * count))


def _kept(curves: Sequence[Curve], always: int) -> list[Curve]:
    ranked = sorted((curve for curve in curves if curve.losses), key=lambda curve: (curve.lowest, curve.number))
    best, rest = ranked[: MOST_TRIALS // 2], ranked[MOST_TRIALS // 2 :]
    if len(rest) > MOST_TRIALS - len(best):
        rest = [rest[index] for index in np.linspace(0, len(rest) - 1, MOST_TRIALS - len(best)).round().astype(int)]
    kept = best + rest
    return kept + [curve for curve in ranked if curve.number == always and curve not in kept]


def _telling(shares: tuple[float, ...]) -> list[int]:
    """The last look and earlier ones, each a few times less far than the one after it."""
    found = [len(shares) - 1]
    while len(found) < LOOKS_EACH:
        before = [look for look in range(found[-1]) if shares[look] <= shares[found[-1]] / APART * 1.01]
        if not before:
            break
        found.append(before[-1])
    return found
