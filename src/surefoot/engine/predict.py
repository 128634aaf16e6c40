"""A model's outputs for rows, without training it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from surefoot.engine.rows.data import as_tensor
from surefoot.engine.rows.loading import EVALUATION_BATCH
from surefoot.engine.sparse_rows import SparseInputs
from surefoot.sparse import CsrRows, is_sparse

__all__ = ["predict"]


@torch.no_grad()
def predict(model: nn.Module, inputs: Any) -> npt.NDArray[Any]:
    """The model's outputs as an array, in evaluation mode, batch by batch."""
    tensor: Any = SparseInputs(CsrRows.of("the rows", inputs)) if is_sparse(inputs) else as_tensor(inputs)
    device = next(model.parameters()).device
    model.eval()
    parts = (tensor[start : start + EVALUATION_BATCH] for start in range(0, len(tensor), EVALUATION_BATCH))
    batches = [model(rows.to(device)).float().cpu() for rows in parts]
    outputs: npt.NDArray[Any] = torch.cat(batches).numpy()
    return outputs
