"""Reading curves: smoothing, range tests, early curves and other tools' finders, over plain arrays."""

from surefoot.curves.early import EarlyReading, RateLook, read_early
from surefoot.curves.finders import FINDERS, Finder
from surefoot.curves.smoothing import zero_lag
from surefoot.curves.sweep import Reading, read_sweep

__all__ = [
    "FINDERS",
    "EarlyReading",
    "Finder",
    "RateLook",
    "Reading",
    "read_early",
    "read_sweep",
    "zero_lag",
]
