"""Trainings for one process and for several, and what they come to: run as a script, one of several processes.

The environment says which process it is, as torchrun would; the first argument is where process 0 writes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import scipy.sparse
import torch
from torch import Tensor, nn

import surefoot as sf

ROWS = 101  # no batch size divides it


class Rows(torch.utils.data.Dataset[Any]):
    """A dataset that is not arrays in memory."""

    def __init__(self, *tensors: Tensor) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return len(self._tensors[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(values[index] for values in self._tensors)


def data(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of 6 by 6, three classes, and a weight a row, some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (rows,), generator=generator)
    noise = torch.randn(rows, 1, 6, 6, generator=generator, dtype=torch.float64)
    inputs = noise + (labels - 1.0).reshape(-1, 1, 1, 1) * 0.5
    return inputs, labels, torch.randint(4, (rows,), generator=generator).double()


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3)).double()


def convolution() -> nn.Module:
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout2d(0.2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3)]
    return nn.Sequential(*layers).double()


def task_of(model: Callable[[], nn.Module], *, weights: bool = True, dataset: bool = False, **changes: Any) -> sf.Task:
    parts = [data(ROWS, 0), data(37, 1)]
    train, validation = parts if weights else [part[:2] for part in parts]
    taken = (Rows(*train), Rows(*validation)) if dataset else (train, validation)
    return sf.Task(model, taken[0], validation=taken[1], epochs=3, **changes)


def summed(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target, reduction="sum")


summed.reduction = "sum"  # type: ignore[attr-defined]


class Streamed(torch.utils.data.IterableDataset[Any]):
    """The same rows, one after another."""

    def __len__(self) -> int:
        return ROWS

    def __iter__(self) -> Any:
        return zip(*data(ROWS, 0), strict=True)


def streamed() -> sf.Task:
    return sf.Task(dense, Streamed(), validation=data(37, 1), epochs=3, loss="cross_entropy")


def thin() -> nn.Module:
    return nn.Sequential(sf.SparseLinear(36, 12), nn.ReLU(), nn.Linear(12, 3)).double()


def sparse() -> sf.Task:
    parts = [data(ROWS, 0), data(37, 1)]
    train, validation = ((scipy.sparse.csr_array(x.flatten(1).relu().numpy()), y, w) for x, y, w in parts)
    return sf.Task(thin, train, validation=validation, epochs=3)


class Failing(nn.Module):
    """Raises something in its second training step, in one process only; then all is well."""

    raises: type[Exception] = MemoryError

    def __init__(self) -> None:
        super().__init__()
        self.layers, self._calls = dense(), 0

    def forward(self, rows: Tensor) -> Tensor:
        self._calls += self.training and len(rows) > 2  # the trial at the door takes two
        if self._calls == 2 and os.environ.get("RANK") == "1":
            self._calls += 1
            raise self.raises("on purpose")
        return self.layers(rows)


class Wrong(Failing):
    raises = ValueError


HELD = {"l1": 1e-3, "l2": 1e-2}
RAMP = {"policy": "linear_ramp", "size": 5, "last": 30}
NOISE = {"policy": "noise_scale", "size": 8, "look_every": 2, "min_looks": 2, "deviations": 0.1, "largest": 40}

CASES: dict[str, tuple[Callable[[], sf.Task], dict[str, Any]]] = {
    "a ramp, AdamW, penalties, clipping, weights": (
        lambda: task_of(dense),
        {"optimizer": {"name": "adamw", "max_gradient_norm": 0.5}, "batch": RAMP, "regularization": HELD},
    ),
    "noise of single rows": (lambda: task_of(dense), {"batch": NOISE}),
    "noise of parts, SGD": (
        lambda: task_of(convolution),
        {"optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, "batch": NOISE},
    ),
    "noise along the gradient, in parts": (
        lambda: task_of(convolution),
        {"batch": {**NOISE, "policy": "inner_product_test", "theta": 0.1}},
    ),
    "noise along the gradient, of rows": (
        lambda: task_of(dense),
        {"batch": {**NOISE, "policy": "inner_product_test", "theta": 0.1}},
    ),
    "micro-batches": (lambda: task_of(convolution), {"batch": {"size": 25, "micro_batch": 4}}),
    "a dataset, a sum": (
        lambda: task_of(dense, weights=False, dataset=True, loss=summed),
        {"optimizer": {"learning_rate": 1e-3}, "batch": {"size": 20}},
    ),
    "mixed pictures, classes evened out, an average of the weights": (
        lambda: task_of(convolution, weights=False),
        {
            "data": {"mixup": 0.4, "flip": 0.5, "balance": "oversample"},
            "network": {"averaging": "ema"},
            "batch": {"size": 20},
        },
    ),
    "a stream": (streamed, {"batch": RAMP, "data": {"shuffle_buffer": 30}}),
    "sparse rows": (sparse, {"batch": NOISE}),
    "no room in one of them": (lambda: task_of(Failing, weights=False), {"batch": {"size": 12}}),
    "fewer rows than processes": (lambda: task_of(dense), {"batch": {"size": 2}, "stopping": {"max_steps": 40}}),
}


def outcome(name: str) -> dict[str, Any]:
    """What a case comes to: weights, metrics, batch sizes."""
    task, sections = CASES[name]
    result = sf.fit(task(), sf.Recipe(**sections), seed=3)
    run = result.study.runs[0]
    return {
        "weights": {key: value.clone() for key, value in result.model.state_dict().items()},
        "metrics": result.metrics,
        "looks": [
            (look.samples, look.batch_size, look.train_loss, look.noise_scale or 0.0) for look in run.evaluations
        ],
        "changes": [(change.samples, change.name, change.after) for change in run.changes],
        "standard_errors": [look.standard_error or 0.0 for look in run.evaluations],
    }


def failures() -> dict[str, str]:
    """What is said of trainings that cannot be, in every process."""
    here = int(os.environ["RANK"])
    found = {}
    wrong: dict[str, tuple[sf.Task, dict[str, Any]]] = {
        "rows": (sf.Task(dense, data(40, here)[:2], epochs=1), {}),
        "error": (task_of(Wrong, weights=False), {}),
        "folder": (task_of(dense), {}),
    }
    for name, (task, sections) in wrong.items():
        try:
            sf.fit(task, sf.Recipe(**sections), resume=name == "folder")
        except sf.RequestError as error:
            found[name] = str(error)
    return found


if __name__ == "__main__":
    # the cases whose place in the list is given; without any, all of them and what fails
    wanted = [name for place, name in enumerate(CASES) if str(place) in sys.argv[2:]] or list(CASES)
    come_to: dict[str, Any] = {name: outcome(name) for name in wanted}
    if wanted == list(CASES):
        come_to |= {"failures": failures()}
    torch.save(come_to, f"{sys.argv[1]}.{torch.distributed.get_rank()}")
