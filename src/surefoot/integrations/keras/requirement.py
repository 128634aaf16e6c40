"""Whether there is a Keras that this door works with."""

from __future__ import annotations

from surefoot.installed import require_package

__all__ = ["require_keras"]

# Keras 3 as the extra names it; 2 has other optimizers, other variables and one backend.
OLDEST = (3, 10)


def require_keras() -> None:
    """Raise unless Keras is there and new enough.

    Raises:
        MissingExtraError: it is not; the message says what to install.
    """
    require_package("keras", oldest=OLDEST, door="surefoot.integrations.keras", extra="keras")
