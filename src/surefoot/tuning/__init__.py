"""The study: what to try next, what it cost, what it taught."""

from surefoot.tuning.budget import Budget
from surefoot.tuning.ladder import Ladder
from surefoot.tuning.ledger import Ledger
from surefoot.tuning.plan import Rung, plan_rungs
from surefoot.tuning.setting import Setting
from surefoot.tuning.study import Outcome, climb

__all__ = ["Budget", "Ladder", "Ledger", "Outcome", "Rung", "Setting", "climb", "plan_rungs"]
