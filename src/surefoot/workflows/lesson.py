"""The classic lesson on batches, decay and penalties: its recipes, and whether a comparison shows what it teaches."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from statistics import fmean

from surefoot.recipe import Recipe
from surefoot.records import Run, Study

__all__ = ["Lesson", "lesson", "remarks"]

FILE = "lesson.toml"
_AGAINST = "not what the lesson says"


@dataclass(frozen=True)
class Lesson:
    """Recipes to be trained side by side.

    Attributes:
        recipes: by name.
        see: what each one's curves should show, in a sentence or two.
    """

    recipes: dict[str, Recipe]
    see: dict[str, str]


def lesson() -> Lesson:
    """Full batch, single sample, mini-batch, decay on plateau, L2: plain gradient descent, one thing changed at a time.

    The recipes lie beside this module in ``lesson.toml``.
    """
    sections = tomllib.loads(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    see = {name: section.pop("see") for name, section in sections.items()}
    return Lesson({name: Recipe(**section) for name, section in sections.items()}, see)


def remarks(see: Mapping[str, str], studies: Mapping[str, Study]) -> dict[str, str]:
    """What to see in each recipe's curves, and whether these curves show it, in numbers.

    Args:
        see: the lesson's sentences.
        studies: by the names of the lesson; the mini-batch is what the others are held against.
    """
    base = studies.get("mini_batch")
    found = dict(see)
    for name, study in studies.items():
        check = _CHECKS.get(name)
        if base is None or check is None or name not in see:
            continue
        bad = next((each for each in (study, base) if not each.runs[0].evaluations or each.status != "completed"), None)
        said = (
            f"it cannot be seen here: {bad.runs[0].reason}" if bad is not None else check(study.runs[0], base.runs[0])
        )
        found[name] = f"{see[name]} Here: {said}."
    return found


def _full_batch(run: Run, base: Run) -> str:
    own, other = _last_training_loss(run), _last_training_loss(base)
    steps = f"{run.steps:,} steps where the mini-batch took {base.steps:,}"
    said = f"{steps}; training loss {own:.4f} at the end, against {other:.4f}"
    return said if own > other else f"{said}, so all rows were not slower by epoch: {_AGAINST}"


def _single_sample(run: Run, base: Run) -> str:
    own, other = _roughness(run), _roughness(base)
    said = f"the validation loss strays {own:.1%} from the mean of its neighbours, against {other:.1%}"
    if own <= other:
        said += f", so it is not the noisier one: {_AGAINST}"
    first, first_base = run.evaluations[0].train_loss, base.evaluations[0].train_loss
    said += f"; training loss {first:.4f} at the first look, against {first_base:.4f}"
    if first >= first_base:
        said += f", so it is not the faster one by epoch: {_AGAINST}"
    part, held, held_base = _held_out(run, base)
    said += f"; {part} loss {held:.4f} at the end, against {held_base:.4f}"
    return f"{said}; it took {run.seconds:.2g} s, against {base.seconds:.2g}"


def _mini_batch(run: Run, base: Run) -> str:
    del base
    return f"{run.steps:,} steps in {run.seconds:.2g} s; training loss {_last_training_loss(run):.4f} at the end"


def _plateau(run: Run, base: Run) -> str:
    rates = [look.learning_rate for look in run.evaluations]
    cuts = [
        look.epoch for look, (old, new) in zip(run.evaluations[1:], itertools.pairwise(rates), strict=True) if new < old
    ]
    if not cuts:
        return "the validation loss improved to the end, so no cut came and the curve is the mini-batch's"
    own, other = _roughness(run, cuts[0]), _roughness(base, cuts[0])
    times = "once" if len(cuts) == 1 else f"{len(cuts)} times"
    quiet = "" if own < other else f", so it is not quieter: {_AGAINST}"
    return (
        f"the rate was cut {times}, first after epoch {cuts[0] - 1:.0f}; from there on the validation loss strays "
        f"{own:.1%} from the mean of its neighbours, against {other:.1%}{quiet}"
    )


def _l2(run: Run, base: Run) -> str:
    own, other = _last_training_loss(run), _last_training_loss(base)
    part, held, held_base = _held_out(run, base)
    better = "which is what it is for" if held < held_base else "so it did not pay"
    odd = "" if own > other else f", not higher: {_AGAINST}"
    return (
        f"training loss {own:.4f} at the end, against {other:.4f}{odd}; "
        f"{part} loss {held:.4f}, against {held_base:.4f}, {better}"
    )


_CHECKS: dict[str, Callable[[Run, Run], str]] = {
    "full_batch": _full_batch,
    "mini_batch": _mini_batch,
    "single_sample": _single_sample,
    "plateau": _plateau,
    "l2": _l2,
}


def _last_training_loss(run: Run) -> float:
    return run.evaluations[-1].train_loss


def _held_out(run: Run, base: Run) -> tuple[str, float, float]:
    """The last loss of both on rows that neither learned from: the test part where there is one."""
    part = "test" if "test_loss" in run.evaluations[-1].metrics else "validation"
    own, other = (each.evaluations[-1].metrics[f"{part}_loss"] for each in (run, base))
    return part, own, other


def _roughness(run: Run, after: float = 0.0) -> float:
    """How far the validation loss strays from the mean of its neighbours, as a share of it, from an epoch on."""
    losses = [look.metrics["validation_loss"] for look in run.evaluations if look.epoch >= after]
    strays = [
        abs(here - (before + following) / 2) / max(abs(here), 1e-12)
        for before, here, following in zip(losses, losses[1:], losses[2:], strict=False)
    ]
    return fmean(strays) if strays else 0.0
