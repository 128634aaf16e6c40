"""The optimizer of stacked models: penalties, clipping, decay and the update of all members, each with its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn, optim

from surefoot.engine import optimizers
from surefoot.engine.penalties import Group, Penalties
from surefoot.engine.stacking.model import Columns
from surefoot.engine.stacking.rules import RULES, Memory
from surefoot.steering import Settings

__all__ = ["Mate", "StackedOptimizer", "segments"]


class Mate(NamedTuple):
    """A member as its optimizer sees it.

    Attributes:
        model: whose parameters are a row of the stack.
        optimizer: made by ``optimizers.build``; its groups are those of ``penalties``.
        penalties: on the parameters.
        max_gradient_norm: longer gradients are scaled down to it; None leaves them.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    penalties: Penalties
    max_gradient_norm: float | None


class Segment(NamedTuple):
    """Parameters that share a group in every member.

    Attributes:
        names: of the parameters.
        indices: of the group, a member each.
    """

    names: list[str]
    indices: tuple[int, ...]


def segments(mates: Sequence[Mate]) -> list[Segment]:
    """The members' trainable parameters, those that are held alike in every member together."""
    of_mates = [
        {name: index for index, group in enumerate(mate.penalties.groups) for name in group.parameters}
        for mate in mates
    ]
    found: dict[tuple[int, ...], list[str]] = {}
    for name in of_mates[0]:
        found.setdefault(tuple(indices[name] for indices in of_mates), []).append(name)
    return [Segment(names, indices) for indices, names in found.items()]


class StackedOptimizer:
    """Takes steps with the weights of all members.

    Args:
        mates: the members.
        parts: their segments, in the order of the columns.
        columns: where each parameter lies in a row.
        weights: (members, columns), written in place.
    """

    def __init__(self, mates: Sequence[Mate], parts: Sequence[Segment], columns: Columns, weights: Tensor) -> None:
        self._mates, self._weights = mates, weights
        memory = Memory([mate.model for mate in mates], [mate.optimizer for mate in mates], columns, weights)
        self._column = memory.column
        self._parts = [
            (part, slice(columns.places[part.names[0]].start, columns.places[part.names[-1]].stop)) for part in parts
        ]
        self._rule = RULES[type(mates[0].optimizer)](memory)
        self._penalties = [
            (place, self._numbers(part, lambda group: group.l1), self._numbers(part, lambda group: group.l2))
            for part, place in self._parts
        ]
        self._limits = self._gradient_limits()
        self._multipliers = self._rate_multipliers()
        self._rest: list[tuple[float | None, ...]] | None = None
        self._decays: list[tuple[slice, list[float]]] = []

    def step(self, gradient: Tensor, settings: Sequence[Settings]) -> None:
        """One step of every member, whose gradient may be written into."""
        rest: list[tuple[float | None, ...]] = [one[1:] for one in settings]
        if rest != self._rest:
            self._read(settings)
            self._rest = rest
        rates = [one.learning_rate for one in settings]
        self._add_penalties(gradient)
        if self._limits is not None:
            norms = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient.mul_((self._limits / (norms + 1e-6)).clamp_max(1.0))
        for place, decays in self._decays:
            if self._rule.is_decoupled:
                kept = [1.0 - rate * decay for rate, decay in zip(rates, decays, strict=True)]
                self._weights[:, place].mul_(self._column(kept))
            else:
                gradient[:, place].addcmul_(self._weights[:, place], self._column(decays))
        self._rule.step(self._weights, gradient, rates, self._multipliers)

    def _read(self, settings: Sequence[Settings]) -> None:
        """Write the settings into the members' own optimizers, and take from there what holds for this step."""
        for mate, one in zip(self._mates, settings, strict=True):
            optimizers.set_knobs(mate.optimizer, **one._asdict())
        self._rule.read()
        self._decays = []
        for part, place in self._parts:
            groups = [mate.optimizer.param_groups[index] for mate, index in zip(self._mates, part.indices, strict=True)]
            # a decoupled decay goes with the group's own rate
            factors = [group.get("rate_multiplier", 1.0) if self._rule.is_decoupled else 1.0 for group in groups]
            decays = [group["weight_decay"] * factor for group, factor in zip(groups, factors, strict=True)]
            if any(decays):
                self._decays.append((place, decays))

    def _add_penalties(self, gradient: Tensor) -> None:
        """The gradient of λ₁‖θ‖₁ + ½λ₂‖θ‖²."""
        for place, l1, l2 in self._penalties:
            if l1 is not None:
                gradient[:, place].addcmul_(self._weights[:, place].sign(), l1)
            if l2 is not None:
                gradient[:, place].addcmul_(self._weights[:, place], l2)

    def _numbers(self, part: Segment, number: Callable[[Group], float]) -> Tensor | None:
        """A number a member for a segment; None where it is 0 for all."""
        pairs = zip(self._mates, part.indices, strict=True)
        values = [number(mate.penalties.groups[index]) for mate, index in pairs]
        return self._column(values) if any(values) else None

    def _gradient_limits(self) -> Tensor | None:
        limits = [mate.max_gradient_norm for mate in self._mates]
        if all(limit is None for limit in limits):
            return None
        largest = torch.finfo(self._weights.dtype).max  # so that no gradient is beyond it
        return self._column([largest if limit is None else limit for limit in limits])

    def _rate_multipliers(self) -> Tensor | None:
        """What the rates are multiplied by, a column each; None where that is 1."""
        found = torch.ones_like(self._weights)
        for part, place in self._parts:
            pairs = zip(self._mates, part.indices, strict=True)
            found[:, place] = self._column([mate.penalties.groups[index].rate_multiplier for mate, index in pairs])
        return None if bool((found == 1.0).all()) else found
