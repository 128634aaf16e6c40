"""Writes what happens into event files that TensorBoard reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.errors import MissingExtraError, OutputError
from surefoot.protocols import Candidate, Silent
from surefoot.records import Evaluation, Run

__all__ = ["TensorBoardWriter"]


class TensorBoardWriter(Silent):
    """An observer that writes every look at every run for TensorBoard: ``tensorboard --logdir DIRECTORY``.

    Losses and metrics stand under "loss/train", "loss/validation", "accuracy/validation" and the like, beside
    "learning_rate", "batch_size" and, where it is measured, "noise_scale". The steps of the axis are samples seen, so
    that runs with different batch sizes lie above each other.

    Args:
        directory: receives a folder a run, named after it.

    Raises:
        MissingExtraError: the package tensorboard is not installed.
        OutputError: the directory cannot be made.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write for TensorBoard into {directory}: {error.strerror}") from None
        self._make = _summary_writer()
        self._writer: Any = None

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on: what was written after ``samples`` before a stop is hidden."""
        del horizon
        folder = self._directory / "".join(
            mark if mark.isalnum() or mark in " .=+-_," else "_" for mark in candidate.name
        )
        self._writer = self._make(str(folder), purge_step=samples + 1 if samples else None)

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        del candidate, spent
        values = {"loss/train": evaluation.train_loss}
        for name, value in evaluation.metrics.items():
            part, _, metric = name.partition("_")
            values[f"{metric}/{part}"] = value
        values |= {"learning_rate": evaluation.learning_rate, "batch_size": evaluation.batch_size}
        if evaluation.noise_scale is not None:
            values["noise_scale"] = evaluation.noise_scale
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, global_step=evaluation.samples)
        self._writer.flush()

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        del run, spent
        self._writer.close()


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # loaded on use: it takes a second
    except ImportError:
        raise MissingExtraError(
            "this needs TensorBoard; install it with: pip install 'surefoot[tensorboard]'"
        ) from None
    return SummaryWriter
