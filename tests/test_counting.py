"""Rows of several trainings in one file, told apart by a column or by how they count; steps that begin anew."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from surefoot.diagnosis import diagnosed, read_logs
from surefoot.diagnosis.counting import by_time

HISTORY = Path(__file__).parent / "logs/more/surefoot_history.csv"
FALLS = [round(0.2 + 1.0 / place, 4) for place in range(1, 13)]


def test_our_own_history_has_a_log_of_each_run() -> None:
    with HISTORY.open() as stream:
        rows = list(csv.DictReader(stream))
    logs = read_logs(HISTORY)
    assert [log.name.rpartition(": ")[2] for log in logs] == [f"run {number}" for number in range(1, 8)]
    for log in logs:
        of_run = [row for row in rows if log.name.endswith(f": {row['run']}")]
        for name in ("train_loss", "validation_loss", "learning_rate"):
            assert log.series[name].values.tolist() == [float(row[name]) for row in of_run]
        assert log.series["train_loss"].at.tolist() == [float(row["epoch"]) for row in of_run] and log.notes == ()


@pytest.mark.parametrize("is_sorted", [True, False])
def test_folds_are_told_apart(tmp_path: Path, is_sorted: bool) -> None:
    rows = [(fold, epoch, loss + fold) for epoch, loss in enumerate(FALLS) for fold in range(3)]
    rows = sorted(rows) if is_sorted else rows
    file = tmp_path / "cv.csv"
    file.write_text("\n".join(["epoch,val_loss,fold", *(f"{epoch},{loss},{fold}" for fold, epoch, loss in rows)]))
    logs = read_logs(file)
    assert [log.name.rpartition(": ")[2] for log in logs] == ["0", "1", "2"]
    for fold, log in enumerate(logs):
        assert log.series["validation_loss"].values.tolist() == [loss + fold for loss in FALLS]
        assert log.series["validation_loss"].at.tolist() == list(range(1, 13)) and log.notes == ()


def test_a_row_a_training_is_no_course_of_each(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text("\n".join(["run,loss", *(f"r{place},{loss}" for place, loss in enumerate(FALLS))]))
    [log] = read_logs(file)
    assert len(log.series["train_loss"]) == 12
    many = [f"r{place // 2},{place}" for place in range(1000)]  # more than are told apart
    file.write_text("\n".join(["run,loss", *many]))
    assert len(read_logs(file)) == 1


@pytest.mark.parametrize(("noise", "slope"), [(0.02, 1.0), (0.3, 1.0), (0.05, 0.0)])
def test_steps_that_begin_anew_with_each_epoch_are_one_training(noise: float, slope: float) -> None:
    draw = np.random.default_rng(0)
    losses = 0.3 + slope * 2.0 * np.exp(-np.arange(200) / 60.0) + noise * draw.normal(size=200)
    [one] = diagnosed([{"step": place % 10, "loss": loss} for place, loss in enumerate(losses.tolist())])
    assert one.log is not None and one.log.series["train_loss"].values.tolist() == losses.tolist()
    assert one.left_out[0].endswith("which were counted on: 19")


def test_a_training_after_one_that_was_lost_begins_anew() -> None:
    for lost in ([2.0 + 0.5 * place for place in range(12)], [2.0, 1.5, *[float("inf")] * 10]):
        rows = [{"epoch": epoch, "loss": loss} for part in (lost, FALLS[:8]) for epoch, loss in enumerate(part)]
        [one] = diagnosed(rows)
        assert one.log is not None and one.log.series["train_loss"].values.tolist() == FALLS[:8]
        assert one.left_out == ("it holds 2 trainings one after another; the last one is judged",)


def test_only_another_way_to_count_is_placed_by_time() -> None:
    times = np.arange(100.0)
    steps = np.arange(1.0, 101.0)
    epochs = np.arange(10.0)
    at_ends = times[9::10] + 0.5
    found = by_time(epochs, at_ends, (steps, times))
    assert found is not None and found.tolist() == [10.0 * epoch for epoch in range(1, 10)] + [100.0]
    assert by_time(steps[9::10], at_ends, (steps, times)) is None  # they count alike
    assert by_time(epochs, np.zeros(10), (steps, np.zeros(100))) is None  # no time was written
    assert by_time(epochs, np.full(10, np.nan), (steps, times)) is None
    assert by_time(steps[::10], np.full(10, 500.0), (steps, times)) is None  # all of it measured afterwards
