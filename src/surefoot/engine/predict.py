"""A model's outputs for rows, without training it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from surefoot.engine.data import as_tensor
from surefoot.engine.loading import EVALUATION_BATCH

__all__ = ["predict"]


@torch.no_grad()
def predict(model: nn.Module, inputs: Any) -> npt.NDArray[Any]:
    """The model's outputs as an array, in evaluation mode, batch by batch."""
    tensor = as_tensor(inputs)
    device = next(model.parameters()).device
    model.eval()
    batches = [model(rows.to(device)).float().cpu() for rows in torch.split(tensor, EVALUATION_BATCH)]
    outputs: npt.NDArray[Any] = torch.cat(batches).numpy()
    return outputs
