"""The loss of every member of a stack, from the outputs of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from surefoot.engine.losses import NamedLoss
from surefoot.engine.objective import Objective

__all__ = ["StackedLoss", "StackedObjective"]


class StackedLoss(NamedTuple):
    """What a batch gave.

    Attributes:
        training: (members,), what each descends, without penalties.
        plain: (members,), what is reported.
        weights: what each one's ``plain`` is a mean over.
    """

    training: Tensor
    plain: Tensor
    weights: list[float]


class StackedObjective:
    """Computes the members' losses; those by name that differ in nothing but their smoothing at once.

    Args:
        objectives: of the members, with a loss each.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        losses = [one.loss for one in objectives]
        named = [replace(loss, label_smoothing=0.0) for loss in losses if isinstance(loss, NamedLoss)]
        self._sharp = named[0] if len(named) == len(losses) and _are_alike(named) else None
        self._smoothing = [loss.label_smoothing for loss in losses if isinstance(loss, NamedLoss)]

    def __call__(self, output: Any, target: Tensor, weights: Tensor | None) -> StackedLoss:
        """The losses of outputs, targets and sample weights, each (members, batch, ...)."""
        if self._sharp is None:
            return self._one_by_one(output, target, weights)
        rows = (output.flatten(0, 1), target.flatten(0, 1), None if weights is None else weights.flatten(0, 1))
        training, shares = _means(self._sharp, rows, len(target))
        plain = training
        if any(self._smoothing):
            even, _ = _means(replace(self._sharp, label_smoothing=1.0), rows, len(target))
            training = torch.lerp(
                training, even, torch.tensor(self._smoothing, dtype=training.dtype, device=training.device)
            )
        if not self._sharp.is_reported:
            plain, shares = _means(self._sharp.reported, rows, len(target))
        return StackedLoss(training, plain.detach(), shares)

    def _one_by_one(self, output: Any, target: Tensor, weights: Tensor | None) -> StackedLoss:
        found = []
        for index, objective in enumerate(self._objectives):
            mine = tree_map(lambda value, at=index: value[at], output)
            found.append(objective.of_output(mine, target[index], None if weights is None else weights[index]))
        training = torch.stack([one.training for one in found])
        plain = torch.stack([one.plain.detach() for one in found])
        return StackedLoss(training, plain, [one.plain_weight for one in found])


def _are_alike(losses: Sequence[NamedLoss]) -> bool:
    first = losses[0]
    weights = first.class_weights
    return all(
        replace(loss, class_weights=None) == replace(first, class_weights=None)
        and (loss.class_weights is weights or _are_equal(loss.class_weights, weights))
        for loss in losses
    )


def _are_equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def _means(named: NamedLoss, rows: tuple[Tensor, Tensor, Tensor | None], members: int) -> tuple[Tensor, list[float]]:
    """The members' mean losses over rows that follow each other, and what they are means over."""
    total, shares = named.elements(*rows)
    count = len(rows[0]) // members
    if shares is None:
        return total.view(members, -1).mean(dim=1), [float(count)] * members
    weight = shares.view(members, -1).sum(dim=1)
    mean = total.view(members, -1).sum(dim=1) / weight.clamp_min(torch.finfo(total.dtype).tiny)
    per_row = total[0].numel()  # a sample of many elements counts once
    return mean, [value / per_row for value in weight.tolist()]
