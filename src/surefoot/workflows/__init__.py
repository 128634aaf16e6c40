"""What a person asks for, from the question to the answer: the only place that wires the rooms together."""

from surefoot.workflows.ablate import ablate
from surefoot.workflows.compare import compare, expand_grid
from surefoot.workflows.export import Export, export
from surefoot.workflows.fit import fit
from surefoot.workflows.load import LoadedModel, load
from surefoot.workflows.measure import measure
from surefoot.workflows.probe import Probe, probe
from surefoot.workflows.refit import refit
from surefoot.workflows.result import Result
from surefoot.workflows.tune import tune

__all__ = [
    "Export",
    "LoadedModel",
    "Probe",
    "Result",
    "ablate",
    "compare",
    "expand_grid",
    "export",
    "fit",
    "load",
    "measure",
    "probe",
    "refit",
    "tune",
]
