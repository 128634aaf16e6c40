"""The classic lesson on batches, decay and penalties: its recipes, and whether a comparison shows what it teaches."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from statistics import fmean

from surefoot.language import retold, say
from surefoot.recipe import Recipe
from surefoot.records import Run, Study

__all__ = ["Lesson", "lesson", "remarks"]

FILE = "lesson.toml"


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
    found = {name: say(sentence) for name, sentence in see.items()}
    for name, study in studies.items():
        check = _CHECKS.get(name)
        if base is None or check is None or name not in see:
            continue
        bad = next((each for each in (study, base) if not each.runs[0].evaluations or each.status != "completed"), None)
        if bad is None:
            said = check(study.runs[0], base.runs[0])
        else:
            said = say("it cannot be seen here: {reason}", reason=retold(bad.runs[0].reason))
        found[name] = say("{see} Here: {said}.", see=say(see[name]), said=said)
    return found


def _full_batch(run: Run, base: Run) -> str:
    own, other = _last_training_loss(run), _last_training_loss(base)
    sentence = (
        "{steps:,} steps where the mini-batch took {base:,}; training loss {own:.4f} at the end, against {other:.4f}"
    )
    said = say(sentence, steps=run.steps, base=base.steps, own=own, other=other)
    return said if own > other else said + say(", so all rows were not slower by epoch: not what the lesson says")


def _single_sample(run: Run, base: Run) -> str:
    own, other = _roughness(run), _roughness(base)
    sentence = "the validation loss strays {own:.1%} from the mean of its neighbours, against {other:.1%}"
    said = say(sentence, own=own, other=other)
    if own <= other:
        said += say(", so it is not the noisier one: not what the lesson says")
    first, first_base = run.evaluations[0].train_loss, base.evaluations[0].train_loss
    said += say("; training loss {own:.4f} at the first look, against {other:.4f}", own=first, other=first_base)
    if first >= first_base:
        said += say(", so it is not the faster one by epoch: not what the lesson says")
    part, held, held_base = _held_out(run, base)
    sentence = "; {loss} {own:.4f} at the end, against {other:.4f}; it took {seconds:.2g} s, against {base:.2g}"
    return said + say(sentence, loss=part, own=held, other=held_base, seconds=run.seconds, base=base.seconds)


def _mini_batch(run: Run, base: Run) -> str:
    del base
    sentence = "{steps:,} steps in {seconds:.2g} s; training loss {loss:.4f} at the end"
    return say(sentence, steps=run.steps, seconds=run.seconds, loss=_last_training_loss(run))


def _plateau(run: Run, base: Run) -> str:
    rates = [look.learning_rate for look in run.evaluations]
    cuts = [
        look.epoch for look, (old, new) in zip(run.evaluations[1:], itertools.pairwise(rates), strict=True) if new < old
    ]
    if not cuts:
        return say("the validation loss improved to the end, so no cut came and the curve is the mini-batch's")
    own, other = _roughness(run, cuts[0]), _roughness(base, cuts[0])
    times = say("once") if len(cuts) == 1 else say("{count:d} times", count=len(cuts))
    sentence = (
        "the rate was cut {times}, first after epoch {epoch:.0f}; from there on the validation loss strays "
        "{own:.1%} from the mean of its neighbours, against {other:.1%}"
    )
    said = say(sentence, times=times, epoch=cuts[0] - 1, own=own, other=other)
    return said if own < other else said + say(", so it is not quieter: not what the lesson says")


def _l2(run: Run, base: Run) -> str:
    own, other = _last_training_loss(run), _last_training_loss(base)
    part, held, held_base = _held_out(run, base)
    said = say("training loss {own:.4f} at the end, against {other:.4f}", own=own, other=other)
    if own <= other:
        said += say(", not higher: not what the lesson says")
    said += say("; {loss} {own:.4f}, against {other:.4f}", loss=part, own=held, other=held_base)
    return said + (say(", which is what it is for") if held < held_base else say(", so it did not pay"))


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
    """The last loss of both on rows that neither learned from, and its name: the test part's where there is one."""
    name = "test_loss" if "test_loss" in run.evaluations[-1].metrics else "validation_loss"
    own, other = (each.evaluations[-1].metrics[name] for each in (run, base))
    return say(name.replace("_", " ")), own, other


def _roughness(run: Run, after: float = 0.0) -> float:
    """How far the validation loss strays from the mean of its neighbours, as a share of it, from an epoch on."""
    losses = [look.metrics["validation_loss"] for look in run.evaluations if look.epoch >= after]
    strays = [
        abs(here - (before + following) / 2) / max(abs(here), 1e-12)
        for before, here, following in zip(losses, losses[1:], losses[2:], strict=False)
    ]
    return fmean(strays) if strays else 0.0
