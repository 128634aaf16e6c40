"""What other tools' learning-rate finders suggest, for comparison: each rule on its own sweep.

Written from the published sources named in each ``Finder.source``, quirks included. Losses are rounded to single
precision where the tool keeps them in a float32 tensor, because a derivative in the linear rate feels it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FINDERS", "Finder"]

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Finder:
    """A learning-rate range test as one tool runs it and reads it.

    ``rates`` are taken one a step; after every step ``is_over`` hears all losses so far; ``suggest`` reads them.

    Attributes:
        name: the tool and the rule.
        lowest: rate of the first step, by the tool's default; its documentation's where the default is the optimizer's.
        highest: rate that the sweep goes to.
        num_steps: steps of a whole sweep.
        spacing: ``spacing(index, num_steps)``, how far from ``lowest`` to ``highest`` a step lies on the logarithmic
            scale, in [0, 1].
        source: file and version that it was written from.
        smooth: the losses as the tool keeps them.
        has_diverged: whether the tool stops at the last of some smoothed losses.
        rule: the suggestion from rates and smoothed losses; None where the tool gives none or raises.
    """

    name: str
    lowest: float
    highest: float
    num_steps: int
    spacing: Callable[[int, int], float]
    source: str
    smooth: Callable[[Curve], Curve]
    has_diverged: Callable[[Curve], bool]
    rule: Callable[[Curve, Curve], float | None]

    @property
    def rates(self) -> tuple[float, ...]:
        """The rate of every step of a whole sweep."""
        shares = (self.spacing(index, self.num_steps) for index in range(self.num_steps))
        return tuple(self.lowest * (self.highest / self.lowest) ** share for share in shares)

    def is_over(self, losses: Sequence[float]) -> bool:
        """Whether the tool would have ended the sweep by now.

        Args:
            losses: of every step so far, as they were measured; they may be infinite or not-a-number.
        """
        if len(losses) >= self.num_steps:
            return True
        with np.errstate(all="ignore"):
            smoothed = self.smooth(np.asarray(losses, dtype=np.float64))
            return any(self.has_diverged(smoothed[: end + 1]) for end in range(len(smoothed)))

    def suggest(self, rates: Sequence[float], losses: Sequence[float]) -> float | None:
        """The rate that the tool suggests, None where its user would get none or an exception.

        Args:
            rates: of every step that was taken.
            losses: as measured, one a rate.

        Raises:
            ValueError: not as many rates as losses.
        """
        if len(rates) != len(losses):
            raise ValueError(f"rates and losses must be equally many, not {len(rates)} and {len(losses)}")
        with np.errstate(all="ignore"):
            smoothed = self.smooth(np.asarray(losses, dtype=np.float64))
            return self.rule(np.asarray(rates, dtype=np.float64), smoothed)


def _fastai_average(losses: Curve) -> Curve:
    """Memory 0.98 from 0 on, over 1 − 0.98^t, in single precision as ``torch.lerp`` forms it."""
    averages = np.zeros(len(losses) + 1, dtype=np.float32)
    share = np.float32(1.0) - np.float32(0.98)
    for index, loss in enumerate(losses.astype(np.float32)):
        averages[index + 1] = averages[index] - (averages[index] - loss) * share
    return (averages[1:] / (1.0 - 0.98 ** (np.arange(len(losses)) + 1)).astype(np.float32)).astype(np.float64)


def _lightning_average(losses: Curve) -> Curve:
    """Memory 0.98 from 0 on, over 1 − 0.98^(t+1): a power too many, so the first is halved."""
    averages = _moving_average(np.concatenate([[0.0], losses]), weight=0.02)[1:]
    return averages / (1.0 - 0.98 ** (np.arange(len(losses)) + 2))


def _average_from_the_first(losses: Curve) -> Curve:
    """A twentieth of every new loss, from the first one on: a one-sided average of memory 0.95."""
    return _moving_average(losses, weight=0.05)


def _moving_average(values: Curve, *, weight: float) -> Curve:
    averages = values.copy()
    for index in range(1, len(values)):
        averages[index] = (1.0 - weight) * averages[index - 1] + weight * values[index]
    return averages


def _above_best(factor: float) -> Callable[[Curve], bool]:
    """Over ``factor`` times the lowest so far, itself included: a negative loss ends the sweep at once."""
    return lambda smoothed: bool(smoothed[-1] > factor * np.fmin.reduce(smoothed))


def _above_earlier_best(smoothed: Curve) -> bool:
    """Over four times the lowest before it."""
    return len(smoothed) > 1 and bool(smoothed[-1] > 4.0 * np.fmin.reduce(smoothed[:-1]))


def _fastai(rule: Callable[[Curve, npt.NDArray[np.float32]], float | None]) -> Callable[[Curve, Curve], float | None]:
    """A rule after fastai's cuts: the first tenth of a hundred steps, the last five, all from a not-a-number on."""

    def suggest(rates: Curve, smoothed: Curve) -> float | None:
        losses = smoothed[10:-5].astype(np.float32)
        missing = np.flatnonzero(np.isnan(losses))
        end = int(missing[0]) if len(missing) else len(losses)
        return rule(rates[10:-5][:end], losses[:end])

    return suggest


def _minimum(rates: Curve, losses: npt.NDArray[np.float32]) -> float | None:
    """A tenth of the rate at the lowest loss."""
    return float(rates[np.argmin(losses)]) / 10.0 if len(losses) else None


def _steep(rates: Curve, losses: npt.NDArray[np.float32]) -> float | None:
    """Where the loss falls fastest to the next step, against the logarithm of the rate."""
    if len(losses) < 2:
        return None
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates.astype(np.float32))))])


def _valley(rates: Curve, losses: npt.NDArray[np.float32]) -> float | None:
    """Half way along the longest falling subsequence, as if its members were neighbours."""
    if not len(losses):
        return None
    lengths = np.ones(len(losses), dtype=int)
    for index in range(1, len(losses)):
        above = lengths[:index][losses[:index] > losses[index]]
        lengths[index] = 1 + above.max(initial=0)
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    if length == 1:
        return float(rates[0])
    return float(rates[end - length + int(length / 3) + int(length / 3 / 2)])


def _slide(rates: Curve, losses: npt.NDArray[np.float32]) -> float | None:
    """From the end leftwards, while the slopes at both ends of a window of 15 steps differ by over 0.005."""
    if len(losses) < 16:
        return None
    slopes = np.gradient(losses)
    left = len(losses) - 16
    suggestion = float(rates[left])
    while left >= 0 and abs(slopes[left + 15] - slopes[left]) > 0.005:
        suggestion = float(rates[left])
        left -= 1
    return suggestion


def _steepest_gradient(rates: Curve, smoothed: Curve) -> float | None:
    """torch-lr-finder's plot: without the first ten and the last five, the steepest fall from step to step."""
    losses = smoothed[10:-5]
    return float(rates[10:-5][np.argmin(np.gradient(losses))]) if len(losses) > 1 else None


def _lightning(rates: Curve, smoothed: Curve) -> float | None:
    """Since 2.5.3: the steepest fall against the rate itself, which noise at the smallest rates dominates."""
    finite = np.isfinite(smoothed[10:-1])
    losses, kept = smoothed[10:-1][finite].astype(np.float32), rates[10:-1][finite]
    if len(losses) < 2:
        return None
    return float(kept[np.argmin(np.gradient(losses, kept.astype(np.float32)))])


def _lightning_by_step(rates: Curve, smoothed: Curve) -> float | None:
    """Until 2.5.2: the steepest fall from step to step; losses left out shift the answer to an earlier rate."""
    losses = smoothed[10:-1]
    losses = losses[np.isfinite(losses)].astype(np.float32)
    return float(rates[10 + np.argmin(np.gradient(losses))]) if len(losses) > 1 else None


def _ignite(rates: Curve, smoothed: Curve) -> float | None:
    """The steepest fall before the minimum, not-a-number counting as one; the log is a step ahead of the rates used."""
    if not len(smoothed):
        return None
    falling = smoothed.astype(np.float32)[: int(np.argmin(smoothed.astype(np.float32))) + 1]
    if len(falling) < 3:
        return None
    steepest = 1 + int(np.argmin(np.float32(0.5) * (falling[2:] - falling[:-2])))
    return float(rates[steepest + 1])


def _fastai_finder(name: str, rule: Callable[[Curve, npt.NDArray[np.float32]], float | None]) -> Finder:
    return Finder(
        f"fastai {name}",
        lowest=1e-7,
        highest=10.0,
        num_steps=100,
        spacing=lambda index, num_steps: index / num_steps,
        source="github.com/fastai/fastai @0a049e8, fastai/callback/schedule.py: LRFinder, lr_find; "
        "fastai/learner.py: AvgSmoothLoss",
        smooth=_fastai_average,
        has_diverged=_above_best(4.0),
        rule=_fastai(rule),
    )


def _lightning_finder(name: str, source: str, rule: Callable[[Curve, Curve], float | None]) -> Finder:
    return Finder(
        name,
        lowest=1e-8,
        highest=1.0,
        num_steps=100,
        spacing=lambda index, num_steps: (index + 1) / num_steps if index else 0.0,
        source=source,
        smooth=_lightning_average,
        has_diverged=_above_earlier_best,
        rule=rule,
    )


FINDERS: dict[str, Finder] = {
    finder.name: finder
    for finder in (
        _fastai_finder("minimum", _minimum),
        _fastai_finder("steep", _steep),
        _fastai_finder("valley", _valley),
        _fastai_finder("slide", _slide),
        Finder(
            "torch-lr-finder",
            lowest=1e-7,
            highest=10.0,
            num_steps=100,
            spacing=lambda index, num_steps: index / (num_steps - 1),
            source="github.com/davidtvs/pytorch-lr-finder @00abb90, torch_lr_finder/lr_finder.py: range_test, plot; "
            "lowest rate from its README, since its own is the optimizer's",
            smooth=_average_from_the_first,
            has_diverged=_above_best(5.0),
            rule=_steepest_gradient,
        ),
        _lightning_finder(
            "lightning",
            "github.com/Lightning-AI/pytorch-lightning @0012782, src/lightning/pytorch/tuner/lr_finder.py",
            _lightning,
        ),
        _lightning_finder(
            "lightning 2.5.2",
            "the same file before pull request 21055, which came with 2.5.3",
            _lightning_by_step,
        ),
        Finder(
            "ignite",
            lowest=1e-7,
            highest=10.0,
            num_steps=100,
            spacing=lambda index, num_steps: max(index, 1) / num_steps,
            source="github.com/pytorch/ignite @036765e, ignite/handlers/lr_finder.py: FastaiLRFinder; lowest rate and "
            "steps as fastai's, since its own are the optimizer's and the whole training's",
            smooth=_average_from_the_first,
            has_diverged=_above_best(5.0),
            rule=_ignite,
        ),
    )
}
"""Other tools' rules for reading a learning rate off a sweep, each written from its published source."""
