"""The update rules of stacked optimizers: PyTorch's own, with every setting a column of numbers, one a member.

What an optimizer remembers of a member's parameters are rows of the stack, and views of them stand in the member's own
PyTorch optimizer: it may be saved, put back, or go on by itself like any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn, optim

from surefoot.engine.stacking.model import Columns

__all__ = ["RULES", "Memory", "Rule"]


class Memory:
    """What the members' optimizers remember.

    Args:
        models: of the members.
        optimizers: theirs.
        columns: where each parameter lies in a member's row.
        weights: the members' rows.
    """

    def __init__(
        self, models: Sequence[nn.Module], optimizers: Sequence[optim.Optimizer], columns: Columns, weights: Tensor
    ) -> None:
        self._models, self._optimizers, self._columns, self._weights = models, optimizers, columns, weights

    @property
    def groups(self) -> list[dict[str, Any]]:
        """A group of each member, for the settings that all of its groups share."""
        return [optimizer.param_groups[0] for optimizer in self._optimizers]

    def column(self, values: Sequence[float]) -> Tensor:
        """A number a member, to go with rows."""
        return torch.tensor(values, dtype=self._weights.dtype, device=self._weights.device).unsqueeze(1)

    def rows(self, name: str, *, of: str = "") -> Tensor:
        """What is remembered under a name, 0 at the beginning; nothing of a member whose setting ``of`` it is 0."""
        rows = torch.zeros_like(self._weights)
        for optimizer, views in self._members(rows):
            for parameter, view in views if not of or optimizer.param_groups[0][of] else ():
                if name in optimizer.state[parameter]:
                    view.copy_(optimizer.state[parameter][name])
                optimizer.state[parameter][name] = view
        return rows

    def counts(self) -> Tensor:
        """How many steps were taken, (members, parameters)."""
        is_near = bool(self._optimizers[0].defaults.get("fused"))
        counts = torch.zeros(
            len(self._models), len(self._columns.places), device=self._weights.device if is_near else "cpu"
        )
        for row, (optimizer, views) in zip(counts, self._members(self._weights), strict=True):
            for count, (parameter, _) in zip(row, views, strict=True):
                count.copy_(torch.as_tensor(optimizer.state[parameter].get("step", 0.0)))
                optimizer.state[parameter]["step"] = count
        return counts

    def _members(self, rows: Tensor) -> Iterator[tuple[optim.Optimizer, list[tuple[nn.Parameter, Tensor]]]]:
        views = self._columns.views(rows)
        for index, (model, optimizer) in enumerate(zip(self._models, self._optimizers, strict=True)):
            named = dict(model.named_parameters())
            yield optimizer, [(named[name], view[index]) for name, view in views.items()]


class Rule(Protocol):
    """How a gradient moves the weights."""

    is_decoupled: bool

    def read(self) -> None:
        """Take the settings of the members' groups as they are now."""
        ...

    def step(self, weights: Tensor, gradient: Tensor, rates: Sequence[float], multipliers: Tensor | None) -> None:
        """Move the weights, in place; the gradient may be written into.

        Args:
            weights: (members, columns).
            gradient: likewise.
            rates: one a member.
            multipliers: of the rates, (members, columns); None is 1.
        """
        ...


class _SGD:
    """v ← βv + g; θ ← θ − η·v, or θ − η·(g + βv) with Nesterov's momentum."""

    is_decoupled = False

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._velocity: Tensor | None = None
        if any(group["momentum"] for group in memory.groups):
            self._velocity = memory.rows("momentum_buffer", of="momentum")

    def read(self) -> None:
        groups = self._memory.groups
        self._momentum = self._memory.column([group["momentum"] for group in groups])
        ahead = [bool(group["nesterov"]) for group in groups]
        self._is_ahead, self._is_mixed = all(ahead), len(set(ahead)) > 1
        self._ahead = torch.tensor(ahead, device=self._momentum.device).unsqueeze(1)

    def step(self, weights: Tensor, gradient: Tensor, rates: Sequence[float], multipliers: Tensor | None) -> None:
        move = gradient
        if self._velocity is not None:
            velocity = self._velocity.mul_(self._momentum).add_(gradient)
            if self._is_mixed:
                move = torch.where(self._ahead, torch.addcmul(gradient, velocity, self._momentum), velocity)
            else:
                move = gradient.addcmul_(velocity, self._momentum) if self._is_ahead else velocity
        column = self._memory.column(rates)
        weights.addcmul_(move, column if multipliers is None else column * multipliers, value=-1.0)


class _Adam:
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; θ ← θ − η·m̂ / (√v̂ + ε). Kingma and Ba 2015, algorithm 1.

    With c₂ = 1 − β₂ᵗ the last is η√c₂/(1 − β₁ᵗ) · m / (√v + ε√c₂), which is a pass over the weights less.
    """

    def __init__(self, memory: Memory, *, is_decoupled: bool) -> None:
        self.is_decoupled = is_decoupled
        self._memory = memory
        self._mean, self._square = memory.rows("exp_avg"), memory.rows("exp_avg_sq")
        self._counts = memory.counts()
        self._steps = [int(count) for count in self._counts[:, 0].tolist()]
        self._room = torch.empty_like(self._mean)

    def read(self) -> None:
        self._betas = [group["betas"] for group in self._memory.groups]
        self._epsilons = [group["eps"] for group in self._memory.groups]
        self._shares = [self._memory.column([1.0 - betas[which] for betas in self._betas]) for which in (0, 1)]

    def step(self, weights: Tensor, gradient: Tensor, rates: Sequence[float], multipliers: Tensor | None) -> None:
        self._counts.add_(1)
        self._steps = [count + 1 for count in self._steps]
        roots = [math.sqrt(1.0 - beta2**step) for (_, beta2), step in zip(self._betas, self._steps, strict=True)]
        scaled = [
            rate * root / (1.0 - beta1**step)
            for rate, root, (beta1, _), step in zip(rates, roots, self._betas, self._steps, strict=True)
        ]
        epsilons = [epsilon * root for epsilon, root in zip(self._epsilons, roots, strict=True)]
        self._mean.lerp_(gradient, self._shares[0])
        self._square.lerp_(gradient.mul_(gradient), self._shares[1])
        move = torch.sqrt(self._square, out=self._room).add_(self._memory.column(epsilons))
        torch.div(self._mean, move, out=move)
        column = self._memory.column(scaled)
        weights.addcmul_(move, column if multipliers is None else column * multipliers, value=-1.0)


# Exact classes, as ``optimizers.build`` makes them.
RULES: dict[type[optim.Optimizer], Callable[[Memory], Rule]] = {
    optim.SGD: _SGD,
    optim.Adam: lambda memory: _Adam(memory, is_decoupled=False),
    optim.AdamW: lambda memory: _Adam(memory, is_decoupled=True),
}
