"""Snapshots on disk: one file, whole or not at all, checked when it is read, with the one before it kept.

Tensors as safetensors, the rest as JSON in its header: nothing that is read can run code.
"""

from __future__ import annotations

import json
import warnings
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from surefoot import files
from surefoot.engine.snapshot import Snapshot, under

__all__ = ["read", "write"]

CURRENT, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"


def write(directory: Path, snapshots: dict[str, Snapshot]) -> None:
    """Write snapshots by name; a kill at any instant leaves this checkpoint or the one before it."""
    tensors: dict[str, Tensor] = {}
    rest = {}
    for name, snapshot in snapshots.items():
        parts, rest[name] = snapshot.to_parts()
        taken = {value.data_ptr() for value in tensors.values()}  # safetensors refuses to write one memory twice
        tensors |= {
            f"{name}/{key}": value.clone() if value.data_ptr() in taken else value.contiguous()
            for key, value in parts.items()
        }
    path = directory / CURRENT
    with files.replacing(path) as temporary:
        text = json.dumps(rest)
        save_file(tensors, temporary, metadata={"surefoot": text, "checksum": _checksum(tensors, text)})
        if path.exists():
            path.replace(directory / PREVIOUS)


def read(directory: Path) -> dict[str, Snapshot] | None:
    """The snapshots of the newest checkpoint that is whole; None when there is none."""
    for abandoned in directory.glob(f".{CURRENT}.*"):
        abandoned.unlink(missing_ok=True)  # a killed process was writing it
    found = [path for path in (directory / CURRENT, directory / PREVIOUS) if path.exists()]
    for path in found:
        snapshots = _read(path)
        if snapshots is not None:
            return snapshots
    if found:
        warnings.warn(f"the checkpoint in {directory} is damaged; this run begins anew", RuntimeWarning, stacklevel=2)
    return None


def _read(path: Path) -> dict[str, Snapshot] | None:
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
        if header["checksum"] != _checksum(tensors, header["surefoot"]):
            return None
        rest = json.loads(header["surefoot"])
        return {name: Snapshot.from_parts(under(tensors, f"{name}/"), rest[name]) for name in rest}
    except (SafetensorError, KeyError, OSError, json.JSONDecodeError):
        return None


def _checksum(tensors: dict[str, Tensor], text: str) -> str:
    """A checksum over all names, shapes and bytes."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        value = zlib.crc32(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode(), value)
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().tobytes(), value)
    return f"{value:08x}"
