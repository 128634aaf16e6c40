"""Which parameters of an objective are the learning rate and the batch size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from surefoot.errors import RequestError, nearest

__all__ = ["Roles", "checked_steps", "numbers_of", "recognised", "require_known"]

RATE_NAMES, BATCH_NAMES = ("lr", "learningrate", "eta", "eta0"), ("batch", "batchsize", "bs")
# What stands beside "lr" or "batch" in a name where something else is meant: lr_decay, batch_norm, num_batches.
NOT_A_RATE = (
    "decay",
    "factor",
    "final",
    "gamma",
    "min",
    "patience",
    "policy",
    "power",
    "schedule",
    "scheduler",
    "step",
)
NOT_A_BATCH = ("count", "eval", "n", "norm", "num", "test", "val", "validation")


@dataclass(frozen=True)
class Roles:
    """The names of the two parameters; None where there is none."""

    learning_rate: str | None = None
    batch_size: str | None = None

    def __str__(self) -> str:
        known = (("learning rate", self.learning_rate), ("batch size", self.batch_size))
        return ", ".join(f'{what}: "{name}"' if name else f"{what}: none" for what, name in known)


def recognised(space: Mapping[str, BaseDistribution], given: Roles) -> Roles:
    """What each of the two parameters is called, as the caller said or as names and ranges tell.

    Args:
        space: the objective's parameters.
        given: names the caller gave, which are taken as they are.

    Raises:
        RequestError: a name that was given cannot be what it is given as, or several parameters could be one role.

    >>> space = {"lr": FloatDistribution(1e-5, 1.0, log=True), "batch": CategoricalDistribution([16, 32, 64])}
    >>> print(recognised(space, Roles()))
    learning rate: "lr", batch size: "batch"
    """
    rates = (name for name, one in space.items() if _is_named(name, RATE_NAMES, NOT_A_RATE) and _is_rate(one))
    batches = (name for name, one in space.items() if _is_named(name, BATCH_NAMES, NOT_A_BATCH) and _is_batch(one))
    return Roles(
        _role("learning_rate", given.learning_rate, rates, space),
        _role("batch_size", given.batch_size, batches, space),
    )


def numbers_of(distribution: BaseDistribution) -> tuple[float, ...] | None:
    """The options of a categorical parameter whose options are all numbers, None for anything else."""
    if not isinstance(distribution, CategoricalDistribution):
        return None
    numbers = [float(one) for one in distribution.choices if isinstance(one, int | float) and not isinstance(one, bool)]
    return tuple(numbers) if len(numbers) == len(distribution.choices) else None


def require_known(given: Roles, trials: Iterable[FrozenTrial]) -> None:
    """Raise where a name that was given is no parameter of any trial."""
    names = {name for trial in trials for name in trial.distributions}
    for role, name in vars(given).items():
        if name is not None and name not in names:
            raise RequestError(f'{role}="{name}" is no parameter of this study; {nearest(name, sorted(names))}')


def checked_steps(num_steps: int | None) -> int | None:
    """``num_steps`` as it is.

    Raises:
        RequestError: it is neither None nor a whole number of at least 1.
    """
    if num_steps is not None and (type(num_steps) is not int or num_steps < 1):
        raise RequestError(f"num_steps must be a whole number of at least 1, such as the epochs, not {num_steps!r}")
    return num_steps


def _role(role: str, given: str | None, found: Iterable[str], space: Mapping[str, BaseDistribution]) -> str | None:
    if given is None:
        names = sorted(found)
        if len(names) > 1:
            raise RequestError(
                f"{role} could be any of {', '.join(names)}: tell the sampler, and a pruner beside another one, "
                f'which one decides, as {role}="{names[0]}"'
            )
        return names[0] if names else None
    if given in space and not (_is_rate(space[given]) if role == "learning_rate" else _is_batch(space[given])):
        raise RequestError(f'{role}="{given}" must be a parameter of numbers above 0, not {space[given]}')
    return given if given in space else None


def _is_named(name: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> bool:
    """Whether a name says so: ``lr``, ``base_lr``, ``learning_rate_init``, ``batchSize``, but not ``lr_decay``."""
    words = re.findall(r"[a-z]+\d*|[A-Z]+(?![a-z])\d*|[A-Z][a-z]*\d*", name)
    words = [word.lower() for word in words]
    pairs = [first + second for first, second in itertools.pairwise(words)]
    return not set(words) & set(unwanted) and bool({*words, *pairs} & set(wanted))


def _is_rate(distribution: BaseDistribution) -> bool:
    numbers = numbers_of(distribution)
    if isinstance(distribution, FloatDistribution):
        return distribution.low > 0
    return numbers is not None and min(numbers) > 0


def _is_batch(distribution: BaseDistribution) -> bool:
    numbers = numbers_of(distribution)
    if isinstance(distribution, IntDistribution):
        return distribution.low > 0
    return numbers is not None and min(numbers) > 0
