"""Ctrl-C and kill -9, on real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import result_but_seconds

pytestmark = pytest.mark.slow

# A checkpoint at every look, so that a kill falls into the middle of things.
SCRIPT = """
from surefoot import cli
from surefoot.protocols import search
search.CHECKPOINT_SECONDS = 0.0
cli.main()
"""


def start(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, "tune", "digits", "--epochs", "12", "--out", "out", *arguments]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(directory: Path, *, records: int, process: subprocess.Popen[str]) -> None:
    """Until so many runs are in the ledger."""
    deadline = time.monotonic() + 120
    while len(list(directory.glob("out/runs/*/record.json"))) < records and process.poll() is None:
        assert time.monotonic() < deadline, "the command did not get that far"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed study."""
    directory = tmp_path_factory.mktemp("whole")
    process = start(directory)
    process.communicate(timeout=600)
    assert process.returncode == 0
    return directory


@pytest.mark.parametrize(("records", "moment"), [(0, 0.0), (2, 0.01), (6, 0.1), (8, 0.2), (8, 0.4)])
def test_a_killed_study_resumes_to_the_same_result(whole: Path, tmp_path: Path, records: int, moment: float) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, records=records, process=process)
    time.sleep(moment)
    process.kill()
    process.communicate()
    again = start(tmp_path, "--resume")
    _, err = again.communicate(timeout=600)
    assert again.returncode == 0, err
    assert result_but_seconds(tmp_path) == result_but_seconds(whole)
    assert (tmp_path / "out/model.safetensors").read_bytes() == (whole / "out/model.safetensors").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interruption_saves_the_best_so_far(whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, records=4, process=process)
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted" in out
    assert result_but_seconds(tmp_path)["status"] == "interrupted"
    for name in ("model.safetensors", "report.html", "recipe.toml", "history.csv"):
        assert (tmp_path / "out" / name).exists()
    again = start(tmp_path, "--resume")
    again.communicate(timeout=600)
    assert again.returncode == 0
    assert result_but_seconds(tmp_path) == result_but_seconds(whole)
