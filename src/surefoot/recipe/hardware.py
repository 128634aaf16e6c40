"""The sections of the machine: in which precision a training computes, and on what."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from surefoot.errors import nearest
from surefoot.recipe.section import Section

__all__ = ["Hardware", "Precision", "PrecisionName"]

PrecisionName = Literal["float32", "bf16", "fp16"]
"""The values of ``precision.name``."""
# What others call them.
_SAME = {"float16": "fp16", "half": "fp16", "16": "fp16", "bfloat16": "bf16", "fp32": "float32", "32": "float32"}
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _device(value: Any) -> Any:
    """A device that PyTorch knows by that name; None is left as it is."""
    if value is None or (isinstance(value, str) and _DEVICE.fullmatch(value)):
        return value
    given = "cuda" if value == "gpu" else value
    raise ValueError(
        f'hardware.device is "{value}", which does not exist; '
        f"{nearest(given, ('auto', 'cpu', 'cuda', 'cuda:0', 'mps'))} (any number after cuda:)"
    )


def _precision(value: Any) -> Any:
    """The name as it is; one that others use is answered with ours."""
    same = _SAME.get(str(value))
    if same is not None:
        raise ValueError(f'precision.name is "{value}": write "{same}"; allowed: bf16, float32, fp16')
    return value


class Precision(Section):
    """In which numbers the forward and backward pass of a training compute; weights and metrics are float32 anyway.

    Attributes:
        name: "float32", "bf16", or "fp16" with a loss scale.
    """

    name: Annotated[PrecisionName, BeforeValidator(_precision)] = "float32"


class Hardware(Section):
    """Where a training computes, and how that machine is used.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps", or "auto", the first there is of cuda, mps and cpu; left out, where the
            model's builder puts it.
        channels_last: the memory layout of convolutions.
        compile: ``torch.compile`` for the steps.
        pin_memory: left out, what worker processes read for a GPU is pinned, and nothing else.
    """

    device: Annotated[str | None, BeforeValidator(_device)] = None
    channels_last: bool = False
    compile: bool = False
    pin_memory: bool | None = None
