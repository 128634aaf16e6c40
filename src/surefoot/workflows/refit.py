"""Train once more on every row there is, the way a finished training went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surefoot import files, reports, schedules
from surefoot.errors import OutputError, RecipeError, TaskError
from surefoot.protocols import Observer, Together
from surefoot.recipe import Recipe
from surefoot.records import Study
from surefoot.tasks import Task
from surefoot.tasks.union import without_validation
from surefoot.workflows import output
from surefoot.workflows.company import require_one_process
from surefoot.workflows.fit import fit_looking_at
from surefoot.workflows.result import Result

__all__ = ["refit"]


def refit(
    source: Result | Recipe | str | Path,
    task: Task,
    *,
    seed: int = 0,
    directory: str | Path | output.NewFolder | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Train on the training and the validation rows together, with a recipe that was chosen before.

    Epochs are kept, not steps: every schedule lives on the clock of samples as shares of the horizon, and stretches
    with the rows. The weight decay and the penalties are multiplied by the steps before ÷ the steps now, so that
    c = Σ ηλ over the training stays what it was (a prior counts once, however many rows there are; that the timescale
    1/(ηλ) in epochs should stay is what Wang and Aitchison 2024, arXiv:2405.13698, find).

    No row is left to choose by: early stopping and budgets are off, and the weights of the end are the model. Where the
    training before was best at a look before its end, the refit ends at the same share of the horizon
    (``stopping.max_share``), under the same schedule. The test part is looked at once, in the end.

    Args:
        source: the result of ``tune`` or ``fit``, its folder, or a recipe, which is then trained to its end.
        task: what it was chosen on.
        seed: of the initial weights, the order of the rows and everything else that is random.
        directory: receives the result; None leaves nothing on disk.
        resume: go on with the run in ``directory``.
        overwrite: remove an earlier result from ``directory`` first.
        verbose: print a line an epoch.
        observer: hears what happens while it happens.

    Raises:
        OutputError: the folder holds no result.
        RecipeError: the recipe reacts to a validation loss.
        TaskError: the task has no validation rows, or ones that cannot be joined to the others.
    """
    require_one_process("refit", "start it without torchrun")
    if not isinstance(task, Task):
        raise TaskError(f"task must be a surefoot.Task, not {type(task).__name__}")
    if task.backend != "surefoot.engine":
        raise TaskError(f"a refit is for tasks that PyTorch trains; {task.name} is trained by {task.backend}")
    if task.validation is None:
        raise TaskError("the task has no validation rows to train on as well; use sf.fit")
    course = _course(source)
    _require_blind(course.recipe)
    whole = without_validation(task)
    before, now = _num_rows(task.train), _num_rows(whole.train)
    recipe = _at_end(_with_same_decay(course.recipe, before, now), course.until)
    note = f"trained on {before:,} training and {now - before:,} validation rows together: nothing was chosen by a loss"
    ends = f"; it ends after {100 * course.until:.3g} % of the horizon, where the training before was best"
    return fit_looking_at(
        (), whole, recipe, seed=seed, name="refit", directory=directory, resume=resume, overwrite=overwrite,
        callbacks=(), observer=Together(reports.Printer() if verbose else None, observer), share=course.share,
        notes=(note + (ends if course.until < 1 else ""),),
    )  # fmt: skip


@dataclass(frozen=True)
class _Course:
    """How a finished training went.

    Attributes:
        recipe: that was used.
        share: of the task's horizon that its schedule spanned.
        until: the share of that at which it was best; 1 at its end.
    """

    recipe: Recipe
    share: float = 1.0
    until: float = 1.0


def _course(source: Result | Recipe | str | Path) -> _Course:
    if isinstance(source, Recipe):
        return _Course(source)
    if isinstance(source, str | Path) and Path(source).is_file():
        return _Course(Recipe.from_file(source))
    study = source.study if isinstance(source, Result) else _study(Path(source))
    run = study.winning_run
    look = None if run is None else run.best_evaluation
    if run is None or look is None:
        raise TaskError(f"there is no usable model to train again: {study.status}, {study.reason}")
    return _Course(Recipe(**run.recipe), run.share, min(1.0, look.samples / run.horizon))


def _study(directory: Path) -> Study:
    try:
        return Study.model_validate(files.read_json(directory / output.RECORDS))
    except FileNotFoundError:
        raise OutputError(f"there is no result in {directory}: {output.RECORDS} is missing") from None
    except (ValueError, ValidationError, OSError) as error:
        raise OutputError(f"{directory / output.RECORDS} cannot be read: {type(error).__name__}") from None


def _with_same_decay(recipe: Recipe, before: int, now: int) -> Recipe:
    """The recipe with c = Σ ηλ over ``now`` rows an epoch as it was over ``before``."""
    factor = before * recipe.steps_per_sample(before) / (now * recipe.steps_per_sample(now))
    sections: dict[str, Any] = recipe.to_dict()
    for name, keys in (("optimizer", ("weight_decay",)), ("regularization", ("l1", "l2"))):
        sections[name] = _scaled(sections.get(name, {}), keys, factor)
    rules = sections["regularization"].get("groups")
    if rules:
        scaled = [_scaled(rule, ("weight_decay", "l1", "l2"), factor) for rule in rules]
        sections["regularization"] = {**sections["regularization"], "groups": scaled}
    return Recipe(**sections)


def _scaled(section: dict[str, Any], keys: tuple[str, ...], factor: float) -> dict[str, Any]:
    return {**section, **{key: section[key] * factor for key in keys if section.get(key)}}


def _at_end(recipe: Recipe, until: float) -> Recipe:
    """The recipe without a reason to stop but the share at which the training before was best."""
    kept = {key: value for key, value in recipe.to_dict().get("stopping", {}).items() if key.startswith("retr")}
    return Recipe(**{**recipe.to_dict(), "stopping": kept | ({"max_share": until} if until < 1 else {})})


def _require_blind(recipe: Recipe) -> None:
    """Raise where a part of the recipe waits for a validation loss."""
    waits = [f"schedule.name {recipe.schedule.name!r}"] if recipe.schedule.name in schedules.REACTIVE else []
    waits += [f"batch.policy {recipe.batch.policy!r}"] if recipe.batch.policy == "plateau_growth" else []
    if waits:
        raise RecipeError(
            f"{waits[0]} reacts to the validation loss, and a refit has none; choose one that does not, as a schedule "
            'such as "cosine" or "step"'
        )


def _num_rows(part: Any) -> int:
    return len(part[0]) if isinstance(part, tuple) else len(part)
