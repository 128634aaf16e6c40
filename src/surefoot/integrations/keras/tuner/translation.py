"""Between a HyperModel's values and a recipe: both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.integrations.keras.tuner.exploring import Explored, explore
from surefoot.integrations.keras.tuner.hyperparameters import Parameter, dimension_of
from surefoot.integrations.keras.tuner.looking import Builder, Look, builder_of
from surefoot.integrations.keras.tuner.roles import EPOCHS, Role, roles_of
from surefoot.space import Choice, Dimension, Integer, Log, Uniform, samples, when

__all__ = ["Translation", "model_builder"]


def model_builder(hypermodel: Any, *, hyperparameters: Any = None, rows: tuple[Any, Any] = (None, None)) -> Translation:
    """A HyperModel as this door's ``fit`` and ``surefoot.load`` take a model: ``builder(**arguments)``.

    Its arguments are those in the ``model`` section of the recipe that a search found.

    Args:
        hypermodel: ``build_model(hp)``, or an instance of ``keras_tuner.HyperModel``.
        hyperparameters: those that the search was given, if any.
        rows: a few, (x, y), where ``HyperModel.fit`` looks at them.

    Raises:
        RequestError: it fails, or declares what no search can follow.

    >>> import keras
    >>> def build_model(hp):
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 2, 8))])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> model_builder(build_model)(units=5).layers[0].units
    5
    """
    builder = builder_of(hypermodel, fixed=hyperparameters, rows=rows)
    explored = explore(builder)
    return Translation(builder, explored, roles_of(explored, builder.look))


@dataclass(frozen=True)
class Translation:
    """A HyperModel as a model builder with arguments, and its space in a recipe's words.

    Attributes:
        builder: of the HyperModel.
        explored: its parameters.
        roles: those of them that set the training.
    """

    builder: Builder
    explored: Explored
    roles: tuple[Role, ...]

    @property
    def arguments(self) -> dict[str, Parameter]:
        """The parameters that the model itself hangs on, by the names of its arguments."""
        special, of_fit = {role.parameter.key for role in self.roles}, self.explored.first.of_fit
        return {one.key: one for one in self.explored.parameters if one.key not in special and one.name not in of_fit}

    @property
    def unused(self) -> tuple[str, ...]:
        """Parameters of ``HyperModel.fit`` that change nothing a search knows; they keep their defaults."""
        known = {role.parameter.key for role in self.roles} | set(self.arguments)
        return tuple(one.key for one in self.explored.parameters if one.key not in known)

    @property
    def space(self) -> dict[str, Dimension]:
        """What may vary, by recipe key, each within the range that the user declared."""
        own = {role.key: (role.parameter, role.dimension) for role in self.roles if role.key != EPOCHS}
        own |= {f"model.{key}": (one, dimension_of(one.declared)) for key, one in self.arguments.items()}
        plain = {key: dimension for key, (_, dimension) in own.items() if dimension is not None}
        return {key: self._conditioned(own[key][0], dimension, plain) for key, dimension in plain.items()}

    @property
    def settled(self) -> dict[str, Any]:
        """What the HyperModel says of its training without a parameter for it, by recipe key."""
        settings, moving = self.explored.first.settings, {role.key for role in self.roles}
        return {key: value for key, value in settings.items() if key not in moving and key != EPOCHS}

    def epochs(self, given: float | None) -> float | None:
        """The horizon: what was asked for, else the most that ``HyperModel.fit`` trains for."""
        role = next((role for role in self.roles if role.key == EPOCHS), None)
        if given is not None or role is None:
            return given or self.explored.first.settings.get(EPOCHS)
        dimension = role.dimension
        return None if dimension is None else float(max(samples(dimension)))

    def __call__(self, **arguments: Any) -> Any:
        """A fresh compiled model; without an argument a parameter has its default."""
        values: dict[str, Any] = {}
        for key, parameter in self.arguments.items():  # parents before children
            if key in arguments and parameter.is_active(values):
                values[parameter.name] = arguments[key]
        return self.builder.build(values)[0]

    def look(self, recipe: Mapping[str, Any], *, epochs: float) -> Look:
        """The HyperModel built for a complete recipe's values, its container holding those that it asked for.

        Args:
            recipe: as a record holds it.
            epochs: of the run.
        """
        values: dict[str, Any] = {}
        sections = {name: section for name, section in recipe.items() if isinstance(section, Mapping)}
        settings = {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
        settings[EPOCHS] = round(epochs)
        by_key = {role.parameter.key: role for role in self.roles}
        for parameter in self.explored.parameters:
            role = by_key.get(parameter.key)
            setting = settings.get(f"model.{parameter.key}" if role is None else role.key)
            if setting is not None and parameter.is_active(values):
                value = setting if role is None else role.value(_within(role.dimension, setting))
                values[parameter.name] = value
        return self.builder.look(values)

    def _conditioned(self, parameter: Parameter, dimension: Dimension, varied: Mapping[str, Dimension]) -> Dimension:
        """The dimension under the innermost of its conditions; those further out lie on the parent."""
        if not parameter.declared.conditions or not isinstance(dimension, Log | Uniform | Integer | Choice):
            return dimension
        condition = parameter.declared.conditions[-1]
        role = next((role for role in self.roles if role.parameter.name == condition.name), None)
        key = f"model.{condition.name}" if role is None else role.key
        if key not in varied:
            return dimension
        values = condition.values if role is None else [role.setting(value) for value in condition.values]
        return when(dimension, key, *values)


def _within(dimension: Dimension | None, setting: Any) -> Any:
    return setting if dimension is None else dimension.clip(setting)
