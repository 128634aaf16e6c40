"""A trained module as a file that runs without the code that built it: torch.export, ONNX, ONNX in int8."""

from __future__ import annotations

import contextlib
import copy
import importlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.engine.rows.data import as_tensor
from surefoot.errors import ExportError, MissingExtraError

__all__ = [
    "OnnxModel",
    "as_input",
    "export_program",
    "fused",
    "on_the_cpu",
    "open_program",
    "quantize_onnx",
    "quiet",
    "write_onnx",
]

INPUT, OUTPUT = "input", "output"
# A batch of one or two may be taken for a fixed size, or for another dimension of that size, while a model is traced.
TRACED_ROWS = 3
LONGEST_REASON = 220


class OnnxModel(nn.Module):
    """An ONNX file as a module: run by ONNX Runtime on the CPU, for inference only.

    Args:
        path: the file.
        threads: how many it may use.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        super().__init__()
        runtime = onnx_package("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors only
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, rows: Tensor) -> Tensor:
        """The outputs for a batch of rows."""
        dense = rows if rows.layout == torch.strided else rows.to_dense()  # a batch of sparse ones: ONNX has none such
        return torch.from_numpy(self._session.run([OUTPUT], {INPUT: dense.numpy()})[0])


def as_input(rows: Any, dtype: str) -> Tensor:
    """Rows as the tensor that a model takes, in CPU memory."""
    return as_tensor(rows).detach().cpu().to(getattr(torch, dtype)).contiguous()


def fused(module: nn.Module) -> tuple[nn.Module, int]:
    """A copy in evaluation mode with batch normalisation folded into the layer before it, and how many were folded.

    PyTorch's own ``torch.fx.experimental.optimization.fuse``: convolutions and dense layers.

    Raises:
        ExportError: the forward pass cannot be followed.
    """
    alone = on_the_cpu(module)
    try:
        with quiet():
            found: nn.Module = importlib.import_module("torch.fx.experimental.optimization").fuse(alone)
    except Exception as error:
        raise ExportError(
            f"the model cannot be fused: torch.fx cannot follow it ({in_short(error)}); leave fuse out"
        ) from error
    return found.eval(), _num_norms(alone) - _num_norms(found)


def export_program(module: nn.Module, rows: Tensor) -> torch.export.ExportedProgram:
    """The module as a program of torch.export whose first dimension, the batch, is open.

    Args:
        module: is called with one tensor and gives back one.
        rows: an example, a few rows.

    Raises:
        ExportError: torch.export cannot represent it.
    """
    alone = on_the_cpu(module)
    example = rows[:1].expand(TRACED_ROWS, *rows.shape[1:]).contiguous()
    with torch.no_grad():
        try:
            output = alone(example)
        except Exception as error:
            raise ExportError(
                f"the model cannot be called with one array of shape {tuple(example.shape)}: {in_short(error)}; "
                "export needs a model whose forward takes that alone"
            ) from error
        if not isinstance(output, Tensor):
            raise ExportError(f"the model returns {type(output).__name__}; export needs one that returns one tensor")
        try:
            with quiet():
                return torch.export.export(alone, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        except Exception as error:
            raise ExportError(f"torch.export cannot represent the model: {in_short(error)}") from error


def open_program(path: Path) -> nn.Module:
    """The module in a file that ``torch.export.save`` wrote."""
    with quiet():
        module: nn.Module = torch.export.load(path).module()
    return module


def write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write a program as ONNX, with one input and one output.

    Raises:
        MissingExtraError: the exporter is not installed.
        ExportError: an operation has no counterpart in ONNX.
    """
    for name in ("onnx", "onnxscript"):
        onnx_package(name)
    try:
        with quiet():
            written = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], external_data=False, verbose=False
            )
            assert written is not None
            written.save(path)
    except Exception as error:
        raise ExportError(f"ONNX cannot represent the model: {in_short(_deepest(error))}") from error


def quantize_onnx(path: Path, out: Path, *, calibration: Sequence[Tensor]) -> None:
    """Write an ONNX file in int8 with ONNX Runtime's quantisation.

    With calibration rows weights and activations are int8 in fixed ranges, seen on those rows (static, a scale a
    channel). Without, the weights of dense layers and embeddings are int8 and activations find their range in every
    call (dynamic); convolutions stay as they are, since dynamic ones are many times slower (docs/log.md, 2026-11-21).

    Args:
        path: the file in float.
        out: the new file.
        calibration: batches of typical rows, or none.

    Raises:
        ExportError: nothing in the model can be quantised.
    """
    onnx = onnx_package("onnx")
    quantization = onnx_package("onnxruntime.quantization")
    shapes = onnx_package("onnxruntime.quantization.shape_inference")
    before = onnx.load(path)
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            shapes.quant_pre_process(str(path), str(prepared))
            model = onnx.load(prepared)
            del model.graph.value_info[:]  # dynamic quantisation turns weights around and trips over their old shapes
            if calibration:
                quantization.quantize_static(model, str(out), _Rows(calibration), per_channel=True)
            else:
                kinds = ["MatMul", "Gemm", "Gather", "LSTM", "Attention"]
                quantization.quantize_dynamic(model, str(out), op_types_to_quantize=kinds)
    except Exception as error:
        raise ExportError(f"ONNX Runtime cannot quantise the model: {in_short(_deepest(error))}") from error
    if _num_whole(onnx, onnx.load(out)) <= _num_whole(onnx, before):
        raise ExportError(
            "nothing in the model can be quantised to int8"
            + ("" if calibration else " without rows to calibrate on: give the task, or rows")
        )


class _Rows:
    """Batches for ONNX Runtime's calibration, one at a time; shaped as its ``CalibrationDataReader``."""

    def __init__(self, batches: Sequence[Tensor]) -> None:
        self._left = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch by input name, None after the last."""
        batch = next(self._left, None)
        return None if batch is None else {INPUT: batch.numpy()}


def _num_whole(onnx: Any, model: Any) -> int:
    """How many constants are int8."""
    kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    return sum(constant.data_type in kinds and len(constant.dims) > 1 for constant in model.graph.initializer)


def onnx_package(name: str) -> Any:
    """One of the packages of the extra ``onnx``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"ONNX needs the package {error.name}; install it with: pip install 'surefoot[onnx]'"
        ) from None


def on_the_cpu(module: nn.Module) -> nn.Module:
    """A copy of a module in CPU memory and evaluation mode.

    Raises:
        ExportError: it is none of PyTorch's.
    """
    if not isinstance(module, nn.Module):
        raise ExportError(f"the model is a {type(module).__name__}; export and measure are for PyTorch's")
    return copy.deepcopy(module).cpu().eval()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A block whose warnings and log lines are those of other packages about their own affairs: none is shown."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def in_short(error: BaseException) -> str:
    """What torch or ONNX Runtime say, without the pages around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = next((line for line in lines if line and not line.endswith(":")), "")
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."


def _deepest(error: BaseException) -> BaseException:
    """What an error came from in the first place."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _num_norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
