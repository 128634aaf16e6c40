"""Train one recipe on the whole horizon."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot import seeds
from surefoot.protocols import Candidate, Observer, Silent
from surefoot.recipe import Recipe
from surefoot.records import Run
from surefoot.tasks import Task
from surefoot.tuning import Ledger, climb
from surefoot.tuning.study import Supervision
from surefoot.workflows import output
from surefoot.workflows.backend import open_task
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.result import Result, Spending, conclude

__all__ = ["fit"]


def fit(
    task: Task,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    directory: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Train ``recipe`` from its first to its last sample; the best weights by the task's objective are the result.

    Args:
        task: what to train on.
        recipe: what was left out takes its documented default; None takes all of them.
        seed: of the initial weights, the order of the rows and everything else that is random.
        directory: receives the result; None leaves nothing on disk.
        resume: go on with the run in ``directory``.
        overwrite: remove an earlier result from ``directory`` first.
        observer: hears what happens while it happens.

    Raises:
        RequestError: the task, the recipe or the directory is wrong, in one line.
    """
    started = time.perf_counter()
    factory, complete = open_task(task, recipe or Recipe())
    place = output.claim(directory, resume=resume, overwrite=overwrite)
    ledger = Ledger(place, factory.objective)
    request = {"task": task.name, "rows": factory.num_rows, "epochs": task.epochs, "seed": seed}
    output.same_request(ledger, {**request, "recipe": complete.to_dict()})
    candidate = Candidate(0, "fit", "fit", 1.0, complete, seeds.derive(seed, "run", 0))
    with interruptible() as should_stop:
        supervision = Supervision(observer=observer or Silent(), should_stop=should_stop)
        outcome = climb(factory, _One(candidate), ledger, supervision)
        spending = Spending(seconds=time.perf_counter() - started)
        return conclude(task, factory, outcome, spending, kind="fit", seed=seed, directory=place)


@dataclass(frozen=True)
class _One:
    """A searcher that wants one run."""

    candidate: Candidate

    def propose(self, runs: Sequence[Run]) -> Candidate | None:
        return None if runs else self.candidate
