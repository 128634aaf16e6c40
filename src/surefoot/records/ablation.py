"""Records of an ablation: a recipe trained as it is and without one thing at a time."""

from __future__ import annotations

from typing import Any

from surefoot.records.base import SCHEMA_VERSION, Number, Record
from surefoot.records.training import Objective

__all__ = ["WHOLE", "Ablation", "Trial"]

WHOLE = "as it is"
"""The name of the recipe that no lever was taken out of."""


class Trial(Record):
    """One recipe trained once, and what it took.

    Attributes:
        variant: what it is called.
        seed: of weights and order.
        status: how it ended.
        metrics: by name.
        samples: that ran forward and backward.
        seconds: of the training with its looks.
        device_use: the share of the processor's threads, or of the accelerator, that was busy, where it can be told.
        step_bytes: memory in use during one step, at most.
    """

    variant: str
    seed: int
    status: str
    metrics: dict[str, Number]
    samples: int
    seconds: float
    device_use: float | None = None
    step_bytes: int | None = None


class Ablation(Record):
    """All trials of an ablation, in the order in which they ran.

    Attributes:
        schema_version: of this form.
        task: its name.
        objective: what is compared.
        device: what was trained on, as a person would say it.
        recipes: the variants by name.
        trials: all of them.
        interrupted: whether somebody stopped it.
    """

    schema_version: int = SCHEMA_VERSION
    task: str
    objective: Objective
    device: str
    recipes: dict[str, dict[str, Any]]
    trials: tuple[Trial, ...]
    interrupted: bool = False

    def of(self, variant: str) -> dict[int, Trial]:
        """The trials of a variant by seed."""
        return {trial.seed: trial for trial in self.trials if trial.variant == variant}
