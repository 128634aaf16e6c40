"""Small real trainings that write down what a verdict may need: the ground of ``benchmarks.made_faults``.

A training's log is what a loop of one's own would write: an epoch a row, the loss of training as the mean over the
epoch's batches, and where asked a row every few steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.made_models import scaled
from benchmarks.made_settings import Rows, Setting
from surefoot import seeds

__all__ = ["Columns", "Trained", "train"]

Columns = dict[str, list[float | None]]
MICRO_BATCH = 16
LOOKS_OF_STEPS = 60


@dataclass(frozen=True)
class Trained:
    """The log, column by column, and the loss on the test rows at the end and at the best epoch by them."""

    columns: Columns
    end: float
    best: float
    balanced: float


def train(rows: Rows, setting: Setting, *, seed: int) -> Trained:
    """Train and write the log."""
    torch.manual_seed(seeds.derive(seed, "model"))
    model = scaled(setting.model(rows, setting), setting)
    optimizer = _optimizer(model, setting)
    inputs, targets = rows.train
    draw = seeds.stream(seed, "order")
    steps_an_epoch = -(-len(inputs) // setting.batch)
    horizon = steps_an_epoch * setting.epochs
    every = max(1, horizon // LOOKS_OF_STEPS)
    log: Columns = {}
    best, step, seen = float("inf"), 0, Means()
    for epoch in range(1, setting.epochs + 1):
        order = torch.from_numpy(draw.permutation(len(inputs)))
        for start in range(0, len(inputs), setting.batch):
            chosen = order[start : start + setting.batch]
            rate = setting.learning_rate * _multiplier(setting, step / horizon)
            for group in optimizer.param_groups:
                group["lr"] = rate
            model.train()
            outputs = model(inputs[chosen])
            loss = loss_of(outputs, targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), setting.clip or float("inf"))
            seen.add(float(loss.detach()), _right(outputs, targets[chosen]), float(norm), rate)
            optimizer.step()
            step += 1
            if setting.by_steps and step % every == 0:
                _write(log, {"step": step, **seen.taken()})
        looked = _look(model, rows, setting)
        if setting.by_steps:
            _write(log, {"step": float(step), **looked})
        else:
            _write(log, {"epoch": float(epoch), **seen.taken(), **looked})
        best = min(best, _loss(model, rows.test))
    return Trained(log, _loss(model, rows.test), best, _balanced(model, rows.test))


def loss_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of classes, at every place of a text where there are several; the mean square of a regression."""
    if targets.is_floating_point():
        return functional.mse_loss(outputs.squeeze(-1), targets)
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def _right(outputs: Tensor, targets: Tensor) -> float:
    """The share of right answers; of a regression there are none."""
    return float("nan") if targets.is_floating_point() else float((outputs.argmax(-1) == targets).float().mean())


class Means:
    """Running means of what a step shows."""

    def __init__(self) -> None:
        self._found: list[tuple[float, ...]] = []

    def add(self, *values: float) -> None:
        self._found.append(values)

    def taken(self) -> dict[str, float]:
        loss, accuracy, norm, rate = np.mean(self._found, axis=0)
        self._found = []
        return {"train_loss": loss, "train_accuracy": accuracy, "grad_norm": norm, "learning_rate": rate}


def _write(log: Columns, row: dict[str, float]) -> None:
    count = max((len(column) for column in log.values()), default=0)
    for name, value in row.items():
        if np.isfinite(value) or "loss" in name or name in log:  # no column for what nobody could say
            log.setdefault(name, [None] * count)
    for name, column in log.items():
        column.append(row.get(name))


def _optimizer(model: nn.Module, setting: Setting) -> torch.optim.Optimizer:
    if setting.optimizer == "adamw":
        return torch.optim.AdamW(
            model.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay, foreach=True
        )
    return torch.optim.SGD(
        model.parameters(), lr=setting.learning_rate, momentum=0.9, weight_decay=setting.weight_decay, foreach=True
    )


def _multiplier(setting: Setting, done: float) -> float:
    if done < setting.warmup:
        return (done + 1e-3) / setting.warmup
    return 0.5 * (1.0 + float(np.cos(np.pi * done))) if setting.decays else 1.0


def _look(model: nn.Module, rows: Rows, setting: Setting) -> dict[str, float]:
    """What is measured at the end of an epoch."""
    noise, signal, ends = _gradients(model, rows.train, setting.micro_batches)
    model.eval()
    with torch.no_grad():
        inputs, targets = rows.validation
        outputs = model(inputs)
        found = {
            "val_loss": float(loss_of(outputs, targets)),
            "val_accuracy": _right(outputs, targets),
            "val_balanced_accuracy": _balanced(model, rows.validation),
            "batch_size": float(setting.batch),
            "noise_scale": noise / signal if signal > 0 else float("nan"),
            "dead_units": _dead(model, rows.train[0]),
        }
    return {**found, **ends}


def _gradients(model: nn.Module, part: tuple[Tensor, Tensor], most: int) -> tuple[float, float, dict[str, float]]:
    """S and ‖G‖² from small gradients at the same weights, and the norms of the first and the last layer."""
    size = min(MICRO_BATCH, len(part[0]) // 4)
    count = min(most, len(part[0]) // size)
    inputs, targets = (values[: size * count] for values in part)
    model.eval()
    weights = [values for values in model.parameters() if values.dim() > 1]
    small, total = 0.0, [torch.zeros_like(weight) for weight in weights]
    for some, wanted in zip(inputs.split(size), targets.split(size), strict=True):
        found = torch.autograd.grad(loss_of(model(some), wanted), weights)
        small += sum(float(gradient.square().sum()) for gradient in found) / count
        total = [kept + gradient / count for kept, gradient in zip(total, found, strict=True)]
    large = sum(float(gradient.square().sum()) for gradient in total)
    noise = (small - large) / (1 / size - 1 / (size * count))
    ends = {"grad_norm/first_layer": float(total[0].norm()), "grad_norm/last_layer": float(total[-1].norm())}
    return noise, (count * large - small) / (count - 1), ends


def _dead(model: nn.Module, inputs: Tensor) -> float:
    """Share of the rectified units that answer to no row, where one layer follows another."""
    dead = units = 0
    if not isinstance(model, nn.Sequential):
        return float("nan")
    for layer in model:
        inputs = layer(inputs)
        if isinstance(layer, nn.ReLU):
            answers = inputs.flatten(2).amax(2) if inputs.dim() > 2 else inputs
            dead += int((answers.amax(0) <= 0).sum())
            units += answers.shape[1]
    return dead / max(units, 1)


def _loss(model: nn.Module, part: tuple[Tensor, Tensor]) -> float:
    model.eval()
    with torch.no_grad():
        return float(loss_of(model(part[0]), part[1]))


def _balanced(model: nn.Module, part: tuple[Tensor, Tensor]) -> float:
    """The mean over classes; of a text or a regression nobody asks for it."""
    if part[1].is_floating_point() or part[1].dim() > 1:
        return float("nan")
    model.eval()
    with torch.no_grad():
        right = model(part[0]).argmax(1) == part[1]
    return float(np.mean([float(right[part[1] == label].float().mean()) for label in part[1].unique()]))
