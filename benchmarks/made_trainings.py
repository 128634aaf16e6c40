"""Small real trainings that write down what a verdict may need: the ground of ``benchmarks.made_faults``.

A training's log is what a loop of one's own would write: an epoch a row, the loss of training as the mean over the
epoch's batches, and where asked a row every few steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot import seeds

__all__ = ["Rows", "Setting", "Trained", "train"]

Columns = dict[str, list[float | None]]
MICRO_BATCHES, MICRO_BATCH = 40, 16
LOOKS_OF_STEPS = 60


@dataclass(frozen=True)
class Rows:
    """A classification problem: rows to learn from, to watch, and enough others to know the truth by."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(max(part[1].max() for part in (self.train, self.validation, self.test))) + 1


@dataclass(frozen=True)
class Setting:
    """One training. ``gain`` multiplies the standard first weights; ``bias`` is added to the hidden ones' biases."""

    hidden: tuple[int, ...] = (64,)
    activation: type[nn.Module] = nn.ReLU
    dropout: float = 0.0
    gain: float = 1.0
    bias: float = 0.0
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    batch: int = 32
    epochs: int = 30
    decays: bool = True
    warmup: float = 0.05
    clip: float | None = None
    by_steps: bool = False

    def but(self, **changes: Any) -> Setting:
        """The same with changes."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Trained:
    """The log, column by column, and the loss on the test rows at the end and at the best epoch by them."""

    columns: Columns
    end: float
    best: float
    balanced: float


def network(rows: Rows, setting: Setting) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = rows.train[0][0].numel()
    for hidden in setting.hidden:
        layers += [nn.Linear(width, hidden), setting.activation()]
        layers += [nn.Dropout(setting.dropout)] if setting.dropout else []
        width = hidden
    model = nn.Sequential(*layers, nn.Linear(width, rows.classes))
    with torch.no_grad():
        weighted = [layer for layer in model if isinstance(layer, nn.Linear)]
        for layer in weighted:
            layer.weight *= setting.gain
            if not setting.gain:
                layer.bias.zero_()
        for layer in weighted[:-1]:
            layer.bias += setting.bias
    return model


def train(rows: Rows, setting: Setting, *, seed: int) -> Trained:
    """Train and write the log."""
    torch.manual_seed(seeds.derive(seed, "model"))
    model = network(rows, setting)
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
            loss = functional.cross_entropy(outputs, targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), setting.clip or float("inf"))
            seen.add(
                float(loss.detach()), float((outputs.argmax(1) == targets[chosen]).float().mean()), float(norm), rate
            )
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
    for name in row:
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


def _look(model: nn.Sequential, rows: Rows, setting: Setting) -> dict[str, float]:
    """What is measured at the end of an epoch."""
    noise, signal, ends = _gradients(model, rows.train)
    model.eval()
    with torch.no_grad():
        inputs, targets = rows.validation
        outputs = model(inputs)
        found = {
            "val_loss": float(functional.cross_entropy(outputs, targets)),
            "val_accuracy": float((outputs.argmax(1) == targets).float().mean()),
            "val_balanced_accuracy": _balanced(model, rows.validation),
            "batch_size": float(setting.batch),
            "noise_scale": noise / signal if signal > 0 else float("nan"),
            "dead_units": _dead(model, rows.train[0]),
        }
    return {**found, **ends}


def _gradients(model: nn.Sequential, part: tuple[Tensor, Tensor]) -> tuple[float, float, dict[str, float]]:
    """S and ‖G‖² from small gradients at the same weights, and the norms of the first and the last layer."""
    size = min(MICRO_BATCH, len(part[0]) // 4)
    count = min(MICRO_BATCHES, len(part[0]) // size)
    inputs, targets = (values[: size * count] for values in part)
    model.eval()
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    small, total = 0.0, [torch.zeros_like(weight) for weight in weights]
    for some, wanted in zip(inputs.split(size), targets.split(size), strict=True):
        found = torch.autograd.grad(functional.cross_entropy(model(some), wanted), weights)
        small += sum(float(gradient.square().sum()) for gradient in found) / count
        total = [kept + gradient / count for kept, gradient in zip(total, found, strict=True)]
    large = sum(float(gradient.square().sum()) for gradient in total)
    noise = (small - large) / (1 / size - 1 / (size * count))
    ends = {"grad_norm/first_layer": float(total[0].norm()), "grad_norm/last_layer": float(total[-1].norm())}
    return noise, (count * large - small) / (count - 1), ends


def _dead(model: nn.Sequential, inputs: Tensor) -> float:
    """Share of the rectified units that answer to no row."""
    dead = units = 0
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
        return float(functional.cross_entropy(model(part[0]), part[1]))


def _balanced(model: nn.Module, part: tuple[Tensor, Tensor]) -> float:
    model.eval()
    with torch.no_grad():
        right = model(part[0]).argmax(1) == part[1]
    return float(np.mean([float(right[part[1] == label].float().mean()) for label in part[1].unique()]))
