"""Named random streams: the same seed gives the same run, whatever the order of calls.

Nothing in Surefoot draws from a global generator. Whoever needs randomness names what it is for, and the name
decides the stream, so adding one draw somewhere never shifts the numbers somewhere else.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["derive", "stream"]


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for what ``names`` describe.

    SHA-256 rather than ``hash()``, which differs from one interpreter to the next.

    >>> derive(0, "shuffle", 3) == derive(0, "shuffle", 3)
    True
    >>> derive(0, "shuffle", 3) == derive(0, "shuffle", 4)
    False
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for what ``names`` describe, independent of every other name's."""
    return np.random.default_rng(derive(seed, *names))
