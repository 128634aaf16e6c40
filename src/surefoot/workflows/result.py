"""A result: the model, its recipe, what it measures, what it cost, what there is to say about it."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from surefoot import diagnosis, reports
from surefoot.language import language as spoken_in
from surefoot.protocols import Finishes, Split, Trainable, TrainableFactory
from surefoot.recipe import Data, Recipe
from surefoot.records import SCHEMA_VERSION, Cost, Finding, Forecast, RangeTest, Study, StudyStatus
from surefoot.space import Dimension
from surefoot.tasks import Task
from surefoot.tasks.builder import reference_to
from surefoot.tasks.inputs import input_form
from surefoot.tuning import Outcome
from surefoot.workflows import output
from surefoot.workflows.facts import facts_of, guess_of, loss_name, ranges_of

__all__ = ["Result", "Spending", "conclude", "versions"]

PARTS: tuple[Split, ...] = ("train", "validation", "test")
_PACKAGES = ("surefoot", "torch", "numpy", "optuna", "scikit-learn")
# Likewise, where they were used.
_DOORS = ("keras", "tensorflow", "jax")


@dataclass(frozen=True, repr=False)
class Result:
    """What ``tune`` and ``fit`` give back.

    Attributes:
        study: the record of everything that happened.
        model: the trained model with its best weights; None when no run reached a usable one.
        directory: where it was written, None when nothing was.
        stopped_by_person: whether a Ctrl-C ended it.
        card: what ``model.json`` holds: how to use the model; None where there is none.
        process: which of several processes that trained together this is, 0 where there is one; 0 alone writes.
    """

    study: Study
    model: Any
    directory: Path | None = None
    stopped_by_person: bool = False
    card: dict[str, Any] | None = None
    process: int = 0

    def __repr__(self) -> str:
        measured = ", ".join(f"{name}={value:.4g}" for name, value in self.study.metrics.items())
        return f"Result({self.study.task!r}, {self.status}, {measured}, price={self.cost.trainings:.2f})"

    def __str__(self) -> str:
        return "\n".join([repr(self), *(f"Note      {note}" for note in self.notes)])

    @property
    def status(self) -> StudyStatus:
        """How it ended: completed, interrupted, diverged or out_of_memory."""
        return self.study.status

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of the model, complete; None when there is no model."""
        return Recipe(**self.study.recipe) if self.study.recipe else None

    @property
    def forecast(self) -> Forecast | None:
        """Where the budget had no room for a whole training: its recipe and the loss expected at its end."""
        return self.study.forecast

    @property
    def metrics(self) -> dict[str, float]:
        """``train_loss``, ``validation_loss``, ``test_loss``, accuracies and the like."""
        return dict(self.study.metrics)

    @property
    def cost(self) -> Cost:
        """``trainings``, ``samples`` and ``seconds``, everything included."""
        return self.study.cost

    @property
    def findings(self) -> list[Finding]:
        """Verdicts, each with its evidence and its advice."""
        return list(self.study.findings)

    @property
    def notes(self) -> list[str]:
        """What was done otherwise than asked or than is usual, a line each; ``print(result)`` shows them too."""
        return list(self.study.notes)

    def report(self, path: str | Path, *, language: str = "en") -> Path:
        """Write the report, and give back its path.

        Args:
            path: one HTML page that needs nothing else, or all its pictures in one .png.
            language: "en" or "zh".

        Raises:
            OutputError: it ends in neither, or it cannot be written.
        """
        with spoken_in(language):
            return reports.write_report(self.study, Path(path))


@dataclass(frozen=True)
class Spending:
    """What was spent on what.

    Attributes:
        probes: the range tests.
        seconds: the whole command, from its first to its last step.
        budget: what was allowed, as a person would say it; None where nothing limits.
        interrupted: a person asked to stop; without it, what stopped early ran out of time.
    """

    probes: tuple[RangeTest, ...] = ()
    seconds: float = 0.0
    budget: str | None = None
    interrupted: bool = False


def conclude(
    task: Task,
    factory: TrainableFactory,
    outcome: Outcome,
    spending: Spending,
    *,
    kind: Literal["tune", "fit"],
    seed: int,
    directory: Path | None,
    notes: Sequence[str] = (),
    forecast: Forecast | None = None,
    space: Mapping[str, Dimension] | None = None,
) -> Result:
    """Measure the best model on every part, find what there is to say, write it all down."""
    finished = outcome.trainable.finish() if isinstance(outcome.trainable, Finishes) else ()
    metrics = _measured(outcome.trainable) if outcome.trainable is not None else {}
    samples = sum(run.samples for run in outcome.runs) + sum(test.samples for test in spending.probes)
    rows = {str(part): _num_rows(getattr(task, part)) for part in PARTS}
    status, reason = _status(outcome, interrupted=spending.interrupted)
    chosen = outcome.best.recipe if outcome.best else {}
    study = Study(
        kind=kind,
        task=task.name,
        status=status,
        reason=reason,
        seed=seed,
        budget=spending.budget,
        rows=rows,
        epochs=task.epochs,
        loss=loss_name(task, chosen),
        objective=factory.objective,
        probes=spending.probes,
        runs=outcome.runs,
        winner=outcome.best.number if outcome.best else None,
        recipe=chosen,
        metrics=metrics,
        guess=guess_of(task, loss_name(task, chosen)),
        forecast=forecast,
        facts=facts_of(task, chosen),
        ranges=ranges_of(space or {}),
        cost=Cost(trainings=samples / factory.training_samples, samples=samples, seconds=spending.seconds),
        notes=(*task.notes, *notes, *finished, *_loading(task, directory)),
        versions=versions(),
    )
    with spoken_in("en"):  # records hold English, whatever the page is written in
        study = study.model_copy(update={"findings": tuple(diagnosis.findings(study))})
    card = None if outcome.trainable is None else _card(task, study)
    if directory is not None:
        _write(study, directory, outcome.trainable, card)
    model = outcome.trainable.model if outcome.trainable is not None else None
    return Result(study, model, directory, stopped_by_person=outcome.stopped and spending.interrupted, card=card)


def _measured(trainable: Trainable) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in PARTS:
        measured = trainable.evaluate(part)
        found |= {f"{part}_{name}": value for name, value in measured.items()}
    return found


def _status(outcome: Outcome, *, interrupted: bool) -> tuple[StudyStatus, str]:
    """How it ended: a person's wish comes first, then whether anything worked, then the clock."""
    if outcome.stopped and interrupted:
        return "interrupted", "asked to stop before the end; this is the best so far"
    failures = {run.status for run in outcome.runs if run.status in {"diverged", "out_of_memory"}}
    if outcome.runs and all(run.status in failures for run in outcome.runs):
        status: StudyStatus = "out_of_memory" if failures == {"out_of_memory"} else "diverged"
        kept = "the model is from before it" if outcome.best else "no model is usable"
        reason = outcome.runs[-1].reason
        if len(outcome.runs) == 1:
            return status, f"the run failed, {kept}: {reason}"
        return status, f"every one of {len(outcome.runs)} runs failed, {kept}; the last one: {reason}"
    if outcome.stopped and outcome.best is None:
        return "interrupted", "the time was spent before any run reached a usable model; allow more"
    return "completed", "the time was spent before the ladder was climbed" if outcome.stopped else ""


def _num_rows(part: Any) -> int:
    if part is None:
        return 0
    return len(part[0]) if isinstance(part, tuple) else len(part)


def versions() -> dict[str, str]:
    """Of Python and of the packages that a result may hang on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {name: str(sys.modules[name].__version__) for name in _DOORS if name in sys.modules}


def _loading(task: Task, directory: Path | None) -> tuple[str, ...]:
    """What to know before the model is loaded again."""
    if directory is None or reference_to(task.model) is not None:
        return ()
    return ("the model builder cannot be found by name from another process: load with sf.load(..., model=build)",)


def _card(task: Task, study: Study) -> dict[str, Any]:
    """What ``load`` needs beside the weights."""
    builder, form = reference_to(task.model), input_form(task.train)
    data = Data(**study.recipe.get("data", {}))
    if data.prepares:
        task = task.prepared(standardize=data.standardize, missing=data.missing)
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task.name,
        "backend": task.backend,
        "builder": None if builder is None else {"reference": builder.reference, "arguments": builder.arguments},
        "model_arguments": study.recipe.get("model", {}),
        "loss": None if study.loss == "custom" else study.loss,
        "input": None if form is None else form.model_dump(exclude_none=True),
        "preparation": None if task.preparation is None else task.preparation.model_dump(mode="json"),
    }


def _write(study: Study, directory: Path, trainable: Trainable | None, card: dict[str, Any] | None) -> None:
    recipe = Recipe(**study.recipe).to_toml() if study.recipe else ""
    if trainable is not None:
        trainable.save_weights(directory / output.WEIGHTS)
    page = reports.page(study)
    output.save(study, directory, recipe_toml=recipe, page=page, card=card)
