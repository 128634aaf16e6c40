"""Conformance checks for authors of new parts of every kind; Surefoot's own pass them in its tests."""

from surefoot.testing.batching import check_batch_policy, simulated_noise
from surefoot.testing.reactive import check_reactive
from surefoot.testing.schedules import check_schedule
from surefoot.testing.searchers import check_searcher, simulated_run
from surefoot.testing.trainables import check_trainable

__all__ = [
    "check_batch_policy",
    "check_reactive",
    "check_schedule",
    "check_searcher",
    "check_trainable",
    "simulated_noise",
    "simulated_run",
]
