"""The same recipe on every fold of a cross-validation, side by side on one clock: what is judged is their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from surefoot.integrations.sklearn.partial_run import PartialRun
from surefoot.protocols import Advance, Split
from surefoot.records import Change

__all__ = ["FoldsRun"]


class FoldsRun:
    """A ``Trainable`` that is ``Steered`` and ``RatePerStep``, of one run a fold; its clock is that of the first.

    Args:
        runs: of the same recipe and the same horizon.
    """

    def __init__(self, runs: Sequence[PartialRun]) -> None:
        self._runs = tuple(runs)
        self._first = self._runs[0]
        self.horizon = self._first.horizon

    @property
    def samples_seen(self) -> int:
        """The clock of every fold."""
        return self._first.samples_seen

    @property
    def model(self) -> Any:
        """The estimators, one a fold."""
        return [run.model for run in self._runs]

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train every fold until the first has seen ``num_samples`` more; the loss is their mean."""
        done = [self._first.advance(num_samples, should_stop=should_stop)]
        for run in self._runs[1:]:
            due = self._first.samples_seen - run.samples_seen
            done.append(run.advance(due, should_stop=_never) if due > 0 else Advance(0, 0, math.nan, 0.0, 0))
        failed = next((one for one in done if one.failure), None)
        losses = [one.loss for one in done if one.samples]
        lead = done[0]
        return Advance(
            lead.samples,
            lead.steps,
            fmean(losses) if losses else math.nan,
            lead.learning_rate,
            lead.batch_size,
            failed.failure if failed else "",
            failed.reason if failed else "",
        )

    def evaluate(self, split: Split) -> dict[str, float]:
        """The means over the folds; and the score of each, counted from 0."""
        measured = [run.evaluate(split) for run in self._runs]
        found = {name: fmean(one[name] for one in measured) for name in measured[0]}
        scores = {f"split{index}_score": one["score"] for index, one in enumerate(measured) if "score" in one}
        return found | scores

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step in the first fold and give back the loss before it."""
        return self._first.step_at(learning_rate, batch_size=batch_size)

    def restored(self) -> Any:
        """A block after which everything is as before it, also on an exception."""
        return self._first.restored()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved in the first fold; the others hear the same and move alike."""
        return self._first.changes

    @property
    def noise_scale(self) -> float | None:
        """That of the first fold."""
        return self._first.noise_scale

    @property
    def remark(self) -> str:
        """What a moving batch bought in the first fold."""
        return self._first.remark

    def looked(self, value: float) -> None:
        """Tell every fold the mean of the objective, for schedules and policies that react to it."""
        for run in self._runs:
            run.looked(value)

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment of every fold as one to go back to."""
        for run in self._runs:
            run.mark(progress)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate, in every fold."""
        progress, *_ = [run.retry(factor, reason) for run in self._runs]
        return progress

    def keep_best(self) -> None:
        """Remember every fold's weights as they are now as the best ones."""
        for run in self._runs:
            run.keep_best()

    def recall_best(self) -> None:
        """Put the best weights back into the estimators."""
        for run in self._runs:
            run.recall_best()

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs, a folder a fold."""
        for index, run in enumerate(self._runs):
            run.save_checkpoint(directory / str(index), progress)

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        found = [run.load_checkpoint(directory / str(index)) for index, run in enumerate(self._runs)]
        return found[0]

    def save_weights(self, path: Path) -> None:
        """Write what the estimators have learned, a file a fold beside ``path``, which is the first one's."""
        for index, run in enumerate(self._runs):
            run.save_weights(_beside(path, index))

    def load_weights(self, path: Path) -> None:
        """Read what the estimators have learned."""
        for index, run in enumerate(self._runs):
            run.load_weights(_beside(path, index))


def _beside(path: Path, index: int) -> Path:
    return path.with_name(f"{path.stem}-{index}{path.suffix}") if index else path


def _never() -> bool:
    return False
