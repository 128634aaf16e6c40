"""What a recipe's network section does to a training in progress, behind one door for the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from surefoot.engine.network.pruning import Pruning
from surefoot.engine.network.removal import Removal, remove_units, zeros_note
from surefoot.engine.network.weight_average import WeightAverage
from surefoot.engine.snapshot import under
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

    Raises:
        TaskError: nothing in the model can be pruned.
    """

    def __init__(self, model: nn.Module, settings: Network, *, horizon: int) -> None:
        self.average = WeightAverage(model, settings, horizon=horizon) if settings.averaging != "none" else None
        self._pruning = Pruning(model, settings, horizon=horizon) if settings.pruning != "none" else None
        self._settings = settings

    def stepped(self, clock: int, size: int) -> None:
        """Do what is due after a step of ``size`` samples that ended at ``clock``."""
        has_grown = self._pruning is not None and self._pruning.stepped(clock)
        if self.average is not None:
            self.average.stepped(clock, size)
            if has_grown and self._pruning is not None:
                self.average.multiply(self._pruning.masks)

    def finish(self, model: nn.Module, forward: Callable[[nn.Module], Tensor]) -> Removal | None:
        """Take out of a trained model what pruning left empty; None where nothing was pruned."""
        asked = self._settings.sparsity
        if asked is None:
            return None
        if self._settings.pruning == "structured":
            return remove_units(model, forward, asked=asked)
        return Removal(zeros_note(model, asked=asked))

    def given_weights(self, *, to_use: bool) -> None:
        """Hear that the model now holds weights to use from elsewhere, or weights to train on."""
        if self.average is not None:
            self.average.is_in_model = to_use

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Copies of all that going on needs: tensors by name, and the rest as plain values."""
        tensors: dict[str, Tensor] = {}
        rest: dict[str, Any] = {}
        for kind, lever in self._levers.items():
            found, rest[kind] = lever.to_parts()
            tensors |= {f"{kind}/{name}": value for name, value in found.items()}
        return tensors, rest

    def load_parts(self, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
        """Take over what ``to_parts`` gave."""
        for kind, lever in self._levers.items():
            lever.load_parts(under(tensors, f"{kind}/"), rest[kind])

    @property
    def _levers(self) -> dict[str, WeightAverage | Pruning]:
        """Those that remember something."""
        found = {"average": self.average, "mask": self._pruning}
        return {kind: lever for kind, lever in found.items() if lever is not None}
