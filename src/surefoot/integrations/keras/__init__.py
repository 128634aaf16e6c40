"""Keras's door: what a Keras user expects to find, on the sample clock and with our one convention for penalties.

Importing it loads Keras with the backend that Keras is set to, and no other framework. Import it before
``keras.models.load_model`` of a model that was compiled with something from here: that is how Keras comes to know it.

>>> import surefoot.integrations.keras as sfk
>>> optimizer = sfk.SGD(0.1, momentum=0.9)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from surefoot.integrations.keras.requirement import require_keras

require_keras()

# What Keras saves inside a model is registered with it when its module is imported.
from surefoot.integrations.keras.optimizers import SGD, Adagrad, Adam, AdamW, NAdamW, RMSprop  # noqa: E402 - likewise
from surefoot.integrations.keras.schedules import ScheduledRate  # noqa: E402 - likewise

if TYPE_CHECKING:
    from surefoot.integrations.keras.accumulation import Accumulating, micro_batches
    from surefoot.integrations.keras.door import fit, probe, tune
    from surefoot.integrations.keras.losses import loss
    from surefoot.integrations.keras.penalties import penalties_of, recipe_terms, regularize
    from surefoot.integrations.keras.pilot import Pilot, attach
    from surefoot.integrations.keras.pipelines import planned_batches
    from surefoot.integrations.keras.range_test import RangeTest
    from surefoot.integrations.keras.reactive import ReactiveRate

# name -> the module of this room that has it; imported when it is asked for
_HOMES: dict[str, str] = {
    "Accumulating": "accumulation",
    "Pilot": "pilot",
    "RangeTest": "range_test",
    "ReactiveRate": "reactive",
    "attach": "pilot",
    "fit": "door",
    "loss": "losses",
    "micro_batches": "accumulation",
    "penalties_of": "penalties",
    "planned_batches": "pipelines",
    "probe": "door",
    "recipe_terms": "penalties",
    "regularize": "penalties",
    "tune": "door",
    **dict.fromkeys(("Searched", "SurefootOracle", "SurefootTuner", "model_builder", "search"), "tuner"),
}

__all__ = [
    "SGD",
    "Accumulating",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdamW",
    "Pilot",
    "RMSprop",
    "RangeTest",
    "ReactiveRate",
    "ScheduledRate",
    "attach",
    "fit",
    "loss",
    "micro_batches",
    "penalties_of",
    "planned_batches",
    "probe",
    "recipe_terms",
    "regularize",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_HOMES})
