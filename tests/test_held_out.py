"""Splits by groups and by times: no group on two sides, nothing later before, and one line where neither can be."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import surefoot as sf
from surefoot import cli
from surefoot.errors import TaskError
from surefoot.tasks.held_out import group_codes, split_by_group, split_by_time, time_values
from surefoot.tasks.resolve import resolve

PARTS = (0.6, 0.2, 0.2)
cells = st.lists(st.integers(0, 12), min_size=3, max_size=80)


def assert_whole(parts: list[Any], num_rows: int) -> None:
    assert sorted(np.concatenate(parts)) == list(range(num_rows))
    assert all(len(part) for part in parts)


@given(cells.filter(lambda found: len(set(found)) > 2), st.integers(0, 3))
def test_a_group_is_in_one_part_and_parts_are_as_near_as_groups_allow(found: list[int], split: int) -> None:
    codes = group_codes("groups", found, num_rows=len(found), num_parts=3)
    parts = split_by_group(codes, PARTS, split=split)
    assert_whole(parts, len(found))
    kinds = [set(np.array(found)[part]) for part in parts]
    assert not (kinds[0] & kinds[1] or kinds[0] & kinds[2] or kinds[1] & kinds[2])
    # the first border is at most half of the largest group off, unless a group had to be left for the other parts
    largest = max(found.count(kind) for kind in set(found))
    assert len(parts[0]) <= 0.6 * len(found) + largest / 2 + 1e-9
    assert len(parts[0]) >= 0.6 * len(found) - largest / 2 - 1e-9 or len(kinds[1] | kinds[2]) == 2


@given(cells.filter(lambda found: len(set(found)) > 2))
def test_parts_follow_each_other_in_time(found: list[int]) -> None:
    times = time_values("times", found, num_rows=len(found), num_parts=3)
    parts = split_by_time(times, PARTS)
    assert_whole(parts, len(found))
    for earlier, later in itertools.pairwise(parts):
        assert times[earlier].max() < times[later].min()


DAYS = [dt.date(2024, 5, 1) + dt.timedelta(days=day) for day in (3, 0, 2, 1)]


@pytest.mark.parametrize(
    "values",
    [
        [3, 0, 2, 1],
        np.array([3.5, 0.5, 2.5, 1.5], dtype=np.float32),
        torch.tensor([3, 0, 2, 1]),
        DAYS,
        [day.isoformat() for day in DAYS],
        [f" {day.isoformat()}T12:30:00+02:00" for day in DAYS],
        np.array(DAYS, dtype="datetime64[ns]"),
        ["1e3", "-2", "12", "1"],
    ],
)
def test_times_are_numbers_dates_and_texts(values: Any) -> None:
    times = time_values("times", values, num_rows=4, num_parts=2)
    assert np.argsort(times).tolist() == [1, 3, 2, 0]


def rows_of(num_rows: int = 100) -> Any:
    generator = np.random.default_rng(0)
    return generator.normal(size=(num_rows, 4)).astype(np.float32), generator.integers(2, size=num_rows)


def linear() -> nn.Module:
    return nn.Linear(4, 2)


def test_a_task_holds_groups_out_and_the_latest() -> None:
    inputs, labels = rows_of()
    inputs[:, 0] = groups = np.arange(100) // 7
    task = sf.Task(linear, (inputs, labels), groups=[f"shop {group}" for group in groups])
    assert not set(task.train[0][:, 0]) & set(task.validation[0][:, 0])
    assert 13 <= len(task.validation[0]) <= 28
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels), torch.ones(100))
    held = sf.Task(linear, dataset, groups=groups, loss="cross_entropy").validation
    assert {float(held[row][0][0]) for row in range(len(held))} == set(task.validation[0][:, 0])
    inputs[:, 0] = times = np.random.default_rng(1).permutation(100)
    later = sf.Task(linear, (inputs, labels), times=times, validation=0.3)
    assert sorted(later.validation[0][:, 0]) == list(range(70, 100))


def test_a_leak_that_a_random_split_does_not_see() -> None:
    """A class that is a person's own, and features that tell the person: nothing that holds for others is learned."""
    generator = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 10)
    looks, classes = generator.normal(size=(40, 4)) * 3, generator.integers(2, size=40)
    inputs = (looks[people] + 0.1 * generator.normal(size=(400, 4))).astype(np.float32)

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))

    recipe = sf.Recipe(optimizer={"learning_rate": 0.02})
    found = []
    for groups in (None, people):
        task = sf.Task(build, (inputs, classes[people]), groups=groups, epochs=15, objective="validation_accuracy")
        found.append(sf.fit(task, recipe).metrics["validation_accuracy"])
    assert found[0] > 0.85
    assert found[1] < 0.75


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"groups": range(100), "times": range(100)}, "groups and times both say which rows are held out"),
        ({"groups": range(99)}, "groups has 99 values for 100 rows; one a row is needed"),
        ({"groups": ["a"] * 100}, "groups has 1 group; 2 parts need a group each at least"),
        ({"groups": [None, *range(99)]}, r"groups has no value in 1 of 100 rows \(first: row 0\)"),
        ({"groups": np.zeros((100, 2))}, r"groups has shape \(100, 2\)"),
        ({"groups": [[1]] * 100}, "groups holds lists"),
        ({"groups": "shop"}, "groups must be one value a row, not str"),
        ({"groups": range(100), "validation": rows_of(9)}, "validation brings its own"),
        ({"times": [0.0, float("nan")] * 50}, r"times has no value in 50 of 100 rows \(first: row 1\)"),
        (
            {"times": ["2024-01-01", "05/31/2024"] * 50},
            "times holds '05/31/2024' in row 1; a time is a number, or a dat",
        ),
        ({"times": [1.0, float("inf")] * 50}, "times holds"),
        ({"times": np.array(["2024-01-01", "NaT"] * 50, dtype="datetime64[D]")}, "no value in 50 of 100 rows"),
        ({"times": [7] * 100}, "times has 1 time; 2 parts, each later than the one before"),
    ],
)
def test_what_cannot_be_split_is_one_line(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=said) as caught:
        sf.Task(linear, rows_of(), **arguments)
    assert "\n" not in str(caught.value)


TABLE = "shop,day,size,price\n" + "".join(
    f"shop{row % 11},2024-{1 + row % 12:02}-{1 + row % 28:02},{row % 17},{row % 17 + row % 5}.5\n" for row in range(240)
)


def test_a_table_is_split_by_a_column_that_it_does_not_predict_from(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(TABLE)
    path = str(tmp_path / "sales.csv")
    lines = [line.split(",") for line in TABLE.splitlines()[1:]]
    plain = resolve(path, column="price")
    by_shop = resolve(path, column="price", groups="shop")
    by_day = resolve(path, column="price", time="day")
    assert plain.preparation is not None
    assert [column.name for column in plain.preparation.columns] == ["shop", "day", "size"]
    assert by_shop.preparation is not None
    assert [column.name for column in by_shop.preparation.columns] == ["day", "size"]
    assert by_day.preparation is not None
    assert [column.name for column in by_day.preparation.columns] == ["shop", "size"]
    assert '"shop" keeps its rows together and is not predicted from: 7, 2, 2 groups in the parts' in by_shop.notes
    assert any('"day" splits the rows' in note for note in by_day.notes)
    sizes = [len(part[0]) for part in (by_day.train, by_day.validation, by_day.test)]
    assert sizes == pytest.approx([144, 48, 48], abs=2)  # rows of one day stay together
    newest = sorted(lines, key=lambda line: line[1])[-sizes[2] :]
    prices = sorted(float(line[3]) for line in newest)
    scale = by_day.preparation
    found = sorted((by_day.test[1] * scale.target_scale + scale.target_offset).tolist())
    assert found == pytest.approx(prices, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sales.csv", "--target", "price", "--groups", "shops"], 'no column "shops"; did you mean "shop"'),
        (["sales.csv", "--target", "price", "--groups", "price"], "cannot be two of target, weights, groups and time"),
        (["sales.csv", "--target", "price", "--groups", "shop", "--time", "day"], "give one of the two"),
        (
            ["sales.csv", "--target", "price", "--time", "shop"],
            "\"shop\" holds 'shop0' in data row 1; a time is a number",
        ),
        (["holes.csv", "--target", "y", "--groups", "g"], '"g" has no value in 1 of 5 rows (first: data row 2)'),
        (
            ["holes.csv", "--target", "y", "--groups", "h"],
            'column "h" has 2 groups; 3 parts need a group each at least',
        ),
        (["iris", "--groups", "shop"], "--groups and --time are for tables"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "sales.csv").write_text(TABLE)
    (tmp_path / "holes.csv").write_text("g,h,x,y\na,u,1,2.5\n,u,2,3.5\nb,v,3,4.5\nb,v,4,5.5\nc,v,5,6.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["surefoot", "fit", *arguments])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as ending:
        cli.main()
    error = capsys.readouterr().err
    assert ending.value.code == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1
