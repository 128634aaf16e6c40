"""How a HyperModel's own ``fit`` would train, found by calling it with a model that does not train."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from surefoot.errors import RequestError, TaskError, raised_at

__all__ = ["how_it_fits"]

EPOCHS = 1
# What model.fit may be given without anything being lost: a search looks, stops and shuffles in its own way.
_OWN = frozenset(
    {"self", "x", "y", "validation_data", "verbose", "callbacks", "shuffle", "epochs", "batch_size",
     "validation_freq", "validation_batch_size"}
)  # fmt: skip
_INSTEAD = "; a search cannot follow that: SurefootTuner leaves the training to it"


def how_it_fits(
    hypermodel: Any, asked: Any, model: Any, rows: tuple[Any, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What an overridden ``HyperModel.fit`` sets, by recipe key, and what of it a search does in its own way.

    Args:
        hypermodel: the user's.
        asked: the container of hyperparameters, which ``fit`` may ask for more.
        model: built; it is not trained.
        rows: a few, (x, y).

    Raises:
        RequestError: it fails, or trains in a way that no search can follow.
    """
    x, y = rows
    calls = _Calls()
    with _Replaced(model, {"fit": calls.fit, **dict.fromkeys(("evaluate", "predict", "train_on_batch"), _stop)}):
        try:
            hypermodel.fit(asked, model, x, y, validation_data=(x, y), epochs=EPOCHS, callbacks=[])
        except _Enough:
            pass
        except Exception as error:
            if not calls.made:  # what it does with the history of a training that did not happen may well fail
                raise TaskError(f"HyperModel.fit failed at {raised_at(error)}") from error
    return calls.settings(x, y)


class _Enough(BaseException):
    """What has to be known is known; no training begins."""


def _stop(*args: Any, **kwargs: Any) -> Any:
    del args, kwargs
    raise _Enough


class _Calls:
    """Stands in for ``model.fit`` and remembers how it was called."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(keras.Model.fit).bind(None, *args, **kwargs)
        self.made.append(dict(bound.arguments))
        if len(self.made) > 1:
            raise _Enough
        history = keras.callbacks.History()
        history.history = {"loss": [0.0], "val_loss": [0.0]}
        return history

    def settings(self, x: Any, y: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What the call sets, by recipe key, and what of it a search leaves aside.

        Raises:
            RequestError: it trains in a way that no search can follow.
        """
        if len(self.made) != 1:
            how = "trains without model.fit" if not self.made else "calls model.fit more than once"
            raise RequestError(f"HyperModel.fit {how}{_INSTEAD}")
        (call,) = self.made
        if call.get("x") is not x or call.get("y") is not y:
            raise RequestError(f"HyperModel.fit trains on other rows than it was given{_INSTEAD}")
        lost = sorted(name for name, value in call.items() if name not in _OWN and value is not None)
        if lost:
            raise RequestError(f"HyperModel.fit gives {', '.join(lost)} to model.fit{_INSTEAD}")
        found = {} if call.get("batch_size") is None else {"batch.size": int(call["batch_size"])}
        if call.get("epochs", EPOCHS) != EPOCHS:
            found["epochs"] = int(call["epochs"])
        ignored = [type(one).__name__ for one in call.get("callbacks") or ()]
        return found, tuple(ignored + (["shuffle"] if "shuffle" in call else []))


class _Replaced:
    """A block in which some methods of an object are others."""

    def __init__(self, model: Any, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._model, self._methods = model, methods

    def __enter__(self) -> None:
        for name, method in self._methods.items():
            object.__setattr__(self._model, name, method)

    def __exit__(self, *error: object) -> None:
        for name in self._methods:
            object.__delattr__(self._model, name)
