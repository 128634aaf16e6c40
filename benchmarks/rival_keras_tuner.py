"""Keras Tuner as a rival: its Hyperband, with a tuner whose trials train on our engine.

Where the oracle promotes a trial, Keras Tuner loads the earlier one's weights and trains on. Here the earlier training
itself goes on, optimizer state and schedule included, and only the new looks are paid. A training that diverges scores
infinity: after three scores of NaN the tool would give up.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import replace
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras_tuner

from benchmarks.price_trials import DECAYS, OPTIMIZERS, RATES, Setting, Study, Trial

__all__ = ["hyperband"]

MOST_ROUNDS = 1000  # far more than any price pays for


def hyperband(study: Study) -> None:
    """Hyperband over the looks of a training, by factors of three, one round of brackets after the other."""
    smallest, largest = study.bench.batches
    space = keras_tuner.HyperParameters()
    space.Choice("optimizer", list(OPTIMIZERS))
    space.Float("learning_rate", *RATES, sampling="log")
    space.Int("batch_size", smallest, largest, sampling="log")
    space.Float("weight_decay", *DECAYS, sampling="log")
    oracle = keras_tuner.oracles.HyperbandOracle(
        keras_tuner.Objective("loss", "min"),
        max_epochs=study.bench.num_looks,
        factor=3,
        hyperband_iterations=MOST_ROUNDS,
        seed=study.seed,
        hyperparameters=space,
    )
    with tempfile.TemporaryDirectory() as directory:
        tuner = _Tuner(oracle, directory=directory, project_name="study", overwrite=True)
        tuner.study, tuner.trials = study, {}
        with contextlib.suppress(_Spent):
            tuner.search(verbose=0)


class _Spent(keras_tuner.errors.FatalError):
    """The price is paid."""


class _Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Trains with our engine; ``study`` and ``trials``, by the oracle's names, are set after it is made."""

    study: Study
    trials: dict[str, Trial]

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Train to the looks that the oracle grants; the loss of the best one."""
        values = trial.hyperparameters.values
        setting = Setting(**{name: values[name] for name in Setting.__dataclass_fields__})
        earlier = self.trials.pop(values.get("tuner/trial_id", ""), None)
        current = self.study.begin(setting.recipe) if earlier is None else earlier
        before = current.outcome
        while current.looks < values["tuner/epochs"] and not current.is_over:
            current.look()
        self.trials[trial.trial_id] = current
        after = current.outcome
        added = replace(
            after,
            samples=after.samples - before.samples,
            test_seconds=after.test_seconds - before.test_seconds,
        )
        self.study.finish(added, status=current.status, about=str(setting))
        return {"loss": float("inf") if current.has_diverged else after.validation}

    def on_trial_end(self, trial: Any) -> None:
        """Tell the oracle, and stop when the price is spent."""
        super().on_trial_end(trial)
        if self.study.is_spent:
            raise _Spent
