"""Published learning curves to search in: what a look costs, and the lowest loss found for each price paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.tasks import ROOT

__all__ = ["LOOKS", "Replay", "SpentError", "Table", "read_tables"]

Array = npt.NDArray[np.float64]

LOOKS = 50  # of a whole training, beside the one before its first step
VALIDATION, TEST = 1, 2
# The ranges that the configurations were drawn from (Metz et al. 2020, arXiv:2002.11887, appendix), logarithmic; of the
# two betas it is their distance from 1.
RANGES = {
    "learning_rate": (1e-8, 1e1),
    "beta1": (1e-4, 1.0),
    "beta2": (1e-6, 1.0),
    "epsilon": (1e-10, 1e3),
    "l1": (1e-8, 1e1),
    "l2": (1e-8, 1e1),
    "linear_decay": (1e-7, 1e-4),
    "exponential_decay": (1e-6, 1e-3),
}


class SpentError(Exception):
    """The budget is gone."""


@dataclass(frozen=True)
class Table:
    """One task: its configurations in a unit cube, and the losses of each before training and at every look."""

    name: str
    points: Array
    validation: Array
    test: Array

    @property
    def best_end(self) -> float:
        """The lowest validation loss after a whole training."""
        return float(np.nanmin(self.validation[:, -1]))

    @property
    def gap(self) -> float:
        """From the best end to the median one: the unit of regret."""
        return float(np.nanmedian(self.validation[:, -1])) - self.best_end

    def nearest(self, point: Array, *, untried: Array) -> int:
        """The configuration closest to a point of the cube among those that are left."""
        left = np.flatnonzero(untried)
        return int(left[np.argmin(np.sum((self.points[left] - point) ** 2, axis=1))])


def read_tables() -> Iterator[Table]:
    """The six tasks; not-a-number stands where a training had diverged."""
    with np.load(ROOT / "tables" / "taskset_imdb" / "taskset_imdb.npz") as arrays:
        names = [str(name) for name in arrays["hp_names"]]
        for key in arrays.files:
            if not key.endswith("/hp"):
                continue
            task = key.removesuffix("/hp")
            raw, curves = arrays[key].astype(np.float64), arrays[f"{task}/curves"].astype(np.float64)
            columns = [_scaled(name, raw[:, index]) for index, name in enumerate(names)]
            yield Table(task, np.stack(columns, axis=1), curves[:, VALIDATION], curves[:, TEST])


def _scaled(name: str, values: Array) -> Array:
    low, high = RANGES[name]
    values = 1.0 - values if name.startswith("beta") else values
    return np.clip(np.log(values / low) / np.log(high / low), 0.0, 1.0)


@dataclass
class Replay:
    """A search under way: trainings go on from where they paused, and every look has its price.

    Attributes:
        budget: looks that may be paid for.
        done: looks each configuration has had.
        lost: which ones were seen to diverge.
        lowest: for every look paid so far, the lowest validation loss seen at any look.
        ended: the same among whole trainings only, at their ends; infinite before the first.
        tested: test loss where the lowest validation loss was seen.
    """

    table: Table
    budget: int
    done: npt.NDArray[np.int64] = field(init=False)
    lost: npt.NDArray[np.bool_] = field(init=False)
    lowest: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    tested: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.done = np.zeros(len(self.table.points), dtype=np.int64)
        self.lost = np.zeros(len(self.table.points), dtype=np.bool_)

    def advance(self, configuration: int, *, look: int) -> Array:
        """Train a configuration up to a look, or to the one where it diverges; its values so far, without the first.

        Raises:
            SpentError: a look did not fit into the budget.
        """
        while self.done[configuration] < look and not self.lost[configuration]:
            if len(self.lowest) >= self.budget:
                raise SpentError
            self.done[configuration] += 1
            self._pay(configuration, int(self.done[configuration]))
        return self.table.validation[configuration, 1 : int(self.done[configuration]) + 1]

    def _pay(self, configuration: int, look: int) -> None:
        value = float(self.table.validation[configuration, look])
        self.lost[configuration] = not np.isfinite(value)
        before = self.lowest[-1] if self.lowest else float(self.table.validation[configuration, 0])
        tested = self.tested[-1] if self.tested else float(self.table.test[configuration, 0])
        self.lowest.append(value if value < before else before)
        self.tested.append(float(self.table.test[configuration, look]) if value < before else tested)
        ended = self.ended[-1] if self.ended else np.inf
        self.ended.append(value if look == LOOKS and value < ended else ended)

    def lowest_of(self, configuration: int) -> float:
        """What a configuration has come to so far, infinite where it diverged."""
        values = self.table.validation[configuration, 1 : int(self.done[configuration]) + 1]
        return np.inf if self.lost[configuration] or not len(values) else float(np.min(values))
