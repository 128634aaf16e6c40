"""A recipe in progress: what every framework's run can do, and what some can do while they train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from surefoot.records import Change

__all__ = ["Advance", "Certainty", "Finishes", "HoldsWorkers", "Split", "Steered", "TellsCertainty", "Trainable"]

Split = Literal["train", "validation", "test"]
"""The parts of a task's rows."""


@dataclass(frozen=True)
class Advance:
    """What a stretch of training did.

    Attributes:
        samples: samples that ran forward and backward.
        steps: optimizer steps.
        loss: mean loss over those samples, without penalties and smoothing; not-a-number when none ran.
        learning_rate: the rate of the last step.
        batch_size: what the policy asked for at the last step; the end of an epoch may have cut it.
        failure: "" or "diverged" or "out_of_memory"; the run cannot go on after either.
        weight: what the loss is a mean over; None is the samples.
        reason: what was seen, when there is a failure.
    """

    samples: int
    steps: int
    loss: float
    learning_rate: float
    batch_size: int
    failure: Literal["", "diverged", "out_of_memory"] = ""
    reason: str = ""
    weight: float | None = None


@dataclass(frozen=True)
class Certainty:
    """How far a look can be trusted.

    Attributes:
        rows: that were looked at.
        errors: the standard error of a metric, by its name without the part ("loss", "accuracy"), where it is known.
        any_label: the mean loss if every row's label were any of the classes with equal chance; None without classes.
    """

    rows: int
    errors: Mapping[str, float]
    any_label: float | None = None

    def cautious(self, loss: float) -> float:
        """The mean loss over these rows and one more whose label may be any of the classes.

        Laplace's rule of succession: a small part on which every row is right does not tell how often a row is wrong,
        and a wrong one costs an overconfident model dearly. With many rows it changes nothing.

        >>> Certainty(rows=30, errors={}, any_label=10.0).cautious(0.01)
        0.33225806451612905
        """
        return loss if self.any_label is None else (self.rows * loss + self.any_label) / (self.rows + 1)


class Trainable(Protocol):
    """One recipe in progress on one task, whatever the framework."""

    @property
    def samples_seen(self) -> int:
        """The clock: samples that ran forward and backward so far."""
        ...

    @property
    def horizon(self) -> int:
        """How many samples the whole schedule spans."""
        ...

    @property
    def model(self) -> Any:
        """The framework's own model."""
        ...

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so.

        ``should_stop`` is asked before every step.
        """
        ...

    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, named without the part ("loss", "accuracy"); {} when it has no rows."""
        ...

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        ...

    def recall_best(self) -> None:
        """Put the best weights back into the model."""
        ...

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs, and the caller's own ``progress``, whole or not at all."""
        ...

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        ...

    def save_weights(self, path: Path) -> None:
        """Write the model's weights as safetensors."""
        ...

    def load_weights(self, path: Path) -> None:
        """Read the model's weights from safetensors."""
        ...


@runtime_checkable
class Steered(Protocol):
    """A trainable whose settings move with what it sees, and that can go back and try again."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved so far, and why."""
        ...

    @property
    def noise_scale(self) -> float | None:
        """The noise scale in samples, where it is measured and finite."""
        ...

    @property
    def remark(self) -> str:
        """What a moving batch bought on this device, or ""."""
        ...

    def looked(self, value: float) -> None:
        """Hear the validation objective, for schedules and policies that react to it."""
        ...

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment, and the caller's own ``progress``, as one to go back to."""
        ...

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; its ``progress``, None when there is no mark."""
        ...


@runtime_checkable
class HoldsWorkers(Protocol):
    """A trainable with processes or the like beside it, which end when its training does."""

    def release(self) -> None:
        """End them; what still needs them starts them again."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """A trainable whose trained model is made ready for use, once, before it is measured and saved."""

    def finish(self) -> tuple[str, ...]:
        """Make it ready; what there is to say about it, in lines."""
        ...


@runtime_checkable
class TellsCertainty(Protocol):
    """A trainable that knows how far its looks at the validation data can be trusted."""

    @property
    def certainty(self) -> Certainty | None:
        """Of the latest look at the validation part; None before the first and where nothing is known."""
        ...
