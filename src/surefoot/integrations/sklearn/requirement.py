"""Whether there is a scikit-learn that this door works with."""

from __future__ import annotations

from surefoot.installed import require_package

__all__ = ["require_sklearn"]

# validate_data and __sklearn_tags__, which estimators are written with now, came with it.
OLDEST = (1, 6)


def require_sklearn() -> None:
    """Raise unless scikit-learn is there and new enough.

    Raises:
        MissingExtraError: it is not; the message says what to install.
    """
    require_package("scikit-learn", oldest=OLDEST, door="surefoot.integrations.sklearn", extra="sklearn")
