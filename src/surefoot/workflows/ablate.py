"""What each part of a recipe buys: the same training without it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from surefoot.errors import RecipeError, RequestError, nearest
from surefoot.protocols import Observer, Silent, TellsCost
from surefoot.recipe import Recipe
from surefoot.records import WHOLE, Ablation, Trial
from surefoot.tasks import Task
from surefoot.workflows.backend import engine, open_task, require_recipe, require_seed
from surefoot.workflows.company import require_one_process
from surefoot.workflows.fit import fit

__all__ = ["ablate", "side_by_side", "without"]

# What an ablation looks at when it is not told: everything but how the descent itself is driven, which is what
# probes and the search are for.
LEVERS = ("network", "data", "precision", "hardware", "loss", "regularization", "initialization")


def ablate(
    task: Task,
    recipe: Recipe,
    *,
    keys: Sequence[str] | None = None,
    seeds: Iterable[int] = (0, 1, 2),
    observer: Observer | None = None,
) -> Ablation:
    """Train ``recipe`` as it is and without one thing at a time, and tell what each bought.

    The trainings of a seed follow each other in an order that turns from seed to seed, so that a machine that grows
    slow is slow for all. ``surefoot.reports.ablation_text`` says what came of it.

    Args:
        task: what to train on.
        recipe: with whatever is to be judged.
        keys: what to leave out, one variant each: a key ("network.averaging"), a section ("network"), or several with
            commas between them, which are left out together. None takes every key that the recipe sets in the sections
            about network, data, precision, hardware, loss, regularization and initialization.
        seeds: whole numbers, all different; every variant is trained with each.
        observer: hears what happens.

    Raises:
        RequestError: there is nothing to leave out, a key is not in the recipe, or what is left is no recipe.
    """
    require_one_process("ablate", "start it without torchrun")
    recipe = require_recipe(recipe)
    wanted = _levers_of(recipe) if keys is None else [str(key) for key in keys]
    if not wanted:
        raise RecipeError(
            "there is nothing to leave out: the recipe sets no key of "
            f"{', '.join(LEVERS)}; name what to leave out, such as schedule.warmup"
        )
    variants = {WHOLE: recipe} | {f"without {key.replace(',', ', ')}": without(recipe, key) for key in wanted}
    return side_by_side(task, variants, seeds=seeds, observer=observer)


def side_by_side(
    task: Task, recipes: Mapping[str, Recipe], *, seeds: Iterable[int], observer: Observer | None = None
) -> Ablation:
    """Every recipe trained with every seed, interleaved, with what each training took."""
    chosen = [require_seed(seed) for seed in seeds]
    if not chosen or len(set(chosen)) < len(chosen):
        raise RequestError(f"seeds must be whole numbers, at least one and all different, not {chosen}")
    devices = {name: open_task(task, recipe)[0] for name, recipe in recipes.items()}  # a mistake costs no training
    trials: list[Trial] = []
    device, names = "", list(recipes)
    for turn, seed in enumerate(chosen):
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            trial, device = _trial(task, name, recipes[name], seed=seed, observer=observer or Silent())
            trials.append(trial)
            if trial.status == "interrupted":
                break
        if trials[-1].status == "interrupted":
            break
    objective = next(iter(devices.values())).objective
    return Ablation(
        task=task.name,
        objective=objective,
        device=device,
        recipes={name: recipe.to_dict() for name, recipe in recipes.items()},
        trials=tuple(trial for trial in trials if trial.status != "interrupted"),
        interrupted=trials[-1].status == "interrupted",
    )


def without(recipe: Recipe, keys: str) -> Recipe:
    """The recipe with some keys or sections at their defaults.

    Args:
        recipe: as it is.
        keys: one or several, with commas between them; a section stands for all of its keys.

    Raises:
        RecipeError: one is not set in the recipe, or what is left does not fit together.

    >>> recipe = Recipe(loss={"label_smoothing": 0.1}, schedule={"name": "linear", "warmup": 0.1})
    >>> without(recipe, "loss,schedule.warmup").to_dict()
    {'schedule': {'name': 'linear'}}
    """
    sections = recipe.to_dict()
    for key in (part.strip() for part in keys.split(",")):
        section, _, name = key.partition(".")
        if section not in sections or (name and name not in sections[section]):
            known = [*sections, *(f"{part}.{one}" for part, given in sections.items() for one in given)]
            raise RecipeError(f'the recipe does not set "{key}", so nothing is without it; {nearest(key, known)}')
        kept = {one: value for one, value in sections[section].items() if name and one != name}
        sections[section] = kept
    try:
        return Recipe(**sections)
    except RecipeError as error:
        raise RecipeError(
            f"without {keys} the recipe does not hold: {error}; leave out what belongs together"
        ) from None


def _levers_of(recipe: Recipe) -> list[str]:
    """What may have bought something: every key of a lever's section, with those that cannot stand without it."""
    found: list[str] = []
    for section, given in recipe.to_dict().items():
        if section in LEVERS:
            parts = [_with_dependants(recipe, f"{section}.{name}", section, list(given)) for name in given]
            taken = {key for part in parts if len(part) > 1 for key in part}
            found += [",".join(part) for part in parts if len(part) > 1 or part[0] not in taken]
    return found


def _with_dependants(recipe: Recipe, key: str, section: str, names: Sequence[str]) -> tuple[str, ...]:
    """The key, and the fewest others of its section that have to go with it."""
    others = [other for name in names if (other := f"{section}.{name}") != key]
    for count in range(len(others) + 1):
        for along in itertools.combinations(others, count):
            if _holds_without(recipe, ",".join((key, *along))):
                return (key, *along)
    return (section,)


def _holds_without(recipe: Recipe, key: str) -> bool:
    try:
        without(recipe, key)
    except RecipeError:
        return False
    return True


def _trial(task: Task, name: str, recipe: Recipe, *, seed: int, observer: Observer) -> tuple[Trial, str]:
    """One training and what it took; what it ran on."""
    factory, complete = open_task(task, recipe)
    weighed = factory.create(complete, seed=seed)
    num_bytes, device = None, ""
    if isinstance(weighed, TellsCost):
        device = weighed.device
        cost = weighed.step_cost(batch_size=complete.batch.first_size(factory.num_rows), with_memory=True)
        num_bytes = None if cost is None else cost.peak_bytes
    model = weighed.model
    del weighed
    with engine().DeviceUse(model) as use:
        result = fit(task, recipe, seed=seed, name=name, observer=observer)
    run = result.study.runs[0]
    trial = Trial(
        variant=name,
        seed=seed,
        status=result.status,
        metrics=result.metrics,
        samples=run.samples,
        seconds=run.seconds,
        device_use=use.share,
        step_bytes=num_bytes,
    )
    return trial, device
