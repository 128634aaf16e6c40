"""Units that training left at zero, taken out of a model: it is smaller and gives the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from surefoot.engine.network.pruning import unit_groups, weights_of
from surefoot.engine.network.resizing import set_tensors
from surefoot.engine.network.wiring import ITS_OUTPUT, Chain, Wiring, wiring_of

__all__ = ["Removal", "remove_units", "zeros_note"]

MOST_TOLD = 3
# Sums over fewer numbers end in other last digits.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@dataclass(frozen=True)
class Removal:
    """What was taken out.

    Attributes:
        note: it in one line.
        resized: the names of the layers that have other sizes now.
    """

    note: str
    resized: tuple[str, ...] = field(default=())


@torch.no_grad()
def remove_units(model: nn.Module, forward: Callable[[nn.Module], Tensor], *, asked: float) -> Removal:
    """Take every unit out of a model that is zero whatever comes in, in place.

    It is tried on a copy first. Where the copy's outputs are not the model's, or nothing is known of the paths behind a
    layer, the zeros stay, and the note says why.

    Args:
        model: with the weights to use, in evaluation mode.
        forward: a model's outputs on some rows.
        asked: the share of units that was to go.
    """
    wiring = wiring_of(model)
    before, gone, of = _count(model), *_units(model, wiring)
    if not gone:
        return Removal(
            f"pruning: no unit is zero (asked: {100 * asked:g} %): the training ended before network.pruning_begin, or "
            "no layer has so many units that one of them is as much"
        )
    share = f"{100 * gone / of:.3g} % of the units of {_layers(model, wiring)} are zero (asked: {100 * asked:g} %)"
    if not wiring.chains:
        why = wiring.reason or "; ".join(f"{name}: {reason}" for name, reason in _inner(wiring).items())
        return Removal(f"pruning: {share} and stay in the model, which is as large as before: {why}")
    trial = copy.deepcopy(model)
    resized = _cut(trial, wiring)
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose 10 bits differ from size to size
            is_same = _agree(forward(trial), forward(model))
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):  # its forward pass counts on its sizes
        is_same = False
    if not is_same:
        return Removal(f"pruning: {share} and stay in the model: without them it does not give the same")
    _cut(model, wiring)
    size = f"{before:,} parameters before, {_count(model):,} after"
    left = "".join(f"; {name} stays whole: {reason}" for name, reason in _inner(wiring).items())
    return Removal(f"pruning: {share} and were taken out: {size}; it gives the same as with them{left}", resized)


@torch.no_grad()
def zeros_note(model: nn.Module, *, asked: float) -> str:
    """How many of the weights that may go one by one are zero."""
    named = dict(model.named_parameters())
    weights = [named[name] for name in weights_of(model)]
    zeros, of = sum(int((value == 0).sum()) for value in weights), sum(value.numel() for value in weights)
    share = f"{100 * zeros / of:.3g} % of {of:,} weights are zero (asked: {100 * asked:g} %)"
    return (
        f"pruning: {share}, each by itself; the model takes as much room and time as before unless what runs it makes "
        "use of zeros"
    )


def _inner(wiring: Wiring) -> dict[str, str]:
    """Why layers that are not the last keep their units: the first few of them."""
    inner = [(name, reason) for name, reason in wiring.kept.items() if reason != ITS_OUTPUT]
    return dict(inner[:MOST_TOLD])


def _count(model: nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


def _units(model: nn.Module, wiring: Wiring) -> tuple[int, int]:
    """How many units are zero, and of how many."""
    named = dict(model.named_parameters())
    alive = [named[name].flatten(1).any(dim=1) for name in unit_groups(model, wiring)]
    return sum(int((~each).sum()) for each in alive), sum(len(each) for each in alive)


def _layers(model: nn.Module, wiring: Wiring) -> str:
    number = len(unit_groups(model, wiring))
    return "1 layer" if number == 1 else f"{number} layers"


def _cut(model: nn.Module, wiring: Wiring) -> tuple[str, ...]:
    """Take the units out; the names of the layers that changed."""
    modules = dict(model.named_modules())
    living = {chain.producer: _living(modules, chain) for chain in wiring.chains}
    resized: list[str] = []
    for chain in wiring.chains:
        alive = living[chain.producer]
        if bool(alive.all()):
            continue
        keep = alive.nonzero().flatten()
        for name in (chain.producer, *chain.norms):
            own = {key: value for key, value in modules[name].state_dict().items() if value.ndim}
            set_tensors(modules[name], {key: value[keep].clone() for key, value in own.items()})
        for name, columns in chain.consumers:
            weight = modules[name].weight
            assert isinstance(weight, Tensor)
            by_unit = weight.detach().reshape(len(weight), len(alive), columns, *weight.shape[2:])[:, keep]
            set_tensors(modules[name], {"weight": by_unit.flatten(1, 2).clone()})
        resized += [chain.producer, *chain.norms, *(name for name, _ in chain.consumers)]
    return tuple(dict.fromkeys(resized))


def _living(modules: dict[str, nn.Module], chain: Chain) -> Tensor:
    """Which units can give something else than zero; at least one."""
    names = [(chain.producer, key) for key in ("weight", "bias")]
    names += [(norm, key) for norm in chain.norms for key in ("weight", "bias")]
    found = [getattr(modules[name], key) for name, key in names]
    alive = torch.stack(
        [value.flatten(1).any(dim=1) if value.ndim > 1 else value != 0 for value in found if value is not None]
    )
    living: Tensor = alive.any(dim=0)
    if not bool(living.any()):
        living[0] = True
    return living


def _agree(found: Tensor, wanted: Tensor) -> bool:
    tolerance = _TOLERANCE.get(wanted.dtype, 1e-2)
    return found.shape == wanted.shape and torch.allclose(found, wanted, rtol=tolerance, atol=tolerance)
