"""A Gaussian process over points and shares of the horizon: what a run would come to, from what others did.

The covariance of the score of run i at point x after a share s of the horizon, and that of run j at x' after s':

    k = a · (1 + m(x, x') + ω [i = j]) · (1 + β min(t, t')) + a ν [same look],   t = −log s / log 100

m is Matérn-5/2 with a length scale for each coordinate, 1 the mean of all, ω what no neighbour knows, ν noise. Going
back from the end a curve is a Brownian motion in the logarithm of the share: its last look says all that its own
curve says about its end, and neighbours in x fall alike. Curves that freeze and thaw (Swersky, Snoek and Adams 2014,
arXiv:1406.3896) with one process instead of two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Looks", "Settings", "Surrogate", "fit_surrogate"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Settings are the most probable ones of a few, walked through one after the other from the middle of their priors:
# normal in the logarithm, (middle, deviation). Wide on purpose; nothing here was fitted (docs/log.md, 2026-11-21).
PRIORS = {"scale": (0.8, 1.0), "own": (0.2, 1.0), "slope": (0.5, 1.0), "noise": (1e-2, 1.5)}
VALUES = {
    "scale": (0.2, 0.4, 0.8, 1.6, 5.0),
    "own": (0.03, 0.1, 0.2, 0.4, 1.0),
    "slope": (0.1, 0.25, 0.5, 1.0, 3.0),
    "noise": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
}
# The size a is integrated out under an inverse gamma prior worth two looks of this variance, scores being about 1 wide.
PRIOR_LOOKS, PRIOR_VARIANCE = 2.0, 0.1
LARGEST_RATIO = 100.0  # the horizon over the shortest share that is told apart
MOST_FITTED, NUM_SWEEPS = 48, 2


@dataclass(frozen=True)
class Looks:
    """Scores that runs had come to.

    Attributes:
        points: coordinates, a row for each look.
        runs: which run each look belongs to, numbers from 0; no two runs alike.
        shares: of the horizon, in (0, 1].
        scores: lower is better.
    """

    points: Array
    runs: Integers
    shares: Array
    scores: Array


@dataclass(frozen=True)
class Settings:
    """What the covariance depends on, in the terms of the formula: the length scales, ω, β and ν."""

    scales: Array
    own: float = PRIORS["own"][0]
    slope: float = PRIORS["slope"][0]
    noise: float = PRIORS["noise"][0]

    def log_prior(self) -> float:
        """Up to a constant."""
        deviations = [np.log(self.scales / PRIORS["scale"][0]) / PRIORS["scale"][1]]
        for name in ("own", "slope", "noise"):
            middle, width = PRIORS[name]
            deviations.append(np.array([np.log(getattr(self, name) / middle) / width]))
        return -0.5 * float(np.sum(np.concatenate(deviations) ** 2))


@dataclass(frozen=True)
class Surrogate:
    """A fitted process.

    Attributes:
        looks: what it was fitted to.
        settings: the most probable ones.
        mean: of the scores.
        size: the a of the formula.
        whitening: the inverse of the Cholesky factor of the looks' covariance over a.
    """

    looks: Looks
    settings: Settings
    mean: float
    size: float
    whitening: Array

    def predict(self, points: Array, *, runs: Integers | None = None, share: float = 1.0) -> tuple[Array, Array]:
        """Mean and deviation of the score at a share, without the noise of a look.

        Args:
            points: one a row.
            runs: the run of each row, -1 for one that has not begun; None when none has.
            share: of the horizon, in (0, 1].
        """
        owners = np.full(len(points), -1) if runs is None else runs
        times = np.full(len(points), _times(np.array([share]))[0])
        looks, settings = self.looks, self.settings
        point_part = 1.0 + _matern(_squares(points, looks.points, settings.scales))
        point_part += settings.own * (owners[:, None] == looks.runs)
        share_part = 1.0 + settings.slope * np.minimum(times[:, None], _times(looks.shares))
        white = self.whitening @ (point_part * share_part).T
        mean = self.mean + white.T @ (self.whitening @ (looks.scores - self.mean))
        before = (2.0 + settings.own) * (1.0 + settings.slope * times)
        variance = self.size * np.maximum(before - np.sum(white**2, axis=0), 1e-9)
        return mean, np.sqrt(variance)


def fit_surrogate(looks: Looks, *, settings: Settings | None = None) -> Surrogate:
    """The process given one look or more; its time grows as their number cubed, a few hundred are meant.

    Args:
        looks: in an order that does not depend on chance: settings are fitted to some, evenly chosen.
        settings: None for the most probable ones.
    """
    settings = settings or _most_probable(looks)
    factor = np.linalg.cholesky(_covariance(looks, settings))
    whitening = np.linalg.inv(factor)
    mean = float(np.mean(looks.scores))
    size = _misfit(whitening @ (looks.scores - mean)) / (PRIOR_LOOKS + len(looks.scores))
    return Surrogate(looks, settings, mean, size, whitening)


def _misfit(white: Array) -> float:
    return PRIOR_LOOKS * PRIOR_VARIANCE + float(np.sum(white**2))


def _covariance(looks: Looks, settings: Settings) -> Array:
    """Of the looks, over a."""
    times = _times(looks.shares)
    point_part = 1.0 + _matern(_squares(looks.points, looks.points, settings.scales))
    point_part += settings.own * (looks.runs[:, None] == looks.runs)
    covariance = point_part * (1.0 + settings.slope * np.minimum(times[:, None], times))
    covariance[np.diag_indices(len(times))] += settings.noise
    return np.asarray(covariance)


def _most_probable(looks: Looks) -> Settings:
    """Each setting in turn moved to its best value while the others stand, twice round."""
    count = len(looks.scores)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_FITTED)).round().astype(int))
    fitted = Looks(looks.points[chosen], looks.runs[chosen], looks.shares[chosen], looks.scores[chosen])
    num_scales = looks.points.shape[1]
    settings, best = Settings(np.full(num_scales, PRIORS["scale"][0])), -np.inf
    for _ in range(NUM_SWEEPS):
        before = best
        for name in (*range(num_scales), "own", "slope", "noise"):
            tried = _varied(settings, name)
            evidence = _log_evidence(fitted, tried)
            index = int(np.argmax(evidence))
            if evidence[index] > best:
                settings, best = tried[index], float(evidence[index])
        if best <= before:
            break
    return settings


def _varied(settings: Settings, name: int | str) -> list[Settings]:
    """The settings with one of them at each of its values; a number names a length scale."""
    if isinstance(name, str):
        return [Settings(**{**vars(settings), name: value}) for value in VALUES[name]]
    varied = []
    for value in VALUES["scale"]:
        scales = settings.scales.copy()
        scales[name] = value
        varied.append(replace(settings, scales=scales))
    return varied


def _log_evidence(looks: Looks, tried: list[Settings]) -> Array:
    """Log prior and marginal likelihood of each, a integrated out (Rasmussen and Williams 2006, eq. 2.30 and 9.3).

    The scores stand below the covariance as one row more, so that the factor's last row is the whitened scores.
    """
    count = len(looks.scores)
    centred = looks.scores - np.mean(looks.scores)
    bordered = np.empty((len(tried), count + 1, count + 1))
    for index, settings in enumerate(tried):
        bordered[index, :count, :count] = _covariance(looks, settings)
    bordered[:, count, :count] = bordered[:, :count, count] = centred
    bordered[:, count, count] = 1e6 * (1.0 + float(centred @ centred))
    factors = np.linalg.cholesky(bordered)
    log_sizes = np.log(np.diagonal(factors, axis1=1, axis2=2)[:, :count]).sum(axis=1)
    misfits = np.array([_misfit(factor[count, :count]) for factor in factors])
    priors = np.array([settings.log_prior() for settings in tried])
    return np.asarray(priors - log_sizes - 0.5 * (PRIOR_LOOKS + count) * np.log(misfits))


def _squares(points: Array, others: Array, scales: Array) -> Array:
    """Squared distances in length scales."""
    left, right = points / scales, others / scales
    products = left @ right.T
    squares = np.sum(left**2, axis=1)[:, None] + np.sum(right**2, axis=1) - 2.0 * products
    return np.asarray(np.maximum(squares, 0.0))


def _matern(squares: Array) -> Array:
    """Rasmussen and Williams 2006, eq. 4.17."""
    distances = np.sqrt(5.0 * squares)
    return np.asarray((1.0 + distances + distances**2 / 3.0) * np.exp(-distances))


def _times(shares: Array) -> Array:
    """0 at the whole horizon, 1 at a hundredth and below."""
    return np.asarray(np.minimum(-np.log(shares) / np.log(LARGEST_RATIO), 1.0))
