"""``fit``, ``tune`` and ``probe`` for a Keras model as its builder compiles it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from surefoot import workflows
from surefoot.callbacks import Callback
from surefoot.integrations.keras.opening import Objective, RecipeLike, open_model
from surefoot.protocols import Observer, Together
from surefoot.reports.watching import Printer
from surefoot.space import Dimension
from surefoot.workflows import Probe, Result

__all__ = ["fit", "probe", "tune"]


def fit(
    model: Callable[..., Any],
    train: Any,
    *,
    validation: Any = 0.2,
    test: Any = None,
    epochs: float = 20,
    objective: Objective = "validation_loss",
    recipe: RecipeLike = None,
    seed: int = 0,
    directory: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = False,
    callbacks: Iterable[Callback] = (),
    observer: Observer | None = None,
    name: str = "keras",
) -> Result:
    """Train one recipe; the best weights by the objective are the result, and ``result.model`` is your Keras model.

    What the model is compiled with begins the recipe: the kind of its optimizer, rate, momentum or betas, decay,
    ``global_clipnorm``. ``recipe`` goes over it; what neither says takes Surefoot's default, such as warmup and cosine.

    Args:
        model: ``model(**arguments)`` builds and compiles a fresh Keras model; the arguments stand in ``recipe`` under
            ``model``.
        train: ``(x, y)`` or ``(x, y, sample_weight)`` of arrays, dicts or lists of them; weights get a mean of 1.
        validation: likewise, or the fraction of ``train`` to hold out.
        test: likewise or None; looked at once, for the report.
        epochs: passes over the training rows, which the schedule spans.
        objective: "validation_" and "loss", "accuracy", "r2" or "rmse"; a metric that the model is compiled with, as
            ``("auc", "max")``; or ``(name, function(y_pred, y), "min" or "max")``.
        recipe: a ``surefoot.Recipe``, its sections as a mapping, or the path of a TOML file.
        seed: of the initial weights, the order of the rows and all else that is random.
        directory: receives the result; None leaves nothing on disk.
        resume: go on with the run in ``directory``.
        overwrite: remove an earlier result from it first.
        verbose: print a line an epoch.
        callbacks: functions of a ``surefoot.Event``, called after every look.
        observer: hears what happens while it happens.
        name: what reports call the task.

    Raises:
        RequestError: the model, the data, the recipe or the directory is wrong, in one line.

    >>> import keras, numpy as np
    >>> def build():
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.1), "mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(80, 3))
    >>> result = fit(build, (x, x.sum(axis=1)), epochs=5)
    >>> result.recipe.optimizer.name, bool(result.metrics["validation_r2"] > 0.9)
    ('sgd', True)
    """
    opened = open_model(
        model, train, validation=validation, test=test, epochs=epochs, objective=objective, recipe=recipe, name=name
    )
    return workflows.fit(
        opened.task,
        opened.require_optimizer(),
        seed=seed,
        name=name,
        directory=directory,
        resume=resume,
        overwrite=overwrite,
        verbose=verbose,
        callbacks=callbacks,
        observer=observer,
    )


def tune(
    model: Callable[..., Any],
    train: Any,
    *,
    budget: float | str = 2.0,
    validation: Any = 0.2,
    test: Any = None,
    epochs: float = 20,
    objective: Objective = "validation_loss",
    space: Mapping[str, Dimension] | None = None,
    recipe: RecipeLike = None,
    seed: int = 0,
    directory: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = False,
    observer: Observer | None = None,
    workers: int = 0,
    searcher: Any = None,
    name: str = "keras",
) -> Result:
    """A tuned, trained Keras model for the price of ``budget`` trainings, probes and final model included.

    The kind of the compiled optimizer is kept, its rate and decay are searched. Adam is searched as AdamW: what Keras
    calls weight decay is decoupled for both. An optimizer that no recipe describes is put aside, with a note, and AdamW
    and SGD are tried.

    Args:
        model: as for ``fit``; its arguments may be tuned.
        train: likewise.
        budget: trainings, such as 2, or a time, such as "5min".
        validation: as for ``fit``.
        test: likewise.
        epochs: of one training.
        objective: as for ``fit``.
        space: further keys that may vary, such as ``{"model.units": sf.space.choice(32, 64, 128)}`` or
            ``{"optimizer.name": sf.space.choice("adamw", "sgd")}``.
        recipe: as for ``fit``; what it says is kept, and a learning rate in it is where the search begins.
        seed: of everything random.
        directory: as for ``fit``; likewise ``resume`` and ``overwrite``.
        resume: go on with the study in ``directory``.
        overwrite: see there.
        verbose: print what happens.
        observer: hears what happens while it happens.
        workers: processes that make runs side by side; each loads Keras for itself.
        searcher: another one than ours, such as "optuna:TPESampler".
        name: what reports call the task.

    Raises:
        RequestError: the model, the data, the budget, the space, the recipe or the directory is wrong, in one line.
    """
    opened = open_model(
        model, train, validation=validation, test=test, epochs=epochs, objective=objective, recipe=recipe, name=name
    )
    return workflows.tune(
        opened.task_to_search(),
        budget=budget,
        seed=seed,
        directory=directory,
        space=space,
        recipe=opened.recipe_to_search(),
        resume=resume,
        overwrite=overwrite,
        observer=Together(Printer() if verbose else None, observer),
        workers=workers,
        searcher=searcher,
    )


def probe(
    model: Callable[..., Any],
    train: Any,
    *,
    validation: Any = 0.2,
    epochs: float = 20,
    recipe: RecipeLike = None,
    seed: int = 0,
    name: str = "keras",
) -> Probe:
    """Which learning rate, decay and batch size fit this model on this machine; nothing that was measured is changed.

    Args:
        model: as for ``fit``; its compiled optimizer is probed, unless the recipe names another.
        train: likewise, and so are ``validation``, ``epochs`` and ``recipe``.
        validation: see there.
        epochs: see there.
        recipe: see there; its rate is not looked at.
        seed: of the initial weights and the order of the rows.
        name: what reports call the task.

    Raises:
        RequestError: the model, the data or the recipe is wrong, in one line.
    """
    opened = open_model(
        model, train, validation=validation, test=None, epochs=epochs, objective="validation_loss", recipe=recipe,
        name=name,
    )  # fmt: skip
    return workflows.probe(opened.task, opened.require_optimizer(to_probe=True), seed=seed)
