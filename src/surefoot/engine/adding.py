"""What the parts of a batch come to together: their weights and their losses."""

from __future__ import annotations

from surefoot.engine.objective import BatchLoss

__all__ = ["Sums"]


class Sums:
    """What the parts of a batch come to together.

    Attributes:
        weight: what the training loss of all parts is a mean over.
        plain_weight: what the reported loss is.
        plain: the reported loss times that.
        is_sum: whether the training loss is a sum.
    """

    def __init__(self) -> None:
        self.weight = self.plain_weight = self.plain = 0.0
        self.is_sum = False

    def add(self, found: BatchLoss) -> float:
        """Count a part; what its loss is to be multiplied by: what it is a mean over, or 1 for a sum."""
        self.is_sum = found.is_sum
        self.weight += found.weight
        self.plain_weight += found.plain_weight
        if found.plain_weight:
            self.plain += found.plain.item() * found.plain_weight
        if not found.weight:
            return 0.0
        return 1.0 if found.is_sum else found.weight

    @property
    def loss(self) -> float:
        """The batch's mean loss; 0 where nothing has a weight."""
        return self.plain / self.plain_weight if self.plain_weight else 0.0
