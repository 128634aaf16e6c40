"""A model that is built and compiled for its device once, and on which many runs take turns.

Tracing a step costs half a second, which is what a whole short training of a small model takes. Runs whose models have
the same make therefore share one: whose turn it is has its weights in it, the others keep theirs as arrays.
"""

from __future__ import annotations

import contextlib
import json
import random
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np

from surefoot import seeds
from surefoot.errors import SurefootError, TaskError, raised_at
from surefoot.integrations.keras.compiled import require_compiled
from surefoot.integrations.keras.matching import require_inputs, require_targets
from surefoot.integrations.keras.network import Network, group_key
from surefoot.integrations.keras.rows import Part
from surefoot.integrations.keras.state import Values, put_back, take
from surefoot.integrations.keras.steps import open_steps
from surefoot.protocols import Problem
from surefoot.recipe import Recipe

__all__ = ["Bench", "Benches", "Guest", "build_model"]

# Models that are kept built, with what was traced for them: what a search goes on with is among the latest.
MOST_BENCHES = 8


class Guest(Protocol):
    """Who takes turns on a bench."""

    def leave(self) -> None:
        """Keep what the bench's variables hold: another one gets them."""
        ...


class Bench:
    """A network with its steps, and whose turn it is.

    Args:
        model: built and compiled.
        recipe: complete.
        train: the training rows.
    """

    def __init__(self, model: Any, recipe: Recipe, train: Part) -> None:
        self.network = Network(model, recipe)
        self.steps = open_steps(self.network, train)
        self.variables = self.network.variables
        self._fresh_optimizer = take(self.network.optimizer.variables)
        self._guest: weakref.ref[Any] | None = None

    @property
    def model_variables(self) -> list[Any]:
        """The model's own, without the optimizer's."""
        return [*self.network.trainable, *self.network.others]

    def start(self, model: Any, seed: int) -> Values | None:
        """What a run on a fresh model begins with; None when the model is of another make."""
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        draws = np.array([seeds.derive(seed, "draws") % 2**31, 0], dtype=self.network.draws.state.dtype)
        if _make_of(variables) != _make_of(self.model_variables[:-1]) or _layers_of(model) != _layers_of(
            self.network.model
        ):
            return None
        return [*take(variables), draws, *self._fresh_optimizer]

    def is_held_by(self, guest: Guest) -> bool:
        """Whether the variables hold what is a guest's."""
        return self._guest is not None and self._guest() is guest

    def hold(self, guest: Guest, values: Values) -> None:
        """Give the variables to a guest; who had them before keeps their values."""
        before = None if self._guest is None else self._guest()
        if before is not None and before is not guest:
            before.leave()
        put_back(self.variables, values)
        self._guest = weakref.ref(guest)


class Benches:
    """The benches of one task.

    Args:
        problem: the task.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._benches: OrderedDict[str, Bench] = OrderedDict()
        self._built: weakref.WeakSet[Any] = weakref.WeakSet()

    def find(self, recipe: Recipe, train: Part, *, seed: int) -> tuple[Bench, Values]:
        """A bench for a run of a recipe, and the values that the run begins with."""
        model = build_model(self._problem, recipe, train, seed=seed)
        if model in self._built:
            raise TaskError("the model builder returned the same model twice; build a fresh one at every call")
        self._built.add(model)
        key = json.dumps([recipe.model, group_key(recipe), id(train)], sort_keys=True, default=str)
        bench = self._benches.get(key)
        values = None if bench is None else bench.start(model, seed)
        if bench is None or values is None:
            _try_out(model, train)
            bench = Bench(model, recipe, train)
            values = bench.start(model, seed)
            assert values is not None, "it is this very model"
        self._benches[key] = bench
        self._benches.move_to_end(key)
        while len(self._benches) > MOST_BENCHES:
            self._benches.popitem(last=False)
        return bench, values

    def retire(self, bench: Bench) -> None:
        """Let nobody have a turn on a bench any more: its model is given away."""
        for key in [key for key, one in self._benches.items() if one is bench]:
            del self._benches[key]


def build_model(problem: Problem, recipe: Recipe, train: Part, *, seed: int) -> Any:
    """A fresh model with all of its weights, drawn from ``seed``.

    Raises:
        TaskError: the builder raises, or gives something else than a compiled model that takes these rows.
    """
    with _called("the model builder"), _seeded(seeds.derive(seed, "model")):
        model = problem.model(**recipe.model)
        require_compiled(model)
        require_inputs(model, "train", train.inputs)
        if not model.built or not model.weights:
            model(train.take(slice(1)).inputs)
    if not model.trainable_variables:
        raise TaskError("the model has no weights to train")
    return model


def _try_out(model: Any, train: Part) -> None:
    """Run a model and its loss once: what they make on their first call must be there before anything is traced."""
    few = train.take(slice(1))
    with _called("the model"):
        outputs = model(few.inputs)
        require_targets(model, "train", train.targets, outputs)
        loss = model.compute_loss(x=few.inputs, y=few.targets, y_pred=outputs, sample_weight=few.weights)
        model.compute_metrics(few.inputs, few.targets, outputs, sample_weight=few.weights)
        model.reset_metrics()
    if tuple(loss.shape):
        raise TaskError(f"the loss gives an array of shape {tuple(loss.shape)}; a batch needs one number: average it")


@contextlib.contextmanager
def _called(what: str) -> Iterator[None]:
    """A block that runs somebody else's code; what it raises becomes one line."""
    try:
        yield
    except SurefootError:
        raise
    except Exception as error:
        raise TaskError(f"{what} failed at {raised_at(error)}") from error


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """A block in which Python's and NumPy's global streams begin at ``seed``; Keras draws from the first."""
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002 - other people's code draws from it
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - likewise
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002 - likewise


def _make_of(variables: list[Any]) -> list[tuple[tuple[int, ...], str]]:
    return [(tuple(one.shape), str(one.dtype)) for one in variables]


def _layers_of(model: Any) -> list[tuple[type, str]]:
    """The layers and their settings, without the names that Keras numbers."""
    return [(type(layer), _settings_of(layer)) for layer in model._flatten_layers(include_self=False)]


def _settings_of(layer: Any) -> str:
    if isinstance(layer, keras.Model):
        return ""  # its layers are among the others
    try:
        config = layer.get_config()
    except NotImplementedError:  # Keras's answer for a layer of somebody's own whose arguments it cannot tell
        return f"like no other: {id(layer)}"
    return json.dumps(_unnamed(config), default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    """What JSON has no word for: arrays by their numbers, anything else by its kind."""
    return value.tolist() if isinstance(value, np.ndarray) else type(value).__name__


def _unnamed(config: Any) -> Any:
    if isinstance(config, dict):
        return {str(key): _unnamed(value) for key, value in config.items() if key != "name"}
    return [_unnamed(value) for value in config] if isinstance(config, list | tuple) else config
