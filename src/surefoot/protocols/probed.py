"""What probes may ask of a trainable, each a capability of its own."""

from __future__ import annotations

import contextlib
from typing import NamedTuple, Protocol, runtime_checkable

from surefoot.batching import NoiseSample

__all__ = ["Curved", "Eigenvalue", "KnowsFixedLoss", "LooksAtNoise", "RatePerStep", "StepCost", "TellsCost"]


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
