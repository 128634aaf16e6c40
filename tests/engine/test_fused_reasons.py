"""What cannot be stacked, and that it says why in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from stacked_tasks import recipes, stack, task_of
from torch import Tensor, nn

from surefoot.errors import UnsupportedError
from surefoot.recipe import Recipe

Make = Callable[..., Any]


class Outside(nn.Linear):
    """Draws from NumPy's global stream."""

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) * float(np.random.rand())  # noqa: NPY002


class Choosing(nn.Linear):
    """Asks what its values are."""

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows if rows.sum() > 0 else -rows)


class Noisy(nn.Linear):
    """Draws from PyTorch's global stream."""

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows + torch.randn_like(rows))


class Own(nn.Linear):
    """Holds something of its own that is neither parameter nor buffer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.mix = torch.randn(inputs).double()

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows * self.mix)


class Idle(nn.Linear):
    """Has a parameter that takes no part."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.idle = nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize(
    ("task", "wanted", "reason"),
    [
        ({}, recipes("sgd", ({}, {"batch": {"size": 8}})), "batch.size is 7 in one and 8 in another"),
        ({}, recipes("sgd", ({}, {"optimizer": {"name": "adamw", "momentum": None}})), "optimizer.name"),
        ({}, recipes("sgd", ({}, {"stopping": {"max_steps": 3}})), "stopping.max_steps is None in one and 3"),
        ({}, [Recipe(optimizer={"name": "prodigy"})] * 2, 'optimizer.name "prodigy" is none of sgd, adam, adamw'),
        ({}, [Recipe(batch={"policy": "random"})] * 2, 'batch.policy "random" moves the batch'),
        ({}, [Recipe(batch={"micro_batch": 2})] * 2, "batch.micro_batch"),
        ({}, [Recipe(regularization={"l1": 0.1, "l1_method": "proximal"})] * 2, "proximal"),
        (
            {"loss": None, "step": lambda model, batch: model(batch[0]).mean()},
            recipes(),
            "the task has a step of its own",
        ),
        ({"model": lambda: Outside(9, 3).double()}, recipes(), "draws from Python's or NumPy's random stream"),
        ({"model": lambda: Choosing(9, 3).double()}, recipes(), "data-dependent control flow"),
        ({"model": lambda: Noisy(9, 3).double()}, recipes(), "random"),
        ({"model": lambda: Own(9, 3).double()}, recipes(), "does something else to it in a stack than alone"),
        ({"model": lambda: Idle(9, 3).double()}, recipes(), '"idle" takes no part in the loss'),
    ],
)
def test_what_cannot_be_stacked_says_why_in_a_line(task: dict[str, Any], wanted: list[Recipe], reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        stack(task_of("mlp", **task), wanted)
    assert reason in str(raised.value) and "cannot be stacked" in str(raised.value)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_other_models_cannot_be_stacked() -> None:
    widths = iter([4, 5])
    task = task_of(
        "mlp", model=lambda: nn.Sequential(nn.Linear(9, width := next(widths)), nn.Linear(width, 3)).double()
    )
    with pytest.raises(UnsupportedError, match='the parameter "0.weight" is not the same in all models'):
        stack(task, recipes(varied=({}, {})))
    words = task_of("words", model=lambda: nn.Sequential(nn.EmbeddingBag(12, 3, sparse=True)).double())
    with pytest.raises(UnsupportedError, match="sparse gradients"):
        stack(words, recipes())


def test_a_dataset_cannot_be_stacked(make_task: Make) -> None:
    rows = [(values, int(label)) for values, label in zip(*make_task().train, strict=True)]
    with pytest.raises(UnsupportedError, match="no dense arrays in memory"):
        stack(make_task(train=rows, validation=rows, loss="cross_entropy"), recipes())
