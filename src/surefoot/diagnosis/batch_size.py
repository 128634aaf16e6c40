"""The batch against the noise scale, where a log has both."""

from __future__ import annotations

import numpy as np

from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["against_noise", "batch_size"]

FEWEST_READINGS = 4
# With B_s = S/‖G‖², a training of batch B takes S_min·(1 + B_s/B) steps and E_min·(1 + B/B_s) samples (McCandlish et
# al. 2018, eq. 2.11): ten times below it takes eleven times the fewest steps, five times above it six times the fewest
# samples.
BELOW, ABOVE = 10.0, 5.0
EARLY = 1.0 / 3.0
# A batch below the noise scale costs steps, not samples, so it is a fault where its noise holds the training up, or of
# so few rows that a step of more would take the same time. Targets that are mostly noise have any batch far below it.
IDLE = 8


def batch_size(log: Log, *, is_noisy: bool = False) -> Finding | None:
    """A batch far from the noise scale over the first third, in which most of a loss is gained.

    Args:
        log: of one training.
        is_noisy: whether noise holds it up.
    """
    batches, scales = log.get("batch_size"), log.get("noise_scale")
    if batches is None or scales is None:
        return None
    early = scales.finite.until(float(scales.at[0] + EARLY * (scales.at[-1] - scales.at[0])))
    at = np.searchsorted(batches.at, early.at, side="right") - 1
    found = against_noise(log.name, batches.values[np.maximum(at, 0)], early.values)
    if found is None or found.verdict != "batch far below the noise" or is_noisy:
        return found
    return found if np.median(batches.finite.values) <= IDLE else None


def against_noise(run: str, batches: np.ndarray, scales: np.ndarray) -> Finding | None:
    """The verdict on readings of the noise scale beside the batch at the same time.

    The noise scale grows while a training goes on, so "below" must hold of the smallest reading, "above" of the middle
    one.
    """
    known = np.isfinite(scales) & (scales > 0.0) & (batches > 0.0)
    if known.sum() < FEWEST_READINGS:
        return None
    ratios = scales[known] / batches[known]
    scale, batch = float(np.median(scales[known])), float(np.median(batches[known]))
    if ratios.min() >= BELOW:
        return Finding(
            verdict="batch far below the noise",
            run=run,
            evidence=say(
                "a batch of {batch:.0f} where the noise scale was {scale:.0f} and never below {least:.0f} in the first "
                "third: it takes about {times:.0f} times the fewest steps possible",
                batch=batch,
                scale=scale,
                least=float(scales[known].min()),
                times=1.0 + scale / batch,
            ),
            advice=say(
                "grow the batch towards {target:.0f}, the rate with it (by its root for Adam, in proportion for SGD): "
                "surefoot rescale",
                target=float(scales[known].min()) / 2.0,
            ),
            certainty="likely",
        )
    if np.median(ratios) <= 1.0 / ABOVE:
        return Finding(
            verdict="batch far above the noise",
            run=run,
            evidence=say(
                "a batch of {batch:.0f} where the noise scale was {scale:.3g} in the first third: {share} of its rows "
                "were work without effect",
                batch=batch,
                scale=scale,
                share=share(1.0 - scale / (scale + batch)),
            ),
            advice=say(
                "lower the batch towards {target:.0f}, for more steps from the same samples, with the rate lowered by "
                "the same rule: surefoot rescale",
                target=max(1.0, 2.0 * scale),
            ),
            certainty="likely",
        )
    return None
