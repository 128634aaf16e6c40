"""Ray Tune as a rival: random settings under ASHA, a class of trainings whose actor is used again, one at a time.

Ray runs on this machine alone, without its dashboard. A training that diverges reports NaN and ends. The trial in
progress when the price is spent is stopped.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

os.environ.update(RAY_USAGE_STATS_ENABLED="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_AIR_NEW_OUTPUT="0")

import ray
import torch
from ray import tune

from benchmarks.price_trials import DECAYS, OPTIMIZERS, RATES, Outcome, Setting, Study, Trial, bench

__all__ = ["asha"]

MOST_TRIALS = 5000  # far more than any price pays for


def asha(study: Study) -> None:
    """Asynchronous successive halving from one look on, by factors of three."""
    if not ray.is_initialized():
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    smallest, largest = study.bench.batches
    watch = _Watch(study)
    with tempfile.TemporaryDirectory() as directory:
        tune.Tuner(
            tune.with_parameters(_Training, task=study.bench.task, seed=study.seed),
            param_space={
                "optimizer": tune.choice(OPTIMIZERS),
                "learning_rate": tune.loguniform(*RATES),
                "batch_size": tune.lograndint(smallest, largest + 1),
                "weight_decay": tune.loguniform(*DECAYS),
            },
            tune_config=tune.TuneConfig(
                metric="loss",
                mode="min",
                num_samples=MOST_TRIALS,
                reuse_actors=True,
                search_alg=tune.search.BasicVariantGenerator(max_concurrent=1, random_state=study.seed),
                scheduler=tune.schedulers.ASHAScheduler(
                    max_t=study.bench.num_looks, grace_period=1, reduction_factor=3
                ),
            ),
            run_config=tune.RunConfig(
                storage_path=directory,
                stop=_Spent(watch),
                callbacks=[watch],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    watch.settle()


class _Training(tune.Trainable):
    """A trial inside Ray's actor; a step is a look."""

    def setup(self, config: dict[str, Any], *, task: str, seed: int) -> None:
        torch.set_num_threads(1)
        found = bench(task, seed)
        assert found is not None, "the driver found the data, and the actor is on the same machine"
        self._bench, self._seed = found, seed
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._trial = Trial(self._bench, Setting(**new_config).recipe, seed=self._seed)
        return True

    def step(self) -> dict[str, Any]:
        loss = self._trial.look()
        seen = {"outcome": vars(self._trial.outcome), "status": self._trial.status}
        return {"loss": loss if math.isfinite(loss) else math.nan, "done": self._trial.is_over, **seen}


@dataclass
class _Progress:
    """The latest that a trial reported, and when."""

    outcome: Outcome
    status: Any
    setting: Setting
    ended: float


@dataclass
class _Watch(tune.Callback):
    """Hears every result, in the driver."""

    study: Study
    trials: dict[str, _Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self.study.started

    @property
    def is_spent(self) -> bool:
        """Whether the price is paid."""
        samples = sum(progress.outcome.samples for progress in self.trials.values())
        return samples >= self.study.most_price * self.study.bench.factory.training_samples

    def on_trial_result(self, **info: Any) -> None:
        """Remember the latest of a trial."""
        trial, result = info["trial"], info["result"]
        self.trials[trial.trial_id] = _Progress(
            Outcome(**result["outcome"]), result["status"], Setting(**trial.config), time.perf_counter()
        )

    def settle(self) -> None:
        """Put the trials on the bill, in the order in which they ran."""
        for progress in self.trials.values():
            self.study.finish(
                progress.outcome, status=progress.status, about=str(progress.setting), ended=progress.ended
            )


class _Spent(tune.Stopper):
    """Ends the search when the price is paid."""

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def __call__(self, *_: Any) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._watch.is_spent
