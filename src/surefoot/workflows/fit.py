"""Train one recipe on the whole horizon."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from surefoot import reports, seeds
from surefoot.callbacks import Callback, require_callbacks
from surefoot.protocols import Candidate, Observer, Split, Supervision, Together, TrainableFactory
from surefoot.recipe import Recipe
from surefoot.records import Run
from surefoot.tasks import Task
from surefoot.tuning import Ledger, climb
from surefoot.workflows import output
from surefoot.workflows.backend import identity, open_task, require_recipe, require_seed
from surefoot.workflows.company import advising, in_company, notes_of
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.result import Result, Spending, conclude

__all__ = ["fit", "fit_looking_at"]


def fit(
    task: Task,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    name: str = "fit",
    directory: str | Path | output.NewFolder | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = False,
    callbacks: Iterable[Callback] = (),
    observer: Observer | None = None,
) -> Result:
    """Train ``recipe`` from its first to its last sample; the best weights by the task's objective are the result.

    In a script under torchrun all processes train the one model together and get the same result; process 0 alone
    writes, prints and calls the callbacks.

    Args:
        task: what to train on.
        recipe: what was left out takes its documented default; None takes all of them.
        seed: of the initial weights, the order of the rows and everything else that is random.
        name: what progress and reports call the run.
        directory: receives the result; None leaves nothing on disk.
        resume: go on with the run in ``directory``.
        overwrite: remove an earlier result from ``directory`` first.
        verbose: print a line an epoch.
        callbacks: functions of a ``surefoot.Event``, called after every look, as a rule once an epoch; one that gives
            back "stop" ends the run, and the best weights so far are the result.
        observer: hears what happens while it happens, such as ``surefoot.TensorBoardWriter("logs")``.

    Raises:
        RequestError: the task, the recipe or the directory is wrong, or a callback raised, in one line.
        ProcessLostError: under torchrun, another process is gone.
    """
    seed = require_seed(seed)
    hearers = require_callbacks(callbacks)
    return in_company(task, lambda factory: fit_looking_at(
        ("validation",), task, recipe, seed=seed, name=name, directory=directory, resume=resume, overwrite=overwrite,
        callbacks=hearers, observer=Together(reports.Printer() if verbose else None, observer), factory=factory,
    ))  # fmt: skip


def fit_looking_at(
    parts: tuple[Split, ...],
    task: Task,
    recipe: Recipe | None,
    *,
    seed: int,
    name: str,
    directory: str | Path | output.NewFolder | None,
    resume: bool,
    overwrite: bool,
    callbacks: tuple[Callback, ...],
    observer: Observer,
    factory: TrainableFactory | None = None,
    share: float = 1.0,
    notes: tuple[str, ...] = (),
) -> Result:
    """``fit`` with looks at these parts of the data at every evaluation; the other arguments are fit's.

    ``factory`` makes the run where that is not this process's own concern; ``share`` is that of the task's horizon, and
    ``notes`` are what a person should know of the result.
    """
    started = time.perf_counter()
    seed = require_seed(seed)
    factory, complete = open_task(task, require_recipe(recipe), factory)
    place = output.claim(directory, resume=resume, overwrite=overwrite)
    ledger = Ledger(place, factory.objective)
    request = {"kind": "fit", **identity(task, factory), "seed": seed, "recipe": complete.to_dict()}
    request |= {"share": share} if share != 1.0 else {}
    output.same_request(ledger, request)
    earlier = sum(run.seconds for run in ledger.runs)
    candidate = Candidate(0, name, "fit", share, complete, seeds.derive(seed, "run", 0))
    with closing(ledger), interruptible() as stop, advising(factory, place):
        supervision = Supervision(observer=observer, should_stop=stop, looks_at=parts, callbacks=callbacks)
        outcome = climb(factory, _One(candidate), ledger, supervision)
        # a run that was stopped and goes on knows what it took before
        seconds = max(earlier + time.perf_counter() - started, sum(run.seconds for run in outcome.runs))
        spending = Spending(seconds=seconds, interrupted=stop.by_person)
        told = (*notes, *notes_of(factory))
        return conclude(task, factory, outcome, spending, kind="fit", seed=seed, directory=place, notes=told)


@dataclass(frozen=True)
class _One:
    """A searcher that wants one run."""

    candidate: Candidate

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        return () if runs else (self.candidate,)
