"""A recipe trained as a workflow would, for tests that look at the run itself."""

from __future__ import annotations

from typing import Any

import surefoot as sf
from surefoot.engine import TorchFactory
from surefoot.protocols import Candidate
from surefoot.training import Conditions, train


def trained(task: Any, recipe: sf.Recipe, **conditions: Any) -> Any:
    """The record and the run."""
    factory = TorchFactory(task)
    complete = recipe.complete(factory.num_rows)
    run = factory.create(complete, seed=0)
    around = Conditions(factory.num_rows, factory.training_samples, factory.objective, **conditions)
    return train(run, Candidate(0, "run", "fit", 1.0, complete, 0), around), run
