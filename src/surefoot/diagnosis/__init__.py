"""Verdicts on runs, each with its evidence and what to do about it; and readers of other tools' logs."""

from surefoot.diagnosis.door import Diagnosed, diagnose, diagnosed
from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.readers import read_logs
from surefoot.diagnosis.study_verdicts import findings
from surefoot.diagnosis.trials import Parameter, Trials

__all__ = [
    "Diagnosed", "Log", "Parameter", "Series", "Trials", "diagnose", "diagnosed", "findings", "read_logs", "verdicts",
]  # fmt: skip
