"""The ledger: out of order, after a kill, on a full disk, in a database, with thousands of runs."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from surefoot import files, tune
from surefoot.errors import MissingExtraError, OutputError, RequestError, StorageError
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Evaluation, Objective, Run
from surefoot.testing import simulated_run
from surefoot.tuning import Ledger

SAMPLES = 1000


def candidate(number: int) -> Candidate:
    recipe = Recipe(optimizer={"name": "sgd", "learning_rate": 0.1}).complete(100)
    return Candidate(number, f"run {number + 1}", "1/16", 1.0, recipe, number, {"learning_rate": 0.1, "decay": 0.3})


def made(number: int, value: float = 1.0, **changes: Any) -> Run:
    return simulated_run(candidate(number), value, training_samples=SAMPLES, **changes)


def look(samples: int, value: float = 1.0) -> Evaluation:
    return Evaluation(
        samples=samples, epoch=1.0, train_loss=1.0, metrics={"validation_loss": value}, learning_rate=0.1, batch_size=8,
        seconds=0.0,
    )  # fmt: skip


def study(directory: Path) -> optuna.Study:
    return optuna.load_study(study_name="surefoot", storage=f"sqlite:///{directory / 'study.db'}")


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_runs_may_be_finished_in_any_order(place: str, tmp_path: Path) -> None:
    directory = tmp_path if place == "folder" else None
    ledger = Ledger(directory, Objective())
    for number in range(4):
        ledger.begin(candidate(number))
    for number in (2, 0, 3):
        ledger.finish(made(number, value=float(number)))
    assert [run.number for run in ledger.runs] == [0, 2, 3]
    ledger.close()
    if directory is None:
        return
    again = Ledger(directory, Objective())
    assert again.runs == ledger.runs
    assert [trial.state.name for trial in study(directory).trials] == ["COMPLETE", "RUNNING", "COMPLETE", "COMPLETE"]
    again.begin(candidate(1))
    again.finish(made(1))
    assert [trial.value for trial in study(directory).trials] == [0.0, 1.0, 2.0, 3.0]


def test_a_trial_left_open_beside_its_record_is_closed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    ledger.begin(candidate(0))
    files.write_json(tmp_path / "runs" / "000" / "record.json", made(0, value=0.5).model_dump())  # then came the kill
    again = Ledger(tmp_path, Objective())
    assert [(trial.state, trial.value) for trial in study(tmp_path).trials] == [(TrialState.COMPLETE, 0.5)]
    assert again.runs == (made(0, value=0.5),)


def test_trials_that_a_power_cut_took_are_written_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    ledger.begin(candidate(0))
    ledger.finish(made(0))
    for number in (1, 2):
        files.write_json(tmp_path / "runs" / f"{number:03d}" / "record.json", made(number, float(number)).model_dump())
    Ledger(tmp_path, Objective()).close()
    assert [trial.value for trial in study(tmp_path).trials] == [1.0, 1.0, 2.0]


def test_failures_are_pruned_and_have_no_value(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    statuses: tuple[Any, ...] = ("diverged", "out_of_memory", "stopped_early")
    for number, status in enumerate(statuses):
        ledger.begin(candidate(number))
        ledger.finish(made(number, status=status))
    trials = study(tmp_path).trials
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED", "COMPLETE"]
    assert [trial.value for trial in trials] == [None, None, 1.0]
    assert [trial.user_attrs["status"] for trial in trials] == list(statuses)


def test_reports_are_few_in_samples_and_end_with_the_last(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    ledger.begin(candidate(0))
    for samples in range(10, 1001, 10):
        ledger.report(candidate(0), look(samples, float("nan") if samples == 500 else 1.0), horizon=1000)
    seen = study(tmp_path).trials[0].intermediate_values
    assert 1 <= len(seen) <= 10
    assert max(seen) == 1000


def test_the_study_is_one_file_when_it_is_closed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    ledger.remember("probes", [])
    ledger.close()
    assert {path.name for path in tmp_path.iterdir()} == {"study.db"}
    ledger.remember("more", {"value": float("nan")})  # opens it again
    assert Ledger(tmp_path, Objective()).recall("more") == {"value": None}


def test_a_study_in_memory_needs_no_optuna() -> None:
    script = (
        "import sys; from surefoot.tuning import Ledger, climb; from surefoot.records import Objective; "
        "Ledger(None, Objective()).remember('a', 1); assert 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


READER = """
import sys, time, optuna
storage = optuna.storages.RDBStorage("sqlite:///" + sys.argv[1])
print("reads", flush=True)
slowest = 0.0
while True:
    began = time.perf_counter()
    for found in storage.get_all_studies():
        storage.get_all_trials(found._study_id)
    slowest = max(slowest, time.perf_counter() - began)
    if (sys.argv[1] + ".done") in __import__("glob").glob(sys.argv[1] + ".*"):
        print(slowest)
        break
"""


@pytest.mark.slow
def test_whoever_looks_on_blocks_nothing_and_is_not_blocked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Objective())
    reader = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", READER, str(tmp_path / "study.db")], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reads\n"
    slowest = 0.0
    for number in range(20):
        began = time.perf_counter()
        ledger.begin(candidate(number))
        ledger.finish(made(number))
        slowest = max(slowest, time.perf_counter() - began)
    (tmp_path / "study.db.done").touch()
    waited = float(reader.communicate(timeout=30)[0])
    assert slowest < 2.0, "a write waited for a reader"
    assert waited < 2.0, "a reader waited for a write"


def test_many_runs_slow_nothing_down(tmp_path: Path) -> None:
    """The work beside 60 runs is that beside 5, counted in what the database is asked: clocks are not to be trusted."""
    ledger = Ledger(tmp_path, Objective())
    assert ledger._trials is not None
    asked = 0

    def count(*arguments: Any) -> None:
        nonlocal asked
        asked += 1

    from sqlalchemy import event

    event.listen(ledger._trials._storage.engine, "before_cursor_execute", count)
    counts = []
    for number in range(60):
        asked = 0
        ledger.begin(candidate(number))
        ledger.finish(made(number))
        counts.append(asked)
    assert counts[-1] <= counts[5]
    assert counts[-1] < 60


def full(*arguments: Any, **named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    assert isinstance(error, StorageError)
    assert isinstance(error, OSError)
    return str(error)


@pytest.mark.parametrize("moment", ["record", "checkpoint", "weights"])
def test_a_full_disk_is_one_line_and_the_study_goes_on_later(
    moment: str, make_task: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surefoot.engine import checkpoint, snapshot
    from surefoot.protocols import search

    task, names = make_task(epochs=6), {"weights": (snapshot, "save_file"), "checkpoint": (checkpoint, "save_file")}
    arguments: dict[str, Any] = {"budget": 1.5, "directory": tmp_path / "out"}
    monkeypatch.setattr(search, "CHECKPOINT_SECONDS", 0.0)
    whole = tune(task, budget=1.5)
    calls, write_json = 0, files.write_json

    def at_first_record(path: Path, value: Any) -> None:
        nonlocal calls
        calls += path.name == "record.json"
        if calls == 1:
            with files.replacing(path):
                full()
        write_json(path, value)

    with monkeypatch.context() as broken:
        if moment == "record":
            broken.setattr(files, "write_json", at_first_record)
        else:
            broken.setattr(*names[moment], full)
        with pytest.raises(StorageError) as caught:
            tune(task, **arguments)
    assert "the disk is full" in one_line(caught.value)
    assert not list((tmp_path / "out").rglob(".*")), "a half-written file was left"
    resumed = tune(task, **arguments, resume=True)
    assert resumed.metrics == whole.metrics
    assert [run.value for run in resumed.study.runs] == [run.value for run in whole.study.runs]


def test_what_says_that_the_disk_is_full_is_understood(tmp_path: Path) -> None:
    import sqlite3

    from safetensors import SafetensorError

    errors = [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        sqlite3.OperationalError("database or disk is full"),
    ]
    for error in errors:
        with pytest.raises(StorageError, match="the disk is full"), files.while_disk_lasts(tmp_path / "x"):
            raise error
    with pytest.raises(FileNotFoundError), files.while_disk_lasts(tmp_path / "x"):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_a_full_disk_under_the_database_is_one_line(tmp_path: Path) -> None:
    from sqlalchemy import event

    ledger = Ledger(tmp_path, Objective())
    assert ledger._trials is not None
    ledger.close()
    event.listen(
        ledger._trials._storage.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1")
    )
    with pytest.raises(StorageError) as caught:
        for number in range(200):
            ledger.begin(candidate(number))
    assert "the disk is full" in one_line(caught.value)


SMALL_DISK = """
import sys
from surefoot import cli
from surefoot.protocols import search
search.CHECKPOINT_SECONDS = 0.0
cli.main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root on Linux")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    command = [sys.executable, "-c", SMALL_DISK, "tune", "digits", "--epochs", "4", "--out", str(disk / "out")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("Error: the disk is full")
        subprocess.run(["/bin/mount", "-o", "remount,size=64m", str(disk)], check=True)
        more = [] if not (disk / "out" / "study.db").exists() else ["--resume"]
        again = subprocess.run([*command, *more], capture_output=True, text=True, timeout=600)
        assert again.returncode == 0, again.stderr
    finally:
        subprocess.run(["/bin/umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("study.db", "storage must be a URL"),
        ("nosuch://host/database", "cannot be opened"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
    ],
)
def test_a_wrong_storage_gets_one_line(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        Ledger(tmp_path, Objective(), storage=url)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(
        MissingExtraError, match="needs the driver psycopg2; install it with: pip install psycopg2-binary"
    ):
        Ledger(tmp_path, Objective(), storage="postgresql+psycopg2://user:secret@localhost/database")


def test_a_storage_by_url_is_found_again_and_passwords_are_not_written(tmp_path: Path) -> None:
    directory, url = tmp_path / "out", f"sqlite:///{tmp_path / 'shared.db'}"
    ledger = Ledger(directory, Objective(), storage=url)
    ledger.remember("request", {"seed": 0})
    ledger.begin(candidate(0))
    ledger.finish(made(0))
    ledger.close()
    other = Ledger(None, Objective(), storage=url)  # another study in the same database
    assert other.recall("request") is None
    other.close()
    again = Ledger(directory, Objective(), storage=url)
    assert again.recall("request") == {"seed": 0}
    assert len(again.runs) == 1
    again.close()
    assert url not in (directory / "study.json").read_text()
    with pytest.raises(OutputError, match="started with a storage of its own"):
        Ledger(directory, Objective())
    summaries = optuna.get_all_study_summaries(url)
    assert len(summaries) == 2
    assert max(summary.n_trials for summary in summaries) == 1


@pytest.mark.slow
@pytest.mark.skipif("SUREFOOT_POSTGRESQL" not in os.environ, reason="SUREFOOT_POSTGRESQL names no database")
def test_postgresql(make_task: Callable[..., Any]) -> None:
    """With a server: SUREFOOT_POSTGRESQL=postgresql://user@host/database."""
    url = os.environ["SUREFOOT_POSTGRESQL"]
    whole = tune(make_task(), budget=1)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "out"
        result = tune(make_task(), budget=1, storage=url, directory=directory)
        assert result.metrics == whole.metrics
        name = files.read_json(directory / "study.json")["study"]
        storage = optuna.storages.RDBStorage(url)
        trials = storage.get_all_trials(storage.get_study_id_from_name(name))
        storage.remove_session()
        storage.engine.dispose()
        assert len(trials) == len(result.study.runs)
        again = tune(make_task(), budget=1, storage=url, directory=directory, resume=True)
        assert again.metrics == whole.metrics
