"""Whether a door's framework is installed, and new enough."""

from __future__ import annotations

import importlib.metadata
import re

from surefoot.errors import MissingExtraError

__all__ = ["require_package"]


def require_package(package: str, *, oldest: tuple[int, int], door: str, extra: str) -> None:
    """Raise unless a package is there in the version that a door needs; it is not imported for that.

    Args:
        package: as ``pip`` knows it, such as "scikit-learn".
        oldest: the first version that works.
        door: who needs it, such as "surefoot.integrations.sklearn".
        extra: the one of ours that brings it.

    Raises:
        MissingExtraError: it is not there, or too old; the message says what to install.

    >>> require_package("numpy", oldest=(1, 26), door="surefoot", extra="torch")
    """
    needed = ".".join(map(str, oldest))
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError(f"{door} needs {package}; install it with: pip install 'surefoot[{extra}]'") from None
    if tuple(int(number) for number in re.findall(r"\d+", found)[:2]) < oldest:
        raise MissingExtraError(
            f"{door} needs {package} {needed} or newer, and {found} is installed; "
            f"upgrade it with: pip install -U 'surefoot[{extra}]'"
        )
