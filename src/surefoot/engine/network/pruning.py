"""Weights that go to zero and stay there, more and more of them along a training.

The share that is gone follows Zhu and Gupta 2017, arXiv:1710.01878, equation 1. Which weights go is PyTorch's own
``torch.nn.utils.prune``; its masks are computed here and applied after every step, instead of being hung into the
modules, so that parameters keep their names and stay the ones that the optimizer knows.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, prune

from surefoot.engine.network.wiring import CONVOLUTIONS, Wiring, wiring_of
from surefoot.errors import TaskError
from surefoot.recipe import Network

__all__ = ["NUM_CUTS", "Pruning", "share_removed"]

# Cuts between the begin and the end. The first of n takes 1 − (1 − 1/n)³ of all that will go: 14 % with 20.
NUM_CUTS = 20
_LAYERS = (nn.Linear, *CONVOLUTIONS, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.RNNBase)


def share_removed(cut: int, final: float) -> float:
    """s_f·(1 − (1 − cut/n)³): the share that is gone after a cut (Zhu and Gupta 2017, equation 1, with s_i = 0).

    >>> [round(share_removed(cut, 0.8), 3) for cut in (0, 1, 10, 20)]
    [0.0, 0.114, 0.7, 0.8]
    """
    return final * (1.0 - (1.0 - cut / NUM_CUTS) ** 3)


class Pruning:
    """The masks of a training.

    Args:
        model: that is trained.
        settings: complete, with a pruning.
        horizon: samples of the training.

    Raises:
        TaskError: nothing in the model can be pruned.
    """

    def __init__(self, model: nn.Module, settings: Network, *, horizon: int) -> None:
        assert settings.sparsity is not None, "the recipe is complete"
        assert settings.pruning_begin is not None and settings.pruning_end is not None, "the recipe is complete"
        self._final = settings.sparsity
        self._begin, self._end = settings.pruning_begin * horizon, settings.pruning_end * horizon
        self._parameters = dict(model.named_parameters())
        self._is_structured = settings.pruning == "structured"
        self._groups = unit_groups(model) if self._is_structured else dict.fromkeys(weights_of(model), ())
        if not self._groups:
            raise TaskError(
                f'network.pruning "{settings.pruning}" finds nothing to prune: it takes weights of dense layers and '
                'convolutions, and of units all but the last layer\'s; use "none"'
            )
        self._masks: dict[str, Tensor] = {}
        self._cut = 0

    @property
    def masks(self) -> dict[str, Tensor]:
        """By the parameter's name: 1 where a weight may be something else than 0; empty before the first cut."""
        return self._masks

    @torch.no_grad()
    def stepped(self, clock: int) -> bool:
        """Set to zero what is gone, after a step that ended at ``clock``; whether more is gone than before."""
        cut = _cut_at(clock, self._begin, self._end)
        has_grown = cut > self._cut
        if has_grown:
            self._cut = cut
            self._grow(share_removed(cut, self._final))
        if self._masks:
            torch._foreach_mul_([self._parameters[name] for name in self._masks], list(self._masks.values()))
        return has_grown

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Copies of the masks, and the rest as plain values."""
        return {name: mask.bool() for name, mask in self._masks.items()}, {"cut": self._cut}

    def load_parts(self, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
        """Take over what ``to_parts`` gave."""
        self._masks = {name: mask.to(self._parameters[name]) for name, mask in tensors.items()}
        self._cut = rest["cut"]

    def _grow(self, share: float) -> None:
        """Widen the masks to a share of all weights, or of the units of every layer."""
        if not self._masks:
            names = [name for layer, others in self._groups.items() for name in (layer, *others)]
            self._masks = {name: torch.ones_like(self._parameters[name]).detach() for name in names}
        if self._is_structured:
            for layer in self._groups:
                self._grow_units(layer, share)
        else:
            self._grow_everywhere(share)

    def _grow_everywhere(self, share: float) -> None:
        """The smallest weights of all layers together, as ``prune.global_unstructured`` takes them."""
        weights = parameters_to_vector([self._parameters[name] for name in self._masks])
        mask = parameters_to_vector(list(self._masks.values()))
        left = mask == 1
        more = round(share * len(mask)) - int((~left).sum())
        if more > 0:
            rest = weights[left]
            mask[left] = _mask(prune.L1Unstructured(more), rest)
        sizes = [value.numel() for value in self._masks.values()]
        for one, part in zip(self._masks.values(), torch.split(mask, sizes), strict=True):
            one.copy_(part.view_as(one))

    def _grow_units(self, layer: str, share: float) -> None:
        """The units of a layer with the smallest Euclidean norm, as ``prune.ln_structured`` takes them; one stays."""
        mask = self._masks[layer]
        left = mask.flatten(1).any(dim=1)
        more = min(round(share * len(left)), len(left) - 1) - int((~left).sum())
        if more <= 0:
            return
        rest = self._parameters[layer][left]
        left[left.clone()] = _mask(prune.LnStructured(more, n=2, dim=0), rest).flatten(1).any(dim=1)
        for name in (layer, *self._groups[layer]):
            one = self._masks[name]
            one.mul_(left.to(one.dtype).view(-1, *[1] * (one.ndim - 1)))


def _mask(method: prune.BasePruningMethod, values: Tensor) -> Tensor:
    """1 where a value stays and 0 where a method takes it."""
    found: Tensor = method.compute_mask(values, torch.ones_like(values))  # type: ignore[no-untyped-call] # torch's
    return found


def _cut_at(clock: int, begin: float, end: float) -> int:
    """How many cuts are due."""
    if clock >= end:
        return NUM_CUTS
    return max(0, math.floor(NUM_CUTS * (clock - begin) / (end - begin))) if clock > begin else 0


def weights_of(model: nn.Module) -> list[str]:
    """The names of all weights that may go one by one: of dense, convolutional and recurrent layers, not shared."""
    owners = Counter(id(value) for module in model.modules() for value in module.parameters(recurse=False))
    return [
        key
        for name, module in model.named_modules()
        if isinstance(module, _LAYERS)
        for key, value in module.named_parameters(prefix=name, recurse=False)
        if value.ndim >= 2 and value.requires_grad and owners[id(value)] == 1
    ]


def unit_groups(model: nn.Module, wiring: Wiring | None = None) -> dict[str, tuple[str, ...]]:
    """The weights whose rows are units that may go, each with the parameters that go along: biases and norms.

    Where the model is understood, those that can be taken out of it in the end; where nothing can, those of every layer
    but the last.
    """
    wiring = wiring_of(model) if wiring is None else wiring
    modules, named = dict(model.named_modules()), dict(model.named_parameters())
    behind = {chain.producer: chain.norms for chain in wiring.chains}
    if not behind:
        layers = [name for name, module in modules.items() if type(module) in (nn.Linear, *CONVOLUTIONS)]
        behind = dict.fromkeys(layers[:-1], ())
    groups = {}
    for layer, norms in behind.items():
        names = [f"{layer}.bias", *(f"{norm}.{key}" for norm in norms for key in ("weight", "bias"))]
        weight = f"{layer}.weight".removeprefix(".")
        if weight in named and named[weight].requires_grad:
            groups[weight] = tuple(name.removeprefix(".") for name in names if name.removeprefix(".") in named)
    return groups
