"""Which of several tables or pictures a command was asked for."""

from __future__ import annotations

import sys
from collections.abc import Collection

__all__ = ["asked"]


def asked(kind: str, known: Collection[str]) -> list[str]:
    """The names on the command line, or all; the program ends with exit code 2 at one that nobody knows."""
    names = sys.argv[1:] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"there is no {kind} {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    return names
