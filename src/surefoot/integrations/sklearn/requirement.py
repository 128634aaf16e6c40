"""Whether there is a scikit-learn that this door works with."""

from __future__ import annotations

import importlib.metadata
import re

from surefoot.errors import MissingExtraError

__all__ = ["require_sklearn"]

# validate_data and __sklearn_tags__, which estimators are written with now, came with it.
OLDEST = (1, 6)


def require_sklearn() -> None:
    """Raise unless scikit-learn is there and new enough.

    Raises:
        MissingExtraError: it is not; the message says what to install.
    """
    needed = ".".join(map(str, OLDEST))
    try:
        found = importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError(
            "surefoot.integrations.sklearn needs scikit-learn; install it with: pip install 'surefoot[sklearn]'"
        ) from None
    if tuple(int(number) for number in re.findall(r"\d+", found)[:2]) < OLDEST:
        raise MissingExtraError(
            f"surefoot.integrations.sklearn needs scikit-learn {needed} or newer, and {found} is installed; "
            "upgrade it with: pip install -U 'surefoot[sklearn]'"
        )
