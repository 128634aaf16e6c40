"""Measuring a run without changing it."""

from surefoot.probes.range_test import range_test
from surefoot.probes.sharpness import sharpness
from surefoot.probes.stability import StabilityLimit, divides_by_moments, stability_limit

__all__ = ["StabilityLimit", "divides_by_moments", "range_test", "sharpness", "stability_limit"]
