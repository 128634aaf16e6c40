"""``search``: a HyperModel of Keras Tuner, unchanged, under our search.

The HyperModel is built with its parameters moved one after the other. Those that move the compiled optimizer's rate,
decay, momentum or kind, or the batch size or epochs of ``HyperModel.fit``, become the search's own levers, within the
ranges that were declared; all others are arguments of the model and are searched with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner

from surefoot import workflows
from surefoot.errors import RequestError
from surefoot.integrations.keras.opening import RecipeLike, open_model
from surefoot.integrations.keras.rows import as_rows
from surefoot.integrations.keras.tuner.searched import Searched
from surefoot.integrations.keras.tuner.translation import Translation, model_builder
from surefoot.protocols import Observer, Together
from surefoot.recipe import sections_of
from surefoot.reports.watching import Printer
from surefoot.space import Dimension

__all__ = ["search"]

EPOCHS = 20.0


def search(
    hypermodel: Any,
    train: Any,
    *,
    budget: float | str = 2.0,
    validation: Any = 0.2,
    test: Any = None,
    epochs: float | None = None,
    objective: Any = "val_loss",
    hyperparameters: Any = None,
    space: Mapping[str, Dimension] | None = None,
    recipe: RecipeLike = None,
    seed: int = 0,
    directory: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = False,
    observer: Observer | None = None,
    name: str = "keras_tuner",
) -> Searched:
    """A tuned, trained model for the price of ``budget`` trainings, from a HyperModel as Keras Tuner has it.

    The ranges that you declared are kept; what you declared nothing for, such as a schedule, is Surefoot's.

    Args:
        hypermodel: ``build_model(hp)`` or a ``keras_tuner.HyperModel``, whose ``fit`` may choose batch size and epochs.
        train: ``(x, y)`` or ``(x, y, sample_weight)``, arrays as ``model.fit`` takes them.
        budget: trainings, such as 2, or a time, such as "5min"; probes and the final model are in it.
        validation: likewise, or the fraction of the rows to hold out.
        test: likewise or None; looked at once.
        epochs: of one training; None is what ``HyperModel.fit`` asks for, or 20.
        objective: "val_loss", "val_accuracy", or any metric the model is compiled with, as Keras Tuner takes it.
        hyperparameters: ``keras_tuner.HyperParameters`` that override those of the same name.
        space: further recipe keys that may vary, such as ``{"batch.size": sf.space.choice(32, 64)}``.
        recipe: what the search keeps as it is: a ``surefoot.Recipe``, its sections or a TOML file.
        seed: of everything random.
        directory: receives the result; None leaves nothing on disk.
        resume: go on with the study in ``directory``.
        overwrite: remove an earlier result from ``directory`` first.
        verbose: print what happens.
        observer: hears what happens while it happens.
        name: what reports call the task.

    Raises:
        RequestError: the HyperModel, the data, the objective or another argument is wrong, in one line.
    """
    translation = model_builder(hypermodel, hyperparameters=hyperparameters, rows=_first_rows(train))
    opened = open_model(
        translation,
        train,
        validation=validation,
        test=test,
        epochs=translation.epochs(epochs) or EPOCHS,
        objective=_objective(objective),
        recipe=_with_settled(translation, sections_of(recipe)),
        name=name,
    )
    opened.task.notes += _notes(translation)
    result = workflows.tune(
        opened.task_to_search(),
        budget=budget,
        seed=seed,
        directory=directory,
        space=_space(translation.space, space or {}),
        recipe=opened.recipe_to_search(),
        resume=resume,
        overwrite=overwrite,
        observer=Together(Printer() if verbose else None, observer),
    )
    return Searched(result, translation, opened.task)


def _space(declared: Mapping[str, Dimension], further: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """What the HyperModel declares and what was given beside it.

    Raises:
        RequestError: both have a range for one key.
    """
    for key in further:
        if key in declared:
            raise RequestError(
                f"space[{key!r}] is declared by the HyperModel: change its range there, or in hyperparameters"
            )
    return {**declared, **further}


def _first_rows(train: Any) -> tuple[Any, Any]:
    """The inputs and the targets of what was given, if it is rows at all."""
    as_rows("train", train)
    return train[0], train[1]


def _objective(objective: Any) -> Any:
    """An objective of Keras Tuner as this door takes it.

    Raises:
        RequestError: it is none that decides by the validation rows.
    """
    if isinstance(objective, list):
        raise RequestError(f"objective must be one, which decides, not {len(objective)}: give one of them")
    try:
        found = keras_tuner.Oracle(objective=objective).objective
    except (TypeError, ValueError):
        raise RequestError(
            f'objective is {objective!r}; give "val_loss", "val_accuracy", or keras_tuner.Objective("val_...", "max")'
        ) from None
    if not found.name.startswith("val_"):
        raise RequestError(f'objective is "{found.name}"; a search decides by the validation rows: "val_{found.name}"')
    return found.name if found.name in {"val_loss", "val_accuracy"} else (found.name, found.direction)


def _with_settled(translation: Translation, sections: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A person's sections over the batch size that the HyperModel has without a parameter for it."""
    size = translation.settled.get("batch.size")
    if size is None:
        return sections
    return {**sections, "batch": {"size": size, **sections.get("batch", {})}}


def _notes(translation: Translation) -> tuple[str, ...]:
    """What of the HyperModel the search does in its own way."""
    notes, ignored = [], translation.explored.first.ignored
    roles = [f'"{role.parameter.key}" is {role.key}' for role in translation.roles]
    if roles:
        notes.append("of the HyperModel's parameters, " + ", ".join(roles))
    if translation.unused:
        notes.append(f"{', '.join(translation.unused)}: nothing that a search moves; left at the default")
    if ignored:
        notes.append(f"what HyperModel.fit gives to model.fit is not used: {', '.join(ignored)}")
    return tuple(notes)
