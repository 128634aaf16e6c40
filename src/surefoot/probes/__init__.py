"""Measuring a run without changing it."""

from surefoot.probes.range_test import range_test

__all__ = ["range_test"]
