"""Frozen records of what happened: an evaluation, a run, a probe, a study; to and from JSON.

Reports, findings and the ledger read nothing else, so whatever they say can be said again from the files alone.
A float that is not a number is null in JSON and not-a-number again when read back.
"""

from surefoot.records.ablation import WHOLE, Ablation, Trial
from surefoot.records.base import SCHEMA_VERSION
from surefoot.records.forms import Form, Latency, Measured
from surefoot.records.judging import belief, gains, is_preferred, lead, ranked
from surefoot.records.probes import (
    Capacity,
    CapacityPoint,
    NoiseReading,
    RangeTest,
    Sharpness,
    ShortTrainings,
)
from surefoot.records.study import Facts, Forecast, Range, Study, StudyStatus
from surefoot.records.suggestions import FrontierPoint, ProbeReport, Suggestion
from surefoot.records.training import TRAIN_LOSS, Change, Cost, Evaluation, Finding, Objective, Run, RunStatus

__all__ = [
    "SCHEMA_VERSION",
    "TRAIN_LOSS",
    "WHOLE",
    "Ablation",
    "Capacity",
    "CapacityPoint",
    "Change",
    "Cost",
    "Evaluation",
    "Facts",
    "Finding",
    "Forecast",
    "Form",
    "FrontierPoint",
    "Latency",
    "Measured",
    "NoiseReading",
    "Objective",
    "ProbeReport",
    "Range",
    "RangeTest",
    "Run",
    "RunStatus",
    "Sharpness",
    "ShortTrainings",
    "Study",
    "StudyStatus",
    "Suggestion",
    "Trial",
    "belief",
    "gains",
    "is_preferred",
    "lead",
    "ranked",
]
