"""Runs in worker processes: the same records, whatever happens to a worker; and nothing of them left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from surefoot import RequestError, Result, tune
from surefoot.protocols import Candidate, Silent
from surefoot.records import Evaluation, Run
from surefoot.tasks.portable import read_task, write_task
from surefoot.tuning.process import how_it_ended
from surefoot.tuning.setting import Setting
from surefoot.tuning.worker import IS_WORKER

TASK_FILE = '''
"""A task whose parts lie in this file alone."""
import os, signal, sys
from pathlib import Path
import numpy as np
import surefoot as sf

EPOCHS = 6


class Rows:
    """A dataset, one row at a time."""

    def __init__(self, size):
        draws = np.random.default_rng(0)
        self.labels = draws.integers(3, size=size)
        self.inputs = (np.eye(3, 4)[self.labels] * 3 + draws.normal(size=(size, 4))).astype("float32")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.inputs[index], self.labels[index]


def build(hidden=8):
    from torch import nn

    return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 3))


def deadly(hidden=8):
    """A model whose building kills a worker, as often as the file beside this one says."""
    lives = Path(__file__).with_name("kills")
    left = int(lives.read_text()) if lives.exists() else 0
    if "SUREFOOT_WORKER" in os.environ and left:
        lives.write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return build(hidden)


def broken(hidden=8):
    if "SUREFOOT_WORKER" in os.environ:
        raise ValueError("no weights today")
    return build(hidden)


def make(builder=build):
    return sf.Task(builder, Rows(90), validation=Rows(30), loss="cross_entropy", epochs=EPOCHS, name="rows")
'''


@pytest.fixture
def module(tmp_path: Path) -> Any:
    from surefoot.tasks.builder import load_file

    path = tmp_path / "my_rows.py"
    path.write_text(TASK_FILE)
    return load_file(path)


class Four:
    """A searcher of four independent runs."""

    def __init__(self, where: Setting) -> None:
        self.where = where

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        made = {run.number for run in runs}
        return tuple(self._candidate(number) for number in range(4) if number not in made)

    def _candidate(self, number: int) -> Candidate:
        recipe = self.where.base.with_changes({"optimizer.learning_rate": 10.0 ** -(number + 1)})
        share = 0.25 if number else 0.5
        return Candidate(number, f"run {number + 1}", "1", share, recipe, 7 + number, {"number": number})


def records(result: Result) -> list[dict[str, Any]]:
    """Everything but what a clock said."""
    found = []
    for run in result.study.runs:
        record = run.model_dump(exclude={"seconds"})
        record["evaluations"] = [
            {key: value for key, value in look.items() if key != "seconds"} for look in record["evaluations"]
        ]
        found.append(record)
    return found


def children() -> list[str]:
    """Command lines of worker processes of this one, however they were started."""
    listing = subprocess.run(["/bin/ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line.split()[0] == str(os.getpid()) and "tuning.worker" in line]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["memory", "folder"])
def test_workers_make_the_same_records(place: str, module: Any, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"budget": 2, "searcher": Four}
    alone = tune(module.make(), **arguments)
    directory = tmp_path / "out" if place == "folder" else None
    together = tune(module.make(), **arguments, workers=3, directory=directory)
    assert records(together) == records(alone)
    assert together.metrics == alone.metrics
    assert not [note for note in together.study.notes if "workers" in note]
    assert not children()
    if directory is not None:
        best = together.study.winner
        assert [path.parent.name for path in directory.glob("runs/*/model.safetensors")] == [f"{best:03d}"]
        assert not list(directory.glob("runs/*/checkpoint"))


@pytest.mark.slow
def test_the_ladder_in_workers_ends_as_the_ladder_alone(module: Any) -> None:
    alone, together = tune(module.make(), budget=1.5), tune(module.make(), budget=1.5, workers=2)
    assert records(together) == records(alone)
    assert together.metrics == alone.metrics


@pytest.mark.slow
def test_a_killed_workers_run_is_made_again(module: Any, tmp_path: Path) -> None:
    alone = tune(module.make(module.deadly), budget=2, searcher=Four)
    (tmp_path / "kills").write_text("1")
    together = tune(module.make(module.deadly), budget=2, searcher=Four, workers=2)
    assert (tmp_path / "kills").read_text() == "0"
    assert records(together) == records(alone)


@pytest.mark.slow
def test_a_run_that_kills_its_workers_is_a_failure_with_a_reason(module: Any, tmp_path: Path) -> None:
    (tmp_path / "kills").write_text("2")
    alone = tune(module.make(), budget=2, searcher=One)
    result = tune(module.make(module.deadly), budget=2, searcher=One, workers=2)
    assert [run.status for run in result.study.runs] == ["out_of_memory", "completed"]
    assert "was killed by SIGKILL (out of memory?), 2 times" in result.study.runs[0].reason
    assert result.status == "completed"
    assert result.study.runs[1].value == alone.study.runs[1].value
    assert not children()


class One(Four):
    """A searcher of two runs, one after the other."""

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        return (self._candidate(len(runs)),) if len(runs) < 2 else ()


@pytest.mark.slow
def test_a_task_of_lambdas_is_trained_here_and_says_so(make_task: Any, module: Any) -> None:
    task = make_task(model=lambda: module.build())
    result = tune(task, budget=1, searcher=Four, workers=2)
    assert result.status == "completed"
    notes = [note for note in result.study.notes if "not by 2 workers" in note]
    assert len(notes) == 1
    assert "cannot be found by name" in notes[0]


@pytest.mark.slow
def test_a_task_that_no_worker_can_open_is_trained_here_and_says_so(module: Any, tmp_path: Path) -> None:
    task = module.make()
    (tmp_path / "my_rows.py").write_text(TASK_FILE.replace("EPOCHS = 6", "EPOCHS = 6\nraise OSError('gone')"))
    result = tune(task, budget=1, searcher=Four, workers=2)
    assert result.status == "completed"
    assert [note for note in result.study.notes if "not by 2 workers" in note and "gone" in note]
    assert not children()


@pytest.mark.slow
def test_what_a_worker_raises_is_raised_here(module: Any) -> None:
    with pytest.raises(RequestError, match="no weights today"):
        tune(module.make(module.broken), budget=2, searcher=Four, workers=2)
    assert not children()


@pytest.mark.slow
def test_callbacks_are_asked_here(module: Any) -> None:
    class Impatient(Four):
        """Its second run is stopped at the first look."""

        @property
        def callbacks(self) -> Any:
            def impatient(event: Any) -> str | None:
                assert os.getpid() == here
                assert len(event.history) >= 1
                return "stop" if event.run == "run 2" else None

            return (impatient,)

    here = os.getpid()
    alone = tune(module.make(), budget=2, searcher=Impatient)
    together = tune(module.make(), budget=2, searcher=Impatient, workers=2)
    assert alone.study.runs[1].status == "stopped_early"
    assert records(together) == records(alone)


class Stopper(Silent):
    """Presses Ctrl-C at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        self.looks += 1
        if self.looks == 3:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_one_ctrl_c_ends_the_workers_and_keeps_the_best(module: Any, tmp_path: Path) -> None:
    module.EPOCHS = 150
    arguments: dict[str, Any] = {"budget": 2, "searcher": Four, "workers": 2, "directory": tmp_path / "out"}
    stopped = tune(module.make(), **arguments, observer=Stopper())
    assert stopped.status == "interrupted"
    assert stopped.model is not None
    assert stopped.cost.trainings < 1
    assert not children()
    resumed = tune(module.make(), **arguments, resume=True)
    alone = tune(module.make(), budget=2, searcher=Four)
    assert [run.value for run in resumed.study.runs] == [run.value for run in alone.study.runs]
    assert resumed.metrics == alone.metrics


SCRIPT = """
import surefoot as sf
from surefoot.protocols import search
search.CHECKPOINT_SECONDS = 0.0
from surefoot import cli
cli.main()
"""


def workers_of(pid: int) -> list[int]:
    listing = subprocess.run(["/bin/ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()[1:]]
    return [int(row[0]) for row in rows if row[1] == str(pid) and "tuning.worker" in row[2]]


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_worker_outlives_a_killed_main_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, "tune", "digits", "--epochs", "60", "--workers", "2", "--out", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 400
    try:
        while not list(tmp_path.glob("out/runs/*/checkpoint/*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        found = workers_of(process.pid)
        assert found
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in found):
        assert time.monotonic() < deadline, "a worker outlived the process that started it"
        time.sleep(0.02)


def test_a_task_travels_with_its_data(module: Any, tmp_path: Path) -> None:
    write_task(module.make(), tmp_path / "task")
    found = read_task(tmp_path / "task")
    assert len(found.train) == 90
    assert found.model.__qualname__ == "build"
    assert found.epochs == 6


def test_a_program_that_is_no_worker_of_its_own_is_told_so(make_task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IS_WORKER, "1")
    with pytest.raises(RequestError, match='if __name__ == "__main__"'):
        tune(make_task())


@pytest.mark.parametrize("workers", [-1, 1.5, "2", True])
def test_a_wrong_number_of_workers_gets_one_line(workers: Any, make_task: Any) -> None:
    with pytest.raises(RequestError, match="workers must be a whole number from 0"):
        tune(make_task(), workers=workers)


def test_ends_are_named() -> None:
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(-11) == "was killed by SIGSEGV"
