"""TensorBoard's event files, by the messages that TensorBoard defines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from surefoot.diagnosis.assembling import log_of_points
from surefoot.diagnosis.columns import meanings
from surefoot.diagnosis.log import Log, Unit
from surefoot.errors import MissingExtraError, RequestError

__all__ = ["is_event_file", "read_events"]

LONGEST_RECORD = 2**28  # beyond it, what says the length is damaged
# Keras and PyTorch's add_scalars write each part of the data into a folder of its own.
_PART_FOLDERS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "eval": "validation",
}


def is_event_file(path: Path) -> bool:
    """Whether a file is named as TensorBoard names them."""
    return ".tfevents." in path.name


def read_events(path: Path, *, named: Mapping[str, str]) -> list[Log]:
    """The logs of an event file, or of a folder: one a run, the folders train and validation of a run being one.

    Raises:
        RequestError: there is no scalar in it.
        MissingExtraError: TensorBoard is not installed.
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if is_event_file(file))
    runs: dict[Path, dict[str, list[tuple[float, float]]]] = {}
    notes: dict[Path, list[str]] = {}
    for file in files:
        part = _PART_FOLDERS.get(file.parent.name.lower(), "") if path.is_dir() and file.parent != path else ""
        run = file.parent.parent if part else file.parent
        tags = runs.setdefault(run, {})
        for tag, step, value in _scalars(file, notes.setdefault(run, [])):
            tags.setdefault(f"{part}/{tag}" if part else tag, []).append((step, value))
    logs = []
    for run, tags in runs.items():
        roles = meanings(tags, named)
        points = {roles.get(tag, tag): pairs for tag, pairs in tags.items() if roles.get(tag) not in ("epoch", "step")}
        name = str(path if len(runs) == 1 else run)
        # Keras counts epochs from 0 in tags of their own
        is_by_epoch = any(Path(tag).name.startswith("epoch_") for tag in roles)
        if is_by_epoch:
            points = {tag: [(step + 1.0, value) for step, value in pairs] for tag, pairs in points.items()}
        unit: Unit
        unit, first = ("epoch", 0) if is_by_epoch else ("step", 1)
        logs.append(log_of_points(name, unit, points, notes=notes[run], seen=list(tags), first=first))
    if not logs:
        raise RequestError(f"{path} has no TensorBoard event files")
    return logs


def _scalars(file: Path, notes: list[str]) -> Iterator[tuple[str, float, float]]:
    """(tag, step, value) of every scalar; a note where the file ends in the middle."""
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util import tensor_util
    except ModuleNotFoundError:
        raise MissingExtraError(
            "event files are read by TensorBoard's own code; install it with: pip install 'surefoot[tensorboard]'"
        ) from None
    for record in _records(file, notes):
        try:
            event = event_pb2.Event.FromString(record)
        except DecodeError:
            notes.append(f"{file.name} is damaged and was read up to there")
            return
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield value.tag, float(event.step), float(value.simple_value)
            elif value.HasField("tensor"):
                with contextlib.suppress(TypeError, ValueError):  # a text or a picture
                    yield value.tag, float(event.step), float(tensor_util.make_ndarray(value.tensor).item())


def _records(file: Path, notes: list[str]) -> Iterator[bytes]:
    """The records of a TFRecord file: a length in 8 bytes and its checksum in 4, so many bytes and a checksum.

    TensorBoard's own loader would import TensorFlow where that is installed, for this alone.
    """
    with file.open("rb") as stream:
        while head := stream.read(12):
            length = int.from_bytes(head[:8], "little")
            record = stream.read(length) if len(head) == 12 and length <= LONGEST_RECORD else b""
            if len(record) < length or len(stream.read(4)) < 4 or len(head) < 12:
                notes.append(
                    f"{file.name} ends in the middle of a record, as while it is written; it was read up to there"
                )
                return
            yield record
