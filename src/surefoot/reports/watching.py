"""What is said while something runs: a line an event, wherever the lines go."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from surefoot.protocols import Candidate
from surefoot.records import TRAIN_LOSS, Evaluation, RangeTest, Run, is_preferred
from surefoot.reports.knowledge import best_rate_band

__all__ = ["Printer", "epoch_line", "run_line", "run_title"]


class Printer:
    """An observer that prints: a line an epoch, or a line a run.

    Args:
        every_look: a line at every look at a run, as a rule once an epoch; otherwise a line at the end of a run.
        allowed: the budget in trainings, shown beside the price so far; None where there is none.
        write: what receives a line.
    """

    def __init__(
        self, *, every_look: bool = True, allowed: float | None = None, write: Callable[[str], Any] = print
    ) -> None:
        self._every_look, self._allowed, self._write = every_look, allowed, write
        self.best: Run | None = None
        self.known = ""
        self._runs: list[Run] = []

    def probing(self, optimizer: str) -> None:
        """A range test starts: nothing to say yet."""

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended."""
        found = f"learning rate near {test.value:.2g}" if test.value is not None else f"no suggestion: {test.reason}"
        self._write(f"  {self.price(spent)}   range test  {test.optimizer:<8} {found}")

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on."""
        if self._every_look:
            after = f", goes on after {100 * samples / horizon:.0f} %" if samples else ""
            self._write(f"  {run_title(candidate)}{after}")

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        del candidate, spent
        if self._every_look:
            self._write(f"  {epoch_line(evaluation)}")

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        if is_preferred(run, self.best):
            self.best = run
        if not self._every_look:
            mark = "  best so far" if self.best is run else ""
            self._write(f"  {self.price(spent)}   {run_line(run)}{mark}")
            self._learn(run, spent=spent)
        elif run.status != "completed":
            self._write(f"  {run.status.replace('_', ' ')}: {run.reason}")

    def _learn(self, run: Run, *, spent: float) -> None:
        """Say what is known of the best rate by now, when that has changed."""
        self._runs.append(run)
        known = best_rate_band(self._runs)
        if known and known != self.known:
            self._write(f"  {self.price(spent)}   known       {known}")
        self.known = known or self.known

    def price(self, spent: float) -> str:
        """The price so far, of what was allowed."""
        allowed = f" of {self._allowed:g}" if self._allowed else ""
        return f"price {spent:.2f}{allowed}"


def run_title(candidate: Candidate) -> str:
    """What a run is, in a few words."""
    settings = candidate.recipe.optimizer
    what = candidate.name if candidate.stage == "fit" else f"{candidate.name}, share {candidate.stage}"
    return f"{what}: {settings.name} {settings.learning_rate:.2g}, batch {candidate.recipe.batch.size}"


def epoch_line(evaluation: Evaluation) -> str:
    """A look at a run in one line.

    >>> epoch_line(Evaluation(samples=90, epoch=1.0, train_loss=0.5, metrics={"validation_loss": 0.4}, seconds=0.1,
    ...     learning_rate=0.1, batch_size=16))
    'epoch   1.00  train loss 0.5000  validation loss 0.4000'
    """
    shown = {name: value for name, value in evaluation.metrics.items() if name != TRAIN_LOSS}  # it stands there already
    measured = "".join(f"  {name.replace('_', ' ')} {value:.4f}" for name, value in shown.items())
    return f"epoch {evaluation.epoch:6.2f}  train loss {evaluation.train_loss:.4f}{measured}"


def run_line(run: Run) -> str:
    """A finished run in one line: its name or its settings, and its objective or what went wrong."""
    settings = run.recipe["optimizer"]
    outcome = f"{run.objective.name.replace('_', ' ')} {run.value:.4f}"
    if not math.isfinite(run.value) or run.status in {"diverged", "out_of_memory"}:
        outcome = f"{run.status.replace('_', ' ')}: {run.reason}"
    if run.stage == "fit":
        return f"{run.name}  {outcome}"
    where = f"share {run.stage}"
    return f"{where:<11} {settings['name']:<6} rate {settings['learning_rate']:<7.2g} {outcome}"
