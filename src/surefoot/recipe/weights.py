"""The sections about the weights themselves: where they start, and what holds them small."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from surefoot.errors import nearest
from surefoot.recipe.section import Rate, Section, Strength

__all__ = ["Initialization", "ParameterRule", "Regularization"]

Scheme = Literal[
    "default", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "normal"
]


class Initialization(Section):
    """Where the weights start; "default" leaves them as the model builder made them.

    Every other scheme draws the weight matrices and kernels of dense, convolutional, recurrent, attention and embedding
    layers anew and sets their biases to zero. ``std`` belongs to "normal" (0.02 when left out, as in Radford et al.
    2019). ``last_layer_zero`` sets the last dense or convolutional layer to zero: the first outputs are then all 0.
    """

    scheme: Scheme = "default"
    std: Strength | None = None
    last_layer_zero: bool = False

    @model_validator(mode="after")
    def _std_is_for_normal(self) -> Self:
        if self.std is not None and self.scheme != "normal":
            raise ValueError(f'initialization.std is for the scheme "normal"; it would do nothing to "{self.scheme}"')
        return self


def _patterns(value: Any) -> Any:
    """One pattern, or a list of them, as a list."""
    patterns = [value] if isinstance(value, str) else value
    if isinstance(patterns, list | tuple) and patterns and all(isinstance(text, str) and text for text in patterns):
        return list(patterns)
    raise ValueError(
        f"regularization.groups: parameters is {value!r}; it must be a pattern over parameter names, "
        'such as "encoder.*", or a list of those'
    )


class ParameterRule(Section):
    """What holds for the parameters that the patterns name; what it leaves out is as without the rule.

    Attributes:
        parameters: patterns over parameter names, such as "head.*".
        l1: λ₁ for them.
        l2: λ₂ for them.
        weight_decay: the optimizer's, for them.
        learning_rate_multiplier: of the rate of every step; 0 is not allowed: freeze such parameters in the builder
            with ``requires_grad_(False)``.
    """

    parameters: Annotated[list[str], BeforeValidator(_patterns)]
    l1: Strength | None = None
    l2: Strength | None = None
    weight_decay: Strength | None = None
    learning_rate_multiplier: Rate | None = None


class Regularization(Section):
    """λ₁ and λ₂ of J = J₁ + λ₁‖θ‖₁ + ½λ₂‖θ‖², and rules for groups of parameters.

    Biases and normalisation parameters are left out unless a rule gives them a penalty.

    Attributes:
        l1: λ₁ ≥ 0.
        l2: λ₂ ≥ 0.
        l1_method: "gradient" (λ₁·sign θ in the gradient) or "proximal" (weights move towards zero after the step, and
            stop there).
        groups: rules; the first that matches a parameter holds.
    """

    l1: Strength = 0.0
    l2: Strength = 0.0
    l1_method: Literal["gradient", "proximal"] = "gradient"
    groups: list[ParameterRule] = Field(default_factory=list)

    @field_validator("groups", mode="before")
    @classmethod
    def _tables(cls, given: Any) -> Any:
        """The rules, after a look at their keys, so that a complaint is one line."""
        if not isinstance(given, list | tuple):
            raise ValueError(f"regularization.groups is {given!r}; it must be a list of tables")
        for index, rule in enumerate(given):
            where, known = f"regularization.groups[{index}]", ParameterRule.model_fields
            if isinstance(rule, ParameterRule):
                continue
            if not isinstance(rule, dict) or "parameters" not in rule:
                raise ValueError(f'{where} needs the key "parameters": a pattern over parameter names')
            for key in rule:
                if key not in known:
                    raise ValueError(f'there is no key "{where}.{key}"; {nearest(key, known)}')
        return list(given)
