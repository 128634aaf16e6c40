"""TensorBoard's event files, by the messages that TensorBoard defines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from surefoot.diagnosis.columns import part_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.opening import shown
from surefoot.diagnosis.readers.tagged import TaggedRun, logs_that_read
from surefoot.errors import MissingExtraError, RequestError
from surefoot.language import say

__all__ = ["is_event_file", "read_events"]

LONGEST_RECORD = 2**28  # beyond it, what says the length is damaged


def is_event_file(path: Path) -> bool:
    """Whether a file is named as TensorBoard names them."""
    return ".tfevents." in path.name or path.name.endswith(".tfevents")  # CatBoost's end there


def read_events(path: Path, files: Sequence[Path], *, named: Mapping[str, str]) -> list[Log]:
    """The logs of event files: one a run, the folders train and validation of a run being one.

    Args:
        path: the file, or the folder in which they lie.
        files: the event files.
        named: role -> column, where the user says so.

    Raises:
        RequestError: there is no scalar in it.
        MissingExtraError: TensorBoard is not installed.
    """
    runs: dict[Path, TaggedRun] = {}
    notes: list[str]
    for file in files:
        is_below, folder, notes = file.parent != path and file != path, file.parent.name, []
        part = (
            (part_of(folder) or "") if is_below else ""
        )  # Keras writes each part of the data into a folder of its own
        for tag, step, value, time in _scalars(file, notes):
            said = part or (_key_of(folder, tag) if is_below else "")
            run = runs.setdefault(file.parent.parent if said else file.parent, TaggedRun())
            run.put(f"{said}/{tag}" if said else tag, step, value, time=time)
        if notes:
            runs.setdefault(file.parent.parent if part else file.parent, TaggedRun()).notes += notes
    runs = runs or {path: TaggedRun()}
    return logs_that_read({str(path if len(runs) == 1 else place): run for place, run in runs.items()}, named)


def _key_of(folder: str, tag: str) -> str:
    """The key under which PyTorch's add_scalars wrote, which makes a folder of the tag and it.

    >>> _key_of("loss_val", "loss"), _key_of("run_3", "loss")
    ('val', '')
    """
    beginning = f"{tag.replace('/', '_')}_"
    return folder.removeprefix(beginning) if folder.startswith(beginning) else ""


def _scalars(file: Path, notes: list[str]) -> Iterator[tuple[str, float, float, float]]:
    """(tag, step, value, time) of every scalar; a note where the file ends in the middle."""
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto import event_pb2
    except ModuleNotFoundError:
        raise MissingExtraError(
            "event files are read by TensorBoard's own code; install it with: pip install 'surefoot[tensorboard]'"
        ) from None
    for record in _records(file, notes):
        try:
            event = event_pb2.Event.FromString(record)
        except DecodeError:
            notes.append(say("{file} is damaged and was read up to there", file=shown(Path(file.name))))
            return
        for value in event.summary.value:
            number = value.simple_value if value.HasField("simple_value") else _in_tensor(value)
            if number is not None:
                yield value.tag, float(event.step), float(number), float(event.wall_time)


def _in_tensor(value: Any) -> float | None:
    """The number that a tensor of one number holds; a text, a picture or a claim of many numbers is none."""
    from tensorboard.util import tensor_util

    tensor = value.tensor
    if not value.HasField("tensor") or any(side.size not in (0, 1) for side in tensor.tensor_shape.dim):
        return None
    try:
        return float(tensor_util.make_ndarray(tensor).item())
    except (TypeError, ValueError):
        return None


def _records(file: Path, notes: list[str]) -> Iterator[bytes]:
    """The records of a TFRecord file: a length in 8 bytes and its checksum in 4, so many bytes and a checksum.

    TensorBoard's own loader would import TensorFlow where that is installed, for this alone.
    """
    try:
        with file.open("rb") as stream:
            yield from _whole_records(stream, file, notes)
    except OSError as error:
        raise RequestError(f"{shown(file)} cannot be read: {error.strerror or error}") from None


def _whole_records(stream: BinaryIO, file: Path, notes: list[str]) -> Iterator[bytes]:
    left = file.stat().st_size
    while head := stream.read(12):
        length = int.from_bytes(head[:8], "little")
        left -= len(head) + length + 4
        # what claims to be longer than the file is not even asked for
        if left < 0 or length > LONGEST_RECORD:
            name = shown(Path(file.name))
            notes.append(
                say("{file} ends in the middle of a record, as while it is written; it was read up to there", file=name)
            )
            return
        yield stream.read(length)
        stream.read(4)
