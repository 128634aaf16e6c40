"""The study: what to try next, what it cost, what it taught."""

from surefoot.tuning.budget import Budget
from surefoot.tuning.ladder import Ladder, Rung, plan_rungs
from surefoot.tuning.ledger import Ledger
from surefoot.tuning.study import Outcome, climb

__all__ = ["Budget", "Ladder", "Ledger", "Outcome", "Rung", "climb", "plan_rungs"]
