"""Keras Tuner, in Keras's door: its HyperModels under our search, and our search as an oracle and a tuner of its own.

>>> from surefoot.integrations.keras.tuner import SurefootOracle
>>> SurefootOracle("val_loss", max_epochs=20).objective.direction
'min'
"""

from surefoot.installed import require_package

# What it must have: HyperModel.fit, Objective and conditional scopes as they are now, on Keras 3.
require_package("keras-tuner", oldest=(1, 4), door="surefoot.integrations.keras.tuner", extra="keras-tuner")

from surefoot.integrations.keras.tuner.hypermodel import search  # noqa: E402 - needs it
from surefoot.integrations.keras.tuner.oracle import SurefootOracle  # noqa: E402 - likewise
from surefoot.integrations.keras.tuner.own_training import SurefootTuner  # noqa: E402 - likewise
from surefoot.integrations.keras.tuner.searched import Searched  # noqa: E402 - likewise
from surefoot.integrations.keras.tuner.translation import model_builder  # noqa: E402 - likewise

__all__ = ["Searched", "SurefootOracle", "SurefootTuner", "model_builder", "search"]
