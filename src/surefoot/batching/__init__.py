"""How many samples a step looks at."""

from surefoot.batching.default import default_batch_size
from surefoot.batching.policies import POLICIES, Fixed, Full, Single, from_recipe

__all__ = ["POLICIES", "Fixed", "Full", "Single", "default_batch_size", "from_recipe"]
