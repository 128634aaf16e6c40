"""The forms of one trained module, made in a folder and held against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.engine.export.exporting import (
    OnnxModel,
    as_input,
    export_program,
    fused,
    on_the_cpu,
    open_program,
    quantize_onnx,
    quiet,
    write_onnx,
)

__all__ = ["Making"]

CALIBRATION_BATCH = 64


class Making:
    """Makes files of a trained module, each without the code that built it.

    Args:
        module: the trained one; a copy of it is worked on, in CPU memory.
        dtype: of its input, such as "float32".
        folder: receives the files.
        fuse: fold batch normalisation into the layer before it first.

    Attributes:
        num_fused: how many layers were folded.
    """

    def __init__(self, module: nn.Module, dtype: str, folder: Path, *, fuse: bool = False) -> None:
        self._reference = on_the_cpu(module)
        self._dtype, self._folder = dtype, folder
        self._module, self.num_fused = fused(module) if fuse else (self._reference, 0)

    def program(self, rows: Any) -> Path:
        """The module as a file of torch.export; ``rows`` are examples."""
        path = self._folder / "model.pt2"
        with quiet():
            torch.export.save(export_program(self._module, self._input(rows)), path)
        return path

    def onnx(self, rows: Any) -> Path:
        """The module as an ONNX file; ``rows`` are examples."""
        path = self._folder / "model.onnx"
        write_onnx(export_program(self._module, self._input(rows)), path)
        return path

    def int8(self, path: Path, calibration: Any) -> Path:
        """An ONNX file in int8, its ranges from rows, or found in every call where there are none."""
        out = self._folder / "model.int8.onnx"
        batches = [] if calibration is None else torch.split(self._input(calibration), CALIBRATION_BATCH)
        quantize_onnx(path, out, calibration=batches)
        return out

    def difference(self, path: Path, rows: Any, *, batches: Sequence[int]) -> float:
        """The largest difference of a file's outputs from the module's, relative where outputs are above 1."""
        return max(
            float((found - wanted).abs().max()) / max(1.0, float(wanted.abs().max()))
            for found, wanted in self._outputs(path, rows, batches)
        )

    def deviation(self, path: Path, rows: Any, *, batches: Sequence[int]) -> tuple[float, float | None]:
        """The largest difference, and the share of rows with the same answer; None where rows have no scores."""
        pairs = list(self._outputs(path, rows, batches))
        largest = max(float((found - wanted).abs().max()) for found, wanted in pairs)
        if pairs[0][0].ndim != 2 or pairs[0][0].shape[1] < 2:
            return largest, None
        same = torch.cat([(found.argmax(dim=1) == wanted.argmax(dim=1)).flatten() for found, wanted in pairs])
        return largest, float(same.double().mean())

    @torch.no_grad()
    def _outputs(self, path: Path, rows: Any, batches: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """What the file and the module make of each batch; rows are taken again where there are too few."""
        file = OnnxModel(path, threads=torch.get_num_threads()) if path.suffix == ".onnx" else open_program(path)
        values, start = self._input(rows), 0
        for size in batches:
            batch = values[torch.arange(start, start + size) % len(values)]
            start += size
            yield file(batch).double(), self._reference(batch).double()

    def _input(self, rows: Any) -> Tensor:
        return as_input(rows, self._dtype)
