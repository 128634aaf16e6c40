"""A tuner of Keras Tuner whose trainings are the user's own, and whose trials are chosen by us."""

from __future__ import annotations

from typing import Any

import keras_tuner

from surefoot.integrations.keras.tuner.oracle import BUDGET, SurefootOracle

__all__ = ["SurefootTuner"]


class SurefootTuner(keras_tuner.Hyperband):  # type: ignore[misc] # Keras Tuner has no types
    """A tuner of Keras Tuner that trains as its Hyperband does, and searches by ``SurefootOracle``.

    The learning rate, the batch size and the loop are what your HyperModel makes of them; ``search`` of this door
    steers them itself, and needs far fewer epochs.

    Args:
        hypermodel: as in Keras Tuner.
        objective: likewise.
        max_epochs: of a whole training.
        budget: what all trials together may cost, in whole trainings.
        max_trials: at most so many.
        seed: of the points.
        hyperparameters: as in Keras Tuner.
        **tuner_arguments: ``directory``, ``project_name``, ``overwrite`` and what else every tuner takes.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        *,
        max_epochs: int = 100,
        budget: float = BUDGET,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: Any = None,
        **tuner_arguments: Any,
    ) -> None:
        oracle = SurefootOracle(
            objective, max_trials=max_trials, max_epochs=max_epochs, budget=budget, seed=seed,
            hyperparameters=hyperparameters,
        )  # fmt: skip
        # Hyperband's own constructor would make another oracle; what it trains is what this class is for.
        keras_tuner.Tuner.__init__(self, oracle=oracle, hypermodel=hypermodel, **tuner_arguments)
