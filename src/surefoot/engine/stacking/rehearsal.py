"""A rehearsal before runs are stacked: the first batch through the stack, and through every model by itself."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from surefoot.engine.dropout import stream_of
from surefoot.engine.memory import is_out_of_memory
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.stacking.member import Member
from surefoot.engine.stacking.pack import Pack
from surefoot.engine.threads import limited_threads
from surefoot.errors import SurefootError, UnsupportedError

__all__ = ["rehearse"]

# How far the two may be apart, relative to their norm: more than convolutions in TF32 differ by the order of their
# sums, far less than by a wrong mask or a shared statistic.
TOLERANCE = 1e-2


class _Outcome(NamedTuple):
    """What a batch did to one member, before the optimizer."""

    loss: Tensor
    gradient: Tensor
    buffers: dict[str, Tensor]
    stream: Tensor


def rehearse(pack: Pack) -> None:
    """See that a stack does to its members what a training does to each alone; nothing is changed by it.

    Raises:
        UnsupportedError: the model cannot be stacked, or is another one in a stack.
        RuntimeError: memory ran out.
    """
    size = min(pack.members[0].batch_size, pack.rows.num_rows)
    batch = pack.rows.batch(0, size)
    with isolated(RandomState.capture()), limited_threads(to_one=pack.is_single_threaded):
        alone = [
            _alone(pack, member, tuple(values[index] for values in batch), size)
            for index, member in enumerate(pack.members)
        ]
        together = _together(pack, batch)
    if not all(_is_same(*pair) for pair in zip(together, alone, strict=True)):
        raise UnsupportedError(
            "this model cannot be stacked: the first batch does something else to it in a stack than alone"
        )


def _together(pack: Pack, batch: tuple[Tensor, ...]) -> list[_Outcome]:
    with _restored(pack), warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*performance drop.*")
        drawn = _drawn()
        try:
            found, gradients = pack.gradients(batch)
        except SurefootError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise UnsupportedError(f"this model cannot be stacked: {_line(error)}") from error
        if drawn != _drawn():
            raise UnsupportedError("this model cannot be stacked: it draws from Python's or NumPy's random stream")
        streams = pack.masks.states()
        return [
            _Outcome(
                found.plain[index],
                gradients[index].clone(),
                {name: value[index].clone() for name, value in pack.model.buffers.items()},
                streams[index],
            )
            for index in range(len(pack.members))
        ]


def _alone(pack: Pack, member: Member, batch: tuple[Tensor, ...], size: int) -> _Outcome:
    model = member.model
    named = dict(model.named_parameters())
    with _restored(pack), isolated(member.random.copy()):
        model.train()
        found = member.objective(model, batch, size)
        parameters = [named[name] for name in pack.columns.places]
        gradients = torch.autograd.grad(found.training, parameters, allow_unused=True)
        for name, gradient in zip(pack.columns.places, gradients, strict=True):
            if gradient is None:
                raise UnsupportedError(f'this model cannot be stacked: "{name}" takes no part in the loss')
        row = torch.cat([gradient.flatten() for gradient in gradients])
        buffers = {name: value.detach().clone() for name, value in model.named_buffers()}
        return _Outcome(found.plain.detach(), row, buffers, stream_of(row.device))


@contextlib.contextmanager
def _restored(pack: Pack) -> Iterator[None]:
    """A block after which streams and buffers are as before it."""
    streams, buffers = pack.masks.states(), {name: value.clone() for name, value in pack.model.buffers.items()}
    try:
        yield
    finally:
        pack.masks.put_back(streams)
        for name, value in buffers.items():
            pack.model.buffers[name].copy_(value)


def _is_same(one: _Outcome, other: _Outcome) -> bool:
    if not torch.isfinite(other.loss):
        return True
    pairs = [(one.loss, other.loss), (one.gradient, other.gradient)]
    pairs += [(value, other.buffers[name]) for name, value in one.buffers.items()]
    return all(_are_close(*pair) for pair in pairs) and torch.equal(one.stream, other.stream)


def _are_close(one: Tensor, other: Tensor) -> bool:
    one, other = one.double(), other.double()
    return bool((one - other).norm() <= TOLERANCE * other.norm() + torch.finfo(torch.float32).eps)


def _drawn() -> tuple[Any, ...]:
    """Where Python's and NumPy's streams stand."""
    state: Any = np.random.get_state()  # noqa: NPY002 - what a model may draw from
    return random.getstate(), state[1].tolist(), state[2:]


def _line(error: Exception) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + " …"
