"""Logs in which every quantity is written by itself, with its own steps: TensorBoard's tags, MLflow's metrics."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.assembling import log_of_points
from surefoot.diagnosis.columns import called, meanings
from surefoot.diagnosis.counting import by_time
from surefoot.diagnosis.log import Log, Unit
from surefoot.diagnosis.table import MOST_COLUMNS, plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["TaggedRun", "logs_that_read"]

LONGEST_TAG = 1000
Values = npt.NDArray[np.float64]


class TaggedRun:
    """One training while it is read: the steps, the values and the times of every tag, and what was left out."""

    def __init__(self) -> None:
        self.tags: dict[str, tuple[array[float], array[float], array[float]]] = {}
        self.notes: list[str] = []

    def put(self, tag: str, step: float, value: float, *, time: float = 0.0) -> None:
        """Keep a value, and when it was written."""
        if tag not in self.tags and len(self.tags) >= MOST_COLUMNS:
            note = say("it has more than {most:,} columns; those after them were left out", most=MOST_COLUMNS)
            self.notes += [note] if note not in self.notes else []
            return
        kept = self.tags.setdefault(tag[:LONGEST_TAG], (array("d"), array("d"), array("d")))
        for column, number in zip(kept, (step, value, time), strict=True):
            column.append(number)

    def log(self, name: str, named: Mapping[str, str]) -> Log:
        """The log.

        Raises:
            RequestError: no tag is known as a loss or an accuracy.
        """
        roles = meanings(self.tags, named)
        steps, notes = self._places(roles)
        # Keras counts epochs from 0 in tags of their own
        is_by_epoch = any(Path(tag).name.startswith("epoch_") for tag in roles)
        unit: Unit
        unit, first, moved = ("epoch", 0, 1.0) if is_by_epoch else ("step", 1, 0.0)
        if self._has_no_steps(roles):
            steps = {tag: np.asarray(np.arange(1, len(steps[tag]) + 1), dtype=np.float64) for tag in steps}
            unit, first, moved = "row", 1, 0.0
            notes = [say("no steps were logged; values are counted in the order in which they were written")]
        points = {
            called(tag, roles): (steps[tag] + moved, np.array(values))
            for tag, (_, values, _) in self.tags.items()
            if roles.get(tag) not in ("epoch", "step")
        }
        seen, notes = list(self.tags), [*self.notes, *notes]
        return log_of_points(name, unit, points, roles=roles, notes=notes, seen=seen, first=first)

    def _has_no_steps(self, roles: Mapping[str, str]) -> bool:
        """Whether all values of every loss stand at one step, as where none was given."""
        losses = [self.tags[tag][0] for tag, role in roles.items() if role.endswith("_loss")]
        return any(len(steps) > 1 for steps in losses) and all(len(set(steps)) == 1 for steps in losses)

    def _places(self, roles: Mapping[str, str]) -> tuple[dict[str, Values], list[str]]:
        """The steps of every tag, those that were counted otherwise than the losses moved to where they belong."""
        steps = {tag: np.array(one) for tag, (one, _, _) in self.tags.items()}
        losses = [tag for tag, role in roles.items() if role.endswith("_loss") and len(steps[tag])]
        if not losses:
            return steps, []
        reference = max(losses, key=lambda tag: float(steps[tag].max()))
        clock = steps[reference], np.array(self.tags[reference][2])
        moved = []
        for tag in roles:
            found = by_time(steps[tag], np.array(self.tags[tag][2]), clock) if tag != reference else None
            if found is not None:
                steps[tag] = found
                moved.append(tag)
        if not moved:
            return steps, []
        return steps, [
            say(
                "not counted as {reference} is, and placed by the time at which they were written: {columns}",
                reference=plain(reference),
                columns=", ".join(map(plain, moved)),
            )
        ]


def logs_that_read(runs: Mapping[str, TaggedRun], named: Mapping[str, str]) -> list[Log]:
    """The logs of runs by their names; those without a loss are passed over where others have one.

    Raises:
        RequestError: none has one.
    """
    logs: list[Log] = []
    refused = RequestError("there are no metrics")
    for name, run in runs.items():
        try:
            logs.append(run.log(name, named))
        except RequestError as error:
            refused = error
    if not logs:
        raise refused
    return logs
