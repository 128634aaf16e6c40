"""Policies in the PyTorch engine: the batch really changes, and every epoch still visits each row once."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest

import surefoot as sf
from surefoot.recipe import Recipe

torch = pytest.importorskip("torch")

ROWS, EPOCHS = 60, 4


def network():
    """Four inputs, three outputs."""
    return torch.nn.Linear(4, 3)


def small_task(train=None):
    """A classification that trains in milliseconds."""
    random = np.random.default_rng(1)
    rows = (random.normal(size=(ROWS, 4)).astype(np.float32), np.arange(ROWS) % 3)
    return sf.Task(
        model=network, train=rows if train is None else train, validation=rows, loss="cross_entropy", epochs=EPOCHS
    )


class Recording(torch.utils.data.Dataset):
    """Rows that remember which batches they were asked for."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.inputs = random.normal(size=(ROWS, 4)).astype(np.float32)
        self.seen = []

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        self.seen.append(index)
        return self.inputs[index], int(index % 3)


@pytest.mark.parametrize(
    "section",
    [
        {"policy": "random", "size": 8},
        {"policy": "random", "sizes": [1, 7, 16]},
        {"policy": "linear_ramp", "size": 4, "last": 30},
        {"policy": "geometric_ramp", "size": 4, "last": 60},
        {"policy": "step_ramp", "size": 4, "last": 60, "every": 0.2},
        {"policy": "ada_batch", "size": 4, "last": 60},
        {"policy": "single"},
        {"policy": "full"},
        {"policy": "fixed", "size": 7},
    ],
    ids=lambda section: section["policy"],
)
def test_each_index_exactly_once_an_epoch(section):
    rows = Recording()
    result = sf.fit(small_task(rows), Recipe(batch=section))
    assert result.status == "completed"
    after = ROWS + 1  # the last look at the training part, and the form of a row for the model card
    visits = rows.seen[-ROWS * EPOCHS - after : -after]
    for epoch in range(EPOCHS):
        assert sorted(visits[epoch * ROWS : (epoch + 1) * ROWS]) == list(range(ROWS))


@pytest.mark.slow
def test_a_ramp_takes_fewer_steps_than_its_first_batch_and_more_than_its_last():
    def steps(**section):
        return sf.fit(small_task(), Recipe(batch=section)).study.runs[0].steps

    ramp = steps(policy="linear_ramp", size=4, last=24)
    assert steps(policy="fixed", size=24) < ramp < steps(policy="fixed", size=4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_with_random_batches():
    recipe = Recipe(batch={"policy": "random", "size": 8})
    first, second = (sf.fit(small_task(), recipe, seed=5) for _ in range(2))
    assert first.metrics == second.metrics


@pytest.mark.slow
def test_the_command_shows_the_batch_moving(tmp_path):
    arguments = ["fit", "iris", "--epochs", "4", "--out", str(tmp_path / "run")]
    arguments += ["--set", "batch.policy=step_ramp", "--set", "batch.size=4", "--set", "batch.every=0.25"]
    command = [sys.executable, "-c", "from surefoot.cli import main; main()", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8", newline="") as file:
        sizes = [int(row["batch_size"]) for row in csv.DictReader(file)]
    assert len(set(sizes)) > 1
    again = sf.Recipe.from_file(tmp_path / "run" / "recipe.toml")
    assert again.batch.build(90)(0.6, num_rows=90) == 9
