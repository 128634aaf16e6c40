"""One build of a HyperModel: which hyperparameters it asked for, and what it set its training to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import keras_tuner

from surefoot.errors import RequestError, TaskError, raised_at
from surefoot.integrations.keras.settings import optimizer_section
from surefoot.integrations.keras.tuner.fit_call import how_it_fits
from surefoot.integrations.keras.tuner.hyperparameters import Watching

__all__ = ["Builder", "Look", "builder_of"]

# What HyperModel.fit sees of the rows: it is asked how it would train, and does not train.
FEW_ROWS = 32
# Keras's optimizers by the names they are searched under: its Adam has a decoupled decay, as AdamW has.
_NAMES = {
    "SGD": "sgd",
    "Adam": "adamw",
    "AdamW": "adamw",
    "Nadam": "nadamw",
    "RMSprop": "rmsprop",
    "Adagrad": "adagrad",
}


@dataclass(frozen=True)
class Look:
    """What one build showed.

    Attributes:
        asked: the container after it; its values are those of the parameters that are active.
        settings: by recipe key, and "epochs", what the parameters have set the training to.
        ignored: what ``HyperModel.fit`` gives to ``model.fit`` that a search does in its own way.
        of_fit: the parameters that were asked for by ``HyperModel.fit`` alone.
    """

    asked: Watching
    settings: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    of_fit: frozenset[str] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """Of the parameters that this build asked for and that are active."""
        return dict(self.asked.values)


@dataclass(frozen=True)
class Builder:
    """Builds a HyperModel for given values.

    Attributes:
        hypermodel: the user's, its ``build`` and its ``fit``.
        fixed: hyperparameters that override those of the same name, or None.
        rows: a few, (x, y), to ask an overridden ``fit`` with.
    """

    hypermodel: Any
    fixed: Any = None
    rows: tuple[Any, Any] = (None, None)

    @property
    def has_own_fit(self) -> bool:
        """Whether the HyperModel trains in a way of its own."""
        return type(self.hypermodel).fit is not keras_tuner.HyperModel.fit

    def build(self, values: Mapping[str, Any]) -> tuple[Any, Watching]:
        """A fresh model, and the container that was asked.

        Raises:
            RequestError: the HyperModel fails, or declares what no search can follow.
        """
        asked = Watching(values, fixed=self.fixed)
        try:
            self.hypermodel.declare_hyperparameters(asked)
            model = self.hypermodel.build(asked)
        except RequestError:
            raise
        except Exception as error:
            shown = ", ".join(f"{name}={value!r}" for name, value in values.items()) or "its defaults"
            raise TaskError(f"the HyperModel failed with {shown} at {raised_at(error)}") from error
        if not isinstance(model, keras.Model):
            raise TaskError(f"the HyperModel must return a keras.Model, not {type(model).__name__}")
        return model, asked

    def look(self, values: Mapping[str, Any]) -> Look:
        """Build once, and see what the model was compiled with and how it would be trained."""
        model, asked = self.build(values)
        of_build = {one.name for one in asked.space}
        given, ignored = dict[str, Any](), tuple[str, ...]()
        if self.has_own_fit:
            given, ignored = how_it_fits(self.hypermodel, asked, model, self.rows)
        known = {one.name for one in asked.space if asked.is_active(one)}
        asked.values = {name: value for name, value in asked.values.items() if name in known}
        of_fit = frozenset(one.name for one in asked.space) - of_build
        return Look(asked, {**_compiled(model), **given}, ignored, of_fit)


def builder_of(hypermodel: Any, *, fixed: Any = None, rows: tuple[Any, Any]) -> Builder:
    """The builder of what a person calls a HyperModel: an instance, or ``build_model(hp)``.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(hypermodel, type):
        raise RequestError(f"hypermodel is the class {hypermodel.__name__}; give an instance: {hypermodel.__name__}()")
    if isinstance(hypermodel, keras.Model) or not (
        isinstance(hypermodel, keras_tuner.HyperModel) or callable(hypermodel)
    ):
        raise RequestError(
            f"hypermodel must be a function build(hp) that returns a compiled model, or a keras_tuner.HyperModel, not "
            f"a {type(hypermodel).__name__}"
        )
    if fixed is not None and not isinstance(fixed, keras_tuner.HyperParameters):
        raise RequestError(f"hyperparameters must be keras_tuner.HyperParameters, not {type(fixed).__name__}")
    if not isinstance(hypermodel, keras_tuner.HyperModel):
        hypermodel = _of_function(hypermodel)
    return Builder(hypermodel, fixed, _few(rows))


def _few(rows: tuple[Any, Any]) -> tuple[Any, Any]:
    found: tuple[Any, Any] = keras.tree.map_structure(lambda one: None if one is None else one[:FEW_ROWS], rows)
    return found


def _of_function(build: Callable[[Any], Any]) -> Any:
    found = keras_tuner.HyperModel()
    found.build = build
    return found


def _compiled(model: Any) -> dict[str, Any]:
    """The settings of a model's optimizer, by recipe key."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    section, _ = optimizer_section(optimizer)
    name = _NAMES.get(type(optimizer).__name__, type(optimizer).__name__)
    rate = float(optimizer.learning_rate)
    found = {**section, "name": name, "learning_rate": rate}
    return {f"optimizer.{key}": value for key, value in found.items()}
