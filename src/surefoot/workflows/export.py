"""A trained model in a form that runs elsewhere, held against the module it came from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from surefoot import files
from surefoot.errors import DisagreementError, ExportError, OutputError, StorageError, nearest
from surefoot.records import SCHEMA_VERSION
from surefoot.tasks import Task
from surefoot.tasks.inputs import InputForm
from surefoot.workflows.backend import engine
from surefoot.workflows.load import LoadedModel
from surefoot.workflows.result import versions
from surefoot.workflows.source import Source, as_trained_on, form_of, model_of, recipe_of, rows_of

__all__ = ["Export", "ExportFormat", "Quantization", "export"]

ExportFormat = Literal["onnx", "torch_export"]
Quantization = Literal["int8"]

FILES: dict[str, str] = {"onnx": "model.onnx", "torch_export": "model.pt2"}
# Outputs must agree to this, relative to the largest of them where it is above 1.
TOLERANCE = 1e-5
# A batch of one, of a round size, and of one that no kernel likes.
BATCHES = (1, 64, 37)
# Rows that fix the ranges of int8: ONNX Runtime's documentation asks for some hundred typical ones.
CALIBRATION_ROWS = 512


@dataclass(frozen=True)
class Export:
    """A model that was exported.

    Attributes:
        path: the file.
        about: the file beside it, which holds everything that stays outside the network.
        record: what ``about`` holds.
    """

    path: Path
    about: Path
    record: dict[str, Any]

    @property
    def largest_difference(self) -> float:
        """Between the outputs of the export (in float, before int8) and of the module, relative where above 1."""
        return float(self.record["check"]["largest_difference"])


def export(
    source: Source,
    *,
    format: ExportFormat = "onnx",  # noqa: A002 - what everybody calls it
    path: str | Path | None = None,
    fuse: bool = False,
    quantize: Quantization | None = None,
    task: Task | None = None,
    rows: Any = None,
    overwrite: bool = False,
) -> Export:
    """Write a trained model as ONNX or torch.export, and hold its outputs against the module's.

    The batch dimension is open. Encoders, scaling and class names stay outside the network: ``path`` + ".json" holds
    them, with the input's shape and type and the outcome of the comparison. Where the outputs differ by more than 1e-5
    (relative where they are larger than 1), in batches of 1, 37 and 64 rows, nothing is kept.

    Args:
        source: the folder of a result, a result, or a loaded model.
        format: "onnx", or "torch_export" for ``torch.export.load``.
        path: the file; model.onnx, model.int8.onnx or model.pt2 in the folder when left out.
        fuse: fold batch normalisation into the layer before it first. ONNX export does so by itself for convolutions.
        quantize: "int8", for ONNX: four times smaller, and faster where the processor has instructions for it. What
            that costs in quality ``sf.measure`` tells.
        task: whose rows to compare on, and to calibrate int8 on.
        rows: likewise, as ``predict`` takes them; without either rows are made up, and int8 finds its ranges anew in
            every call.
        overwrite: write over a file that is there.

    Raises:
        ExportError: the model cannot be written in that form.
        DisagreementError: what was written gives other outputs than the model.
        OutputError: the file is there already, or there is no model.
        MissingExtraError: a package of the extra ``onnx`` is not installed.
    """
    _require(format, quantize)
    model = model_of(source)
    task = None if task is None else as_trained_on(task, recipe_of(source))
    form = form_of(model, task, rows)
    place = _place(model, format, quantize, path, overwrite=overwrite)
    typical, said = _typical(model, form, task, rows)
    with tempfile.TemporaryDirectory(prefix="surefoot-export-") as folder:
        made = engine().Making(model.module, form.dtype, Path(folder), fuse=fuse)
        file, check = _written(made, format, quantize, form, typical)
        record = _record(model, form, format, made.num_fused if fuse else None, {"rows": said, **check})
        about = _written_together(file, record, place)
    return Export(place, about, record)


def _written_together(file: Path, record: dict[str, Any], place: Path) -> Path:
    """Put the file in its place with the record beside it; where that lies."""
    about = place.with_name(place.name + ".json")
    try:
        with files.replacing(place) as temporary:
            shutil.copyfile(file, temporary)
            files.write_json(about, record)
    except StorageError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {place}: {error.strerror}; choose another file") from None
    return about


def _written(
    made: Any, file_format: str, quantize: str | None, form: InputForm, typical: Sequence[Any]
) -> tuple[Path, dict[str, Any]]:
    """The file, and what the comparison gave."""
    compared = typical[0] if len(typical) else form.generated(sum(BATCHES))
    file: Path = made.onnx(compared) if file_format == "onnx" else made.program(compared)
    difference = made.difference(file, compared, batches=BATCHES)
    check: dict[str, Any] = {"batches": sorted(BATCHES), "largest_difference": difference, "allowed": TOLERANCE}
    if not difference <= TOLERANCE:  # not a number is no agreement either
        raise DisagreementError(
            f"the exported model's outputs differ from the model's by {difference:.3g}, allowed is {TOLERANCE:g}; "
            "nothing was kept"
        )
    if quantize is None:
        return file, check
    calibration = typical[1] if len(typical) else None
    file = made.int8(file, calibration)
    difference, agreement = made.deviation(file, compared, batches=BATCHES)
    return file, {
        **check,
        "quantized": "static" if calibration is not None else "dynamic",
        "calibration_rows": 0 if calibration is None else len(calibration),
        "quantized_difference": difference,
        "same_answer": agreement,
    }


def _typical(model: LoadedModel, form: InputForm, task: Task | None, rows: Any) -> tuple[tuple[Any, ...], str]:
    """Rows to compare on and rows to calibrate on, () where there are none; and whose they are, in words."""
    if rows is not None:
        given = form.fitted(model.encoded(rows))
        return (given, given[:CALIBRATION_ROWS]), f"{len(given):,} rows given"
    if task is None:
        return (), "rows made up"
    compared = rows_of(task.validation, form, count=sum(BATCHES))
    return (compared, rows_of(task.train, form, count=CALIBRATION_ROWS)), f"{len(compared):,} rows of {task.name}"


def _record(
    model: LoadedModel, form: InputForm, file_format: str, fused: int | None, check: dict[str, Any]
) -> dict[str, Any]:
    """Everything that a person needs beside the file."""
    preparation = model.preparation
    return {
        "schema_version": SCHEMA_VERSION,
        "task": model.task,
        "format": file_format,
        "input": {"name": "input", "shape": ["batch", *form.shape], "dtype": form.dtype},
        "output": {"name": "output", "meaning": model.meaning},
        "classes": list(model.classes),
        "loss": model.loss,
        "preparation": None if preparation is None else preparation.model_dump(mode="json"),
        "fused_layers": fused,
        "check": check,
        "versions": versions(),
    }


def _require(file_format: str, quantize: str | None) -> None:
    if file_format not in FILES:
        raise ExportError(f'format is "{file_format}", which does not exist; {nearest(file_format, FILES)}')
    if quantize is not None and quantize not in get_args(Quantization):
        raise ExportError(
            f'quantize is "{quantize}", which does not exist; {nearest(quantize, get_args(Quantization))}'
        )
    if quantize is not None and file_format != "onnx":
        raise ExportError('quantize "int8" is for the format onnx; PyTorch runs int8 slower than float in this form')


def _place(
    model: LoadedModel, file_format: str, quantize: str | None, path: str | Path | None, *, overwrite: bool
) -> Path:
    """The file to write, which must not be there yet."""
    if path is None and model.directory is None:
        raise OutputError("which file? The model lies in no folder: give path=, as in path='model.onnx'")
    name = FILES[file_format] if quantize is None else "model.int8.onnx"
    place = Path(path) if path is not None else (model.directory or Path()) / name
    if place.is_dir():
        raise OutputError(f"{place} is a folder; give a file, such as {place / name}")
    if place.exists() and not overwrite:
        raise OutputError(f"{place} is there already; overwrite=True writes over it")
    return place
