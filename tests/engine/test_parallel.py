"""Several processes against one: the same training, whatever is measured on the way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from parallel_cases import CASES, outcome

pytestmark = pytest.mark.slow

TOLERANCE = 1e-6


def together(number: int, script: Path, *arguments: str) -> None:
    """Run a script in so many processes, joined as torchrun would join them, without its own seconds."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    joined = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env={**os.environ, **joined, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(number)
    ]
    said = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * number, "\n".join(said)


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, Any]]:
    return {name: outcome(name) for name in CASES}


@pytest.mark.parametrize("number", [2, 4])
def test_several_processes_train_as_one_does(number: int, alone: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    together(number, Path(__file__).parent / "parallel_cases.py", str(tmp_path / "out"))
    first, last = (torch.load(f"{tmp_path / 'out'}.{rank}") for rank in (0, number - 1))
    for name, expected in alone.items():
        moved = {change[2] for change in expected["changes"] if change[1] == "batch_size"}
        assert moved or "noise" not in name, f"{name}: the batch never moved"
        for found in (first[name], last[name]):
            for mine, theirs in zip(found["changes"], expected["changes"], strict=True):
                assert (mine[:2], mine[2]) == (theirs[:2], pytest.approx(theirs[2], rel=TOLERANCE)), name
            assert found["metrics"] == pytest.approx(expected["metrics"], abs=TOLERANCE), name
            for mine, theirs in zip(found["looks"], expected["looks"], strict=True):
                assert mine == pytest.approx(theirs, rel=TOLERANCE), name
            for key, value in expected["weights"].items():
                assert torch.allclose(found["weights"][key], value, rtol=0, atol=TOLERANCE), f"{name}: {key}"
        for key, value in first[name]["weights"].items():
            assert torch.equal(value, last[name]["weights"][key]), f"{name}: {key} differs between processes"
