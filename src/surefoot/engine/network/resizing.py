"""Layers of other sizes than their builder gave them: the weights decide, the layer's own numbers follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from surefoot.errors import TaskError

__all__ = ["fit", "set_tensors"]


def fit(model: nn.Module, names: Iterable[str], tensors: Mapping[str, Tensor]) -> None:
    """Give layers the sizes of the tensors that are to be loaded into them.

    Args:
        model: as its builder made it.
        names: of the layers that are smaller in what is loaded.
        tensors: by the names of a state_dict.

    Raises:
        TaskError: the model has no such layer.
    """
    modules = dict(model.named_modules())
    for name in names:
        if name not in modules:
            raise TaskError(f'the model has no layer "{name}", which the file holds with fewer units')
        module = modules[name]
        own = {key: tensors[f"{name}.{key}"] for key in module.state_dict() if f"{name}.{key}" in tensors}
        set_tensors(module, {key: value.clone() for key, value in own.items()})


def set_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put parameters and buffers of other sizes into a dense layer, a convolution or a batch normalisation."""
    for name, value in tensors.items():
        before = getattr(module, name)
        is_parameter = isinstance(before, nn.Parameter)
        setattr(module, name, nn.Parameter(value, requires_grad=before.requires_grad) if is_parameter else value)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        module.out_channels, module.in_channels = module.weight.shape[:2]
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.num_features = len(module.weight)
