"""The commands, thin: they read arguments, call a workflow and show its answer."""

from __future__ import annotations

import os
import re
import sys
import time

__all__ = ["main"]

# Of several processes that all found the same fault, the first says so; torchrun ends the others when it has left.
PRECEDENCE_SECONDS = 1.0


def main() -> None:
    """Run the command line; a wrong request ends with one line and exit code 2, work that failed with one and 1."""
    from surefoot.cli.commands import app
    from surefoot.errors import DisagreementError, ProcessLostError, StorageError, SurefootError

    try:
        app(prog_name="surefoot")
    except SurefootError as error:
        if os.environ.get("RANK", "0") != "0":
            time.sleep(PRECEDENCE_SECONDS)
        if not (isinstance(error, ProcessLostError) and error.is_said_elsewhere):
            sys.stderr.write(f"Error: {_as_options(str(error))}\n")
        sys.exit(1 if isinstance(error, StorageError | DisagreementError | ProcessLostError) else 2)


def _as_options(message: str) -> str:
    """A message to a Python caller with its switches as the command line has them.

    >>> _as_options("resume=True goes on, overwrite=True starts anew")
    '--resume goes on, --overwrite starts anew'
    """
    return re.sub(r"\b(resume|overwrite)=True\b", r"--\1", message)
