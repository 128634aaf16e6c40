"""Reading curves: smoothing, range tests and other tools' finders, over plain arrays."""

from surefoot.curves.finders import FINDERS, Finder
from surefoot.curves.smoothing import zero_lag
from surefoot.curves.sweep import Reading, read_sweep

__all__ = ["FINDERS", "Finder", "Reading", "read_sweep", "zero_lag"]
