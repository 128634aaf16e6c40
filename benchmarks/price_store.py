"""The finished studies of "price of two", one JSON file a task and method, and what they say at a price.

A file maps "tool version/seed" to a study; each line of a study is a trial: price so far, seconds so far, validation
loss of its best look, test loss there, how it ended, its settings. Null stands for infinity. Trials that did not
improve on those before them are left out, except the last.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Finished", "Record", "Status", "Store", "incumbent"]

FOLDER = Path(__file__).parent / "results" / "price_of_two"
Status = Literal["complete", "pruned", "diverged"]


@dataclass(frozen=True)
class Finished:
    """A trial that ended: the study's price and seconds by then, its best look, the test loss there."""

    price: float
    seconds: float
    validation: float
    test: float
    status: Status
    about: str


@dataclass(frozen=True)
class Record:
    """A study that ended: its limit in trainings, the samples of one training, its trials in their order."""

    most_price: float
    training_samples: int
    trials: tuple[Finished, ...]


def incumbent(study: Record, price: float) -> tuple[float, float, float]:
    """What a user who pays ``price`` trainings holds in hand: the best model by validation among finished trials.

    The best look of a pruned trial counts; a trial that diverged has no model, as the tools see it.

    Returns:
        Its validation loss, its test loss, and the seconds that the trials finished by that price took in all;
        infinite losses where there is no model yet.
    """
    done = [trial for trial in study.trials if trial.price <= price * (1 + 1e-5)]
    usable = [trial for trial in done if trial.status != "diverged"]
    seconds = done[-1].seconds if done else 0.0
    if not usable:
        return math.inf, math.inf, seconds
    best = min(usable, key=lambda trial: trial.validation)
    return best.validation, best.test, seconds


class Store:
    """The studies of one method on one task.

    Args:
        task: its name.
        method: its name.
    """

    def __init__(self, task: str, method: str) -> None:
        self.path = FOLDER / f"{task}.{method}.json"

    def studies(self) -> dict[str, Record]:
        """All that is stored, by "tool version/seed"."""
        if not self.path.is_file():
            return {}
        return {key: _record(value) for key, value in json.loads(self.path.read_text()).items()}

    def find(self, key: str, *, most_price: float, training_samples: int) -> Record | None:
        """A stored study that went at least so far on the task as it is now."""
        found = self.studies().get(key)
        if found is None or found.most_price < most_price or found.training_samples != training_samples:
            return None
        return found

    def add(self, key: str, study: Record) -> None:
        """Write a study, in the place of an earlier one of the same key."""
        studies = {**self.studies(), key: Record(study.most_price, study.training_samples, _telling(study.trials))}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = ",\n".join(_text(name, studies[name]) for name in sorted(studies))
        waiting = self.path.with_suffix(".waiting")
        waiting.write_text(f"{{\n{text}\n}}\n")
        waiting.replace(self.path)


def _telling(trials: Sequence[Finished]) -> tuple[Finished, ...]:
    """The trials that were the best so far when they ended, and the last."""
    kept, best = [], math.inf
    for trial in trials:
        if trial is trials[-1] or (trial.status != "diverged" and trial.validation < best):
            kept.append(trial)
        if trial.status != "diverged":
            best = min(best, trial.validation)
    return tuple(kept)


def _text(key: str, study: Record) -> str:
    """A study as JSON, a line a trial."""
    trials = ",\n".join(json.dumps([_plain(value) for value in vars(trial).values()]) for trial in study.trials)
    head = f'"most_price": {study.most_price:g}, "training_samples": {study.training_samples}'
    return f'{json.dumps(key)}: {{{head}, "trials": [\n{trials}\n]}}'


def _plain(value: Any) -> Any:
    """Numbers with six significant digits; null for what is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _record(stored: dict[str, Any]) -> Record:
    trials = tuple(
        Finished(price, seconds, *(math.inf if loss is None else loss for loss in losses), status, about)
        for price, seconds, *losses, status, about in stored["trials"]
    )
    return Record(stored["most_price"], stored["training_samples"], trials)
