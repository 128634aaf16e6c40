"""What a network estimator learns to say: a label among several, or numbers in a unit of their own."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.errors import TaskError, nearest

__all__ = ["LABELS", "NUMBERS", "Aim"]


@dataclass(frozen=True)
class Aim:
    """A kind of targets, and what goes with it.

    Attributes:
        estimator: what learns them, in a sentence.
        losses: the names of the losses that suit, the usual one first.
        are_labels: targets are the places of labels, which parts of the data share alike and which have no unit.
        unscaled: losses whose targets stay in their own unit.
    """

    estimator: str
    losses: tuple[str, ...]
    are_labels: bool
    unscaled: tuple[str, ...] = ()

    def loss(self, name: str | None) -> str:
        """The loss that a recipe names, or the usual one.

        Raises:
            TaskError: it does not suit.

        >>> LABELS.loss(None)
        'cross_entropy'
        """
        if name is not None and name not in self.losses:
            raise TaskError(f'loss.name "{name}" is not for {self.estimator}; {nearest(name, self.losses)}')
        return name or self.losses[0]

    def scales(self, loss: str) -> bool:
        """Whether targets are brought to mean 0 and deviation 1 for a loss."""
        return not self.are_labels and loss not in self.unscaled


# One output a class; the first two give probabilities.
LABELS = Aim("a classifier", ("cross_entropy", "focal", "hinge"), are_labels=True)
# Poisson's targets are counts.
NUMBERS = Aim(
    "a regressor", ("mean_squared_error", "mean_absolute", "huber", "poisson"), are_labels=False, unscaled=("poisson",)
)
