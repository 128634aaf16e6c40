"""What training changes in a scikit-learn estimator, as arrays and plain values: taken, put back, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from surefoot import files

__all__ = ["State", "read_states", "write_states"]

# scikit-learn's networks keep their optimizer in an object of its own.
OPTIMIZER = "_optimizer"
# Bookkeeping of scikit-learn's own stopping, which grows with every step and which nothing here reads.
_IGNORED = frozenset({"loss_curve_", "_best_coefs", "_best_intercepts"})


@dataclass(frozen=True)
class State:
    """A moment of an estimator.

    Attributes:
        arrays: by attribute, ``name`` or ``name/index`` for a list of them, with ``_optimizer.`` in front where it is
            the optimizer's.
        values: numbers, likewise.
    """

    arrays: dict[str, npt.NDArray[Any]]
    values: dict[str, Any]

    @classmethod
    def take(cls, estimator: Any) -> State:
        """Copies of everything that training changes."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        values: dict[str, Any] = {}
        for prefix, owner in _owners(estimator):
            for name, value in vars(owner).items():
                if name in _IGNORED or not (prefix or _is_fitted(name)):
                    continue
                if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                    arrays[prefix + name] = value.copy()
                elif isinstance(value, list) and value and all(isinstance(one, np.ndarray) for one in value):
                    arrays |= {f"{prefix}{name}/{index}": one.copy() for index, one in enumerate(value)}
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    values[prefix + name] = value
        return cls(arrays, values)

    @property
    def is_finite(self) -> bool:
        """Whether no array holds an infinite number or none."""
        return all(bool(np.isfinite(one).all()) for one in self.arrays.values())

    def put_back(self, estimator: Any) -> None:
        """Write copies into an estimator of the same make that has been begun."""
        owners = dict(_owners(estimator))
        lists: dict[tuple[str, str], list[npt.NDArray[Any]]] = {}
        for key, value in sorted(self.arrays.items(), key=_in_order):
            prefix, name = _split(key)
            name, _, index = name.partition("/")
            if index:
                lists.setdefault((prefix, name), []).append(value.copy())
            else:
                setattr(owners[prefix], name, value.copy())
        for (prefix, name), values in lists.items():
            setattr(owners[prefix], name, values)
        for key, number in self.values.items():
            prefix, name = _split(key)
            setattr(owners[prefix], name, number)


def _owners(estimator: Any) -> list[tuple[str, Any]]:
    optimizer = getattr(estimator, OPTIMIZER, None)
    return [("", estimator)] + ([(f"{OPTIMIZER}.", optimizer)] if optimizer is not None else [])


def _split(key: str) -> tuple[str, str]:
    prefix = f"{OPTIMIZER}."
    return (prefix, key.removeprefix(prefix)) if key.startswith(prefix) else ("", key)


def _in_order(item: tuple[str, Any]) -> tuple[str, int]:
    name, _, index = item[0].partition("/")
    return name, int(index or 0)


def _is_fitted(name: str) -> bool:
    """Whether scikit-learn's names say that it is learned, not given."""
    return name.startswith("_") or name.endswith("_")


def write_states(path: Path, states: Mapping[str, State], counters: Mapping[str, Any]) -> None:
    """Write states and plain values as safetensors, whole or not at all; nothing that is read can run code."""
    arrays = {
        f"{name}:{key}": np.ascontiguousarray(array)
        for name, state in states.items()
        for key, array in state.arrays.items()
    }
    rest = {"values": {name: state.values for name, state in states.items()}, "counters": dict(counters)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        save_file(arrays, temporary, metadata={"rest": json.dumps(rest)})


def read_states(path: Path) -> tuple[dict[str, State], dict[str, Any]]:
    """What ``write_states`` wrote."""
    with safe_open(path, framework="np") as opened:
        rest = json.loads(opened.metadata()["rest"])
        arrays = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a mapping
    found = {
        name: State(
            {key.removeprefix(f"{name}:"): one for key, one in arrays.items() if key.startswith(f"{name}:")}, own
        )
        for name, own in rest["values"].items()
    }
    return found, rest["counters"]
