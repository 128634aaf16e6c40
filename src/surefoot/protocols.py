"""The seams of the house: what the tuner, the probes and the training loop ask of a framework, and what they tell.

``Trainable`` is a small core with optional capabilities. Whoever needs a capability asks with ``isinstance`` and says
"not supported by ..." when it is absent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from surefoot.batching import NoiseSample
from surefoot.recipe import Recipe
from surefoot.records import Change, Evaluation, Objective, RangeTest, Run

__all__ = [
    "Advance",
    "Candidate",
    "Curved",
    "Eigenvalue",
    "HoldsWorkers",
    "KnowsFixedLoss",
    "LooksAtNoise",
    "Observer",
    "Problem",
    "RatePerStep",
    "Silent",
    "Split",
    "Steered",
    "StepCost",
    "TellsCost",
    "Together",
    "Trainable",
    "TrainableFactory",
]

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Candidate:
    """A run to be made: a complete recipe at a share of the horizon.

    Attributes:
        number: its place in the study, from 0.
        name: what reports call it.
        stage: the step of the ladder it belongs to, or "fit".
        share: of the task's horizon, in (0, 1].
        recipe: complete, with nothing left to a default.
        seed: of everything random in the run.
        coordinates: where the search believes it to be: optimizer, rate, decay.
    """

    number: int
    name: str
    stage: str
    share: float
    recipe: Recipe
    seed: int
    coordinates: dict[str, Any] = field(default_factory=dict)


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
class RatePerStep(Protocol):
    """A trainable whose learning rate can be set for one step: what a range test needs."""

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step and give back the loss before it; not-a-number when the step failed."""
        ...

    def restored(self) -> contextlib.AbstractContextManager[None]:
        """A block after which everything is as before it, also on an exception."""
        ...


class StepCost(NamedTuple):
    """What one optimizer step took.

    Attributes:
        seconds: from its rows to its new weights, with all of the device's work done.
        peak_bytes: most memory in use during it: weights, gradients, optimizer state and what the backward pass keeps;
            None where it cannot be told.
    """

    seconds: float
    peak_bytes: int | None = None


class Eigenvalue(NamedTuple):
    """The top of a Hessian's spectrum.

    Attributes:
        value: the largest (most positive) eigenvalue.
        residual: ‖Hv − value·v‖ for a unit v; how far it may be off.
        products: Hessian-vector products that it took.
        rows: rows of the batch it is the Hessian of.
    """

    value: float
    residual: float
    products: int
    rows: int


@runtime_checkable
class KnowsFixedLoss(Protocol):
    """A trainable that can tell its loss on the same rows again and again, without the noise of batches."""

    def fixed_loss(self, num_rows: int) -> float:
        """The mean loss over fixed rows that are not trained on, as many as asked for or as there are.

        Dropout is off, batch normalisation takes the statistics of these rows, and nothing is changed by it. Forward
        passes only; not-a-number when the rows do not fit in memory.
        """
        ...


@runtime_checkable
class LooksAtNoise(Protocol):
    """A trainable that can look at the noise in a step's gradients."""

    def look_at(self, learning_rate: float, *, batch_size: int) -> tuple[float, NoiseSample | None]:
        """Take one step as ``RatePerStep.step_at`` does; the loss before it, and what its rows' gradients showed.

        The look is None where the batch has too few rows for one.
        """
        ...


@runtime_checkable
class TellsCost(Protocol):
    """A trainable whose steps can be weighed."""

    @property
    def device(self) -> str:
        """Where it trains, as a person would say it."""
        ...

    def step_cost(self, *, batch_size: int, with_memory: bool) -> StepCost | None:
        """Take one step at a rate near 0 and weigh it; None when it does not fit in memory.

        Weighing the memory may slow the step: its seconds then do not count.
        """
        ...


@runtime_checkable
class Curved(Protocol):
    """A trainable that can multiply with its loss's Hessian."""

    def top_eigenvalue(self, *, batch_size: int, max_products: int, preconditioned: bool) -> Eigenvalue | None:
        """The largest eigenvalue at the weights as they are, over the next ``batch_size`` rows.

        Args:
            batch_size: rows of the batch, at most.
            max_products: Hessian-vector products it may take.
            preconditioned: of D^-1/2 H D^-1/2 with D = √v̂ + ε of the optimizer's own second moments.

        Returns:
            None when the moments are not there yet, and nothing ran; a value that is not finite tells what it cost.

        Raises:
            TaskError: the loss cannot be differentiated twice, or not within the memory there is.
        """
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


class Problem(Protocol):
    """What a framework needs to know of a task.

    A part is a pair of arrays (inputs, targets) of equal length, a triple with sample weights, or a map-style
    dataset of such pairs or triples.
    """

    @property
    def model(self) -> Callable[..., Any]:
        """``model(**arguments)`` builds a fresh model."""
        ...

    @property
    def train(self) -> Any:
        """The rows to learn from."""
        ...

    @property
    def validation(self) -> Any:
        """The rows to choose by."""
        ...

    @property
    def test(self) -> Any:
        """The rows to report on, looked at once; or None."""
        ...

    @property
    def loss(self) -> str | Callable[[Any, Any], Any] | None:
        """A name, ``loss(output, target) -> scalar``, or None where ``step`` stands."""
        ...

    @property
    def step(self) -> Callable[[Any, Any], Any] | None:
        """``step(model, batch) -> loss`` or ``(loss, weight)``, instead of a loss."""
        ...

    @property
    def epochs(self) -> float:
        """The horizon in passes over the training rows."""
        ...

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        ...

    @property
    def score(self) -> Callable[[Any, Any], Any] | None:
        """The user's own ``score(output, target)`` that the objective names, or None."""
        ...

    @property
    def target_scale(self) -> float:
        """The unit of a standardised regression target, 1 otherwise."""
        ...


class TrainableFactory(Protocol):
    """Makes runs of one task: the tuner's only way to a framework."""

    @property
    def num_rows(self) -> int:
        """Rows of the training part."""
        ...

    @property
    def training_samples(self) -> int:
        """Samples of one training: epochs × rows."""
        ...

    @property
    def fingerprint(self) -> str:
        """Something that differs for other training data."""
        ...

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        ...

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> Trainable:
        """A fresh run of a complete recipe over ``share`` of the task's horizon."""
        ...


class Observer(Protocol):
    """Hears what happens while it happens; it decides nothing."""

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        ...

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended; ``spent`` is the price so far in trainings."""
        ...

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on from ``samples``."""
        ...

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at; ``spent`` is the price so far in trainings."""
        ...

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        ...


class Silent:
    """An observer that says nothing; a base for one of your own that hears only some of it."""

    def probing(self, optimizer: str) -> None:
        """Say nothing."""

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """Say nothing."""

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """Say nothing."""

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """Say nothing."""

    def finished(self, run: Run, *, spent: float) -> None:
        """Say nothing."""


class Together:
    """Several observers as one: each hears everything, in their order.

    Args:
        observers: those that there are; None is left out.
    """

    def __init__(self, *observers: Observer | None) -> None:
        self._observers = [observer for observer in observers if observer is not None]

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        for observer in self._observers:
            observer.probing(optimizer)

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended."""
        for observer in self._observers:
            observer.probed(test, spent=spent)

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on from ``samples``."""
        for observer in self._observers:
            observer.started(candidate, samples=samples, horizon=horizon)

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        for observer in self._observers:
            observer.evaluated(candidate, evaluation, spent=spent)

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        for observer in self._observers:
            observer.finished(run, spent=spent)
