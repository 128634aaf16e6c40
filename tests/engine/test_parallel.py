"""Several processes against one: the same training, whatever is measured on the way."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from parallel_cases import CASES, outcome
from torch import nn

from surefoot.engine.parallel.flat import Flat
from surefoot.engine.parallel.shares import pieces_of, share_of, spread_parts
from surefoot.engine.slicing import part_sizes

TOLERANCE = 1e-6
NO_ROOM = "no room in one of them"


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
    said = [process.communicate(timeout=600)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * number, "\n".join(said)


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, Any]]:
    return {name: outcome(name) for name in CASES}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "places"), [(2, ()), (4, ("0", "2", "6", "11"))])
def test_several_processes_train_as_one_does(
    number: int, places: tuple[str, ...], alone: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    together(number, Path(__file__).parent / "parallel_cases.py", str(tmp_path / "out"), *places)
    first, last = (torch.load(f"{tmp_path / 'out'}.{rank}") for rank in (0, number - 1))
    said = first.pop("failures", {})
    assert last.pop("failures", {}) == said, "all processes fail alike"
    if number == 2:
        assert said.pop("rows").startswith("the 2 processes have different training rows (")
        assert re.fullmatch(r"process 1 of 2: parallel_cases\.py:\d+: ValueError: on purpose", said.pop("error"))
        assert said == {"folder": "resume and overwrite need the directory of an earlier result"}
    assert set(first) == ({name for place, name in enumerate(CASES) if str(place) in places} or set(CASES))
    for name in first:
        for found in (first[name], last[name]):
            assert_same(found, alone[name], name)
        for key, value in first[name]["weights"].items():
            assert torch.equal(value, last[name]["weights"][key]), f"{name}: {key} differs between processes"


def assert_same(found: dict[str, Any], expected: dict[str, Any], name: str) -> None:
    """Whether a case came to the same, batch for batch."""
    if name == NO_ROOM:
        [(_, what, rows)] = found.pop("changes")
        assert (what, rows) == ("micro_batch", 3.0), "half of a share of six"
        expected = {**expected, "changes": []}
        found["changes"] = []
    assert "noise" not in name or any(change[1] == "batch_size" for change in expected["changes"]), name
    for mine, theirs in zip(found["changes"], expected["changes"], strict=True):
        assert (mine[:2], mine[2]) == (theirs[:2], pytest.approx(theirs[2], rel=TOLERANCE)), name
    assert found["metrics"] == pytest.approx(expected["metrics"], abs=TOLERANCE), name
    assert found["standard_errors"] == pytest.approx(expected["standard_errors"], rel=TOLERANCE), name
    for mine, theirs in zip(found["looks"], expected["looks"], strict=True):
        assert mine == pytest.approx(theirs, rel=TOLERANCE), name
    for key, value in expected["weights"].items():
        assert torch.allclose(found["weights"][key], value, rtol=0, atol=TOLERANCE), f"{name}: {key}"


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 3))
def test_shares_are_the_batch_in_order_and_as_even_as_can_be(count: int, size: int, least: int) -> None:
    shares = [share_of(count, rank, size, least=least) for rank in range(size)]
    assert [row for start, stop in shares for row in range(start, stop)] == list(range(count))
    sizes = [stop - start for start, stop in shares if stop > start]
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert all(rows >= min(least, count) for rows in sizes)


@given(st.integers(2, 50), st.integers(1, 9), st.integers(1, 25))
def test_pieces_are_the_parts(count: int, size: int, most: int) -> None:
    parts = part_sizes(count, most)
    shares = [share_of(count, rank, size) for rank in range(size)]
    pieces = [list(pieces_of(parts, share)) for share in shares]
    assert [row for own in pieces for piece in own for row in range(*piece[1:])] == list(range(count))
    for number, rows in enumerate(parts):
        owners = [sum(piece.stop - piece.start for piece in own if piece.part == number) for own in pieces]
        assert sum(owners) == rows
        assert (sum(map(bool, owners)) > 1) == (number in spread_parts(parts, shares))


def test_gradients_lie_flat_and_come_back_in_their_layout() -> None:
    last = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    parameters = [nn.Parameter(values) for values in (torch.randn(2, 3), torch.randn(3).double(), last)]
    flat = Flat(parameters)
    gradients = [torch.randn_like(parameter) for parameter in parameters]
    rows = flat.of([gradients, None, [gradients[0], None, None]])
    assert [tuple(row.shape) for row in rows] == [(3, 54), (3, 3)]
    assert not rows[0][1].any()
    assert not rows[1][2].any()
    back = flat.apart([row[0] for row in rows])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(back, gradients, strict=True))
    assert back[2].is_contiguous(memory_format=torch.channels_last)
