"""What a recipe's network section does to a training in progress, behind one door for the run."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from surefoot.engine.weight_average import WeightAverage
from surefoot.recipe import Network

__all__ = ["NetworkLevers"]


class NetworkLevers:
    """The levers that are on; with all of them off nothing is kept and nothing is done.

    Args:
        model: that is trained.
        settings: complete.
        horizon: samples of the training.

    Attributes:
        average: of the weights, None where nothing is averaged.
    """

    def __init__(self, model: nn.Module, settings: Network, *, horizon: int) -> None:
        self.average = WeightAverage(model, settings, horizon=horizon) if settings.averaging != "none" else None

    def stepped(self, clock: int, size: int) -> None:
        """Do what is due after a step of ``size`` samples that ended at ``clock``."""
        if self.average is not None:
            self.average.stepped(clock, size)

    def given_weights(self, *, to_use: bool) -> None:
        """Hear that the model now holds weights to use from elsewhere, or weights to train on."""
        if self.average is not None:
            self.average.is_in_model = to_use

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Copies of all that going on needs: tensors by name, and the rest as plain values."""
        if self.average is None:
            return {}, {}
        tensors, rest = self.average.to_parts()
        return {f"average/{name}": value for name, value in tensors.items()}, {"average": rest}

    def load_parts(self, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
        """Take over what ``to_parts`` gave."""
        if self.average is not None and "average" in rest:
            mine = {name.removeprefix("average/"): value for name, value in tensors.items()}
            self.average.load_parts(mine, rest["average"])
