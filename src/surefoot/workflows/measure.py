"""What a trained model costs and gives in each form it can be used in: size, latency, quality."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.errors import ExportError, MissingExtraError, RequestError
from surefoot.recipe import Recipe
from surefoot.records import Form, Latency, Measured
from surefoot.tasks import Task
from surefoot.workflows.backend import engine
from surefoot.workflows.export import BATCHES, CALIBRATION_ROWS
from surefoot.workflows.result import versions
from surefoot.workflows.source import Source, as_trained_on, form_of, model_of, recipe_of, rows_of

__all__ = ["measure"]

REPEATS = 30
# From this share of zeros on the table says that zeros alone make nothing faster.
MANY_ZEROS = 0.1


def measure(
    source: Source,
    task: Task,
    *,
    beside: Source | None = None,
    threads: int = 1,
    repeats: int = REPEATS,
    batches: tuple[int, ...] = (1, 64),
) -> Measured:
    """Size, latency and quality of a trained model as it is, fused, as ONNX and as ONNX in int8, side by side.

    All forms run on the CPU, in turn, so that what slows the machine slows all of them. The quality is that on the
    task's test part (the validation part, where there is no test), by the task's own metrics.

    Args:
        source: the folder of a result, a result, or a loaded model.
        task: what it was trained on: its rows are measured on, and calibrate int8.
        beside: another model of the same task, such as one that was pruned, or not.
        threads: for every form.
        repeats: measurements behind each latency.
        batches: rows a call.

    Raises:
        TaskError: the task's rows are not what the model was trained on.
        RequestError: a number is not a whole one above 0.
    """
    for name, value in (("threads", threads), ("repeats", repeats), *(("batches", size) for size in batches)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise RequestError(f"{name} must hold whole numbers from 1, not {value!r}")
    part = "test" if getattr(task, "test", None) is not None else "validation"
    notes: list[str] = []
    forms: list[Form] = []
    with tempfile.TemporaryDirectory(prefix="surefoot-measure-") as folder, engine().using_threads(threads):
        made: list[_Made] = []
        sources = [source] if beside is None else [source, beside]
        for index, (each, name) in enumerate(zip(sources, _prefixes(sources), strict=True)):
            place = Path(folder) / str(index)
            place.mkdir()
            made += _made(each, task, name, place, notes, num_threads=threads)
        rows = made[0].forms.rows(made[0].rows)
        modules = {one.name: one.module for one in made}
        times = {size: _latencies(modules, _batch(rows, size), repeats) for size in batches}
        for one in made:
            metrics = engine().quality(one.module, one.task, one.recipe, getattr(one.task, part))
            latency = {size: times[size][one.name] for size in batches}
            count, zeros = one.forms.weights()
            forms.append(
                Form(name=one.name, size=one.size, num_parameters=count, zeros=zeros, latency=latency, metrics=metrics)
            )
    held = getattr(task, part)
    return Measured(
        task=task.name,
        part=part,
        rows=len(held[0]) if isinstance(held, tuple) else len(held),
        num_threads=threads,
        repeats=repeats,
        forms=tuple(forms),
        notes=(*notes, *_about_zeros(forms)),
        versions=versions(),
    )


@dataclass(frozen=True)
class _Made:
    """A form that was made and waits to be measured."""

    name: str
    module: Any
    size: int
    forms: Any
    task: Task
    recipe: Recipe
    rows: Any


def _made(
    source: Source, task: Task, prefix: str, folder: Path, notes: list[str], *, num_threads: int
) -> Iterator[_Made]:
    """Every form that can be made of a model; a note for each that cannot."""
    model, recipe = model_of(source), recipe_of(source)
    task = as_trained_on(task, recipe)
    form = form_of(model, task, None)
    rows = rows_of(task.validation, form, count=sum(BATCHES))
    calibration = rows_of(task.train, form, count=CALIBRATION_ROWS)
    forms = engine().Forms(model.module, form.dtype, folder, num_threads=num_threads)
    makers: dict[str, Callable[[], tuple[Any, int] | None]] = {
        "as trained": forms.as_trained,
        "fused": forms.fused,
        "onnx": lambda: forms.onnx(rows),
        "onnx int8": lambda: forms.onnx_int8(rows, calibration),
    }
    for name, make in makers.items():
        try:
            found = make()
        except (ExportError, MissingExtraError) as error:
            notes.append(f"Left out  {prefix}{name}: {error}")
            continue
        if found is None:
            notes.append(f"Left out  {prefix}{name}: there is no batch normalisation to fold into the layer before it")
            continue
        yield _Made(prefix + name, *found, forms, task, recipe, rows)


def _latencies(modules: dict[str, Any], batch: Any, repeats: int) -> dict[str, Latency]:
    times = engine().call_times(modules, batch, repeats=repeats)
    return {name: _latency(seen) for name, seen in times.items()}


def _latency(seconds: list[float]) -> Latency:
    median, low, high = (1e3 * np.quantile(seconds, [0.5, 0.1, 0.9])).tolist()
    return Latency(median=median, low=low, high=high)


def _batch(rows: Any, size: int) -> Any:
    """A batch of the rows there are, each as often as it takes."""
    return rows[np.arange(size) % len(rows)]


def _about_zeros(forms: list[Form]) -> list[str]:
    """What a share of zeros does not buy."""
    found = [form for form in forms if form.name.endswith("as trained") and form.zeros >= MANY_ZEROS]
    return [
        f"Zeros     {100 * form.zeros:.0f} % of the weights of {form.name!r} are zero, which makes no form smaller or "
        "faster: dense kernels multiply by zeros too. Pruning that removes whole channels does"
        for form in found
    ]


def _prefixes(sources: Sequence[Source]) -> list[str]:
    """What the forms of each model are called by: nothing, the folders' names, or numbers where those say nothing.

    >>> _prefixes([Path("a/plain"), Path("a/pruned")]), _prefixes([Path("a/plain"), Path("b/plain")])
    (['plain: ', 'pruned: '], ['model 1: ', 'model 2: '])
    """
    if len(sources) == 1:
        return [""]
    folders = [Path(each) if isinstance(each, str | Path) else each.directory for each in sources]
    names = [folder.name for folder in folders if folder is not None]
    if len(set(names)) < len(sources):
        names = [f"model {number}" for number in range(1, len(sources) + 1)]
    return [f"{name}: " for name in names]
