"""Which hyperparameters set the training itself: the rate, the batch, the decay; told by what they do, not by names.

A parameter that is moved alone between two builds, and with which a setting of the compiled optimizer or of the call of
``model.fit`` moves, is that setting. One that moves none of them is an argument of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import RequestError
from surefoot.integrations.keras.settings import OPTIMIZERS
from surefoot.integrations.keras.tuner.exploring import Explored, Variation
from surefoot.integrations.keras.tuner.hyperparameters import Parameter, dimension_of, values_of
from surefoot.integrations.keras.tuner.looking import Look
from surefoot.space import Choice, Dimension

__all__ = ["EPOCHS", "Role", "roles_of"]

NAME, EPOCHS = "optimizer.name", "epochs"
# A parameter that moves several settings is the first of these; what follows is any other, by name.
_FIRST = (NAME, "optimizer.learning_rate", "batch.size", EPOCHS, "optimizer.weight_decay", "optimizer.momentum")
FLOAT32 = 1e-6  # Keras keeps a rate in single precision


@dataclass(frozen=True)
class Role:
    """A parameter that sets the training.

    Attributes:
        parameter: the user's.
        key: the recipe's for it, or "epochs".
        settings: what each of its values sets, where that is not the value itself.
    """

    parameter: Parameter
    key: str
    settings: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> Dimension | None:
        """What a search may choose from; None where there is nothing to choose."""
        if not self.settings:
            return dimension_of(self.parameter.declared)
        options = tuple(dict.fromkeys(self.settings.values()))
        return Choice(options) if len(options) > 1 else None

    def setting(self, value: Any) -> Any:
        """What a value of the parameter sets."""
        return self.settings.get(value, value)

    def value(self, setting: Any) -> Any:
        """The value of the parameter that sets this."""
        if self.settings:
            return next(value for value, one in self.settings.items() if one == setting)
        return setting


def roles_of(explored: Explored, look: Callable[[Mapping[str, Any]], Look]) -> tuple[Role, ...]:
    """The parameters that set the training, and what each value sets.

    Args:
        explored: the HyperModel.
        look: builds once more, where what a parameter sets is not its own value.

    Raises:
        RequestError: no search can follow what a parameter sets.
    """
    found = []
    for parameter in explored.parameters:
        own = [one for one in explored.variations if one.parameter == parameter]
        key = _key(own)
        if key is not None:
            settings = {} if key != NAME and _is_itself(own, key) else _settings(own[0], key, look)
            found.append(Role(parameter, key, settings))
    _require_one_each(found)
    _require_free(found, explored.parameters)
    for role in found:
        if role.key == NAME:
            _require_optimizers(role)
    return tuple(found)


def _key(variations: Sequence[Variation]) -> str | None:
    """The setting that moves with a parameter; None where none does."""
    moved = {
        key
        for one in variations
        for key in {*one.before.settings, *one.after.settings}
        if not _is_equal(one.before.settings.get(key), one.after.settings.get(key)) and not _is_anothers(one, key)
    }
    itself = [key for key in moved if NAME not in moved and _is_itself(variations, key)]
    order = sorted(itself or moved, key=lambda key: (_FIRST.index(key) if key in _FIRST else len(_FIRST), key))
    return order[0] if order else None


def _is_anothers(variation: Variation, key: str) -> bool:
    """Whether a setting moved because another parameter came or went with this one, and was that one's value."""
    before, after = variation.before, variation.after
    came = [value for name, value in after.values.items() if name not in before.values]
    went = [value for name, value in before.values.items() if name not in after.values]
    return any(_is_equal(after.settings.get(key), value) for value in came) or any(
        _is_equal(before.settings.get(key), value) for value in went
    )


def _is_itself(variations: Sequence[Variation], key: str) -> bool:
    """Whether the setting is the parameter's own value in every build."""
    return all(
        _is_equal(look.settings.get(key), look.values.get(one.parameter.name))
        for one in variations
        for look in (one.before, one.after)
    )


def _is_equal(one: Any, other: Any) -> bool:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)):
        return math.isclose(one, other, rel_tol=FLOAT32)
    return type(one) is type(other) and bool(one == other)


def _settings(variation: Variation, key: str, look: Callable[[Mapping[str, Any]], Look]) -> dict[Any, Any]:
    """What each value of a parameter sets; of an open range, ten values."""
    parameter, values = variation.parameter, variation.before.values
    options = values_of(parameter.declared) or sorted(parameter.declared.values)
    found = {option: look({**values, parameter.name: option}).settings.get(key) for option in options}
    return {option: _rounded(setting) for option, setting in found.items() if setting is not None}


def _rounded(setting: Any) -> Any:
    """Without the digits that single precision has made up."""
    return float(f"{setting:.6g}") if isinstance(setting, float) else setting


def _require_one_each(roles: Sequence[Role]) -> None:
    for index, role in enumerate(roles):
        for other in roles[:index]:
            if other.key == role.key:
                raise RequestError(
                    f'"{other.parameter.key}" and "{role.parameter.key}" both set {role.key}; a search has one range '
                    "for it: declare one parameter, or use SurefootTuner"
                )


def _require_free(roles: Sequence[Role], parameters: Sequence[Parameter]) -> None:
    """Raise where an argument of the model hangs on what sets the training, which its builder is not told."""
    setting = {role.parameter.name: role.key for role in roles}
    for parameter in parameters:
        is_argument = all(parameter != role.parameter for role in roles)
        names = [one.name for one in parameter.declared.conditions if one.name in setting]
        if is_argument and names:
            raise RequestError(
                f'"{parameter.key}" hangs on "{names[0]}", which sets {setting[names[0]]}; a search follows conditions '
                "between a model's own arguments: use SurefootTuner"
            )


def _require_optimizers(role: Role) -> None:
    for value, name in role.settings.items():
        if name not in OPTIMIZERS:
            raise RequestError(
                f'"{role.parameter.key}"={value!r} compiles {name}, which a search does not train with; it does with '
                f"{', '.join(OPTIMIZERS)}"
            )
    if len(set(role.settings.values())) < len(role.settings):
        same = [value for value, name in role.settings.items() if list(role.settings.values()).count(name) > 1]
        raise RequestError(
            f'"{role.parameter.key}" offers {" and ".join(map(repr, same))}, which are one optimizer to a search: '
            "keep one of them"
        )
