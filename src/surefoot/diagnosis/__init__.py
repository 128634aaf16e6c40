"""Verdicts on runs, each with its evidence and what to do about it."""

from surefoot.diagnosis.verdicts import findings

__all__ = ["findings"]
