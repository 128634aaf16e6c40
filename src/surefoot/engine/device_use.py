"""How busy the device was while something ran."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import torch
from torch import nn

__all__ = ["DeviceUse"]

# Seconds between two questions to the driver of a GPU, which itself averages over a sixth of a second or more.
EVERY = 0.1


class DeviceUse:
    """A block over which the use of a model's device is measured.

    On a CPU it is this process's processor time, as a share of the threads that PyTorch may use. On CUDA it is the mean
    of what the driver tells, which needs the package nvidia-ml-py.

    Args:
        model: whose device counts.

    Attributes:
        share: from 0 to 1 once the block has ended; None where it cannot be told.
    """

    def __init__(self, model: nn.Module) -> None:
        self.share: float | None = None
        self._device = next(model.parameters()).device
        self._told: list[float] = []
        self._ended = threading.Event()
        self._asking = threading.Thread(target=self._ask, daemon=True) if self._device.type == "cuda" else None

    def __enter__(self) -> Self:
        self._started, self._worked = time.perf_counter(), time.process_time()
        if self._asking is not None:
            self._asking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds, worked = time.perf_counter() - self._started, time.process_time() - self._worked
        if self._asking is not None:
            self._ended.set()
            self._asking.join()
            self.share = sum(self._told) / len(self._told) / 100.0 if self._told else None
        elif self._device.type == "cpu":
            self.share = min(1.0, worked / seconds / torch.get_num_threads()) if seconds > 0 else None

    def _ask(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                self._told.append(float(torch.cuda.utilization(self._device)))
            except (ModuleNotFoundError, RuntimeError):  # nvidia-ml-py is not there, or the driver does not tell
                return
