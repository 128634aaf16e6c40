"""``surefoot export`` and ``surefoot measure``: a trained model in the forms it can be used in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from surefoot.cli.options import TARGET_HELP, ColumnOption, JsonOption, KindOption, TargetArgument, WeightsOption
from surefoot.cli.request import task_of

if TYPE_CHECKING:
    from surefoot.workflows import Export

__all__ = ["export", "measure"]

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that tune or fit wrote.")]


def export(
    directory: FolderArgument,
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help=TARGET_HELP, show_default=False)] = None,
    file_format: Annotated[
        Literal["onnx", "torch_export"], typer.Option("--format", help="ONNX, or a program for torch.export.load.")
    ] = "onnx",
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Fold batch normalisation into the layer before it first.")
    ] = False,
    quantize: Annotated[
        Literal["int8"] | None, typer.Option("--quantize", help="Weights and activations as 8-bit numbers, for ONNX.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows", metavar="FILE", help="Typical rows, .csv or .npy, to compare on and to calibrate int8 on."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The file; model.onnx, model.int8.onnx or model.pt2 in DIR."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that is there.")] = False,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trained model as ONNX or torch.export, and compare its outputs with the model's.

    The batch dimension is open. FILE.json, beside it, holds what stays outside the network: the input's shape and type,
    encoders and scaling, class names. A TARGET or --rows gives real rows to compare on and to calibrate int8 on.

    Examples:  surefoot export runs/digits-1  |  surefoot export runs/digits-1 digits --quantize int8
    """
    from surefoot import workflows
    from surefoot.cli.show import print_json
    from surefoot.errors import RequestError
    from surefoot.workflows.source import model_of, read_rows

    if target is not None and rows is not None:
        raise RequestError("a TARGET and --rows both give rows: give one of the two")
    model = model_of(directory)
    task = None if target is None else task_of(target, column, kind, weights, None)
    found = workflows.export(
        model, format=file_format, path=out, fuse=fuse, quantize=quantize, task=task, overwrite=overwrite,
        rows=None if rows is None else read_rows(rows, model),
    )  # fmt: skip
    if as_json:
        print_json({"path": str(found.path), **found.record})
    typer.echo(_told(found), err=as_json)


def measure(
    directory: FolderArgument,
    target: TargetArgument,
    beside: Annotated[
        Path | None,
        typer.Option("--beside", metavar="DIR", help="Another model of the same task, such as one that was pruned."),
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads for every form.")] = 1,
    repeats: Annotated[int, typer.Option(help="Interleaved measurements behind each latency.")] = 30,
    column: ColumnOption = None,
    kind: KindOption = None,
    weights: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Size, latency and quality of a trained model as it is, fused, as ONNX and as ONNX in int8.

    TARGET is what the model was trained on: the quality is that on its test part.

    Example:  surefoot measure runs/digits-1 digits
    """
    from surefoot import reports, workflows
    from surefoot.cli.show import print_json

    task = task_of(target, column, kind, weights, None)
    found = workflows.measure(directory, task, beside=beside, threads=threads, repeats=repeats)
    if as_json:
        print_json(found.model_dump())
    else:
        typer.echo(reports.forms_table(found))


def _told(found: Export) -> str:
    """What was written, and what the comparison gave."""
    check: dict[str, Any] = found.record["check"]
    sizes = ", ".join(str(size) for size in check["batches"])
    lines = [
        f"Wrote     {found.path}   ({found.path.stat().st_size / 1000:,.1f} kB)",
        f"Wrote     {found.about}   what stays outside the network: input, encoders and scaling, class names",
        f"Check     the outputs agree with the model's to {check['largest_difference']:.2g} "
        f"(allowed: {check['allowed']:g}), in batches of {sizes}, {check['rows']}",
    ]
    folded = found.record["fused_layers"]
    if folded is not None:
        said = (
            f"{folded} batch normalisations into the layers before them"
            if folded
            else "nothing: there was none to fold"
        )
        lines.append(f"Fused     {said}")
    if "quantized" in check:
        lines.append(f"Int8      {_of_int8(check)}")
    return "\n".join(lines)


def _of_int8(check: dict[str, Any]) -> str:
    rows = check["calibration_rows"]
    ranges = f"ranges from {rows} rows" if rows else "no rows to calibrate on"
    same = check["same_answer"]
    answers = "" if same is None else f"; {100 * same:.1f} % of the rows get the same answer"
    return f"{check['quantized']}, {ranges}: the outputs differ by up to {check['quantized_difference']:.2g}{answers}"
