"""Optuna as a rival: three samplers and pruners over the usual space, storage in memory.

The objective is a trial's best look. A training that diverges is pruned, which its samplers take for the worst there
is; the Gaussian process learns from complete trials alone and is told infinity, which it turns into the worst value.
"""

from __future__ import annotations

import math
import warnings

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from benchmarks.price_trials import DECAYS, OPTIMIZERS, RATES, Setting, Study, Trial

__all__ = ["gaussian_process", "random_halving", "tpe_hyperband"]


def tpe_hyperband(study: Study) -> None:
    """TPE with Hyperband, from one look to all of them."""
    most = study.bench.num_looks
    pruner = HyperbandPruner(min_resource=1, max_resource=most, reduction_factor=3)
    _optimize(study, TPESampler(seed=study.seed), pruner)


def gaussian_process(study: Study) -> None:
    """A Gaussian process over complete trainings, nothing pruned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental, and infinite values are clipped
        _optimize(study, GPSampler(seed=study.seed), NopPruner())


def random_halving(study: Study) -> None:
    """Random settings with asynchronous successive halving from one look on."""
    pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    _optimize(study, RandomSampler(seed=study.seed), pruner)


def _optimize(study: Study, sampler: BaseSampler, pruner: BasePruner) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(asked: optuna.Trial) -> float:
        setting = _suggested(asked, study)
        trial = study.begin(setting.recipe)
        try:
            return _trained(asked, trial, prunes=not isinstance(pruner, NopPruner))
        finally:
            study.finish(trial.outcome, status=trial.status, about=str(setting))

    def stop_when_spent(searched: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        if study.is_spent:
            searched.stop()

    _ = study.started
    optuna.create_study(sampler=sampler, pruner=pruner).optimize(objective, callbacks=[stop_when_spent])


def _suggested(asked: optuna.Trial, study: Study) -> Setting:
    smallest, largest = study.bench.batches
    return Setting(
        optimizer=asked.suggest_categorical("optimizer", OPTIMIZERS),
        learning_rate=asked.suggest_float("learning_rate", *RATES, log=True),
        batch_size=asked.suggest_int("batch_size", smallest, largest, log=True),
        weight_decay=asked.suggest_float("weight_decay", *DECAYS, log=True),
    )


def _trained(asked: optuna.Trial, trial: Trial, *, prunes: bool) -> float:
    """The loss of the best look, or ``TrialPruned``."""
    while not trial.is_over:
        loss = trial.look()
        if trial.has_diverged:
            if prunes:
                raise optuna.TrialPruned
            return math.inf
        asked.report(loss, trial.looks)
        if asked.should_prune() and not trial.is_over:
            raise optuna.TrialPruned
    return trial.outcome.validation
