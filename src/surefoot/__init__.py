"""Surefoot picks the learning rate and the batch size of a training, keeps them right, and says why.

    import surefoot as sf

    task = sf.Task(model=build, train=(X, y), epochs=20)
    result = sf.tune(task, budget=2.0)

Every name is loaded when it is first used, so importing the package costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot import errors, schedules, space
    from surefoot.callbacks import Event
    from surefoot.diagnosis import diagnose
    from surefoot.engine.attach import Pilot, attach
    from surefoot.engine.sparse_linear import SparseLinear
    from surefoot.engine.tensorboard import TensorBoardWriter
    from surefoot.errors import RequestError, SurefootError
    from surefoot.protocols import Observer
    from surefoot.recipe import Recipe
    from surefoot.reports.watching import Printer
    from surefoot.rescaling import rescale
    from surefoot.shards import Shards
    from surefoot.tasks import Task
    from surefoot.workflows.ablate import ablate
    from surefoot.workflows.compare import compare
    from surefoot.workflows.export import Export, export
    from surefoot.workflows.fit import fit
    from surefoot.workflows.load import LoadedModel, load
    from surefoot.workflows.measure import measure
    from surefoot.workflows.probe import Probe, probe
    from surefoot.workflows.refit import refit
    from surefoot.workflows.result import Result
    from surefoot.workflows.tune import tune

__version__ = "0.1.0"

__all__ = [
    "Event",
    "Export",
    "LoadedModel",
    "Observer",
    "Pilot",
    "Printer",
    "Probe",
    "Recipe",
    "RequestError",
    "Result",
    "Shards",
    "SparseLinear",
    "SurefootError",
    "Task",
    "TensorBoardWriter",
    "__version__",
    "ablate",
    "attach",
    "compare",
    "diagnose",
    "errors",
    "export",
    "fit",
    "load",
    "measure",
    "probe",
    "refit",
    "rescale",
    "schedules",
    "space",
    "tune",
]

_HOMES = {
    "Event": "surefoot.callbacks",
    "Observer": "surefoot.protocols",
    "Pilot": "surefoot.engine.attach",
    "Printer": "surefoot.reports.watching",
    "TensorBoardWriter": "surefoot.engine.tensorboard",
    "attach": "surefoot.engine.attach",
    "diagnose": "surefoot.diagnosis",
    "Recipe": "surefoot.recipe",
    "rescale": "surefoot.rescaling",
    "RequestError": "surefoot.errors",
    "Shards": "surefoot.shards",
    "SparseLinear": "surefoot.engine.sparse_linear",
    "SurefootError": "surefoot.errors",
    "Task": "surefoot.tasks",
} | dict.fromkeys(
    (
        "Export",
        "LoadedModel",
        "Probe",
        "Result",
        "ablate",
        "compare",
        "export",
        "fit",
        "load",
        "measure",
        "probe",
        "refit",
        "tune",
    ),
    "surefoot.workflows",
)
_MODULES = {"errors", "schedules", "space"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"surefoot.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'surefoot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
