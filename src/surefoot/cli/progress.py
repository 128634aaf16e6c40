"""What the terminal shows while something runs: live where it is a terminal, a line an event where it is not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from surefoot.language import say
from surefoot.protocols import Candidate
from surefoot.records import Evaluation, RangeTest, Run
from surefoot.reports.watching import Printer, run_title
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
    """An observer for people: lines above a bar that says what is running, the best so far, the price so far."""

    def __init__(self, progress: Progress, title: str, budget: Budget | None, *, every_look: bool) -> None:
        self._progress, self._title = progress, title
        allowed = budget.trainings if budget is not None else None
        self._printer = Printer(every_look=every_look, allowed=allowed, write=self._write)
        self._bar: TaskID = progress.add_task(title, total=None, note="")

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        self._say_title()
        self._progress.update(self._bar, description=say("range test, {optimizer}", optimizer=optimizer), total=None)

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended."""
        self._printer.probed(test, spent=spent)
        self._progress.update(self._bar, note=self._note(spent))

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on."""
        self._say_title()
        self._progress.update(self._bar, description=run_title(candidate), total=horizon, completed=samples)
        self._printer.started(candidate, samples=samples, horizon=horizon)

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        self._progress.update(self._bar, completed=evaluation.samples, note=self._note(spent))
        self._printer.evaluated(candidate, evaluation, spent=spent)

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        self._printer.finished(run, spent=spent)
        self._progress.update(self._bar, note=self._note(spent))

    def _say_title(self) -> None:
        """Say what is being done, once and only when it really begins."""
        if self._title:
            self._progress.console.print(self._title)
            self._title = ""

    def _write(self, line: str) -> None:
        self._progress.console.print(line, soft_wrap=True, markup=False)

    def _note(self, spent: float) -> str:
        best, known = self._printer.best, self._printer.known
        parts = [say("best {value:.4f}", value=best.value)] if best is not None and best.objective.chooses else []
        parts += [known] if known else []
        return say(", ").join([*parts, self._printer.price(spent)])
