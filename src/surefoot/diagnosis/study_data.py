"""What a study's rows and recipe tell beside its curves: inputs out of scale, a rare class, a decay too strong."""

from __future__ import annotations

import math
from collections.abc import Iterator

from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.recipe import Recipe
from surefoot.records import Finding, Study
from surefoot.tuning.decay import decay_coordinate

__all__ = ["of_the_data", "too_much_decay"]

# First weights are drawn for inputs of mean square about 1: ten times off, and so are outputs and gradients.
SMALL, LARGE = 0.1, 10.0
# A class this common, and an accuracy within two errors of always saying it.
COMMON, ERRORS = 0.8, 2.0
# Of trainings of small networks at c = Σ ηλ, the best lie near 1 to 3 and those at 30 are two to ten times worse
# (docs/log.md, 2026-11-20).
TOO_MUCH = 30.0


def of_the_data(study: Study) -> Iterator[Finding]:
    """What holds whatever was trained."""
    scale = study.facts.input_scale
    if scale is not None and not SMALL <= scale <= LARGE:
        yield Finding(
            verdict="inputs not scaled",
            run="all",
            evidence=say(
                "the root mean square of the training inputs is {scale:.3g}, and first weights are made for about 1",
                scale=scale,
            ),
            advice=say(
                "set data.standardize = true, or bring the inputs to mean 0 and deviation 1 yourself (pictures: "
                "divide by 255), unless the model does it first"
            ),
            certainty="likely",
        )
    largest, accuracy = study.facts.largest_class, study.metrics.get("validation_accuracy")
    rows = study.rows.get("validation", 0)
    if largest is None or accuracy is None or rows == 0 or not COMMON <= largest < 1.0:
        return
    if accuracy <= largest + ERRORS * math.sqrt(largest * (1.0 - largest) / rows):
        yield Finding(
            verdict="imbalance hidden by accuracy",
            run="all",
            evidence=say(
                "{accuracy} of {rows} validation rows are right, and always saying the most frequent class has "
                "{largest}",
                accuracy=share(accuracy),
                rows=rows,
                largest=share(largest),
            ),
            advice=say(
                "judge by the loss or a metric over classes; set loss.class_weights = balanced or data.balance = "
                "oversample, and move the threshold"
            ),
            certainty="likely",
        )


def too_much_decay(study: Study) -> Iterator[Finding]:
    """A kept recipe whose weights are pulled back many times over its length."""
    run = study.winning_run
    if run is None:
        return
    recipe = Recipe(**run.recipe)
    decay = decay_coordinate(recipe, num_steps=run.steps)
    if not decay >= TOO_MUCH:
        return
    yield Finding(
        verdict="underfitting",
        run=run.name,
        evidence=say(
            "weight decay pulls the weights back {decay:.0f} times over the training (rate × decay × steps), where 1 "
            "to 3 times was best on most tasks",
            decay=decay,
        ),
        advice=say("try optimizer.weight_decay = {value:.2g}", value=2.0 * recipe.optimizer.weight_decay / decay),
        certainty="possible",
    )
