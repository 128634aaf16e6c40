"""What a made training learns from, and how: the nouns of ``benchmarks.made_faults``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

__all__ = ["Rows", "Setting"]


@dataclass(frozen=True)
class Rows:
    """A problem: rows to learn from, to watch, and enough others to know the truth by.

    Whole numbers are classes to be told apart, numbers of four bytes what a regression is to say.
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @property
    def has_classes(self) -> bool:
        """Whether it is no regression."""
        return not self.train[1].is_floating_point()

    @property
    def outputs(self) -> int:
        """How many classes there are; one of a regression."""
        if not self.has_classes:
            return 1
        return int(max(part[1].max() for part in (self.train, self.validation, self.test))) + 1


@dataclass(frozen=True)
class Setting:
    """One training.

    Attributes:
        model: builds the network; ``hidden`` are the widths of its layers.
        gain: multiplies the standard first weights.
        bias: added to the hidden layers' first biases.
        by_steps: whether the training loss is written every few steps in place of every epoch.
        micro_batches: behind a reading of the noise scale.
    """

    model: Callable[[Rows, Setting], nn.Module]
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
    micro_batches: int = 40

    def but(self, **changes: Any) -> Setting:
        """The same with changes."""
        return replace(self, **changes)
