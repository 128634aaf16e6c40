"""The loss of a batch, whichever way the task gives it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.engine.forward import Forward
from surefoot.engine.losses import CLASSIFICATION, NamedLoss
from surefoot.engine.rows.data import Rows
from surefoot.engine.rows.mixing import Mixed
from surefoot.errors import TaskError
from surefoot.protocols import Problem
from surefoot.recipe import Loss, Recipe

__all__ = ["BatchLoss", "Objective", "balanced_weights", "loss_name", "to_device", "weights_of"]

# What a third argument of a user's own loss is called when it is a weight a sample. PyTorch's functional losses have
# a third one too, "weight", which is something else.
_WEIGHTS = frozenset({"weights", "sample_weight", "sample_weights"})


@dataclass(frozen=True)
class BatchLoss:
    """What a batch gave.

    Pieces of a batch make the whole of it as Σ Wₖ·Lₖ / Σ Wₖ over their ``training`` L and ``weight`` W, and as Σ Lₖ
    where ``is_sum``; what is reported likewise, always a mean, over ``plain`` and ``plain_weight``.

    Attributes:
        training: the scalar to descend: smoothing and class weights in, penalties not yet.
        plain: the same without smoothing and class weights, to be reported; a mean also where ``training`` is a sum.
        weight: what ``training`` is a mean over: samples, the sum of their weights and of those of their classes, or
            what the task's step says.
        plain_weight: what ``plain`` is a mean over.
        is_sum: whether ``training`` is a sum over the batch, not a mean.
        output: the model's output, None where the task's step keeps it to itself.
        target: the batch's targets, likewise.
    """

    training: Tensor
    plain: Tensor
    weight: float
    plain_weight: float
    is_sum: bool = False
    output: Tensor | None = None
    target: Tensor | None = None


@dataclass(frozen=True)
class Objective:
    """Computes the loss of a batch under a recipe.

    Attributes:
        loss: a loss by name, a user's own, or None where ``step`` stands.
        step: the task's own step.
        takes_weights: whether a user's own loss takes a weight a sample as its third argument.
        forward: how the model is run where that is not as it is.
    """

    loss: NamedLoss | Callable[..., Any] | None
    step: Callable[[Any, Any], Any] | None
    takes_weights: bool = False
    forward: Forward | None = None

    @classmethod
    def of(cls, problem: Problem, recipe: Recipe, rows: Rows | None = None) -> Objective:
        """The objective of a task; a recipe may name another loss.

        Args:
            problem: the task.
            recipe: whose loss section counts.
            rows: the training rows, for class weights that are to be balanced.

        Raises:
            TaskError: balanced class weights need labels that are in memory.
        """
        chosen = recipe.loss.name or problem.loss
        if isinstance(chosen, str) and problem.step is None:
            return cls(_named(chosen, recipe.loss, rows), None)
        return cls(chosen, problem.step, callable(chosen) and _takes_weights(chosen))  # type: ignore[arg-type] # a step

    @property
    def is_compiled(self) -> bool:
        """Whether the model is run as ``torch.compile`` made it."""
        return self.forward is not None and self.forward.compiled is not None

    @property
    def watched(self) -> Objective:
        """The same of the model itself, which hooks can watch, where it is compiled."""
        return replace(self, forward=self.forward.plain) if self.forward is not None and self.is_compiled else self

    def __call__(self, model: nn.Module, batch: Any, num_samples: int) -> BatchLoss:
        """The loss of a batch of (inputs, target) or (inputs, target, weights), a mean over its samples.

        Raises:
            TaskError: the model, the loss or the step returns something else than it should.
        """
        if self.step is not None:
            return self._from_step(model, batch, num_samples)
        if isinstance(batch, Mixed):
            return self._of_mixed(self._output(model, batch.inputs), batch, num_samples)
        if not isinstance(batch, list | tuple) or len(batch) not in {2, 3}:
            raise TaskError(
                "a batch must be (inputs, target) or (inputs, target, weights); give a step(model, batch) of your own "
                "for anything else"
            )
        inputs, target, *given = batch
        return self._of_output(self._output(model, inputs), target, given[0] if given else None, num_samples)

    def _output(self, model: nn.Module, inputs: Any) -> Any:
        return model(inputs) if self.forward is None else self.forward.output(model, inputs)

    def of_output(self, output: Any, target: Tensor, weights: Tensor | None) -> BatchLoss:
        """The loss of what a model made of a batch in memory, where there is no step.

        Raises:
            TaskError: the output or the loss is something else than it should.
        """
        return self._of_output(output, target, weights, len(target))

    def _of_output(self, output: Any, target: Any, weights: Tensor | None, num_samples: int) -> BatchLoss:
        if isinstance(self.loss, NamedLoss):
            return _of_named(self.loss, output, target, weights)
        return self._of_own(output, target, weights, num_samples)

    def _of_mixed(self, output: Any, batch: Mixed, num_samples: int) -> BatchLoss:
        """λL(y_a) + (1 − λ)L(y_b): every row stands for two, which weigh λ and 1 − λ times what they do alone."""
        share = batch.share
        first = self._of_output(output, batch.target, batch.weights, num_samples)
        second = self._of_output(output, batch.other_target, batch.other_weights, num_samples)
        training, weight = _together(first.training, first.weight, second.training, second.weight, share)
        plain, plain_weight = _together(first.plain, first.plain_weight, second.plain, second.plain_weight, share)
        if first.is_sum:
            training = share * first.training + (1.0 - share) * second.training
        return BatchLoss(training, plain, weight, plain_weight, first.is_sum)

    def _of_own(self, output: Any, target: Any, weights: Tensor | None, num_samples: int) -> BatchLoss:
        assert callable(self.loss)
        if weights is not None and not self.takes_weights:
            raise TaskError(
                "the rows have sample weights, and your loss takes none; give loss(output, target, weights) -> scalar, "
                "their weighted mean"
            )
        if self.takes_weights:
            weights = torch.ones(num_samples, device=getattr(target, "device", None)) if weights is None else weights
            returned = self.loss(output, target, weights)
        else:
            returned = self.loss(output, target)
        loss = _scalar(returned, "the loss")
        weight = num_samples if weights is None else float(weights.sum())
        is_sum = getattr(self.loss, "reduction", "mean") == "sum"
        plain = loss.detach() / weight if is_sum else loss
        return BatchLoss(loss, plain, weight, weight, is_sum, output, target)

    def _from_step(self, model: nn.Module, batch: Any, num_samples: int) -> BatchLoss:
        assert self.step is not None
        run = self.forward
        returned = self.step(model, batch) if run is None else run.step(self.step, model, batch)
        loss, weight = returned if isinstance(returned, tuple) else (returned, num_samples)
        scalar = _scalar(loss, "step")
        return BatchLoss(scalar, scalar, float(weight), float(weight))


def _together(one: Tensor, weight: float, other: Tensor, other_weight: float, share: float) -> tuple[Tensor, float]:
    """The mean over both, of which the first has λ of its weight and the second 1 − λ; and the weight of both."""
    first, second = share * weight, (1.0 - share) * other_weight
    both = first + second
    if not both:
        return 0.0 * (one + other), 0.0
    # a mean over no weight is not a number in PyTorch, and has no say here
    return sum(mean * (part / both) for mean, part in ((one, first), (other, second)) if part), both  # type: ignore[return-value]


def loss_name(problem: Problem, recipe: Recipe) -> str:
    """The loss's name, or "custom" for a user's own."""
    chosen = recipe.loss.name or problem.loss
    return chosen if isinstance(chosen, str) and problem.step is None else "custom"


def balanced_weights(labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """A weight a class, rows ÷ (classes × rows of the class), as scikit-learn's; 1 for a number without rows.

    Args:
        labels: whole numbers from 0 on.
        weights: a number of at least 0 a row, which then counts as so many rows.

    >>> balanced_weights(torch.tensor([0, 0, 0, 1]))
    tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(labels.reshape(-1), None if weights is None else weights.reshape(-1))
    counts = counts.to(torch.get_default_dtype())
    shares = counts.sum() / (counts.count_nonzero() * counts)
    return torch.where(counts > 0, shares, 1.0)


def weights_of(batch: Any) -> Tensor | None:
    """The sample weights of a batch: its third part, where it has one."""
    return batch[2] if isinstance(batch, tuple | list) and len(batch) == 3 else None


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch with every tensor in it on ``device``."""
    if isinstance(batch, Tensor):
        # a copy from pinned memory need not be waited for: what is computed next waits its turn on the device
        return batch.to(device, non_blocking=device.type == "cuda")
    if isinstance(batch, Mapping):
        moved = {key: to_device(value, device) for key, value in batch.items()}
        return moved if type(batch) is dict else type(batch)(moved)  # type: ignore[call-arg] # as UserDict takes it
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def _named(name: str, settings: Loss, rows: Rows | None) -> NamedLoss:
    """A loss by name with the arguments of a recipe; those left out take its defaults."""
    weights: Tensor | None = None
    if settings.class_weights == "balanced":
        weights = _balanced(name, rows)
    elif settings.class_weights is not None:
        weights = torch.tensor(settings.class_weights)
    given = {"gamma": settings.gamma, "delta": settings.delta}
    arguments = {key: value for key, value in given.items() if value is not None}
    return NamedLoss(
        name,
        label_smoothing=settings.label_smoothing,
        class_weights=weights,
        is_open=settings.class_weights == "balanced",
        **arguments,
    )


def _balanced(name: str, rows: Rows | None) -> Tensor:
    labels = getattr(rows, "targets", None)
    if not isinstance(labels, Tensor):
        raise TaskError(
            'loss.class_weights is "balanced", which needs the labels in memory; give arrays, or the weights as numbers'
        )
    is_whole = not labels.is_floating_point() or bool((labels == labels.round()).all())
    if name not in CLASSIFICATION or not is_whole or not labels.numel() or float(labels.min()) < 0:
        raise TaskError('loss.class_weights is "balanced", which needs class labels 0, 1, ...: give numbers instead')
    weights = getattr(rows, "weights", None)
    return balanced_weights(labels.long(), weights if labels.numel() == len(labels) else None)


def _of_named(named: NamedLoss, output: Any, target: Tensor, weights: Tensor | None) -> BatchLoss:
    if not isinstance(output, Tensor):
        raise TaskError(
            f'the model returned {type(output).__name__}; the loss "{named.name}" needs a tensor: '
            "give a loss(output, target) or a step(model, batch) of your own"
        )
    training = named(output, target, weights)
    plain = training
    if not named.is_reported:
        with torch.no_grad():
            plain = named.reported(output, target, weights)
    return BatchLoss(training.loss, plain.loss, training.weight, plain.weight, output=output, target=target)


def _takes_weights(loss: Callable[..., Any]) -> bool:
    """Whether a loss takes a weight a sample as its third argument: one it needs, or one that is called so."""
    try:
        parameters = [*inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters.values()]
    except (TypeError, ValueError):  # a builtin tells nothing about itself
        return False
    positional = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    if len(positional) < 3:
        return False
    return positional[2].default is inspect.Parameter.empty or positional[2].name in _WEIGHTS


def _scalar(loss: Any, name: str) -> Tensor:
    if not isinstance(loss, Tensor):
        raise TaskError(f"{name} must return a scalar tensor, not {type(loss).__name__}")
    if loss.numel() != 1:
        raise TaskError(
            f"{name} must return a scalar, not a tensor of shape {tuple(loss.shape)}; average it, for instance"
        )
    return loss.reshape(())
