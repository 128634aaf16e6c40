"""The command in several processes: one of them killed, a resume in another number of them, and wrong requests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file
from tests.conftest import result_but_seconds

pytestmark = pytest.mark.slow

# A checkpoint whenever one may be written, so that a kill falls into the middle of things.
SCRIPT = """
from surefoot import cli
from surefoot.protocols import search
search.CHECKPOINT_SECONDS = 0.0
cli.main()
"""
# What is registered first is called last.
SAID_AT_THE_END = """
import atexit
from torch import distributed
atexit.register(lambda: print("open" if distributed.is_initialized() else "closed"))
"""
THEIR_OWN_GROUP = 'distributed.init_process_group("gloo")'
FIT = ("fit", "digits", "--epochs", "6", "--out", "out", "--set", "batch.policy=linear_ramp")


def start(directory: Path, number: int, *arguments: str, script: str = SCRIPT) -> list[subprocess.Popen[str]]:
    """The command in so many processes, joined as torchrun would join them, without its own seconds."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    joined = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if number > 1 else {}
    return [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=directory,
            env={**os.environ, **joined, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(number)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each."""
    said = [process.communicate(timeout=600) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed training in one process."""
    directory = tmp_path_factory.mktemp("whole")
    [(code, _, errors)] = ended(start(directory, 1, *FIT))
    assert code == 0, errors
    return directory


@pytest.mark.parametrize(("before", "group"), [("", "closed"), (THEIR_OWN_GROUP, "open")])
def test_only_a_group_of_ours_is_closed_at_the_end(tmp_path: Path, before: str, group: str) -> None:
    script = f"{SAID_AT_THE_END}{before}{SCRIPT}"
    found = ended(start(tmp_path, 2, "fit", "iris", "--epochs", "1", "--out", "out", script=script))
    assert [code for code, *_ in found] == [0, 0], found
    assert [output.splitlines()[-1] for _, output, _ in found] == [group] * 2


@pytest.mark.parametrize(("number", "victim", "then"), [(2, 0, 1), (3, 1, 2)])
def test_one_is_killed_and_any_number_goes_on(whole: Path, tmp_path: Path, number: int, victim: int, then: int) -> None:
    processes = start(tmp_path, number, *FIT)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("out/runs/000/checkpoint/checkpoint.previous.safetensors")):
        assert time.monotonic() < deadline and processes[0].poll() is None, "it did not get that far"
        time.sleep(0.01)
    processes[victim].kill()
    told = ended(processes)
    lines = [line for _, _, errors in told for line in errors.splitlines() if line.startswith("Error")]
    assert len(lines) == 1, told
    assert lines[0].startswith(f"Error: process {victim} of {number} does not answer any more at epoch "), lines
    assert "--resume" in lines[0]
    assert not any("Traceback" in errors for *_, errors in told)
    assert [code for code, *_ in told] == [-signal.SIGKILL if rank == victim else 1 for rank in range(number)]

    told = ended(start(tmp_path, then, *FIT, "--resume"))
    assert [code for code, *_ in told] == [0] * then, told
    assert not any(text for _, *texts in told[1:] for text in texts), "only process 0 speaks"
    found, expected = result_but_seconds(tmp_path), result_but_seconds(whole)
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-3)  # float32, summed in another order
    assert found["cost"] == expected["cost"]
    mine, theirs = (load_file(place / "out/model.safetensors") for place in (tmp_path, whole))
    for name, value in theirs.items():
        assert mine[name] == pytest.approx(value, abs=1e-3), name


def test_a_sigterm_to_all_is_one_wish(tmp_path: Path) -> None:
    processes = start(tmp_path, 2, *FIT[:3], "400", *FIT[4:])
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("out/runs/000/checkpoint/checkpoint.safetensors")):
        assert time.monotonic() < deadline and processes[0].poll() is None, "it did not get that far"
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    told = ended(processes)
    assert [code for code, *_ in told] == [130, 130], told
    assert "Resume" in told[0][1]
    assert told[1][1:] == ("", "")
    assert result_but_seconds(tmp_path)["status"] == "interrupted"


def test_what_one_process_does_alone_is_refused(make_task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import surefoot as sf

    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    task = make_task()
    for name, action in {
        "tune": lambda: sf.tune(task),
        "probe": lambda: sf.probe(task),
        "compare": lambda: sf.compare(task),
        "ablate": lambda: sf.ablate(task, sf.Recipe()),
        "refit": lambda: sf.refit(sf.Recipe(), task),
    }.items():
        with pytest.raises(sf.RequestError, match=f"^{name} runs in one process, not in 2; [^\n]+$"):
            action()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR missing"),
        ({"MASTER_PORT": "", "MASTER_ADDR": ""}, "MASTER_ADDR, MASTER_PORT missing"),
        ({"RANK": "2"}, "RANK 2 and WORLD_SIZE 2"),
        ({"WORLD_SIZE": "two"}, "RANK 0 and WORLD_SIZE two"),
    ],
)
def test_an_environment_that_says_half_is_one_line(
    make_task: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    import surefoot as sf

    whole = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in (whole | changes).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(sf.RequestError, match=f"with {said}; start them with: torchrun"):
        sf.fit(make_task())
