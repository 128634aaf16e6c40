"""Which layers feed which: where a unit can be taken out of a model, and where not and why.

A unit, one output of a dense layer or one channel of a convolution, can go where everything it reaches is known: what
acts on each number alone and leaves a zero a zero, pooling, dropout, batch normalisation, flattening, and then the next
dense layers or convolutions. The paths are read from a trace of the model (torch.fx).
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from surefoot.engine.randomness import RandomState, isolated

__all__ = ["CONVOLUTIONS", "ITS_OUTPUT", "Chain", "Wiring", "wiring_of"]

ITS_OUTPUT = "its output is the model's"
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# What acts on every number alone in evaluation mode; whether it leaves a zero a zero is tried.
_ELEMENTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Hardtanh,
    nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink,
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
)  # fmt: skip
_POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
_ELEMENTWISE_CALLS: tuple[Any, ...] = (
    torch.relu, torch.tanh, functional.relu, functional.relu6, functional.leaky_relu, functional.elu, functional.selu,
    functional.gelu, functional.silu, functional.mish, functional.tanh, functional.hardswish, functional.dropout,
    functional.dropout2d, "relu", "tanh", "contiguous",
)  # fmt: skip
_POOL_CALLS: tuple[Any, ...] = (
    functional.max_pool1d, functional.max_pool2d, functional.max_pool3d, functional.avg_pool1d, functional.avg_pool2d,
    functional.avg_pool3d, functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
    functional.adaptive_avg_pool3d,
)  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """A layer whose units can go, and all they reach, by the modules' names.

    Attributes:
        producer: the dense layer or convolution.
        norms: batch normalisations behind it.
        consumers: layers that take its units in, each with how many inputs it has a unit.
    """

    producer: str
    norms: tuple[str, ...]
    consumers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Wiring:
    """The chains of a model in the order of its modules.

    Attributes:
        chains: where units can go.
        kept: why they cannot, by layer.
        reason: why nothing is known of the model, or "".
    """

    chains: tuple[Chain, ...] = ()
    kept: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def wiring_of(model: nn.Module) -> Wiring:
    """The chains of a model; it is traced, which changes nothing about it."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        with isolated(RandomState.seeded(0)):
            graph = fx.Tracer().trace(model.eval())
    except Exception as error:  # noqa: BLE001 - a forward pass may raise anything when it is traced
        return Wiring(reason=f"the model cannot be traced ({type(error).__name__})")
    finally:
        for module, mode in modes:
            module.training = mode
    modules = dict(model.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    shared = Counter(id(value) for module in modules.values() for value in module.parameters(recurse=False))
    chains, kept = [], {}
    for node in graph.nodes:
        if node.op == "call_module" and _is_layer(modules[node.target]):
            try:
                chains.append(_Paths(node, modules, calls, shared).chain())
            except _KeptError as reason:
                kept[node.target] = str(reason)
    return Wiring(tuple(chains), kept)


class _KeptError(Exception):
    """A layer's units have to stay, and why."""


def _is_layer(module: nn.Module) -> bool:
    return type(module) in (nn.Linear, *CONVOLUTIONS)


class _Paths:
    """Everything behind one layer, up to the next layers."""

    def __init__(self, node: fx.Node, modules: dict[str, nn.Module], calls: Counter[Any], shared: Counter[int]) -> None:
        self._node, self._modules, self._calls, self._shared = node, modules, calls, shared
        layer = self._own(node)
        weight = layer.weight
        assert isinstance(weight, Tensor)
        self._units, self._has_channels = len(weight), type(layer) in CONVOLUTIONS
        if getattr(layer, "groups", 1) != 1:
            raise _KeptError("it is a convolution in groups")
        self._norms: list[str] = []
        self._consumers: list[tuple[str, int]] = []

    def chain(self) -> Chain:
        self._follow(self._node, is_flat=not self._has_channels)
        if not self._consumers:
            raise _KeptError("nothing takes its units in")
        return Chain(str(self._node.target), tuple(self._norms), tuple(self._consumers))

    def _own(self, node: fx.Node) -> nn.Module:
        """The module of a call, which nothing else may use."""
        module = self._modules[str(node.target)]
        if self._calls[node.target] > 1 or any(self._shared[id(value)] > 1 for value in module.parameters()):
            raise _KeptError(f"{node.target} or its weights are used more than once")
        return module

    def _follow(self, node: fx.Node, *, is_flat: bool) -> None:
        """Go through all that uses a value; ``is_flat`` where the units lie along the last of two dimensions."""
        for user in node.users:
            if user.op == "output":
                raise _KeptError(ITS_OUTPUT)
            if user.op == "call_module":
                self._through_module(user, is_flat=is_flat)
            elif not _is_about_rows(user):
                self._through_call(user, is_flat=is_flat)

    def _through_module(self, user: fx.Node, *, is_flat: bool) -> None:
        module = self._modules[str(user.target)]
        if isinstance(module, _ELEMENTWISE):
            with isolated(RandomState.seeded(0)):  # a dropout draws
                is_zero = not bool(module(torch.zeros(1, 1, 1, 1)).any())
            if not is_zero:
                raise _KeptError(f"{type(module).__name__} makes something of a zero")
            self._follow(user, is_flat=is_flat)
        elif isinstance(module, _POOLS) and not is_flat:
            self._follow(user, is_flat=False)
        elif isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            self._follow(user, is_flat=True)
        elif isinstance(module, _NORMS) and module.affine and module.num_features == self._units:
            self._own(user)
            self._norms.append(str(user.target))
            self._follow(user, is_flat=is_flat)
        elif _is_layer(module):
            self._into(user, self._own(user), is_flat=is_flat)
        else:
            raise _KeptError(f"it feeds {user.target}, a {type(module).__name__}")

    def _through_call(self, user: fx.Node, *, is_flat: bool) -> None:
        if user.target in _ELEMENTWISE_CALLS or (user.target in _POOL_CALLS and not is_flat):
            self._follow(user, is_flat=is_flat)
        elif _is_flattening(user):
            self._follow(user, is_flat=True)
        else:
            raise _KeptError(f"it feeds {getattr(user.target, '__name__', user.target)}")

    def _into(self, user: fx.Node, layer: nn.Module, *, is_flat: bool) -> None:
        """A layer at the end of a path."""
        weight, groups = layer.weight, getattr(layer, "groups", 1)
        assert isinstance(weight, Tensor)
        inputs = weight.shape[1]
        # the units of a dense layer lie side by side, the places of a channel too: only the latter may be several
        fits = inputs % self._units == 0 if is_flat and self._has_channels else inputs == self._units
        if (type(layer) is nn.Linear) != is_flat or groups != 1 or not fits:
            raise _KeptError(f"it feeds {user.target} in a way that is not known")
        self._consumers.append((str(user.target), inputs // self._units))


def _is_about_rows(node: fx.Node) -> bool:
    """Whether a use of a value only asks how many rows it has."""
    if node.op == "call_method" and node.target == "size":
        return node.args[1:] == (0,) or all(_is_first(user) for user in node.users)
    is_shape = node.op == "call_function" and node.target is getattr and node.args[1:] == ("shape",)
    return is_shape and all(_is_first(user) for user in node.users)


def _is_first(node: fx.Node) -> bool:
    return node.op == "call_function" and node.target is operator.getitem and node.args[1:] == (0,)


def _is_flattening(node: fx.Node) -> bool:
    """Whether a call makes all but the first dimension one."""
    if node.target is torch.flatten or node.target == "flatten":
        return {**dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)), **node.kwargs} in (
            {"start_dim": 1},
            {"start_dim": 1, "end_dim": -1},
        )
    rows = node.args[1] if len(node.args) == 3 and node.args[2] == -1 else None
    is_rows = isinstance(rows, fx.Node) and (_is_first(rows) or (rows.target == "size" and rows.args[1:] == (0,)))
    return node.target in ("view", "reshape") and is_rows
