"""The global random streams that user code may draw from, kept apart for every run.

Surefoot draws from named streams of its own. Dropout, an augmentation or a model builder draws from the global ones,
so each run brings its own states of them and leaves the caller's untouched.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

__all__ = ["RandomState", "drawing_from", "isolated"]


@dataclass
class RandomState:
    """The states of Python's, NumPy's and PyTorch's global generators; ``torch_cuda`` are those of GPUs, or of MPS."""

    python: Any
    numpy: Any
    torch_cpu: torch.Tensor
    torch_cuda: list[torch.Tensor]

    @classmethod
    def capture(cls) -> RandomState:
        """The states as they are now."""
        numpy_state = np.random.get_state()  # noqa: NPY002 - the caller's
        return cls(random.getstate(), numpy_state, torch.get_rng_state(), _device_states())

    @classmethod
    def seeded(cls, seed: int) -> RandomState:
        """The states that a seed gives; the current ones stay."""
        before = cls.capture()
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 - user code may draw from it
            # without an accelerator its own generator is all there is, in a hundredth of the time
            (torch if torch.accelerator.is_available() else torch.default_generator).manual_seed(seed)
            return cls.capture()
        finally:
            before.apply()

    def copy(self) -> RandomState:
        """The same states, with memory of their own."""
        cuda = [value.clone() for value in self.torch_cuda]
        return RandomState(self.python, self.numpy, self.torch_cpu.clone(), cuda)

    def apply(self) -> None:
        """Put the states into the generators."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002 - the caller's
        torch.set_rng_state(self.torch_cpu)
        _set_device_states(self.torch_cuda)

    def to_json(self) -> dict[str, Any]:
        """Python's and NumPy's states as plain values; PyTorch's are tensors and travel as such."""
        name, keys, position, has_gauss, gauss = self.numpy
        version, internal, following = self.python
        return {
            "python": [version, list(internal), following],
            "numpy": [name, keys.tolist(), position, has_gauss, gauss],
        }

    @classmethod
    def from_json(
        cls, value: dict[str, Any], *, torch_cpu: torch.Tensor, torch_cuda: list[torch.Tensor]
    ) -> RandomState:
        """The states that ``to_json`` and the tensors describe."""
        version, internal, following = value["python"]
        name, keys, position, has_gauss, gauss = value["numpy"]
        numpy_state = (name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss)
        return cls((version, tuple(internal), following), numpy_state, torch_cpu, torch_cuda)


def _device_states() -> list[torch.Tensor]:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch leaves it unannotated
        return torch.cuda.get_rng_state_all()
    return [torch.mps.get_rng_state()] if torch.backends.mps.is_available() else []


def _set_device_states(states: list[torch.Tensor]) -> None:
    """Put back what this machine has a generator for: a checkpoint may come from one with more GPUs, or with some."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch leaves it unannotated
        torch.cuda.set_rng_state_all(states[: torch.cuda.device_count()])
    elif states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states[0])


@contextlib.contextmanager
def isolated(state: RandomState) -> Iterator[None]:
    """A block that draws from ``state`` and leaves it where the block ended; the caller's streams do not move."""
    before = RandomState.capture()
    state.apply()
    try:
        yield
    finally:
        after = RandomState.capture()
        state.python, state.numpy = after.python, after.numpy
        state.torch_cpu, state.torch_cuda = after.torch_cpu, after.torch_cuda
        before.apply()


@contextlib.contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """A block whose draws on the CPU begin from ``seed``; the streams around it do not move.

    Devices are left alone: worker processes cannot use them, and asking for their states would wait for them.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - the caller's
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - user code may draw from it
        torch.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 - the caller's
        torch.set_rng_state(before[2])
