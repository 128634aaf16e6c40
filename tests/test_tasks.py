"""Tasks: a user's own, the built-in ones, tables; and what they refuse."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from surefoot import tasks
from surefoot.errors import TaskError
from surefoot.tasks.builder import NamedBuilder, reference_to
from surefoot.tasks.preparation import preparation_from_json
from surefoot.tasks.split import split_rows
from surefoot.tasks.table import read_table, table_task

Make = Callable[..., Any]


@given(st.lists(st.integers(0, 4), min_size=20, max_size=200), st.integers(0, 5))
def test_a_split_is_complete_and_in_proportion(labels: list[int], split: int) -> None:
    parts = split_rows(len(labels), (0.6, 0.2, 0.2), labels=np.array(labels), split=split)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for label in set(labels):
        rows = labels.count(label)
        held = sum(labels[row] == label for row in parts[1].tolist())
        assert abs(held - 0.2 * rows) <= 1


def test_the_split_has_a_seed_of_its_own(make_task: Make) -> None:
    assert np.array_equal(make_task().validation[0], make_task().validation[0])
    first, second = tasks.builtin("iris"), tasks.builtin("iris", split=1)
    assert not np.array_equal(first.test[0], second.test[0])


@pytest.mark.parametrize(("name", "rows"), [("digits", 1797), ("iris", 150), ("wine", 178), ("breast_cancer", 569)])
def test_built_in_tasks_split_60_20_20(name: str, rows: int) -> None:
    task = tasks.builtin(name)
    sizes = [len(part[1]) for part in (task.train, task.validation, task.test)]
    assert sum(sizes) == rows
    assert sizes == pytest.approx([0.6 * rows, 0.2 * rows, 0.2 * rows], abs=3)
    assert abs(float(task.train[0].mean())) < 1e-3
    assert task.loss == "cross_entropy"


def test_a_regression_reads_in_its_own_unit() -> None:
    task = tasks.builtin("diabetes")
    assert task.loss == "mean_squared_error"
    assert task.target_scale == pytest.approx(77, abs=5)
    assert task.preparation is not None
    assert task.preparation.decode(np.array([[0.0]]))[0] == pytest.approx(152, abs=10)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": torch.nn.Linear(1, 2)},
            "model must be a function that builds a fresh model, not Linear; write model=lambda:",
        ),
        ({"model": 3}, "model must be a function that builds a fresh model, not int"),
        ({"epochs": 0}, "epochs must be a number above 0, not 0"),
        ({"epochs": float("nan")}, "epochs must be a number above 0"),
        ({"loss": "cross_entrop"}, 'did you mean "cross_entropy"'),
        ({"objective": "validation_acc"}, 'did you mean "validation_accuracy"'),
        ({"objective": ("f1", 3, "max")}, "objective must be a name or"),
        ({"validation": 1.5}, "must lie between 0 and 1"),
        ({"train": [1, 2, 3, 4], "loss": None}, "loss is needed when train is a dataset"),
        ({"train": 7}, "train must be (X, y), (X, y, weights), a map-style dataset or a stream, not int"),
        ({"train": ([[1.0]], [0, 1])}, "train has 1 inputs and 2 targets"),
        ({"train": ([], [])}, "train has no rows"),
        ({"train": ([["a"]], [0])}, "encode text and categories as numbers first"),
        ({"train": ([[1.0], [1.0, 2.0]], [0, 1])}, "train inputs cannot become an array"),
        ({"train": ([[1.0]], [0])}, "train has 1 rows; at least 2"),
        ({"step": lambda model, batch: 0, "loss": "huber"}, "give one of the two"),
    ],
)
def test_a_wrong_task_gets_one_line(make_task: Make, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        make_task(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_default_loss_follows_the_targets(make_task: Make) -> None:
    assert make_task().loss == "cross_entropy"
    assert make_task(train=(np.ones((8, 4)), np.linspace(0, 1, 8))).loss == "mean_squared_error"
    assert make_task(train=(torch.ones(8, 4), torch.arange(8) % 2)).loss == "cross_entropy"


def test_builders_are_found_by_name() -> None:
    from conftest import small_model

    named = reference_to(functools.partial(small_model, hidden=5))
    assert named == NamedBuilder("conftest:small_model", {"hidden": 5})
    assert named() is not named()
    assert reference_to(lambda: None) is None
    assert reference_to(functools.partial(small_model, torch.nn.ReLU())) is None


# Tables


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


FLOWERS = "length,colour,kind\n" + "".join(
    f"{1 + row % 3 + 0.01 * row},{['red', 'blue', ''][row % 3]},{['rose', 'lily', 'iris'][row % 3]}\n"
    for row in range(60)
)


def test_a_table_becomes_a_task(tmp_path: Path) -> None:
    task = table_task(write(tmp_path / "flowers.csv", FLOWERS), target="kind")
    assert task.name == "flowers"
    assert task.preparation is not None
    assert task.preparation.classes == ("iris", "lily", "rose")
    assert task.train[0].shape == (36, 1 + 3)
    assert any('"colour" lacks 20 values: missing is a category of its own' in note for note in task.notes)
    encoded = task.preparation.encode([{"length": 1.5, "colour": "green", "more": 1}])
    assert encoded[0, 1:].tolist() == [0.0, 0.0, 0.0]
    assert encoded[0, 0] == pytest.approx(task.preparation.encode({"length": ["1.5"], "colour": [""]})[0, 0])


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_mark_between_cells_is_found(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path / "flowers.csv", FLOWERS.replace(",", mark))
    assert list(read_table(path).columns) == ["length", "colour", "kind"]


def test_quoted_and_gzipped_cells(tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv.gz"
    path.write_bytes(gzip.compress('\ufeffa,b\n"1,5\nx",2\n3,4\n'.encode()))
    assert read_table(path).columns == {"a": ["1,5\nx", "3"], "b": ["2", "4"]}
    assert read_table(path).name == "quoted"


def test_missing_numbers_become_the_mean_with_a_flag(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{'NA' if row % 5 == 0 else row},{row % 2}\n" for row in range(50))
    task = table_task(write(tmp_path / "gaps.csv", text), target="y")
    assert task.preparation is not None
    assert task.preparation.encode([{"x": ""}]).tolist() == [[0.0, 1.0]]
    assert any('"x" lacks 10 values: the mean stands in' in note for note in task.notes)


def test_encoders_are_fitted_on_the_training_rows(tmp_path: Path) -> None:
    task = table_task(write(tmp_path / "flowers.csv", FLOWERS), target="kind")
    lengths = task.train[0][:, 0]
    assert float(lengths.mean()) == pytest.approx(0, abs=1e-6)
    assert float(lengths.std()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0, 1], None, "cross_entropy"),
        (["no", "yes"], None, "cross_entropy"),
        ([0.5, 1.5], None, "mean_squared_error"),
        (range(50), None, "mean_squared_error"),
        (range(50), "regression", "mean_squared_error"),
        ([1, 2, 3], "regression", "mean_squared_error"),
        ([0.5, 1.5], "classification", "cross_entropy"),
    ],
)
def test_the_kind_is_inferred_and_overridable(tmp_path: Path, values: Any, kind: Any, expected: str) -> None:
    values = list(values)
    text = "x,y\n" + "".join(f"{row},{values[row % len(values)]}\n" for row in range(100))
    assert table_task(write(tmp_path / "t.csv", text), target="y", kind=kind).loss == expected


def test_classes_keep_their_natural_order(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{row},{[10, 9, 2][row % 3]}\n" for row in range(60))
    task = table_task(write(tmp_path / "t.csv", text), target="y")
    assert task.preparation is not None
    assert task.preparation.classes == ("2", "9", "10")


def test_a_preparation_survives_json(tmp_path: Path) -> None:
    task = table_task(write(tmp_path / "flowers.csv", FLOWERS), target="kind")
    assert task.preparation is not None
    assert preparation_from_json(task.preparation.model_dump(mode="json")) == task.preparation
    rows = [{"length": "2", "colour": "red"}]
    again = preparation_from_json(task.preparation.model_dump(mode="json"))
    assert again is not None
    assert np.array_equal(again.encode(rows), task.preparation.encode(rows))


TEXTS = "".join(f"word{row}\n" for row in range(10_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("x,y\n", "has no rows"),
        ("x,x\n1,2\n", 'the column "x" more than once'),
        ("x,y\n1\n", "data row 1 has 1 cells, the header 2"),
        ("x,z\n1,2\n3,4\n", 'has no column "y"; allowed: x, z'),
        ("x,y\n" + "1,a\n2,a\n" * 20, 'column "y" has one class only ("a")'),
        ("x,y\n" + "1,2\n2,\n" * 20, 'column "y" has no value in 20 of 40 rows (first: data row 2)'),
        ("x,y\n" + "".join(f"{row},{row}.5\n" for row in range(30)) + "1,inf\n", "holds 'inf' in data row 31"),
        ("x,y\n" + "".join(f"{row},{row}.5\n" for row in range(30)) + "1,nan\n", 'column "y" has no value in 1 of 31'),
        ("x,y\n" + "".join(f"a{row},{row % 2}\n" for row in range(10_000)), '"x" is left out: 10,000 different texts'),
        ("x,y\n" + "".join(f"{row},word{row}\n" for row in range(10_000)), "10,000 different values in 10,000 rows"),
        ("x,y\n" + "1,0\n1,1\n" * 20, '"x" is left out: it is the same in every training row'),
        ("x,y\n" + "1,0\n2,1\n", "too few to train, validate and test on"),
    ],
)  # fmt: skip
def test_a_wrong_table_gets_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TaskError) as caught:
        table_task(write(tmp_path / "t.csv", text), target="y")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_constant_regression_target(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{row},1\n" for row in range(40))
    with pytest.raises(TaskError, match="the same value in every row"):
        table_task(write(tmp_path / "t.csv", text), target="y", kind="regression")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"length": 1.0}], 'lack the column "colour"'),
        ([{"length": "long", "colour": "red"}], "column \"length\" holds 'long' where the training data had numbers"),
        ([{"length": "inf", "colour": "red"}], "numbers must be finite"),
        ([], "there are no rows to predict"),
        ([[1.0, "red"]], "rows must be mappings"),
    ],
)
def test_wrong_rows_get_one_line(tmp_path: Path, rows: Any, said: str) -> None:
    task = table_task(write(tmp_path / "flowers.csv", FLOWERS), target="kind")
    assert task.preparation is not None
    with pytest.raises(TaskError) as caught:
        task.preparation.encode(rows)
    assert said in str(caught.value)


def test_arrays_of_the_wrong_width() -> None:
    preparation = tasks.builtin("iris").preparation
    assert preparation is not None
    assert preparation.encode([5.1, 3.5, 1.4, 0.2]).shape == (1, 4)
    for wrong in ([[1.0, 2.0]], [["a"] * 4], [[1.0, 2.0, 3.0, np.nan]]):
        with pytest.raises(TaskError, match="rows"):
            preparation.encode(wrong)


# TARGET


def test_targets_are_resolved(tmp_path: Path) -> None:
    assert tasks.resolve("wine", epochs=3).epochs == 3
    write(tmp_path / "flowers.csv", FLOWERS)
    assert tasks.resolve(str(tmp_path / "flowers.csv"), column="kind").name == "flowers"
    code = (
        "import numpy as np\nfrom torch import nn\nimport surefoot as sf\n"
        "def build(hidden=4):\n    return nn.Linear(2, 2)\n"
        "def task():\n    return sf.Task(build, (np.ones((9, 2)), np.arange(9) % 2))\n"
        "ready = task()\nother = 3\ndef breaks():\n    raise RuntimeError('no data today')\n"
    )
    path = write(tmp_path / "my_model.py", code)
    task = tasks.resolve(f"{path}:task")
    assert task.name == "my_model"
    assert tasks.resolve(f"{path}:ready").epochs == 20
    named = reference_to(task.model)
    assert named is not None
    assert named.reference == f"{path}:build"
    assert isinstance(named(), torch.nn.Linear)


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        ("digit", {}, 'no task "digit"; did you mean "digits"? Built in: breast_cancer, diabetes, digits, iris, wine'),
        ("absent.csv", {"column": "y"}, "cannot read absent.csv: No such file"),
        ("absent.csv", {}, "which column of absent.csv should be predicted? Say it with --target COLUMN"),
        ("digits", {"column": "y"}, "--target, --kind, --weights, --groups and --time are for tables"),
        ("absent.py:task", {}, "there is no file"),
        ("{model}", {}, "does not say which task: write"),
        ("{model}:tusk", {}, 'has no "tusk"; did you mean "task"'),
        ("{model}:task", {}, "failed at model.py:3: RuntimeError: no data today"),
        ("{model}:number", {}, "must be a surefoot.Task or a function that returns one, not int"),
        ("{broken}:task", {}, "broken.py failed at broken.py:1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_target_gets_one_line(tmp_path: Path, target: str, arguments: dict[str, Any], said: str) -> None:
    model = write(tmp_path / "model.py", "number = 3\ndef task():\n    raise RuntimeError('no data today')\n")
    broken = write(tmp_path / "broken.py", "1 / 0\n")
    with pytest.raises(TaskError) as caught:
        tasks.resolve(target.format(model=model, broken=broken), **arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"x,y\n\xff\xfe,1\n")
    with pytest.raises(TaskError, match="is not UTF-8 text"):
        table_task(path, target="y")


def test_a_number_that_names_its_row_is_no_feature(tmp_path: Path) -> None:
    text = "customer_id,paid,y\n" + "".join(f"{1000 + row},{row % 7},{row % 2}\n" for row in range(60))
    task = table_task(write(tmp_path / "t.csv", text), target="y")
    assert task.preparation is not None
    assert [column.name for column in task.preparation.columns] == ["paid"]
    assert any('"customer_id" is left out: it only numbers the rows' in note for note in task.notes)


@pytest.mark.parametrize("bad", ["oops", "inf"])
def test_a_mistake_in_a_column_of_numbers_is_named(tmp_path: Path, bad: str) -> None:
    text = "x,y\n" + "".join(f"{bad if row == 41 else row},{row % 2}\n" for row in range(60))
    with pytest.raises(TaskError, match=f'column "x": 59 of 60 values are numbers, but data row 42 holds {bad!r}'):
        table_task(write(tmp_path / "t.csv", text), target="y")


def test_labels_of_several_dimensions_do_not_break_the_split(make_task: Make) -> None:
    inputs, labels = np.arange(240, dtype=np.float32).reshape(60, 4), np.arange(240).reshape(60, 4) % 3
    task = make_task(train=(inputs, labels), loss="cross_entropy")
    rows = np.concatenate([task.train[0][:, 0], task.validation[0][:, 0]])
    assert sorted(rows.tolist()) == inputs[:, 0].tolist()
