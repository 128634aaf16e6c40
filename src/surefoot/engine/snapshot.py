"""Everything of a run that training changes, as tensors and plain values: taken, put back, written, read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from surefoot import files
from surefoot.engine.randomness import RandomState

__all__ = ["Snapshot", "copy_state", "load_weights", "save_weights"]

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Snapshot:
    """A moment of a run.

    Attributes:
        model: parameters and buffers.
        best: the best weights so far, empty when there are none.
        optimizer: tensors by ``index.name``.
        values: the optimizer's own plain values, likewise.
        groups: plain values of the optimizer's groups: some optimizers count and estimate there.
        random: the run's random streams.
    """

    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    values: dict[str, Any]
    groups: list[dict[str, Any]]
    random: RandomState
    counters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def take(
        cls,
        model: nn.Module,
        optimizer: optim.Optimizer,
        *,
        best: dict[str, Tensor],
        random: RandomState,
        counters: dict[str, Any],
    ) -> Snapshot:
        """Copies of everything as it is now."""
        tensors: dict[str, Tensor] = {}
        values: dict[str, Any] = {}
        for index, slots in optimizer.state_dict()["state"].items():
            for name, value in slots.items():
                if isinstance(value, Tensor):
                    tensors[f"{index}.{name}"] = value.detach().clone()
                else:
                    values[f"{index}.{name}"] = value
        groups = [_plain_values(group) for group in optimizer.param_groups]
        copied = RandomState(random.python, random.numpy, random.torch_cpu.clone(), [*random.torch_cuda])
        return cls(copy_state(model), best, tensors, values, groups, copied, dict(counters))

    def put_back(self, model: nn.Module, optimizer: optim.Optimizer) -> None:
        """Write the copies into a model and an optimizer of the same make."""
        model.load_state_dict(self.model)
        state: dict[int, dict[str, Any]] = {}
        for key, value in (*self.optimizer.items(), *self.values.items()):
            index, _, name = key.partition(".")
            state.setdefault(int(index), {})[name] = value.clone() if isinstance(value, Tensor) else value
        groups = [
            {**group, **saved} for group, saved in zip(optimizer.state_dict()["param_groups"], self.groups, strict=True)
        ]
        optimizer.load_state_dict({"state": state, "param_groups": groups})

    def write(self, directory: Path) -> None:
        """Write one file, whole or not at all: tensors as safetensors, the rest as JSON in its header."""
        tensors = {f"model/{name}": value for name, value in self.model.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"optimizer/{name}": value for name, value in self.optimizer.items()}
        tensors["random/torch_cpu"] = self.random.torch_cpu
        tensors |= {f"random/torch_cuda/{index}": value for index, value in enumerate(self.random.torch_cuda)}
        rest = {
            "values": self.values,
            "groups": self.groups,
            "random": self.random.to_json(),
            "counters": self.counters,
        }
        with files.replacing(directory / CHECKPOINT) as temporary:
            save_file(tensors, temporary, metadata={"surefoot": json.dumps(rest)})

    @classmethod
    def read(cls, directory: Path) -> Snapshot | None:
        """The snapshot in a directory; None when there is none or it cannot be read."""
        path = directory / CHECKPOINT
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as opened:
                rest = json.loads((opened.metadata() or {})["surefoot"])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
            groups = [{key: _tuples(value) for key, value in group.items()} for group in rest["groups"]]
        except (SafetensorError, KeyError, OSError, json.JSONDecodeError):
            return None
        part = {kind: _under(tensors, f"{kind}/") for kind in ("model", "best", "optimizer", "random")}
        cuda = _under(part["random"], "torch_cuda/")
        random = RandomState.from_json(
            rest["random"],
            torch_cpu=part["random"]["torch_cpu"],
            torch_cuda=[cuda[str(i)] for i in range(len(cuda))],
        )
        tensors_of = (part["model"], part["best"], part["optimizer"])
        return cls(*tensors_of, rest["values"], groups, random, rest["counters"])


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of a model's parameters and buffers, each with memory of its own."""
    return {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a model's parameters and buffers as safetensors, whole or not at all."""
    with files.replacing(path) as temporary:
        save_file(copy_state(model), temporary, metadata={"format": "pt"})


def load_weights(model: nn.Module, path: Path) -> None:
    """Read parameters and buffers that ``save_weights`` wrote."""
    device = next(model.parameters()).device
    with safe_open(path, framework="pt", device=str(device)) as opened:
        model.load_state_dict({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118


def _plain_values(group: dict[str, Any]) -> dict[str, Any]:
    """The numbers, texts and pairs of an optimizer's group; its parameters and tensors are left out."""
    return {key: value for key, value in group.items() if key != "params" and not isinstance(value, Tensor)}


def _tuples(value: Any) -> Any:
    """Pairs as they were before JSON made lists of them."""
    return tuple(value) if isinstance(value, list) else value


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
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
