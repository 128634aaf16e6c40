"""Reading curves: smoothing and range tests, over plain arrays."""

from surefoot.curves.smoothing import zero_lag
from surefoot.curves.sweep import Reading, read_sweep

__all__ = ["Reading", "read_sweep", "zero_lag"]
