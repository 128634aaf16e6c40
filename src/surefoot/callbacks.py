"""Callbacks: functions of a user's own that hear every look at a run and may stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.errors import CallbackError, raised_at
from surefoot.records import Evaluation

__all__ = ["Callback", "Event", "ask", "is_by_callback", "require_callbacks"]


_BY_CALLBACK = "the callback "


@dataclass(frozen=True)
class Event:
    """What a callback hears at every look at a run, as a rule once an epoch.

    Attributes:
        run: what reports call it.
        epoch: passes over the training rows so far.
        samples: likewise, in samples; the clock of everything.
        horizon: samples of the whole run.
        train_loss: the mean over the batches since the look before, without penalties and smoothing.
        metrics: what was measured: "validation_loss", "validation_accuracy" and the like.
        learning_rate: of the last step.
        batch_size: of the last step.
        seconds: since the run began.
        noise_scale: S/‖G‖² in samples, where a measured batch policy looks at it and it is finite; else None.
        model: the framework's own model as it is now; read it, do not train it.
        history: every look at the run so far, this one last, those before a resume included.
    """

    run: str
    epoch: float
    samples: int
    horizon: int
    train_loss: float
    metrics: dict[str, float]
    learning_rate: float
    batch_size: int
    seconds: float
    noise_scale: float | None
    model: Any = field(repr=False)
    history: tuple[Evaluation, ...] = field(default=(), repr=False)

    @property
    def validation_loss(self) -> float:
        """The loss on the validation rows, without penalties and smoothing."""
        return self.metrics["validation_loss"]


Callback = Callable[[Event], Literal["stop"] | None]
"""A function of yours: it hears every look and may answer "stop", which ends the run and keeps its best weights."""


def require_callbacks(callbacks: Iterable[Callback]) -> tuple[Callback, ...]:
    """The callbacks as a tuple.

    Raises:
        CallbackError: one of them, or what should hold them, is something else.
    """
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise CallbackError(f"callbacks must be a list of functions, such as [on_epoch], not {callbacks!r}")
    found = tuple(callbacks)
    for callback in found:
        if not callable(callback):
            raise CallbackError(f"a callback must be a function of an event, not {callback!r}")
    return found


def ask(callbacks: Iterable[Callback], **look: Any) -> str:
    """Tell every callback of a look; why to stop, or "".

    Args:
        callbacks: asked in their order; after the first that wants to stop, no other is asked.
        look: the attributes of the event.

    Raises:
        CallbackError: a callback raised, or gave back what is no answer.
    """
    event = Event(**look)
    for callback in callbacks:
        name = getattr(callback, "__name__", type(callback).__name__)
        try:
            answer = callback(event)
        except Exception as error:
            raise CallbackError(f"the callback {name} failed at {raised_at(error)}") from error
        if answer == "stop":
            return f"{_BY_CALLBACK}{name} asked to stop at epoch {event.epoch:.2f}"
        if answer is not None:
            raise CallbackError(f'the callback {name} gave back {answer!r}; it may give back None, or "stop"')
    return ""


def is_by_callback(reason: str) -> bool:
    """Whether the reason why a run stopped is that a callback asked for it."""
    return reason.startswith(_BY_CALLBACK)
