"""Averages of the weights: which weights are in the model, and batch statistics that fit them.

Schedule-Free (Defazio et al. 2024, arXiv:2405.15682) takes its gradients at y and is judged at x, the average. While it
trains the model holds y, and the running statistics of batch normalisation belong to y; whatever is evaluated or saved
must be x, with statistics measured at x. Likewise for a ``WeightAverage``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn, optim

from surefoot.engine.network.weight_average import WeightAverage
from surefoot.engine.randomness import RandomState, isolated

__all__ = [
    "CALIBRATION_BATCHES",
    "averaging_mode",
    "evaluation_weights",
    "is_averaging",
    "is_training_mode",
    "mark_evaluation_weights",
]

# What the README of schedulefree runs through before an evaluation.
CALIBRATION_BATCHES = 50


def is_averaging(optimizer: optim.Optimizer) -> bool:
    """Whether the optimizer trains on other weights than those that are to be used."""
    return "train_mode" in optimizer.defaults


def is_training_mode(optimizer: optim.Optimizer) -> bool:
    """Whether it averages and the model now holds the weights to train on."""
    return is_averaging(optimizer) and bool(optimizer.param_groups[0]["train_mode"])


def averaging_mode(optimizer: optim.Optimizer, *, training: bool) -> None:
    """Put the weights to train on, or those to use, into the model; nothing for an optimizer that has only one kind.

    There and back changes last digits; ``evaluation_weights`` does not.
    """
    if is_averaging(optimizer):
        switch: Any = optimizer
        switch.train() if training else switch.eval()


def mark_evaluation_weights(optimizer: optim.Optimizer) -> None:
    """Say that the model was given weights to use from elsewhere, such as the best ones."""
    if is_averaging(optimizer):
        for group in optimizer.param_groups:
            group["train_mode"] = False


@contextlib.contextmanager
def evaluation_weights(
    model: nn.Module,
    optimizer: optim.Optimizer,
    calibration_batches: Iterable[Any],
    *,
    average: WeightAverage | None = None,
    forward: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """A block in which the model holds the weights to use; afterwards all is as it was, bit for bit.

    Running statistics of batch normalisation are measured anew at these weights, as the plain mean over the
    calibration batches (Wu and Johnson 2021, arXiv:2105.07576, section 3). Nothing happens, and no batch is looked at,
    where nothing is averaged or the model holds the weights to use already.

    Args:
        model: the one that ``optimizer`` trains.
        optimizer: in any mode.
        calibration_batches: training batches, best drawn lazily: they are looked at only where statistics need them.
        average: kept beside an optimizer that does not average.
        forward: runs one batch through the model; by default the model is called with the batch's first part.
        seed: of what the forward passes draw, such as dropout.
    """
    was_training, stands_in = is_training_mode(optimizer), average is not None and average.stands_in
    if not was_training and not stands_in:
        yield
        return
    parameters = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        averaging_mode(optimizer, training=False)
        if average is not None and stands_in:
            average.put_in()
        with isolated(RandomState.seeded(seed)):
            _calibrate(model, calibration_batches, forward or (lambda batch: model(batch[0])))
        yield
    finally:
        with torch.no_grad():
            for tensor, before in (*parameters, *buffers):
                tensor.copy_(before)
        for group in optimizer.param_groups if was_training else ():
            group["train_mode"] = True


@torch.no_grad()
def _calibrate(model: nn.Module, batches: Iterable[Any], forward: Callable[[Any], Any]) -> None:
    """Measure the running statistics anew; modes and momenta are afterwards as they were."""
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        model.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
        for batch in batches:
            forward(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
