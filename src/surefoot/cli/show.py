"""What the commands print and the small files they read and write."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.errors import OutputError, RecipeError
from surefoot.language import say
from surefoot.recipe import Recipe, parse_value
from surefoot.records import SCHEMA_VERSION
from surefoot.reports import Grid, in_words, padded
from surefoot.workflows import Result, load

__all__ = [
    "comparison_json",
    "comparison_text",
    "grid_axes",
    "named_recipes",
    "predictions",
    "print_json",
    "to_csv",
    "write_predictions",
]


def print_json(value: Any) -> None:
    """One JSON value on standard output; not-a-number becomes null."""
    sys.stdout.write(json.dumps(files.finite_or_null(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def grid_axes(grid: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each key of a grid."""
    axes: dict[str, list[Any]] = {}
    for axis in grid:
        key, mark, values = axis.partition("=")
        if not mark or not values:
            raise RecipeError(f'--grid takes KEY=V1,V2,..., such as batch.size=16,64, not "{axis}"')
        if key.strip() in axes:
            raise RecipeError(f"--grid names {key.strip()} twice; give all its values at once: {key.strip()}=V1,V2,...")
        axes[key.strip()] = [parse_value(value.strip()) for value in values.split(",")]
    return axes


def named_recipes(named: Sequence[str]) -> dict[str, Recipe]:
    """The recipes of files with names."""
    found: dict[str, Recipe] = {}
    for pair in named:
        name, mark, path = pair.partition("=")
        if not mark or not path:
            raise RecipeError(f'a recipe is given as NAME=FILE, such as slow=slow.toml, not "{pair}"')
        if name in found:
            raise RecipeError(f'two recipes are called "{name}"; give each a name of its own')
        found[name] = Recipe.from_file(path)
    return found


def comparison_json(results: Mapping[str, Result]) -> dict[str, Any]:
    """Every result by name."""
    found = {}
    for name, result in results.items():
        study = result.study.model_dump()
        found[name] = {key: study[key] for key in ("status", "metrics", "cost", "recipe")}
    return {"schema_version": SCHEMA_VERSION, "results": found}


def comparison_text(results: Mapping[str, Result], axes: Mapping[str, Sequence[Any]] | None = None) -> str:
    """A line a recipe: its losses and accuracies, steps and seconds; loss and time over a grid of two axes below."""
    metrics = [
        name
        for name in ("train_loss", "validation_loss", "test_loss", "test_accuracy", "test_r2")
        if any(name in result.metrics for result in results.values())
    ]
    width = max(6, *(len(name) for name in results))
    head = [in_words(name) for name in (*metrics, "steps", "seconds")]
    lines = [" " * width + "".join(f"  {padded(name, 16, right=True)}" for name in head) + f"  {say('status')}"]
    for name, result in results.items():
        run = result.study.runs[0]
        values = [f"{result.metrics[metric]:.4f}" if metric in result.metrics else "-" for metric in metrics]
        cells = [*values, str(run.steps), f"{run.seconds:.2f}"]
        lines.append(f"{name:<{width}}" + "".join(f"  {cell:>16}" for cell in cells) + f"  {in_words(result.status)}")
    if axes and len(axes) == 2:
        studies = {name: result.study for name, result in results.items()}
        lines += [f"\n{Grid(axes).table(studies, measure)}" for measure in ("validation_loss", "seconds")]
    return "\n".join(lines)


def predictions(directory: Path, table: Path) -> list[dict[str, Any]]:
    """A prediction a row of the file, with the probability of the chosen class where there are classes."""
    from surefoot.workflows.source import read_rows

    model = load(directory)
    rows = read_rows(table, model)
    answers = model.predict(rows)
    if not model.classes:
        return [{"prediction": answer} for answer in answers]
    chances = model.predict_probabilities(rows).max(axis=1).tolist()
    return [
        {"prediction": answer, "probability": round(chance, 6)} for answer, chance in zip(answers, chances, strict=True)
    ]


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_predictions(path: Path, text: str) -> None:
    """Write the file, or say in one line why not."""
    try:
        files.write_text(path, text)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
