"""Everything of a run that training changes, as tensors and plain values: taken and put back, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file
from torch import Tensor, nn, optim

from surefoot import files
from surefoot.engine.network import resizing
from surefoot.engine.randomness import RandomState

__all__ = [
    "Snapshot",
    "copy_state",
    "gradients",
    "load_weights",
    "save_weights",
    "training_modes",
    "weights_from_bytes",
    "weights_to_bytes",
]


@dataclass(frozen=True)
class Snapshot:
    """A moment of a run.

    Attributes:
        model: parameters and buffers, those that a state_dict leaves out as well.
        best: the best weights so far, empty when there are none.
        optimizer: tensors by ``index.name`` of the parameter, and by ``group.index.name``.
        values: plain values: the optimizer's own numbers under the same names.
        random: the run's random streams.
        counters: what the run counts and decides, as plain values.
        beside: tensors that belong neither to the model nor to the optimizer, such as an average of the weights.
    """

    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    values: dict[str, Any]
    random: RandomState
    counters: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def take(
        cls,
        model: nn.Module,
        optimizer: optim.Optimizer,
        *,
        best: dict[str, Tensor],
        random: RandomState,
        counters: dict[str, Any],
        beside: dict[str, Tensor],
    ) -> Snapshot:
        """Copies of everything as it is now; ``best`` and ``beside`` are taken as they are."""
        tensors: dict[str, Tensor] = {}
        values: dict[str, Any] = {}
        for place, value in _slots(optimizer).items():
            if isinstance(value, Tensor):
                tensors[place] = value.detach().clone()
                if value.device.type != "cpu":
                    values[f"device.{place}"] = str(value.device)
            else:
                values[place] = value
        state = copy_state(model) | {name: _copy(value) for name, value in _hidden_buffers(model).items()}
        return cls(state, best, tensors, values, random.copy(), dict(counters), beside)

    def put_back(self, model: nn.Module, optimizer: optim.Optimizer) -> None:
        """Write the copies into a model and an optimizer of the same make.

        Straight into the optimizer's state: its own ``load_state_dict`` would cast it to the parameters' type.
        """
        hidden = _hidden_buffers(model)
        model.load_state_dict({name: value for name, value in self.model.items() if name not in hidden})
        for name, buffer in hidden.items():
            buffer.copy_(self.model[name])
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        is_fused = [bool(group.get("fused")) for group in optimizer.param_groups for _ in group["params"]]
        optimizer.state.clear()
        for place, value in (*self.optimizer.items(), *self.values.items()):
            kind, _, rest = place.partition(".")
            if kind == "device":
                continue
            is_beside = f"device.{place}" in self.values
            if kind == "group":
                index, _, name = rest.partition(".")
                group, fresh = optimizer.param_groups[int(index)], _fresh(value, parameters[0], is_beside=is_beside)
                group[name] = tuple(fresh) if isinstance(group.get(name), tuple) else fresh
            else:
                owner, is_beside = parameters[int(kind)], is_beside or is_fused[int(kind)]
                optimizer.state[owner][rest] = _fresh(value, owner, is_beside=is_beside)

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All tensors by name, and the rest as plain values."""
        tensors = {f"model/{name}": value for name, value in self.model.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"optimizer/{name}": value for name, value in self.optimizer.items()}
        tensors |= {f"beside/{name}": value for name, value in self.beside.items()}
        tensors["random/torch_cpu"] = self.random.torch_cpu
        tensors |= {f"random/torch_cuda/{index}": value for index, value in enumerate(self.random.torch_cuda)}
        return tensors, {"values": self.values, "random": self.random.to_json(), "counters": self.counters}

    @classmethod
    def from_parts(cls, tensors: dict[str, Tensor], rest: dict[str, Any]) -> Snapshot:
        """The snapshot that ``to_parts`` took apart."""
        part = {kind: under(tensors, f"{kind}/") for kind in ("model", "best", "optimizer", "beside", "random")}
        cuda = under(part["random"], "torch_cuda/")
        random = RandomState.from_json(
            rest["random"],
            torch_cpu=part["random"]["torch_cpu"],
            torch_cuda=[cuda[str(i)] for i in range(len(cuda))],
        )
        model, best, optimizer, beside = (part[kind] for kind in ("model", "best", "optimizer", "beside"))
        return cls(model, best, optimizer, rest["values"], random, rest["counters"], beside)


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of a model's parameters and buffers, each with memory of its own."""
    return {name: _copy(value) for name, value in model.state_dict().items()}


def save_weights(model: nn.Module, path: Path, *, resized: Sequence[str] = ()) -> None:
    """Write a model's parameters and buffers as safetensors, whole or not at all.

    Args:
        model: whose they are.
        path: of the file.
        resized: the names of layers that have other sizes than the builder gives them.
    """
    # one entry: several come in another order each time, and the same weights should be the same file
    metadata = {"resized": json.dumps(list(resized))} if resized else {"format": "pt"}
    with files.replacing(path) as temporary:
        save_file(copy_state(model), temporary, metadata=metadata)


def load_weights(model: nn.Module, path: Path) -> None:
    """Read parameters and buffers that ``save_weights`` wrote, for use; layers that were smaller there become so here.

    Raises:
        TaskError: a layer that is to become smaller is missing.
    """
    device = next(model.parameters()).device
    with safe_open(path, framework="pt", device=str(device)) as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
        resizing.fit(model, json.loads((opened.metadata() or {}).get("resized", "[]")), tensors)
    model.load_state_dict(tensors)
    model.eval()


def weights_to_bytes(model: nn.Module) -> bytes:
    """A model's parameters and buffers as safetensors, for a pickle that needs no PyTorch to be read."""
    written: bytes = save(copy_state(model))
    return written


def weights_from_bytes(model: nn.Module, weights: bytes) -> None:
    """Put what ``weights_to_bytes`` gave back into a model of the same make, which is then pruned like the first."""
    tensors, fresh = load(weights), model.state_dict()
    resized = {name.rpartition(".")[0] for name, value in tensors.items() if value.shape != fresh[name].shape}
    resizing.fit(model, sorted(resized), tensors)
    model.load_state_dict(tensors)
    model.eval()


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def training_modes(model: nn.Module) -> list[tuple[nn.Module, bool]]:
    """Which modules are in training mode."""
    return [(module, module.training) for module in model.modules()]


def gradients(model: nn.Module) -> list[tuple[nn.Parameter, Tensor | None, bool]]:
    """Every parameter with a copy of its gradient and whether it wants one."""
    return [
        (parameter, None if parameter.grad is None else parameter.grad.clone(), parameter.requires_grad)
        for parameter in model.parameters()
    ]


def _copy(value: Tensor) -> Tensor:
    return value.detach().clone(memory_format=torch.contiguous_format)


def _fresh(value: Any, owner: nn.Parameter, *, is_beside: bool) -> Any:
    """A copy of what was kept: in its parameter's layout, on its device; a count that lay on the CPU stays there."""
    if not isinstance(value, Tensor):
        return value
    if value.ndim and value.shape == owner.shape:
        return torch.empty_like(owner, dtype=value.dtype).copy_(value)
    return value.to(owner.device if is_beside else "cpu", copy=True)


def _hidden_buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that a state_dict leaves out."""
    shown = model.state_dict(keep_vars=True).keys()
    return {name: buffer for name, buffer in model.named_buffers() if name not in shown}


def _slots(optimizer: optim.Optimizer) -> dict[str, Any]:
    """All that an optimizer remembers, of its parameters and of its groups."""
    found: dict[str, Any] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        for name, value in optimizer.state.get(parameter, {}).items():
            found[f"{index}.{name}"] = value
    for index, group in enumerate(optimizer.param_groups):
        found |= {f"group.{index}.{name}": value for name, value in group.items() if name != "params"}
    return found
