"""Measuring a run without changing it."""

from surefoot.probes.capacity import capacity
from surefoot.probes.noise_scale import read_noise
from surefoot.probes.range_test import range_test
from surefoot.probes.sharpness import sharpness
from surefoot.probes.short_trainings import short_trainings
from surefoot.probes.stability import StabilityLimit, divides_by_moments, stability_limit

__all__ = [
    "StabilityLimit",
    "capacity",
    "divides_by_moments",
    "range_test",
    "read_noise",
    "sharpness",
    "short_trainings",
    "stability_limit",
]
