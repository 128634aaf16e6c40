"""Small tasks and recipes for tests of fused runs, and what a stack is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot import Task
from surefoot.engine import TorchFactory
from surefoot.engine.run import Training
from surefoot.engine.stacking.member import Member
from surefoot.recipe import Recipe
from surefoot.training import never


class Words(nn.Module):
    """An embedding with a padding row, layer normalisation, and dropout that the forward pass calls itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(12, 6, padding_idx=0), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(functional.dropout(self.norm(self.embedding(rows)).mean(1), 0.3, self.training))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Dropout(0.4), nn.Linear(16, 3))


def convolving() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 3)),
        nn.Conv2d(1, 4, 2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.2),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(9, 12, bias=False), nn.BatchNorm1d(12), nn.GELU(), nn.Linear(12, 3))


MODELS = {"mlp": mlp, "dropout": dropping, "convolution": convolving, "norm": normed, "words": Words}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd", "learning_rate": 0.02},
    "heavy ball": {"name": "sgd", "learning_rate": 0.02, "nesterov": False},
    "plain": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.0},
    "adam": {"name": "adam", "learning_rate": 0.003},
    "adamw": {"name": "adamw", "learning_rate": 0.003},
}
# What may differ between members.
VARIED: tuple[dict[str, Any], ...] = (
    {},
    {
        "optimizer": {"learning_rate": 0.01, "weight_decay": 0.05, "max_gradient_norm": 0.5},
        "schedule": {"name": "linear"},
        "loss": {"label_smoothing": 0.1},
        "regularization": {"l1": 1e-3, "l2": 1e-2},
    },
    {
        "optimizer": {"weight_decay": 0.01},
        "schedule": {"name": "one_cycle"},
        "initialization": {"scheme": "orthogonal"},
    },
)


def task_of(kind: str, dtype: torch.dtype = torch.float64, *, rows: int = 53, **changes: Any) -> Task:
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=rows)
    values = torch.as_tensor(generator.normal(size=(rows, 9)) + labels[:, None], dtype=dtype)
    inputs = torch.as_tensor(generator.integers(12, size=(rows, 5))) if kind == "words" else values
    part = (inputs, torch.as_tensor(labels))
    arguments = {"train": part, "validation": tuple(values[:20] for values in part), "epochs": 13, **changes}
    return Task(**{"model": lambda: MODELS[kind]().to(dtype), **arguments})


def recipes(optimizer: str = "sgd", varied: tuple[dict[str, Any], ...] = VARIED, **sections: Any) -> list[Recipe]:
    first = {"batch": {"size": 7}, **sections}
    return [
        Recipe(**{**first, **one, "optimizer": {**OPTIMIZERS[optimizer], **one.get("optimizer", {})}}) for one in varied
    ]


def stack(task: Task, wanted: list[Recipe], *, share: float = 1.0) -> tuple[Member, ...]:
    factory = TorchFactory(task)
    return factory.stack([(one.complete(factory.num_rows), seed) for seed, one in enumerate(wanted)], share=share)


def alone(member: Member) -> Training:
    factory = TorchFactory(member.problem)
    return Training(factory.problem, member.recipe, factory.parts, seed=member.seed, horizon=member.horizon)


def assert_equal(member: Training, other: Training, tolerance: float) -> None:
    for (name, value), expected in zip(
        member.model.state_dict().items(), other.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(
            value, expected, rtol=tolerance, atol=tolerance, msg=lambda text, at=name: f"{at}: {text}"
        )
    ours, theirs = member.evaluate("validation"), other.evaluate("validation")
    assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance)


def assert_as_alone(members: tuple[Member, ...], tolerance: float) -> None:
    for member in members:
        together = member.advance(member.horizon, should_stop=never)
        other = alone(member)
        solo = other.advance(other.horizon, should_stop=never)
        assert together.loss == pytest.approx(solo.loss, rel=tolerance)
        assert together.learning_rate == pytest.approx(solo.learning_rate, rel=1e-12)
        for name in ("samples", "steps", "batch_size", "weight", "failure", "reason"):
            assert getattr(together, name) == getattr(solo, name)
        assert_equal(member, other, tolerance)
