"""Logs in which every quantity is written by itself, with its own steps: TensorBoard's tags, MLflow's metrics."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from surefoot.diagnosis.assembling import log_of_points
from surefoot.diagnosis.columns import meanings
from surefoot.diagnosis.log import Log, Unit
from surefoot.diagnosis.table import MOST_COLUMNS
from surefoot.language import say

__all__ = ["TaggedRun"]

LONGEST_TAG = 1000


class TaggedRun:
    """One training while it is read: the steps and the values of every tag, and what was left out."""

    def __init__(self) -> None:
        self.tags: dict[str, tuple[array[float], array[float]]] = {}
        self.notes: list[str] = []

    def put(self, tag: str, step: float, value: float) -> None:
        """Keep a value."""
        if tag not in self.tags and len(self.tags) >= MOST_COLUMNS:
            note = say("it has more than {most:,} columns; those after them were left out", most=MOST_COLUMNS)
            self.notes += [note] if note not in self.notes else []
            return
        steps, values = self.tags.setdefault(tag[:LONGEST_TAG], (array("d"), array("d")))
        steps.append(step)
        values.append(value)

    def log(self, name: str, named: Mapping[str, str]) -> Log:
        """The log.

        Raises:
            RequestError: no tag is known as a loss or an accuracy.
        """
        roles = meanings(self.tags, named)
        # Keras counts epochs from 0 in tags of their own
        is_by_epoch = any(Path(tag).name.startswith("epoch_") for tag in roles)
        unit: Unit
        unit, first, moved = ("epoch", 0, 1.0) if is_by_epoch else ("step", 1, 0.0)
        points = {
            roles.get(tag, tag): (np.array(steps) + moved, np.array(values))
            for tag, (steps, values) in self.tags.items()
            if roles.get(tag) not in ("epoch", "step")
        }
        return log_of_points(name, unit, points, notes=self.notes, seen=list(self.tags), first=first)
