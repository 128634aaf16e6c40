"""The top of the Hessian's spectrum of the loss that a step descends.

A product with the Hessian is a backward pass through the gradient (Pearlmutter 1994). The gradient's graph is built
once and kept for all products, so they see the same dropout masks and the same batch statistics, and the model may be
anything that can be differentiated twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn.attention import SDPBackend, sdpa_kernel

from surefoot import seeds
from surefoot.engine.measuring.lanczos import Ritz, largest_eigenvalue
from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.objective import Objective
from surefoot.engine.proximal import divisor
from surefoot.engine.slicing import part_of
from surefoot.errors import TaskError
from surefoot.protocols import Eigenvalue

__all__ = ["Hessian", "top_eigenvalue"]

# A residual of so much of the value leaves it off by 0.5 % at most, a fifth of the products earlier than a hundredth
# does (measured: see docs/log.md, 2026-11-21).
TOLERANCE = 0.03


def top_eigenvalue(
    model: nn.Module,
    optimizer: optim.Optimizer,
    objective: Objective,
    batch: Any,
    count: int,
    *,
    max_products: int,
    preconditioned: bool,
    seed: int,
) -> Eigenvalue | None:
    """The largest eigenvalue of the Hessian of a batch's loss, without penalties; buffers are as before afterwards.

    A model in training mode is measured in it: batch normalisation uses the batch's statistics, dropout one mask.

    Args:
        model: in the mode it trains in.
        optimizer: of the model, made by ``optimizers.build``. Where parameters have a rate of their own, a multiple r
            of the step's, the Hessian is that of θ/√r: what steps of one rate see.
        objective: the loss of a batch.
        batch: of ``count`` rows, on the model's device. Where it does not fit in memory its first rows have to do.
        count: its rows.
        max_products: at least 1.
        preconditioned: of D^-1/2 H D^-1/2, D what the optimizer divides a gradient by (Cohen et al. 2022,
            arXiv:2207.14484); a parameter that had no gradient yet counts with D = 1.
        seed: of the vector that the search begins from.

    Returns:
        None when the optimizer divides by nothing yet.

    Raises:
        TaskError: the loss cannot be differentiated twice.
        OutOfRoom: a single row does not fit in memory.
    """
    scales = _scales(optimizer, preconditioned=preconditioned)
    if scales is None:
        return None
    rows = count
    while True:
        part = batch if rows == count else part_of(batch, 0, rows, count=count)
        try:
            with _twice_differentiable(model), _same_buffers(model):
                found = _searched(optimizer, objective(model, part, rows).training, scales, max_products, seed)
            return Eigenvalue(*found, rows=rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if rows == 1:
            raise OutOfRoom("the curvature over a single row does not fit in memory")
        make_room()
        rows = (rows + 1) // 2


def _searched(
    optimizer: optim.Optimizer, loss: Tensor, scales: Sequence[Tensor | float], max_products: int, seed: int
) -> Ritz:
    """The search over one graph, which ends with it."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    drawn = seeds.stream(seed, "sharpness").standard_normal(sum(parameter.numel() for parameter in parameters))
    kind = torch.promote_types(parameters[0].dtype, torch.float32)
    start = torch.from_numpy(drawn).to(parameters[0].device, kind)
    hessian = Hessian(loss, parameters, scales)
    return largest_eigenvalue(hessian, start, max_products=max_products, tolerance=TOLERANCE)


class Hessian:
    """v -> S H S v over all parameters as one vector; it holds the graph of the loss and of its gradient.

    Args:
        loss: a scalar.
        parameters: what it is differentiated by.
        scales: S, a factor for each of them, as a number or in its shape.

    Raises:
        TaskError: the loss cannot be differentiated twice.
    """

    def __init__(self, loss: Tensor, parameters: Sequence[nn.Parameter], scales: Sequence[Tensor | float]) -> None:
        self._parameters, self._scales = parameters, scales
        with _explained():
            found = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        curved = [value is not None and value.requires_grad for value in found]
        self._places = [place for place, is_curved in enumerate(curved) if is_curved]
        self._gradients = [found[place] for place in self._places]
        _require_whole(self._gradients)

    def __call__(self, vector: Tensor) -> Tensor:
        """The product with a vector of all parameters' elements in their order."""
        if not self._gradients:
            return torch.zeros_like(vector)
        pieces = torch.split(vector, [parameter.numel() for parameter in self._parameters])
        scaled = [
            (piece.view_as(parameter) * scale).to(parameter.dtype)
            for piece, parameter, scale in zip(pieces, self._parameters, self._scales, strict=True)
        ]
        with _explained():
            found = torch.autograd.grad(
                self._gradients,
                self._parameters,
                [scaled[place] for place in self._places],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        flat = [(value * scale).reshape(-1) for value, scale in zip(found, self._scales, strict=True)]
        return torch.cat(flat).to(vector.dtype)


def _scales(optimizer: optim.Optimizer, *, preconditioned: bool) -> list[Tensor | float] | None:
    """√(r/D) for each parameter; None where D is wanted and the optimizer has none for any."""
    scales: list[Tensor | float] = []
    is_known = False
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            below = divisor(group, optimizer.state.get(parameter, {})) if preconditioned else None
            is_known = is_known or below is not None
            multiplier = float(group.get("rate_multiplier", 1.0))
            scales.append(multiplier**0.5 if below is None else (multiplier / below).sqrt())
    return scales if is_known or not preconditioned else None


@contextlib.contextmanager
def _twice_differentiable(model: nn.Module) -> Iterator[None]:
    """A block in which PyTorch takes kernels whose backward pass can be differentiated.

    Those of fused attention cannot, nor those of cuDNN for recurrent layers.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


@contextlib.contextmanager
def _same_buffers(model: nn.Module) -> Iterator[None]:
    """A block after which the buffers are as before, also on an exception; inside it batch statistics may move."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def _require_whole(gradients: Sequence[Tensor]) -> None:
    """Refuse a gradient that an autograd.Function marked once_differentiable has a part in.

    PyTorch cuts the graph there, and what lies behind would count as flat without an error.
    """
    waiting: list[Any] = [gradient.grad_fn for gradient in gradients]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node.name() == "torch::autograd::Error":
            raise TaskError("the training loss cannot be differentiated twice: a part of it is once_differentiable")
        fresh = {following for following, _ in node.next_functions if following is not None} - seen
        seen |= fresh
        waiting.extend(fresh)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """A block of differentiation that says in one line why it cannot be done."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0]
        raise TaskError(f"the training loss cannot be differentiated twice: {first}") from error
