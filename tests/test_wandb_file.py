"""Runs of Weights & Biases read from the file that its own process writes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from benchmarks.big_logs import losses, message, weights_and_biases

import surefoot as sf
from surefoot.diagnosis import read_logs
from surefoot.errors import SurefootError

OWL = Path(__file__).parent / "logs/more/run-owl.wandb"


def test_rows_that_cross_the_blocks_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.wandb"
    content = weights_and_biases(3000)
    assert len(content) > 5 * 2**15
    file.write_bytes(content)
    [log] = read_logs(file)
    _, train, validation = zip(*losses(3000), strict=True)
    assert log.series["train_loss"].values.tolist() == list(train)
    assert log.series["validation_loss"].values.tolist() == list(validation)
    assert log.series["train_loss"].at.tolist() == list(range(1, 3001)) and log.notes == ()
    file.write_bytes(content[: 2**15 + 100])  # as while it is written
    [log] = read_logs(file)
    found = log.series["train_loss"].values.tolist()
    assert found == list(train[: len(found)]) and 300 < len(found) < 500
    assert "ends in the middle of a record" in log.notes[0]


def test_the_name_of_a_run_and_a_folder_of_runs(tmp_path: Path) -> None:
    for name in ("offline-run-1/run-a.wandb", "run-2/run-b.wandb", "run-3/run-empty.wandb"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(OWL.read_bytes() if "empty" not in name else OWL.read_bytes()[:7])
    logs = read_logs(tmp_path)
    assert [log.name.endswith(" (night owl)") for log in logs] == [True, True]
    assert "run-empty.wandb has no row in it" in logs[0].notes[-1]


@pytest.mark.parametrize("typed", [b"\x31" + struct.pack("<d", 2.0), b"\x28\x02", b"\x82\x01\x032.0"])
def test_numbers_of_every_type(tmp_path: Path, typed: bytes) -> None:
    rows = [message(b"\x12", message(b"\x0a", message(b"\x0a", b"loss") + typed)) for _ in range(6)]
    file = tmp_path / "run.wandb"
    file.write_bytes(
        b":W&B\xe1\xbe\0" + b"".join(bytes(4) + len(row).to_bytes(2, "little") + b"\x01" + row for row in rows)
    )
    [log] = read_logs(file)
    assert log.series["train_loss"].values.tolist() == [2.0] * 6
    assert sf.diagnose(file)[0].verdict == "learned nothing"


@pytest.mark.parametrize("cut", range(7, 400, 31))
def test_a_file_that_is_cut_or_damaged_is_read_in_part_or_refused_in_a_line(tmp_path: Path, cut: int) -> None:
    content = OWL.read_bytes()
    file = tmp_path / "run.wandb"
    for damaged in (content[:cut], content[:cut] + b"\xff" * 20 + content[cut + 20 :]):
        file.write_bytes(damaged)
        try:
            assert sf.diagnose(file)
        except SurefootError as error:
            assert str(error).isprintable()
