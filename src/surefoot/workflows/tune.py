"""A tuned model for the price of two trainings: probe, climb the ladder, keep the best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from surefoot import space as spaces
from surefoot.batching import batch_size_for_steps
from surefoot.errors import RequestError
from surefoot.protocols import Observer, Searcher, Silent, Supervision, TrainableFactory
from surefoot.recipe import Recipe
from surefoot.records import RangeTest
from surefoot.space import Choice, Dimension
from surefoot.tasks import Task
from surefoot.tasks.builder import arguments_of
from surefoot.tuning import Budget, Ladder, Ledger, climb, plan_rungs
from surefoot.tuning.decay import decay_coordinate
from surefoot.tuning.forecast import foresee
from surefoot.tuning.point import with_optimizer
from surefoot.tuning.setting import Setting
from surefoot.workflows import output
from surefoot.workflows.backend import identity, open_task, require_recipe, require_seed
from surefoot.workflows.company import require_one_process
from surefoot.workflows.executing import executing, notes_of, require_workers
from surefoot.workflows.facts import guess_of, loss_name
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.measuring import measure, starts
from surefoot.workflows.result import Result, Spending, conclude
from surefoot.workflows.searching import Maker, callbacks_of, require_searcher, searcher_name

__all__ = ["tune"]

OPTIMIZERS = ("adamw", "sgd")
# However long a time budget is, it buys no more than this: the ladder has little left to try beyond it.
MOST_TRAININGS = 20.0
# More than any clock allows.
MANY_TRAININGS = 1e5


def tune(
    task: Task,
    *,
    budget: float | str = 2.0,
    seed: int = 0,
    directory: str | Path | output.NewFolder | None = None,
    space: Mapping[str, Dimension] | None = None,
    recipe: Recipe | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observer: Observer | None = None,
    workers: int = 0,
    searcher: str | Maker | None = None,
    storage: str | None = None,
) -> Result:
    """A tuned, trained model for the price of ``budget`` trainings, probes and final model included.

    A range test per optimizer says where the rates are; several complete short trainings, then fewer longer ones, then
    one over all that is left, carry rate and decay from rung to rung; the best model by validation is the result.

    Args:
        task: what to train on.
        budget: trainings, such as 2, or a time, such as "5min".
        seed: of everything random; the same seed on the same machine gives the same result.
        directory: receives the result; None leaves nothing on disk.
        space: further recipe keys that may vary, such as ``{"model.hidden": sf.space.choice(32, 64, 128)}``.
        recipe: supplies what is not searched; an optimizer it names is the only one tried, and a learning rate and a
            weight decay are where the search begins. An earlier result's ``recipe`` goes on from there.
        resume: go on with the study in ``directory``.
        overwrite: remove an earlier result from ``directory`` first.
        observer: hears what happens while it happens.
        workers: processes that make runs side by side; 0 makes one after the other in this one.
        searcher: another one than ours, such as "optuna:TPESampler,pruner=HyperbandPruner"; see docs/tuning.md.
        storage: the URL of a database for the ledger, such as "postgresql://...", instead of a file in ``directory``.

    Returns:
        The result; its ``status`` tells whether it completed, was interrupted, or found no usable model.

    Raises:
        RequestError: the task, the budget, the space, the recipe or the directory is wrong, in one line.
    """
    started = time.perf_counter()
    require_one_process("tune", "tune without torchrun, then train its recipe in several: surefoot fit --recipe FILE")
    workers, maker = require_workers(workers), None if searcher is None else require_searcher(searcher)
    wanted = _wanted(task, Budget.parse(budget), require_seed(seed), space or {}, recipe)
    factory = wanted.factory
    place = output.claim(directory, resume=resume, overwrite=overwrite)
    ledger = Ledger(place, factory.objective, storage=storage)
    foreign = {} if searcher is None else {"searcher": searcher_name(searcher), "workers": workers}  # a wave's length
    output.same_request(ledger, {**_request(task, wanted), **foreign})
    observer, earlier = observer or Silent(), _seconds_before(ledger, workers)
    deadline = None if wanted.limit.seconds is None else started + wanted.limit.seconds - earlier
    with closing(ledger), interruptible(deadline=deadline) as stop, executing(task, workers) as executor:
        if maker is None:
            search, tests, notes = _own_search(wanted, ledger, observer, stop)
        else:
            search, tests = maker(_setting(wanted, workers)), ()
            notes = [f"searched by {searcher_name(searcher or maker)}: nothing was probed"]
        spent = sum(test.samples for test in tests)
        is_cautious = isinstance(search, Ladder)
        supervision = Supervision(spent, observer, stop, callbacks=callbacks_of(search), is_cautious=is_cautious)
        outcome = climb(factory, search, ledger, supervision, executor=executor)
        notes += notes_of(executor)
        spending = Spending(tests, earlier + time.perf_counter() - started, str(wanted.limit), stop.by_person)
        forecast = foresee(search, outcome.runs, outcome.best)
        return conclude(
            task, factory, outcome, spending,
            kind="tune", seed=wanted.seed, directory=place, notes=notes, forecast=forecast,
            space=wanted.space,
        )  # fmt: skip


@dataclass(frozen=True)
class _Wanted:
    """What a study was asked for, checked.

    Attributes:
        recipe: the user's own, None where there is none.
        base: the complete one, which supplies what is not searched.
        optimizers: the names of those to try.
        space: what else may vary.
        limit: the budget.
        seed: of everything random.
        factory: makes the runs.
        guess: the validation loss of a constant answer; None where it is not known.
    """

    recipe: Recipe | None
    base: Recipe
    optimizers: tuple[str, ...]
    space: Mapping[str, Dimension]
    limit: Budget
    seed: int
    factory: TrainableFactory
    guess: float | None


def _wanted(task: Task, limit: Budget, seed: int, space: Mapping[str, Dimension], recipe: Recipe | None) -> _Wanted:
    """The request, checked against the task.

    Raises:
        RequestError: the task, the space or the recipe is wrong, in one line.
    """
    base = require_recipe(recipe)
    optimizers = _optimizers(base, space)
    arguments = arguments_of(task.model) if isinstance(task, Task) else ()  # what is none is refused below
    varied = spaces.check(space, base=base, optimizers=optimizers, arguments=arguments)
    factory, base = open_task(task, base)
    base = _settled(base, recipe, factory)
    _check_sizes(varied, factory.num_rows)
    guess = None if "loss.name" in varied else guess_of(task, loss_name(task, base.to_dict()))
    return _Wanted(recipe, base, optimizers, varied, limit, seed, factory, guess)


def _seconds_before(ledger: Ledger, workers: int) -> float:
    """The time that the study took before this call went on with it."""
    return sum(test.seconds for test in ledger.probes) + sum(run.seconds for run in ledger.runs) / max(1, workers)


def _own_search(
    wanted: _Wanted, ledger: Ledger, observer: Observer, should_stop: Callable[[], bool]
) -> tuple[Searcher, tuple[RangeTest, ...], list[str]]:
    """The ladder over what the range tests leave of the budget, the tests, and what there is to say of them."""
    tests, trainings = _probed(wanted, ledger, observer, should_stop)
    search, notes = _ladder(wanted, tests, trainings)
    return search, tests, notes + _remarks(wanted.limit, trainings)


def _settled(base: Recipe, recipe: Recipe | None, factory: TrainableFactory) -> Recipe:
    """The complete recipe with what a search does otherwise than a single training, where the user leaves it open."""
    changes: dict[str, int] = {"stopping.retries": 0}  # a run that diverges is knowledge, and its price is planned
    if recipe is None or (recipe.batch.policy == "fixed" and recipe.batch.size is None):
        usual = base.batch.first_size(factory.num_rows)
        changes["batch.size"] = batch_size_for_steps(usual, samples=factory.training_samples)
    return base.with_changes(changes)


def _ladder(wanted: _Wanted, tests: Sequence[RangeTest], trainings: float) -> tuple[Ladder, list[str]]:
    """Our own search over what the probes have left of the budget, and what there is to say of where it begins."""
    base, factory = wanted.base, wanted.factory
    rate, decay = _beginning(wanted.recipe, base, factory)
    begin, notes = starts(wanted.optimizers, tests, given=rate)
    spent = sum(test.samples for test in tests)
    ladder = Ladder(
        rungs=plan_rungs(trainings - spent / factory.training_samples, num_steps=_steps(base, factory)),
        starts=begin,
        base=base,
        num_rows=factory.num_rows,
        training_samples=factory.training_samples,
        allowed_samples=math.floor(trainings * factory.training_samples + 1e-6) - spent,
        seed=wanted.seed,
        space=wanted.space,
        decay=decay,
        guess=wanted.guess,
    )
    return ladder, notes


def _setting(wanted: _Wanted, workers: int) -> Setting:
    """What another searcher than the ladder has to know; a budget in time is left to the clock."""
    limit, factory = wanted.limit, wanted.factory
    trainings = limit.trainings if limit.trainings is not None else MANY_TRAININGS
    return Setting(
        base=wanted.base,
        optimizers=wanted.optimizers,
        num_rows=factory.num_rows,
        training_samples=factory.training_samples,
        allowed_samples=math.floor(trainings * factory.training_samples + 1e-6),
        seed=wanted.seed,
        space=wanted.space,
        objective=factory.objective,
        num_together=max(1, workers),
    )


def _steps(base: Recipe, factory: TrainableFactory) -> float:
    """Optimizer steps of one training."""
    return factory.training_samples * base.steps_per_sample(factory.num_rows)


def _beginning(recipe: Recipe | None, base: Recipe, factory: TrainableFactory) -> tuple[float | None, float | None]:
    """The rate and the c of a whole training that a user's own recipe begins with; None where it leaves them out."""
    given = recipe.optimizer.model_fields_set if recipe is not None else set()
    if "learning_rate" not in given:
        return None, None
    decay = decay_coordinate(base, num_steps=_steps(base, factory)) if base.optimizer.weight_decay else None
    return base.optimizer.learning_rate, decay


def _remarks(limit: Budget, trainings: float) -> list[str]:
    """What a person may not expect of the search."""
    remarks = []
    if limit.seconds is not None and trainings == MOST_TRAININGS:
        remarks.append(f"a time budget buys at most {MOST_TRAININGS:g} trainings")
    return remarks


def _check_sizes(space: Mapping[str, Dimension], num_rows: int) -> None:
    """Raise when a batch size to be tried is larger than the data."""
    largest = max(spaces.samples(space["batch.size"])) if "batch.size" in space else 0
    if largest > num_rows:
        raise RequestError(f"space['batch.size'] reaches {largest}, but there are {num_rows} training rows")


def _optimizers(base: Recipe, space: Mapping[str, Dimension]) -> tuple[str, ...]:
    """The optimizers to try: the space's, the recipe's own, or the two that between them suit most tasks."""
    listed = space.get("optimizer.name")
    found: tuple[str, ...] = OPTIMIZERS
    if isinstance(listed, Choice):
        found = tuple(listed.options)
    elif "name" in base.optimizer.model_fields_set:
        found = (base.optimizer.name,)
    if "prodigy" in found:
        raise RequestError('"prodigy" finds its rate itself, which leaves tune nothing to find: use fit or compare')
    return found


def _probed(
    wanted: _Wanted, ledger: Ledger, observer: Observer, should_stop: Callable[[], bool]
) -> tuple[tuple[RangeTest, ...], float]:
    """The range tests and the trainings that may be spent; both from the ledger when they are there already."""
    limit, factory = wanted.limit, wanted.factory
    if ledger.recall("trainings") is None:
        allowed = limit.trainings or 1.0
        recipes = [with_optimizer(wanted.base, name) for name in wanted.optimizers]
        tests = measure(factory, recipes, seed=wanted.seed, budget=allowed, observer=observer, should_stop=should_stop)
        if should_stop():
            return tests, allowed
        ledger.remember("probes", [test.model_dump(mode="json") for test in tests])
        ledger.remember("trainings", limit.trainings or _affordable(limit, tests, factory))
    return ledger.probes, float(ledger.recall("trainings"))


def _affordable(limit: Budget, tests: Sequence[RangeTest], factory: TrainableFactory) -> float:
    """How many trainings fit into a time, at the speed that the probes ran.

    A probe's batches are small, so training is not slower than this; a fifth is kept for evaluations.
    """
    assert limit.seconds is not None
    seconds, samples = sum(test.seconds for test in tests), sum(test.samples for test in tests)
    if not samples:
        return MOST_TRAININGS
    fitting = 0.8 * limit.seconds * samples / seconds / factory.training_samples
    return min(fitting, MOST_TRAININGS)


def _request(task: Task, wanted: _Wanted) -> dict[str, object]:
    """What a study was asked for: the same again goes on with it, anything else does not."""
    return {
        "kind": "tune",
        **identity(task, wanted.factory),
        "seed": wanted.seed,
        "budget": str(wanted.limit),
        "space": {key: str(dimension) for key, dimension in wanted.space.items()},
        "recipe": wanted.base.to_dict(),
    }
