"""Where weights start: schemes by name over the layers that PyTorch has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import init

from surefoot.engine.sparse_linear import SparseLinear
from surefoot.errors import TaskError
from surefoot.recipe import Initialization

__all__ = ["initialize"]

# Radford et al. 2019 (GPT-2) and Devlin et al. 2019 (BERT) draw every weight with it.
USUAL_STD = 0.02

_DENSE = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)  # what all convolutions are
_LAYERS = (*_DENSE, nn.RNNBase, nn.RNNCellBase, nn.Embedding, nn.EmbeddingBag, nn.MultiheadAttention, SparseLinear)
_SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform": init.xavier_uniform_,
    "xavier_normal": init.xavier_normal_,
    "kaiming_uniform": lambda weight: init.kaiming_uniform_(weight, nonlinearity="relu"),
    "kaiming_normal": lambda weight: init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": init.orthogonal_,
}


@torch.no_grad()
def initialize(model: nn.Module, settings: Initialization) -> None:
    """Draw a model's weights anew, in place, from PyTorch's global random stream.

    - xavier: variance 2/(fan in + fan out). Glorot and Bengio 2010.
    - kaiming: variance 2/fan in, for ReLU. He et al. 2015 (arXiv:1502.01852).
    - orthogonal: Saxe et al. 2014 (arXiv:1312.6120).
    - normal: a standard deviation for all; a small or a large one shows what a bad start does.

    A weight that several gates or projections share is drawn a gate at a time, each with its own fans. Biases of these
    layers become 0, and so does the padding row of an embedding. Normalisation and a module's own parameters stay.

    Args:
        model: on any device.
        settings: with the scheme "default" nothing is drawn.

    Raises:
        TaskError: ``last_layer_zero`` finds no dense or convolutional layer.
    """
    if settings.scheme != "default":
        std = USUAL_STD if settings.std is None else settings.std
        draw = _SCHEMES.get(settings.scheme, lambda weight: init.normal_(weight, std=std))
        drawn: set[int] = set()
        for module in model.modules():
            if isinstance(module, _LAYERS):
                _draw_layer(module, draw, drawn)
    if settings.last_layer_zero:
        _zero_last_layer(model)


def _draw_layer(module: nn.Module, draw: Callable[[Tensor], Tensor], drawn: set[int]) -> None:
    """Draw a layer's own weights, those that several layers share only once, and zero its biases."""
    for name, parameter in module.named_parameters(recurse=False):
        if id(parameter) in drawn:
            continue
        drawn.add(id(parameter))
        if parameter.ndim < 2 or "bias" in name:
            parameter.zero_()
            continue
        for part in _parts(module, parameter, name):
            part.copy_(draw(torch.empty(part.shape, dtype=part.dtype, device=part.device)))
    padding = getattr(module, "padding_idx", None)
    if padding is not None and isinstance(module, nn.Embedding | nn.EmbeddingBag):
        module.weight[padding].zero_()


def _parts(module: nn.Module, parameter: Tensor, name: str) -> Iterator[Tensor]:
    """Views of a weight that are each one map, as (outputs, inputs, ...)."""
    if isinstance(module, SparseLinear | nn.modules.conv._ConvTransposeNd):  # what all transposed convolutions are
        yield parameter.transpose(0, 1)
        return
    yield from parameter.chunk(_num_maps(module, name))


def _num_maps(module: nn.Module, name: str) -> int:
    """How many maps one weight holds: gates of a recurrent layer, or the three projections of attention."""
    if isinstance(module, nn.LSTM | nn.LSTMCell):
        return 1 if name.startswith("weight_hr") else 4
    if isinstance(module, nn.GRU | nn.GRUCell):
        return 3
    return 3 if name == "in_proj_weight" else 1


def _zero_last_layer(model: nn.Module) -> None:
    layers = [module for module in model.modules() if isinstance(module, _DENSE)]
    if not layers:
        raise TaskError("initialization.last_layer_zero needs a dense or convolutional layer; the model has none")
    for parameter in layers[-1].parameters(recurse=False):
        parameter.zero_()
