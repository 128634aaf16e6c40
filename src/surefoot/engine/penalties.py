"""Which parameters form a group, what holds them small, and J − J₁ = λ₁‖θ‖₁ + ½λ₂‖θ‖² over them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import Tensor, nn, optim

from surefoot.engine.proximal import shrink
from surefoot.errors import RecipeError
from surefoot.recipe import ParameterRule, Recipe

__all__ = ["Group", "Penalties"]


class _Settings(NamedTuple):
    """What parameters of one group share."""

    l1: float
    l2: float
    weight_decay: float
    rate_multiplier: float
    decay_multiplier: float | None


@dataclass(frozen=True)
class Group:
    """Parameters that are held alike.

    Attributes:
        parameters: by name.
        l1: λ₁.
        l2: λ₂.
        weight_decay: the optimizer's λ for them.
        rate_multiplier: what the rate of every step is multiplied by.
        decay_multiplier: what that is of the recipe's own decay, so that it follows when that moves; None where a rule
            gives a decay and the recipe has none to compare it with.
    """

    parameters: dict[str, nn.Parameter]
    l1: float
    l2: float
    weight_decay: float
    rate_multiplier: float
    decay_multiplier: float | None


@dataclass(frozen=True)
class Penalties:
    """The groups of a model's trainable parameters, and the penalties on them.

    Weights, that is parameters of two dimensions or more, come first; biases and normalisation parameters, which have
    one, are penalised only where a rule says so.
    """

    groups: tuple[Group, ...]
    is_proximal: bool = False

    @classmethod
    def of(cls, model: nn.Module, recipe: Recipe) -> Penalties:
        """The groups that a recipe makes of a model's parameters.

        Raises:
            RecipeError: a pattern of a rule matches no parameter.
        """
        rules = recipe.regularization.groups
        named = dict(model.named_parameters())
        for place, rule in enumerate(rules):
            _require_matches(rule, named, place)
        found: dict[_Settings, dict[str, nn.Parameter]] = {}
        trainable = [(name, parameter) for name, parameter in named.items() if parameter.requires_grad]
        for name, parameter in sorted(trainable, key=lambda pair: pair[1].ndim < 2):  # stable: in the model's order
            settings = _settings(name, is_weight=parameter.ndim >= 2, recipe=recipe)
            found.setdefault(settings, {})[name] = parameter
        groups = tuple(Group(parameters, **settings._asdict()) for settings, parameters in found.items())
        return cls(groups, recipe.regularization.l1_method == "proximal")

    def loss(self) -> Tensor | float:
        """λ₁‖θ‖₁ + ½λ₂‖θ‖², to be added to the training loss; what a proximal step brings about is left out."""
        total: Tensor | float = 0.0
        for group in self.groups:
            l1 = 0.0 if self.is_proximal else group.l1
            if not (l1 or group.l2):
                continue
            for parameter in group.parameters.values():
                if l1:
                    total = total + l1 * parameter.abs().sum()
                if group.l2:
                    total = total + 0.5 * group.l2 * parameter.square().sum()
        return total

    def after_step(self, optimizer: optim.Optimizer) -> None:
        """Move weights towards zero and stop there, after the optimizer's step; nothing unless proximal.

        Args:
            optimizer: made by ``optimizers.build`` of the same model and recipe; its rates are those of the step.
        """
        if not self.is_proximal:
            return
        for group, settings in zip(self.groups, optimizer.param_groups, strict=True):
            if group.l1:
                for parameter in group.parameters.values():
                    shrink(parameter, group.l1, settings, optimizer.state[parameter])


def _settings(name: str, *, is_weight: bool, recipe: Recipe) -> _Settings:
    """What holds for a parameter: the first rule that matches, the recipe where that says nothing."""
    general = recipe.regularization
    rule = next((rule for rule in general.groups if _matches(rule, name)), None)
    decay = recipe.optimizer.weight_decay
    usual = {"l1": general.l1, "l2": general.l2, "weight_decay": decay}
    found = usual if is_weight else dict.fromkeys(usual, 0.0)
    given = {key: getattr(rule, key) for key in usual if getattr(rule, key, None) is not None}
    # without a decay there is nothing to tell weights from biases by, and one group is one kernel
    multiplier: float | None = float(is_weight and decay > 0)
    if "weight_decay" in given:
        multiplier = given["weight_decay"] / decay if decay else None
    rate = (rule.learning_rate_multiplier if rule is not None else None) or 1.0
    return _Settings(**{**found, **given}, rate_multiplier=rate, decay_multiplier=multiplier)


def _matches(rule: ParameterRule, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in rule.parameters)


def _require_matches(rule: ParameterRule, named: Mapping[str, nn.Parameter], place: int) -> None:
    for pattern in rule.parameters:
        if not any(fnmatchcase(name, pattern) for name in named):
            near = difflib.get_close_matches(pattern, named, n=3, cutoff=0.0)
            raise RecipeError(
                f'regularization.groups[{place}]: the pattern "{pattern}" matches no parameter; '
                f"near it: {', '.join(near)}"
            )
