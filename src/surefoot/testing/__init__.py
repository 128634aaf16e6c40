"""Conformance checks for authors of new schedules and trainables; Surefoot's own pass them in its tests."""

from surefoot.testing.reactive import check_reactive
from surefoot.testing.schedules import check_schedule
from surefoot.testing.trainables import check_trainable

__all__ = ["check_reactive", "check_schedule", "check_trainable"]
