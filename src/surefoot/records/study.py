"""The record of everything one command did."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from surefoot.records.base import SCHEMA_VERSION, Number, Record
from surefoot.records.probes import RangeTest
from surefoot.records.training import Cost, Finding, Objective, Run

__all__ = ["Facts", "Forecast", "Range", "Study", "StudyStatus"]

StudyStatus = Literal["completed", "interrupted", "diverged", "out_of_memory"]
"""How a study ended; "diverged" and "out_of_memory" where no run of it was usable."""


class Facts(Record):
    """What the rows tell by themselves; None where it cannot be told.

    Attributes:
        input_scale: the root mean square of the training inputs as the model gets them.
        largest_class: the share of the most frequent label among the validation rows.
    """

    input_scale: float | None = None
    largest_class: float | None = None


class Range(Record):
    """The numbers a recipe key was allowed to take in a search.

    Attributes:
        low: the least one, included.
        high: the largest one, included.
        is_log: whether they are spread over their logarithm.
    """

    low: float
    high: float
    is_log: bool = False


class Forecast(Record):
    """A whole training that the budget had no room for: its recipe, and the validation loss expected at its end.

    The three numbers are None where shorter runs do not tell.

    Attributes:
        recipe: every section.
        value: the expected loss.
        low: where it lies with 90 %, from here
        high: to here.
    """

    recipe: dict[str, Any]
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Study(Record):
    """Everything one command did: probes, runs, the model that was kept, what it cost.

    Attributes:
        schema_version: of this form.
        kind: "tune" or "fit".
        task: its name.
        status: how it ended.
        reason: why, where that is not plain.
        seed: of everything random.
        budget: what was allowed, as a person would say it; None where nothing limits.
        rows: how many train, validate and test.
        epochs: of one whole training.
        loss: that is trained on, by name.
        objective: what chooses.
        probes: the range tests.
        runs: all of them, in order.
        winner: the number of the run that is the result.
        recipe: of the model that was kept, every section.
        metrics: of that model on each part.
        guess: the validation loss of always giving the same answer, the class shares or the mean of the training
            targets; None where the loss has no such answer.
        forecast: stands where the budget had no room for a whole training.
        facts: what the rows tell by themselves.
        ranges: of numbers, by recipe key, where a space was given.
        cost: all that was spent.
        findings: the verdicts.
        notes: what a person should know besides.
        versions: of the packages that took part.
    """

    schema_version: int = SCHEMA_VERSION
    kind: Literal["tune", "fit"]
    task: str
    status: StudyStatus
    reason: str = ""
    seed: int
    budget: str | None = None
    rows: dict[str, int]
    epochs: float
    loss: str
    objective: Objective
    probes: tuple[RangeTest, ...] = ()
    runs: tuple[Run, ...]
    winner: int | None = None
    recipe: dict[str, Any]
    metrics: dict[str, Number]
    guess: float | None = None
    forecast: Forecast | None = None
    facts: Facts = Facts()
    ranges: dict[str, Range] = Field(default_factory=dict)
    cost: Cost
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def winning_run(self) -> Run | None:
        """The run whose weights are the result."""
        return next((run for run in self.runs if run.number == self.winner), None)
