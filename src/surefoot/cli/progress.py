"""What the terminal shows while something runs: live where it is a terminal, a line an event where it is not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from surefoot.protocols import Candidate
from surefoot.records import Evaluation, RangeTest, Run
from surefoot.tuning import Budget

__all__ = ["Watcher", "watching"]


@contextlib.contextmanager
def watching(title: str, *, budget: Budget | None = None, every_look: bool = False) -> Iterator[Watcher]:
    """An observer that draws on standard error while the block runs.

    Args:
        title: what is being done.
        budget: shown beside the price so far.
        every_look: print a line at every evaluation, not only at the end of a run.
    """
    console = Console(stderr=True, highlight=False)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        yield Watcher(progress, title, budget, every_look=every_look)


class Watcher:
    """An observer for people: what is running now, the best so far, the price so far of the budget."""

    def __init__(self, progress: Progress, title: str, budget: Budget | None, *, every_look: bool) -> None:
        self._progress, self._title, self._budget, self._every_look = progress, title, budget, every_look
        self._bar: TaskID = progress.add_task(title, total=None, note="")
        self._best: Run | None = None

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        self._say_title()
        self._progress.update(self._bar, description=f"range test, {optimizer}", total=None)

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended."""
        found = f"learning rate near {test.value:.2g}" if test.value is not None else f"no suggestion: {test.reason}"
        self._print(f"range test  {test.optimizer:<8} {found}", spent)

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on."""
        self._say_title()
        settings = candidate.recipe.optimizer
        size = candidate.recipe.batch.size
        what = candidate.name if candidate.stage == "fit" else f"{candidate.name}, share {candidate.stage}"
        words = f"{what}: {settings.name} {settings.learning_rate:.2g}, batch {size}"
        self._progress.update(self._bar, description=words, total=horizon, completed=samples)
        if self._every_look:
            self._progress.console.print(f"  {words}")

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        self._progress.update(self._bar, completed=evaluation.samples, note=self._note(spent))
        if self._every_look:
            del candidate
            measured = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in evaluation.metrics.items())
            line = f"  epoch {evaluation.epoch:6.2f}  train loss {evaluation.train_loss:.4f}  {measured}"
            self._progress.console.print(line, soft_wrap=True)

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        better = self._best is None or run.objective.is_better(run.value, self._best.value)
        if run.best is not None and better:
            self._best = run
        if self._every_look:
            return
        settings = run.recipe["optimizer"]
        outcome = f"{run.objective.name.replace('_', ' ')} {run.value:.4f}"
        if not math.isfinite(run.value) or run.status in {"diverged", "out_of_memory"}:
            outcome = f"{run.status.replace('_', ' ')}: {run.reason}"
        mark = "  best so far" if self._best is run else ""
        words = f"{settings['name']:<6} rate {settings['learning_rate']:<7.2g}"
        where = run.name if run.stage == "fit" else f"share {run.stage}"
        self._print(f"{where:<11} {words} {outcome}{mark}", spent)

    def _say_title(self) -> None:
        """Say what is being done, once and only when it really begins."""
        if self._title:
            self._progress.console.print(self._title)
            self._title = ""

    def _print(self, line: str, spent: float) -> None:
        self._progress.console.print(f"  {self._price(spent)}   {line}", soft_wrap=True)
        self._progress.update(self._bar, note=self._note(spent))

    def _price(self, spent: float) -> str:
        allowed = f" of {self._budget.trainings:g}" if self._budget and self._budget.trainings else ""
        return f"price {spent:.2f}{allowed}"

    def _note(self, spent: float) -> str:
        best = f"best {self._best.value:.4f}, " if self._best is not None else ""
        return best + self._price(spent)
