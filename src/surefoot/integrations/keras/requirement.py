"""Whether there is a Keras that this door works with."""

from __future__ import annotations

import importlib

from surefoot.errors import MissingExtraError
from surefoot.installed import require_package

__all__ = ["require_keras"]

# Keras 3 as the extra names it; 2 has other optimizers, other variables and one backend.
OLDEST = (3, 10)


def require_keras() -> None:
    """Raise unless Keras is there, new enough, and can load what it computes with.

    Raises:
        MissingExtraError: it is not; the message says what to install.
    """
    require_package("keras", oldest=OLDEST, door="surefoot.integrations.keras", extra="keras")
    try:
        importlib.import_module("keras")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Keras is set to compute with a package that is not installed ({error.name}): install it with "
            "pip install 'surefoot[keras]', which brings TensorFlow, or set KERAS_BACKEND to one that is"
        ) from None
