"""What is said while something runs: a line an event, wherever the lines go."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from surefoot.language import retold, say
from surefoot.protocols import Candidate
from surefoot.records import TRAIN_LOSS, Evaluation, RangeTest, Run, is_preferred
from surefoot.reports.in_columns import padded
from surefoot.reports.knowledge import best_rate_band
from surefoot.reports.words import in_words

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
        found = say("no suggestion: {reason}", reason=retold(test.reason))
        if test.value is not None:
            found = say("learning rate near {rate:.2g}", rate=test.value)
        self._write(f"  {self.price(spent)}   {padded(say('range test'), 11)} {test.optimizer:<8} {found}")

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on."""
        if self._every_look:
            after = say(", goes on after {done:.0f} %", done=100 * samples / horizon) if samples else ""
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
            mark = f"  {say('best so far')}" if self.best is run else ""
            self._write(f"  {self.price(spent)}   {run_line(run)}{mark}")
            self._learn(run, spent=spent)
        elif run.status != "completed":
            self._write(f"  {_ended(run)}")

    def _learn(self, run: Run, *, spent: float) -> None:
        """Say what is known of the best rate by now, when that has changed."""
        self._runs.append(run)
        known = best_rate_band(self._runs)
        if known and known != self.known:
            self._write(f"  {self.price(spent)}   {padded(say('known'), 11)} {known}")
        self.known = known or self.known

    def price(self, spent: float) -> str:
        """The price so far, of what was allowed."""
        if self._allowed:
            return say("price {spent:.2f} of {allowed:g}", spent=spent, allowed=self._allowed)
        return say("price {spent:.2f}", spent=spent)


def run_title(candidate: Candidate) -> str:
    """What a run is, in a few words."""
    settings, what = candidate.recipe.optimizer, retold(candidate.name)
    if candidate.stage != "fit":
        what = say("{name}, share {stage}", name=what, stage=candidate.stage)
    words = {"optimizer": settings.name, "rate": settings.learning_rate, "size": candidate.recipe.batch.size}
    return say("{what}: {optimizer} {rate:.2g}, batch {size}", what=what, **words)


def epoch_line(evaluation: Evaluation) -> str:
    """A look at a run in one line.

    >>> epoch_line(Evaluation(samples=90, epoch=1.0, train_loss=0.5, metrics={"validation_loss": 0.4}, seconds=0.1,
    ...     learning_rate=0.1, batch_size=16))
    'epoch   1.00  train loss 0.5000  validation loss 0.4000'
    """
    shown = {name: value for name, value in evaluation.metrics.items() if name != TRAIN_LOSS}  # it stands there already
    measured = "".join(f"  {in_words(name)} {value:.4f}" for name, value in shown.items())
    return f"{say('epoch')} {evaluation.epoch:6.2f}  {in_words(TRAIN_LOSS)} {evaluation.train_loss:.4f}{measured}"


def run_line(run: Run) -> str:
    """A finished run in one line: its name or its settings, and its objective or what went wrong."""
    settings = run.recipe["optimizer"]
    outcome = f"{in_words(run.objective.name)} {run.value:.4f}"
    if not math.isfinite(run.value) or run.status in {"diverged", "out_of_memory"}:
        outcome = _ended(run)
    if run.stage == "fit":
        return f"{retold(run.name)}  {outcome}"
    where = padded(say("share {stage}", stage=run.stage), 11)
    return f"{where} {settings['name']:<6} {say('rate')} {settings['learning_rate']:<7.2g} {outcome}"


def _ended(run: Run) -> str:
    return f"{in_words(run.status)}{say(': ')}{retold(run.reason)}"
