"""Records of a trained model in the forms it can be used in: what each costs and gives."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from surefoot.records.base import SCHEMA_VERSION, Number, Record

__all__ = ["Form", "Latency", "Measured"]


class Latency(Record):
    """Milliseconds a call.

    Attributes:
        median: of interleaved repeats.
        low: their first decile.
        high: their ninth.
    """

    median: float
    low: float
    high: float


class Form(Record):
    """One form of a model.

    Attributes:
        name: "as trained", "fused", "onnx" or "onnx int8", after the folder's where two models are measured.
        size: in bytes on disk, without the code that a PyTorch module needs beside its weights.
        num_parameters: trained numbers.
        zeros: the share of zeros among the weights of its matrices and kernels as trained.
        latency: by rows a call.
        metrics: its quality, by name.
    """

    name: str
    size: int
    num_parameters: int
    zeros: float
    latency: dict[int, Latency]
    metrics: dict[str, Number]


class Measured(Record):
    """The forms of a model, the first of them as it was trained.

    Attributes:
        schema_version: of this form.
        task: its name.
        part: where the quality was measured, test or validation.
        rows: of that part.
        num_threads: of a call.
        repeats: behind each latency.
        forms: that were measured.
        notes: what could not be made, and what the figures do not say by themselves.
        versions: of the packages that took part.
    """

    schema_version: int = SCHEMA_VERSION
    task: str
    part: str
    rows: int
    num_threads: int
    repeats: int
    forms: tuple[Form, ...]
    notes: tuple[str, ...] = ()
    versions: dict[str, Any] = Field(default_factory=dict)
