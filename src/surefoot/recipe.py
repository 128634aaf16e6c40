"""A Recipe: every choice of one training, validated, to and from TOML.

What is left out takes a documented default when a training begins (``Recipe.complete``), so a recipe file holds
only what somebody decided.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from surefoot import batching, schedules
from surefoot.errors import RecipeError, nearest

__all__ = [
    "Batch",
    "Data",
    "Loss",
    "LossName",
    "Optimizer",
    "OptimizerName",
    "Recipe",
    "Regularization",
    "Schedule",
    "Stopping",
    "parse_value",
    "takes",
]

OptimizerName = Literal["sgd", "adam", "adamw", "nadamw", "rmsprop", "adagrad"]
LossName = Literal["cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute", "huber"]

# What each optimizer takes beside its rate and its decay, with PyTorch's defaults. Two differ: plain SGD is hardly
# ever what is wanted, so momentum is 0.9 and Nesterov's, as in Sutskever et al. 2013.
_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "adam": _ADAM,
    "adamw": _ADAM,
    "nadamw": _ADAM,
    "rmsprop": {"momentum": 0.0, "epsilon": 1e-8},
    "adagrad": {"epsilon": 1e-10},
}
# A rate to start from when nothing was measured. SGD's is that of Goyal et al. 2017 (0.1 at batch 256) brought to
# batch 32 by their linear rule; the others are three times Adam's published default, which small networks stand.
_RATES = {"sgd": 0.0125, "adam": 3e-3, "adamw": 3e-3, "nadamw": 3e-3, "rmsprop": 1e-3, "adagrad": 1e-2}

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Strength = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    """What all sections have in common: unknown keys are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Optimizer(_Section):
    """Which optimizer, its learning rate, its weight decay and its own arguments.

    ``weight_decay`` is decoupled for adamw and nadamw and stands in the gradient (½λ‖θ‖²) for the others, as in
    PyTorch. Biases and normalisation parameters never decay.
    """

    name: OptimizerName = "adamw"
    learning_rate: Rate | None = None
    weight_decay: Strength = 0.0
    momentum: Share | None = None
    nesterov: bool | None = None
    beta1: Share | None = None
    beta2: Share | None = None
    epsilon: Rate | None = None

    @model_validator(mode="after")
    def _only_its_own_arguments(self) -> Self:
        known = {"name", "learning_rate", "weight_decay", *_ARGUMENTS[self.name]}
        for key, value in self:
            if value is not None and key not in known:
                raise ValueError(f'optimizer.{key} is not used by "{self.name}"; {nearest(key, known)}')
        return self

    def complete(self) -> Optimizer:
        """The same with every default written out."""
        given = self.model_dump(exclude_none=True)
        return Optimizer(**{"learning_rate": _RATES[self.name], **_ARGUMENTS[self.name], **given})


class Schedule(_Section):
    """How the learning rate moves: a name, a warmup as a share of the horizon, the schedule's own arguments.

    Left out, ``warmup`` is 0.05, and 0 in front of a schedule that begins low itself. The name is one of
    ``surefoot.schedules`` or ``package.module:Class``, which is imported: read a stranger's recipe before you run it.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "cosine"
    warmup: Share = Field(default_factory=lambda given: schedules.default_warmup(given.get("name", "")))
    warmup_shape: Literal["linear", "exponential"] = "linear"
    warmup_start: float | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        self.build()
        return self

    def build(self) -> Any:
        """The schedule itself, over positions in [0, 1]."""
        return schedules.from_recipe(
            self.name,
            warmup=self.warmup,
            warmup_shape=self.warmup_shape,
            warmup_start=self.warmup_start,
            arguments=self.model_extra,
        )


class Batch(_Section):
    """How many samples a step looks at: a policy, the size it has or begins with, the policy's own arguments."""

    model_config = ConfigDict(frozen=True, extra="allow")

    policy: str = "fixed"
    size: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        batching.from_recipe(self.policy, size=self.size or self._usual_size(), arguments=self.model_extra)
        return self

    def complete(self, num_rows: int) -> Batch:
        """The same with the size written out; one that was left out comes from the number of rows.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        self.build(num_rows)
        size = {"single": 1, "full": num_rows}.get(self.policy) or self.size or self._usual_size(num_rows)
        return Batch(policy=self.policy, size=size, **(self.model_extra or {}))

    def build(self, num_rows: int) -> Any:
        """The policy itself, over positions in [0, 1].

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        size = self.size or self._usual_size(num_rows)
        try:
            return batching.from_recipe(self.policy, size=size, arguments=self.model_extra, num_rows=num_rows)
        except ValueError as error:
            raise RecipeError(str(error)) from None

    def _usual_size(self, num_rows: int | None = None) -> int:
        """The default size, held inside what the other arguments allow; without rows, any that they allow."""
        usual = 32 if num_rows is None else batching.default_batch_size(num_rows)
        return batching.within(usual, self.model_extra or {})


class Loss(_Section):
    """Which loss, when not the task's own, and how much label smoothing."""

    name: LossName | None = None
    label_smoothing: Share = 0.0


class Regularization(_Section):
    """λ₁ and λ₂ of J = J₁ + λ₁‖θ‖₁ + ½λ₂‖θ‖²; biases and normalisation parameters are left out."""

    l1: Strength = 0.0
    l2: Strength = 0.0


class Data(_Section):
    """How rows reach the training: ``workers`` processes read a dataset ahead; 0 reads it in the training's own.

    The result is the same for any number of them.
    """

    workers: Annotated[int, Field(ge=0)] = 0


class Stopping(_Section):
    """Stop when the validation objective has not improved for ``patience``, a share of the horizon; 0 never stops."""

    patience: Share = 0.0


class Recipe(BaseModel):
    """Every choice of one training.

    Args:
        optimizer: see ``Optimizer``; likewise ``schedule``, ``batch``, ``loss``, ``regularization``, ``data``,
            ``stopping``.
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
    data: Data = Data()
    stopping: Stopping = Stopping()
    model: dict[str, Any] = {}

    @field_validator("model", mode="before")
    @classmethod
    def _plain_arguments(cls, given: Any) -> Any:
        return (
            {key: _plain(f"model.{key}", value) for key, value in given.items()} if isinstance(given, dict) else given
        )

    def __init__(self, **sections: Any) -> None:
        # pydantic's way in; overridden so that its report becomes our one line
        try:
            super().__init__(**sections)
        except ValidationError as error:
            raise RecipeError(_one_line(error)) from None

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

    def complete(self, num_rows: int) -> Recipe:
        """The recipe with every default written out, for a training on ``num_rows`` rows."""
        sections: dict[str, Any] = self.model_dump(exclude_none=True)
        sections["optimizer"] = self.optimizer.complete().model_dump(exclude_none=True)
        sections["batch"] = self.batch.complete(num_rows).model_dump(exclude_none=True)
        return Recipe(**sections)

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


def takes(optimizer: str, key: str) -> bool:
    """Whether an optimizer takes a recipe key; keys of other sections have nothing to do with it.

    >>> takes("sgd", "optimizer.momentum"), takes("adamw", "optimizer.momentum"), takes("adamw", "batch.size")
    (True, False, True)
    """
    section, _, name = key.partition(".")
    return section != "optimizer" or name in {"name", "learning_rate", "weight_decay", *_ARGUMENTS[optimizer]}


def parse_value(text: str) -> Any:
    """A value as TOML would read it, or the text itself.

    >>> parse_value("1e-3"), parse_value(".5"), parse_value("true"), parse_value("adamw")
    (0.001, 0.5, True, 'adamw')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)  # ".5" and "1.", which TOML does not know
    except ValueError:
        return text


def _plain(name: str, value: Any) -> Any:
    """A value that TOML and JSON can hold; NumPy's numbers become Python's."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(f"{name}.{key}", item) for key, item in value.items()}
    if not isinstance(value, bool | int | float | str):
        raise ValueError(
            f"{name} is {value!r}; a model argument must be a number, a text, true or false, or a list of those: "
            "name other things and look them up in the builder"
        )
    return value


_SECTIONS: dict[str, type[BaseModel]] = {
    "optimizer": Optimizer,
    "schedule": Schedule,
    "batch": Batch,
    "loss": Loss,
    "regularization": Regularization,
    "data": Data,
    "stopping": Stopping,
}


def _one_line(error: ValidationError) -> str:
    """The first of pydantic's complaints in one line: what came, what is allowed."""
    first, *others = error.errors()
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(others)} more)" if others else ""
    return f"{_complaint(where, first)}{more}"


def _complaint(where: str, report: Any) -> str:
    kind, given = report["type"], report["input"]
    section, _, key = where.partition(".")
    if kind == "extra_forbidden" and not key:
        return f'there is no section "{section}"; {nearest(section, Recipe.model_fields)}'
    if kind == "extra_forbidden":
        return f'there is no key "{where}"; {nearest(key, _SECTIONS[section].model_fields)}'
    if kind == "literal_error":
        allowed = _literals(_SECTIONS[section].model_fields[key].annotation)
        return f'{where} is "{given}", which does not exist; {nearest(given, allowed)}'
    if kind == "value_error":
        return str(report["ctx"]["error"])
    rule = report["msg"].removeprefix("Input ")
    return f"{where} is {given!r}: it {rule}"


def _literals(annotation: Any) -> list[str]:
    """The strings that a Literal, or an optional one, allows."""
    names: list[str] = []
    for argument in get_args(annotation):
        names.extend([argument] if isinstance(argument, str) else _literals(argument))
    return names
