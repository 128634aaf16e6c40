"""Measuring a run without changing it."""

from surefoot.probes.capacity import capacity
from surefoot.probes.range_test import range_test

__all__ = ["capacity", "range_test"]
