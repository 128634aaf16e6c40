"""All sections together.

What is left out takes a documented default when a training begins (``Recipe.complete``), so a recipe file holds
only what somebody decided.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from surefoot import batching
from surefoot.errors import RecipeError, nearest
from surefoot.recipe.batch import Batch
from surefoot.recipe.data import Data
from surefoot.recipe.hardware import Hardware, Precision
from surefoot.recipe.loss import Loss
from surefoot.recipe.messages import one_line
from surefoot.recipe.network import Network
from surefoot.recipe.optimizer import Optimizer
from surefoot.recipe.timing import Schedule, Stopping
from surefoot.recipe.values import plain
from surefoot.recipe.weights import Initialization, Regularization

__all__ = ["Recipe"]

# Optimizers whose weights cannot be set to zero between two steps, and why.
_NOT_PROXIMAL = {
    "schedule_free_sgd": "averages its weights: a mean of zeros and others is not zero",
    "schedule_free_adamw": "averages its weights: a mean of zeros and others is not zero",
    "prodigy": "finds its rate from a gradient that must have the penalty in it",
}


class Recipe(BaseModel):
    """Every choice of one training.

    Attributes:
        optimizer: its name, learning rate, decay and momenta.
        schedule: the rate over time, with its warmup.
        batch: the batch size or its policy, and how the rate follows it.
        loss: by name, with smoothing and class weights.
        regularization: L1 and L2, by groups of parameters too.
        initialization: how the first weights are drawn.
        data: units, missing values, augmentation, balance, worker processes.
        network: averaging of the weights, pruning.
        precision: of the steps.
        hardware: device, compilation, memory layout.
        stopping: patience and limits.
        model: arguments for the task's model builder.

    Raises:
        RecipeError: a key does not exist or a value is not allowed, in one line.

    >>> recipe = Recipe(optimizer={"name": "sgd", "learning_rate": 0.1})
    >>> print(recipe.to_toml())
    [optimizer]
    name = "sgd"
    learning_rate = 0.1
    <BLANKLINE>
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    batch: Batch = Batch()
    loss: Loss = Loss()
    regularization: Regularization = Regularization()
    initialization: Initialization = Initialization()
    data: Data = Data()
    network: Network = Network()
    precision: Precision = Precision()
    hardware: Hardware = Hardware()
    stopping: Stopping = Stopping()
    model: dict[str, Any] = {}

    @field_validator("model", mode="before")
    @classmethod
    def _plain_arguments(cls, given: Any) -> Any:
        return {key: plain(f"model.{key}", value) for key, value in given.items()} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.effective_schedule.build()
        name = self.optimizer.name
        if self.regularization.l1_method == "proximal" and name in _NOT_PROXIMAL:
            raise ValueError(
                f'regularization.l1_method "proximal" does not go with "{name}", which {_NOT_PROXIMAL[name]}; '
                'use "gradient"'
            )
        if name == "prodigy" and any(rule.learning_rate_multiplier for rule in self.regularization.groups):
            raise ValueError('"prodigy" finds one rate for all parameters: leave learning_rate_multiplier out')
        self._check_coupling()
        self.network.require_fits(optimizer=name, l1_method=self.regularization.l1_method)
        return self

    def _check_coupling(self) -> None:
        if self.batch.coupling == "adascale":
            if self.optimizer.name != "sgd":
                name = self.optimizer.name
                raise ValueError(
                    f'batch.coupling "adascale" is derived for sgd, not for "{name}"; use "sqrt" or "none"'
                )
            if not batching.is_measured(self.batch.policy):
                raise ValueError(
                    f'batch.coupling "adascale" needs a policy that measures the noise; "{self.batch.policy}" does not'
                )

    def __init__(self, **sections: Any) -> None:
        # pydantic's way in; overridden so that its report becomes our one line
        try:
            super().__init__(**sections)
        except ValidationError as error:
            raise RecipeError(one_line(error, Recipe.model_fields)) from None

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """The recipe that a TOML text describes."""
        try:
            sections = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"the recipe is not TOML: {error}") from None
        return cls(**sections)

    @classmethod
    def from_file(cls, path: str | Path) -> Recipe:
        """The recipe in a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise RecipeError(f"cannot read the recipe {path}: {reason}") from None
        return cls.from_toml(text)

    def to_dict(self) -> dict[str, Any]:
        """The sections as plain values: what was given, without what was left out."""
        sections = self.model_dump(exclude_none=True, exclude_unset=True)
        return {name: section for name, section in sections.items() if section}

    def to_toml(self) -> str:
        """The recipe as TOML, without what was left out."""
        return tomli_w.dumps(self.to_dict())

    @property
    def effective_schedule(self) -> Schedule:
        """The schedule of a run: where its name is left out, the optimizer's usual one."""
        if "name" in self.schedule.model_fields_set or not self.optimizer.is_schedule_free:
            return self.schedule
        return Schedule(**{**self.schedule.model_dump(exclude_unset=True), "name": "constant"})

    def complete(self, num_rows: int) -> Recipe:
        """The recipe with every default written out, for a training on ``num_rows`` rows."""
        sections: dict[str, Any] = self.model_dump(exclude_none=True)
        sections["optimizer"] = self.optimizer.complete().model_dump(exclude_none=True)
        sections["schedule"] = self.effective_schedule.model_dump(exclude_none=True)
        sections["network"] = self.network.complete().model_dump(exclude_none=True)
        sections["batch"] = self.batch.complete(num_rows).model_dump(exclude_none=True)
        return Recipe(**sections)

    def steps_per_sample(self, num_rows: int) -> float:
        """The mean of 1/B over the training as far as the recipe tells: what Σ η over the steps is counted in.

        Where a coupling holds the decay of every sample as it is at one batch, it is that batch's 1/B.
        """
        first = min(self.batch.first_size(num_rows), num_rows)
        is_brought = self.batch.reference_size is not None and self.batch.coupling != "none"
        held = first / self.batch.reference_size if is_brought and self.batch.reference_size else 1.0
        if self.batch.is_observing or self.batch.rule(self.optimizer.name) != "none":
            return held / first
        return held * batching.mean_inverse_size(self.batch.build(num_rows), num_rows)

    def with_changes(self, changes: Mapping[str, Any]) -> Recipe:
        """The recipe with some keys set, each named as ``section.key``.

        >>> Recipe().with_changes({"optimizer.learning_rate": 0.01}).optimizer.learning_rate
        0.01
        """
        sections = self.to_dict()
        for dotted, value in changes.items():
            section, _, key = dotted.partition(".")
            if section not in Recipe.model_fields:
                raise RecipeError(f'there is no section "{section}"; {nearest(section, Recipe.model_fields)}')
            if not key:
                raise RecipeError(f'"{dotted}" names a section; a key in it is set as {section}.key=value')
            sections[section] = {**sections.get(section, {}), key: value}
        return Recipe(**sections)
