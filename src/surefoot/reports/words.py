"""The names that stand in records, as a person says them."""

from __future__ import annotations

from surefoot.language import say

__all__ = ["in_words"]

# What the catalogues know; any other name, such as a metric of the user's own, is said as it stands.
KNOWN = (
    *("completed", "stopped early", "diverged", "out of memory", "interrupted"),
    *("train", "validation", "test", "train loss", "validation loss", "test loss", "training loss", "loss", "accuracy"),
    *("train accuracy", "validation accuracy", "test accuracy", "validation error", "seconds", "epoch", "step", "row"),
    *("learning rate", "weight decay", "batch size", "micro batch", "loss scale", "rate multiplier", "rate factor"),
    *("momentum", "beta1", "beta2", "epsilon", "gradient norm"),
    *("fit", "full_batch", "single_sample", "mini_batch", "plateau", "l2"),  # runs that have no name of their own
)


def in_words(name: str) -> str:
    """A name of a record in the language of the moment.

    >>> in_words("validation_loss")
    'validation loss'
    """
    return say(name.replace("_", " "))
