"""What a form of a trained model costs and gives: bytes, milliseconds, quality on rows."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from surefoot.engine.export.exporting import OnnxModel, as_input, fused, on_the_cpu
from surefoot.engine.export.making import Making
from surefoot.engine.metrics import Gathering
from surefoot.engine.objective import Objective, loss_name, weights_of
from surefoot.engine.rows.data import as_rows
from surefoot.engine.rows.loading import EVALUATION_BATCH, in_order, open_loader
from surefoot.engine.snapshot import copy_state
from surefoot.protocols import Problem
from surefoot.recipe import Recipe

__all__ = ["Forms", "call_times", "quality", "using_threads"]

# A measured stretch of calls is at least this long: the clock and the caller cost about a microsecond.
SHORTEST_SECONDS = 0.002
WARM_UP_CALLS = 5


class Forms:
    """The forms that one trained module can be used in, each in CPU memory and with its file.

    Args:
        module: the trained one.
        dtype: of its input.
        folder: receives the files.
        num_threads: for ONNX Runtime, which keeps its own.
    """

    def __init__(self, module: nn.Module, dtype: str, folder: Path, *, num_threads: int) -> None:
        self._module, self._dtype, self._folder, self._threads = module, dtype, folder, num_threads
        self._making = Making(module, dtype, folder)
        self._onnx: Path | None = None

    def as_trained(self) -> tuple[nn.Module, int]:
        """The module as it is, and the bytes of its weights in a file."""
        module = on_the_cpu(self._module)
        return module, self._bytes(module)

    def fused(self) -> tuple[nn.Module, int] | None:
        """The module with batch normalisation folded in, None where there is nothing to fold."""
        module, count = fused(self._module)
        return (module, self._bytes(module)) if count else None

    def onnx(self, rows: Any) -> tuple[nn.Module, int]:
        """The module as ONNX, run by ONNX Runtime."""
        self._onnx = self._making.onnx(rows)
        return self._opened(self._onnx)

    def onnx_int8(self, rows: Any, calibration: Any) -> tuple[nn.Module, int]:
        """The module as ONNX in int8, its ranges from calibration rows."""
        if self._onnx is None:
            self.onnx(rows)
        assert self._onnx is not None
        return self._opened(self._making.int8(self._onnx, calibration))

    def rows(self, values: Any) -> Tensor:
        """Rows as the forms take them."""
        return as_input(values, self._dtype)

    def weights(self) -> tuple[int, float]:
        """How many parameters there are, and the share of zeros among those of matrices and kernels."""
        parameters = [parameter.detach() for parameter in self._module.parameters()]
        kernels = [parameter for parameter in parameters if parameter.ndim > 1]
        zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
        return sum(part.numel() for part in parameters), zeros / max(1, sum(part.numel() for part in kernels))

    def _opened(self, path: Path) -> tuple[nn.Module, int]:
        return OnnxModel(path, threads=self._threads), path.stat().st_size

    def _bytes(self, module: nn.Module) -> int:
        path = self._folder / "weights.safetensors"
        save_file(copy_state(module), path)
        return path.stat().st_size


@torch.inference_mode()
def call_times(modules: Mapping[str, nn.Module], batch: Tensor, *, repeats: int) -> dict[str, list[float]]:
    """Seconds a call of every module, ``repeats`` times, taken in turn so that what slows the machine slows all.

    Args:
        modules: by name.
        batch: what they are called with.
        repeats: measurements a module; each is a mean over as many calls as last two milliseconds.
    """
    calls = {name: _calls(module, batch) for name, module in modules.items()}
    times: dict[str, list[float]] = {name: [] for name in modules}
    names = list(modules)
    for repeat in range(repeats):
        turn = repeat % len(names)
        for name in (*names[turn:], *names[:turn]):
            module, count = modules[name], calls[name]
            started = time.perf_counter()
            for _ in itertools.repeat(None, count):
                module(batch)
            times[name].append((time.perf_counter() - started) / count)
    return times


def _calls(module: nn.Module, batch: Tensor) -> int:
    """How many calls last as long as can be measured, after some that warm up."""
    for _ in range(WARM_UP_CALLS):
        module(batch)
    started = time.perf_counter()
    module(batch)
    return max(1, math.ceil(SHORTEST_SECONDS / max(time.perf_counter() - started, 1e-9)))


@torch.no_grad()
def quality(module: nn.Module, problem: Problem, recipe: Recipe, part: Any) -> dict[str, float]:
    """The metrics of a form on a part of a task, as a training reports them."""
    rows = as_rows(part)
    objective = Objective.of(problem, recipe, as_rows(problem.train))
    score = problem.score
    gathering = Gathering(
        loss_name(problem, recipe),
        target_scale=problem.target_scale,
        score=(problem.score_name, score) if score else None,
    )
    loader = open_loader(rows, seed=0, plan=lambda _: 0, is_shuffled=False)
    for batch, count in in_order(loader, len(rows), EVALUATION_BATCH):
        found = objective(module, batch, count)
        gathering.add_loss(float(found.plain), found.plain_weight)
        if found.output is not None and found.target is not None:
            gathering.add_output(found.output, found.target, weights_of(batch))
    return gathering.metrics()


@contextlib.contextmanager
def using_threads(count: int) -> Iterator[None]:
    """A block in which PyTorch uses so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
