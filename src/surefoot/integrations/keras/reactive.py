"""The schedules that react, as a callback: reduce on plateau, and reduce then raise."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras

from surefoot import schedules
from surefoot.errors import RequestError, nearest
from surefoot.integrations.keras.moving import current_rate, movable
from surefoot.integrations.keras.optimizers import PyTorchOptimizer
from surefoot.schedules import PlateauState

__all__ = ["ReactiveRate", "monitored"]


class ReactiveRate(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Moves the learning rate by what an epoch showed; its memory outlives a ``fit``.

    In place of Keras's ``ReduceLROnPlateau``, which forgets its best value and its wait whenever ``fit`` is called and
    whenever a model is loaded. Lengths such as ``patience`` count epochs, over all fits together; one meaning of
    patience for every framework stands in docs/schedules.md. The rate is multiplied, so it may be another callback's or
    your own between two epochs.

    The memory is kept in the callback, and in the optimizer where that is one of ours: then it is saved with the model,
    and a callback that is new on a loaded model goes on from there. With an optimizer of Keras's own keep
    ``state_dict()`` yourself.

    Args:
        schedule: ``surefoot.schedules.plateau(...)`` or ``reduce_then_raise(...)``, lengths in epochs.
        monitor: what is watched, a name of the epoch's logs.
        mode: whether less ("min") or more ("max") of it is better; "auto" is more for accuracies and the like.

    Attributes:
        reasons: a line for every change so far, since this callback was made.

    >>> from surefoot import schedules
    >>> callback = ReactiveRate(schedules.plateau(factor=0.5, patience=3), monitor="val_loss")
    >>> callback.state_dict()["multiplier"]
    1.0
    """

    def __init__(
        self, schedule: Any, *, monitor: str = "val_loss", mode: Literal["auto", "min", "max"] = "auto"
    ) -> None:
        super().__init__()
        if not isinstance(schedule, schedules.plateau | schedules.reduce_then_raise):
            raise RequestError(
                f"schedule must be schedules.plateau(...) or schedules.reduce_then_raise(...), not {schedule!r}; one "
                "that needs no watching is a ScheduledRate"
            )
        if mode not in ("auto", "min", "max"):
            raise RequestError(f'mode is "{mode}"; {nearest(mode, ("auto", "min", "max"))}')
        self._schedule, self._monitor = schedule, monitor
        self._sign = -1.0 if mode == "max" or (mode == "auto" and _more_is_better(monitor)) else 1.0
        self._state, self._epochs = schedule.init(), 0
        self.reasons: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        """Everything that it remembers, as plain values."""
        return {"epochs": self._epochs, **self._state.to_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was called."""
        kept = dict(state)
        self._epochs = int(kept.pop("epochs"))
        self._state = PlateauState.from_dict(kept)

    def on_train_begin(self, logs: Any = None) -> None:
        """Take up what a loaded model brings, where this callback has seen nothing yet."""
        optimizer = movable(self.model.optimizer)
        if isinstance(optimizer, PyTorchOptimizer) and not self._epochs and self._key in optimizer.notes:
            self.load_state_dict(optimizer.notes[self._key])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hear the epoch's value, and set the rate of the next."""
        value = monitored(self._monitor, logs)
        before, optimizer = self._state.multiplier, movable(self.model.optimizer)
        self._state, decision = self._schedule.update(self._state, self._sign * value, position=float(self._epochs))
        self._epochs += 1
        if decision.multiplier != before:
            rate = current_rate(optimizer) * decision.multiplier / before
            optimizer.learning_rate = rate
            self.reasons.append(f"epoch {self._epochs}: {decision.action} to a rate of {rate:.3g}: {decision.reason}")
        if isinstance(optimizer, PyTorchOptimizer):
            optimizer.note(self._key, self.state_dict())

    @property
    def _key(self) -> str:
        return f"ReactiveRate:{self._monitor}"


def monitored(name: str, logs: dict[str, Any] | None) -> float:
    """A value of an epoch's logs.

    Raises:
        RequestError: it is not there.
    """
    if name not in (logs or {}):
        hint = "; val_... needs validation_data" if name.startswith("val_") else ""
        raise RequestError(f'monitor is "{name}", which the epoch did not log{hint}; {nearest(name, logs or {})}')
    value = (logs or {})[name]
    return float(value) if value is not None else math.nan


def _more_is_better(monitor: str) -> bool:
    """What Keras's own callbacks take for better when more."""
    return any(word in monitor for word in ("acc", "auc", "f1", "precision", "recall", "r2"))
