"""Losses by name: one loss an element of the batch, and its mean.

A mean over weights w is Σ w·L / Σ w, whether they belong to samples, to classes, or to both. It comes with Σ w, so that
the losses and gradients of pieces of a batch can be put together into those of the whole: Σ Wₖ·Lₖ / Σ Wₖ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from surefoot.errors import TaskError

__all__ = ["CLASSIFICATION", "LOSSES", "REGRESSION", "Mean", "NamedLoss", "aligned", "is_one_column"]

CLASSIFICATION = frozenset({"cross_entropy", "binary_cross_entropy", "focal", "hinge"})
REGRESSION = frozenset({"mean_squared_error", "mean_absolute", "huber", "poisson"})
# The label that PyTorch's cross-entropy passes over, as in padded sequences.
IGNORED = -100


class Mean(NamedTuple):
    """A mean loss and the sum of the weights it is a mean over, in samples where nothing is weighted."""

    loss: Tensor
    weight: float


@dataclass(frozen=True)
class NamedLoss:
    """A loss and its arguments.

    Args:
        name: a key of ``LOSSES``.
        label_smoothing: ε in [0, 1): the target becomes (1 − ε)·target + ε/classes. For the two cross-entropies.
        class_weights: a weight a class, two for one logit a row (of label 0 and of label 1).
        is_open: whether classes beyond those weights have the weight 1: the training rows have none of them.
        gamma: γ ≥ 0 of the focal loss.
        delta: δ > 0 of the Huber loss, where it goes from squared to absolute.
    """

    name: str
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None
    is_open: bool = False
    gamma: float = 2.0
    delta: float = 1.0

    def __call__(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Mean:
        """The mean loss of a batch.

        Args:
            output: of the model, (batch, ...).
            target: what it should be.
            weights: a number of at least 0 a sample, (batch,); None gives all the same say.
        """
        if self._is_plain(output, target, weights):
            return Mean(LOSSES[self.name](self, output, target, "mean"), len(target))
        total, shares = self.elements(output, target, weights)
        assert shares is not None, "what is weighted has weights"
        weight = shares.sum()
        per_row = total[0].numel()  # a sample of many elements counts once
        mean = total.sum() / weight.clamp_min(torch.finfo(total.dtype).tiny)
        return Mean(mean, float(weight.detach()) / per_row)

    def elements(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The loss of every element of a batch, its weight in it, and that weight; None where nothing is weighted."""
        losses = LOSSES[self.name](self, output, target, "none")
        if self._is_plain(output, target, weights):
            return losses, None
        shares = _class_shares(self, output, target, losses)
        if weights is None:
            return losses, shares
        per_sample = _per_sample(weights, losses)
        return losses * per_sample, shares * per_sample

    def _is_plain(self, output: Tensor, target: Tensor, weights: Tensor | None) -> bool:
        """Whether all elements have the same say."""
        return weights is None and self.class_weights is None and not _may_ignore(self, output, target)

    @property
    def reported(self) -> NamedLoss:
        """The same without smoothing and class weights, to be compared with others."""
        return replace(self, label_smoothing=0.0, class_weights=None)

    @property
    def is_reported(self) -> bool:
        """Whether it has neither smoothing nor class weights, so that what trains is what is reported."""
        return not self.label_smoothing and self.class_weights is None


def _cross_entropy(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """−w·log softmax(output)[target]; output (batch, classes, ...), target whole numbers (batch, ...)."""
    return functional.cross_entropy(
        output,
        target,
        weight=_weights_for(settings, output),
        label_smoothing=settings.label_smoothing,
        reduction=reduction,
    )


def _binary_cross_entropy(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """The same for one output a row, a logit; target 0 or 1."""
    output, target = aligned(output, target)
    target = target.to(output.dtype)
    smoothed = target
    if settings.label_smoothing:
        smoothed = target * (1.0 - settings.label_smoothing) + 0.5 * settings.label_smoothing
    if settings.class_weights is None:
        return functional.binary_cross_entropy_with_logits(output, smoothed, reduction=reduction)
    zero, one = _two_weights(settings, output)
    losses = one * smoothed * functional.softplus(-output) + zero * (1.0 - smoothed) * functional.softplus(output)
    return _reduced(losses, reduction)


def _focal(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """(1 − p)^γ·(−w·log p), p being the probability of the label. Lin et al. 2017 (arXiv:1708.02002), equation 5.

    An output of the target's shape is a logit an element with labels 0 and 1; any other has an output a class.
    """
    plain = settings.reported
    if is_one_column(output, target):
        losses = _binary_cross_entropy(plain, output, target, "none")
        output, target = aligned(output, target)
        chance, target = output.sigmoid(), target.to(output.dtype)
        right = chance * target + (1.0 - chance) * (1.0 - target)
    else:
        losses = functional.cross_entropy(output, target, reduction="none")
        right = torch.exp(-losses)
    # the power of an exact 0 has no derivative below γ = 1
    hardness = (1.0 - right).clamp_min(torch.finfo(losses.dtype).tiny) ** settings.gamma
    losses = hardness * losses
    if settings.class_weights is not None:
        losses = losses * _class_shares(settings, output, target, losses)
    return _reduced(losses, reduction)


def _hinge(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """max(0, 1 − margin), the margin by which the label's output leads.

    An output an element with labels 0 and 1: the output itself, or minus it. An output a class: its lead over the best
    of the others, Crammer and Singer 2001 (JMLR 2).
    """
    del settings
    if is_one_column(output, target):
        output, target = aligned(output, target)
        margin = output * (2.0 * target.to(output.dtype) - 1.0)
    else:
        place = target.unsqueeze(1)
        others = output.scatter(1, place, -torch.inf).amax(dim=1)
        margin = output.gather(1, place).squeeze(1) - others
    return _reduced(functional.relu(1.0 - margin), reduction)


def _mean_squared_error(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """(output − target)²."""
    del settings
    return functional.mse_loss(*aligned(output, target.to(output.dtype)), reduction=reduction)


def _mean_absolute(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """|output − target|."""
    del settings
    return functional.l1_loss(*aligned(output, target.to(output.dtype)), reduction=reduction)


def _huber(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """½e² below an error e of δ, δ(e − ½δ) above."""
    output, target = aligned(output, target.to(output.dtype))
    return functional.huber_loss(output, target, delta=settings.delta, reduction=reduction)


def _poisson(settings: NamedLoss, output: Tensor, target: Tensor, reduction: str) -> Tensor:
    """e^output − target·output: a count's negative log-likelihood, the output being the logarithm of its mean."""
    del settings
    output, target = aligned(output, target.to(output.dtype))
    return functional.poisson_nll_loss(output, target, log_input=True, reduction=reduction)


LOSSES: dict[str, Callable[[NamedLoss, Tensor, Tensor, str], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "focal": _focal,
    "hinge": _hinge,
    "mean_squared_error": _mean_squared_error,
    "mean_absolute": _mean_absolute,
    "huber": _huber,
    "poisson": _poisson,
}


def aligned(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape; a trailing dimension of one is dropped.

    PyTorch would broadcast (batch, 1) against (batch,) to (batch, batch) and train on nonsense.
    """
    if output.shape == target.shape:
        return output, target
    if output.shape == (*target.shape, 1):
        return output.squeeze(-1), target
    if target.shape == (*output.shape, 1):
        return output, target.squeeze(-1)
    raise TaskError(
        f"the model's output has shape {tuple(output.shape)} and the target {tuple(target.shape)}; "
        "they must agree but for a last dimension of one"
    )


def is_one_column(output: Tensor, target: Tensor) -> bool:
    """Whether there is one output an element of the target, not one a class."""
    return output.shape == target.shape or output.shape == (*target.shape, 1) or target.shape == (*output.shape, 1)


def _is_labels(output: Tensor, target: Tensor) -> bool:
    """Whether the target has class numbers, one where the output has a dimension of classes."""
    return output.ndim == target.ndim + 1


def _may_ignore(settings: NamedLoss, output: Tensor, target: Tensor) -> bool:
    """Whether labels may be ``IGNORED``: where a sample has many of them, as a padded sequence has."""
    return settings.name in {"cross_entropy", "focal"} and target.ndim > 1 and _is_labels(output, target)


def _class_shares(settings: NamedLoss, output: Tensor, target: Tensor, losses: Tensor) -> Tensor:
    """The weight of every element by its class: 1 without class weights, 0 where the label is ignored."""
    ones = torch.ones_like(losses)
    if settings.name not in {"cross_entropy", "binary_cross_entropy", "focal"}:
        return ones
    if is_one_column(output, target) and settings.name != "cross_entropy":
        return ones if settings.class_weights is None else _binary_shares(settings, *aligned(output, target))
    if not _is_labels(output, target):
        return ones  # a probability a class: PyTorch takes the mean over rows
    kept = (target != IGNORED).to(losses.dtype)
    weights = _weights_for(settings, output)
    return kept if weights is None else kept * weights[target.clamp_min(0)]


def _weights_for(settings: NamedLoss, output: Tensor) -> Tensor | None:
    """The class weights on the output's device and in its type, one an output."""
    weights = settings.class_weights
    if weights is None:
        return None
    classes = output.shape[1] if output.ndim > 1 else 1
    if settings.is_open and len(weights) < classes:
        weights = functional.pad(weights, (0, classes - len(weights)), value=1.0)
    if len(weights) != classes:
        raise TaskError(f"loss.class_weights has {len(weights)} numbers, but the model has {classes} outputs")
    return weights.to(output)


def _two_weights(settings: NamedLoss, output: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of label 0 and of label 1."""
    weights = settings.class_weights
    assert weights is not None
    if settings.is_open and len(weights) < 2:
        weights = functional.pad(weights, (0, 1), value=1.0)
    if len(weights) != 2:
        raise TaskError(
            f"loss.class_weights has {len(weights)} numbers; with one output a row it takes two, of label 0 and label 1"
        )
    zero, one = weights.to(output)
    return zero, one


def _binary_shares(settings: NamedLoss, output: Tensor, target: Tensor) -> Tensor:
    zero, one = _two_weights(settings, output)
    target = target.to(output.dtype)
    return one * target + zero * (1.0 - target)


def _per_sample(weights: Tensor, losses: Tensor) -> Tensor:
    """The samples' weights in the shape of their losses."""
    if weights.shape not in {(len(losses),), (len(losses), 1)}:
        raise TaskError(f"the sample weights have shape {tuple(weights.shape)}; one a row is needed: ({len(losses)},)")
    return weights.to(losses).reshape(-1, *(1,) * (losses.ndim - 1)).expand_as(losses)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    return losses.mean() if reduction == "mean" else losses
