"""Optuna's door: our search as a sampler and a pruner for an objective that exists, and studies in and out.

Importing it loads Optuna and nothing else that is heavy; the objective may train with any framework.

>>> import optuna
>>> from surefoot.integrations.optuna import SurefootPruner, SurefootSampler
>>> study = optuna.create_study(sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=20))
>>> study.optimize(lambda trial: (trial.suggest_float("lr", 1e-4, 1.0, log=True) - 0.1) ** 2, n_trials=10)
>>> study.best_value < 0.01
True
"""

from surefoot.integrations.optuna.exchange import add_runs, recipe_of
from surefoot.integrations.optuna.pruner import SurefootPruner
from surefoot.integrations.optuna.sampler import SurefootSampler

__all__ = ["SurefootPruner", "SurefootSampler", "add_runs", "recipe_of"]
