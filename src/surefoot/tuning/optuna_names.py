"""Optuna's samplers and pruners by name, with arguments: ``TPESampler,multivariate=true,pruner=HyperbandPruner``."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.trial import create_trial

from surefoot.errors import MissingExtraError, RequestError, nearest
from surefoot.recipe import parse_value
from surefoot.tuning.storage import quiet

__all__ = ["Choice", "parse"]

# Optuna's samplers draw at random until there are ten trials, and only then need what they are made of.
_STARTUP = 11


@dataclass(frozen=True)
class Choice:
    """A sampler and a pruner, made afresh as often as they are needed.

    Attributes:
        sampler: the name of one in ``optuna.samplers``.
        pruner: the name of one in ``optuna.pruners``.
        sampler_arguments: given to it.
        pruner_arguments: given to it.
    """

    sampler: str
    pruner: str = "NopPruner"
    sampler_arguments: Mapping[str, Any] = field(default_factory=dict)
    pruner_arguments: Mapping[str, Any] = field(default_factory=dict)

    def make_sampler(self, seed: int) -> BaseSampler:
        """The sampler, drawing from ``seed`` where it draws at all."""
        found: BaseSampler = _made(optuna.samplers, self.sampler, self.sampler_arguments, {"seed": seed % 2**32})
        return found

    def make_pruner(self, num_looks: int) -> BasePruner:
        """The pruner; one that must know how long a run can get is told so in looks."""
        found: BasePruner = _made(
            optuna.pruners, self.pruner, self.pruner_arguments, {"max_resource": num_looks} if num_looks else {}
        )
        return found

    def try_out(self) -> None:
        """Sample once after some runs, so that a package that the sampler needs is missed now and not in an hour.

        Raises:
            MissingExtraError: it is missing; the message names it.
        """
        rate = FloatDistribution(0.0, 1.0)
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(sampler=self.make_sampler(0))
            for place in range(_STARTUP):
                values = {"first": place / _STARTUP, "second": 1.0 - place / _STARTUP}
                study.add_trial(create_trial(params=values, distributions=dict.fromkeys(values, rate), value=0.5))
            try:
                study.ask({"first": rate, "second": rate})
            except ImportError as error:
                missing = error.name or str(error)
                raise MissingExtraError(
                    f"Optuna's {self.sampler} needs the package {missing}; install it with: pip install {missing}"
                ) from None

    @property
    def prunes(self) -> bool:
        """Whether there is a pruner that may stop a run."""
        return self.pruner != NopPruner.__name__


def parse(text: str) -> Choice:
    """A choice from what a person writes after ``optuna:``.

    Raises:
        RequestError: there is no sampler or pruner of that name, or it does not take these arguments.

    >>> parse("TPESampler,pruner=HyperbandPruner,pruner.reduction_factor=4").pruner_arguments
    {'reduction_factor': 4}
    """
    sampler, *pairs = (part.strip() for part in text.split(","))
    pruner, arguments, pruner_arguments = "NopPruner", dict[str, Any](), dict[str, Any]()
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark or not value:
            raise RequestError(f'searcher takes optuna:Sampler,key=value,pruner=Pruner,pruner.key=value, not "{pair}"')
        if key == "pruner":
            pruner = value
        elif key.startswith("pruner."):
            pruner_arguments[key.removeprefix("pruner.")] = parse_value(value)
        else:
            arguments[key] = parse_value(value)
    _require(optuna.samplers, sampler, "Sampler", "sampler")
    _require(optuna.pruners, pruner, "Pruner", "pruner")
    choice = Choice(sampler, pruner, arguments, pruner_arguments)
    choice.make_sampler(0)
    choice.make_pruner(0)
    return choice


def _require(module: Any, name: str, ending: str, what: str) -> None:
    """Raise unless the module has a class of this name that is meant to be chosen."""
    names = [other for other in module.__all__ if other.endswith(ending) and not other.startswith(("Base", "Partial"))]
    if name not in names:
        raise RequestError(f'Optuna has no {what} "{name}"; {nearest(name, names)}')


def _made(module: Any, name: str, given: Mapping[str, Any], ours: Mapping[str, Any]) -> Any:
    kind = getattr(module, name)
    takes = inspect.signature(kind).parameters
    known = {key: value for key, value in ours.items() if key in takes and key not in given}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is experimental was the user's choice
            return kind(**known, **given)
    except ImportError as error:
        raise RequestError(f"Optuna's {name} needs a package that is not installed: {error.name or error}") from None
    except (TypeError, ValueError) as error:
        raise RequestError(f"Optuna's {name} cannot be made: {error}") from None
