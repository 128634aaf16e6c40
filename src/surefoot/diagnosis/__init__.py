"""Verdicts on runs, each with its evidence and what to do about it; and readers of other tools' logs."""

from surefoot.diagnosis.door import diagnose
from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.readers import read_logs
from surefoot.diagnosis.study_verdicts import findings

__all__ = ["Log", "Series", "diagnose", "findings", "read_logs", "verdicts"]
