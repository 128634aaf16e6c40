"""The lines of plain PyTorch that device, precision, layout and compiler make of a training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["HardwareCode", "hardware_code"]

_DTYPES = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
_AUTO = [
    'name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"',
    "device = torch.device(name)",
]


class HardwareCode(NamedTuple):
    """Pieces of a training loop.

    Attributes:
        setup: lines in front of it, indented by four.
        forward: what gives the model's output for ``inputs``.
        backward: the call that leaves the gradients.
        unscale: a line in front of clipping, indented by twelve, or "".
        step: the optimizer's step, on one line or two, the second indented by twelve.
    """

    setup: str
    forward: str
    backward: str
    unscale: str
    step: str


def hardware_code(recipe: Mapping[str, Any]) -> HardwareCode:
    """What a complete recipe's sections ``precision`` and ``hardware`` make of the loop.

    >>> hardware_code({}).forward, hardware_code({"precision": {"name": "bf16"}}).forward
    ('model(inputs)', 'forward(inputs)')
    """
    hardware, dtype = recipe.get("hardware", {}), _DTYPES.get(recipe.get("precision", {}).get("name", "float32"))
    lines, forward = _placing(hardware), "model(inputs)"
    if hardware.get("compile"):
        lines.append("compiled = torch.compile(model)")
        forward = "compiled(inputs)"
    device = "device.type" if hardware.get("device") else "next(model.parameters()).device.type"
    if dtype is not None:
        lines += [
            "",
            "def forward(inputs):",
            f"    with torch.autocast({device}, dtype={dtype}):",
            f"        return {forward}.float()",
            "",
        ]
        forward = "forward(inputs)"
    is_scaled = dtype == "torch.float16"
    if is_scaled:
        lines.append(f"scaler = torch.amp.GradScaler({device})  # skips a step whose gradient is not finite")
    setup = "".join(f"    {line}\n" if line else "\n" for line in lines)
    if not is_scaled:
        return HardwareCode(setup, forward, "loss.backward()", "", "optimizer.step()")
    step = "scaler.step(optimizer)\n            scaler.update()"
    unscale = "            scaler.unscale_(optimizer)\n"
    return HardwareCode(setup, forward, "scaler.scale(loss).backward()", unscale, step)


def _placing(hardware: Mapping[str, Any]) -> list[str]:
    """Where model and rows lie."""
    lines, device = list[str](), hardware.get("device")
    if device:
        lines = [*_AUTO] if device == "auto" else [f'device = torch.device("{device}")']
        lines.append("model, inputs_all, targets_all = model.to(device), inputs_all.to(device), targets_all.to(device)")
    if hardware.get("channels_last"):
        lines.append("model = model.to(memory_format=torch.channels_last)")
        lines.append("inputs_all = inputs_all.contiguous(memory_format=torch.channels_last)")
    return lines
