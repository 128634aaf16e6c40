"""How a backend takes steps: the interface, and which implementation it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from surefoot.integrations.keras.network import Network
from surefoot.integrations.keras.rows import Part

__all__ = ["Steps", "is_out_of_memory", "open_steps"]


class Steps(Protocol):
    """Takes steps with a network on the rows of a training part that lie on its device."""

    def run(
        self, rows: npt.NDArray[np.int64], sizes: Sequence[int], knobs: npt.NDArray[np.float64], limit: float
    ) -> npt.NDArray[np.float64]:
        """Several steps; the loss before each, without penalties, of as many as ran.

        Args:
            rows: of all batches, one after the other.
            sizes: rows of each batch.
            knobs: of the optimizer, a line a step.
            limit: a loss above it, or one that is not finite, ends them.
        """
        ...

    def gradient(self, rows: npt.NDArray[np.int64], *, share: float, penalty_share: float) -> tuple[float, list[Any]]:
        """The loss of a part of a batch, and the gradient of ``share`` × it + ``penalty_share`` × the penalties.

        None stands for a variable that the loss does not depend on.
        """
        ...

    def apply(self, gradients: Sequence[Any], knobs: Sequence[float]) -> None:
        """One step with gradients that were added up."""
        ...

    def measure(self, part: Part, *, training: bool) -> tuple[float, Any]:
        """The mean loss of rows without penalties, and the model's outputs as arrays; ``training`` as Keras has it."""
        ...


def open_steps(network: Network, train: Part) -> Steps:
    """The implementation for the backend that Keras is set to.

    Raises:
        UnsupportedError: there is none for it.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from surefoot.integrations.keras.tensorflow_steps import TensorFlowSteps

        return TensorFlowSteps(network, train)
    if backend == "torch":
        from surefoot.integrations.keras.torch_steps import TorchSteps

        return TorchSteps(network, train)
    if backend == "jax":
        from surefoot.integrations.keras.jax_steps import JaxSteps

        return JaxSteps(network, train)
    from surefoot.errors import UnsupportedError

    raise UnsupportedError(f'Keras trains on "{backend}", which this door does not: set KERAS_BACKEND=tensorflow')


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of a backend says that memory ran out."""
    name, text = type(error).__name__, str(error)
    return (
        isinstance(error, MemoryError)
        or name in {"ResourceExhaustedError", "OutOfMemoryError"}
        or "RESOURCE_EXHAUSTED" in text
        or "out of memory" in text.lower()
        or "not enough memory" in text.lower()
    )
