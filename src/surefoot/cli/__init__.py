"""The commands, thin: they read arguments, call a workflow and show its answer."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a wrong request ends with one line and exit code 2, work that failed with one and 1."""
    from surefoot.cli.commands import app
    from surefoot.errors import DisagreementError, StorageError, SurefootError

    try:
        app(prog_name="surefoot")
    except SurefootError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1 if isinstance(error, StorageError | DisagreementError) else 2)
