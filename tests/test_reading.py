"""Readers of logs and what may be in a file: of which tool it is, and what nobody should have written."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surefoot as sf
from surefoot.diagnosis import read_logs
from surefoot.diagnosis.readers.json_text import Cursor
from surefoot.diagnosis.table import MOST_COLUMNS
from surefoot.errors import RequestError, SurefootError

LOGS = Path(__file__).parent / "logs"
FALLING = [round(0.2 + 2.0 / (1.0 + epoch), 4) for epoch in range(12)]


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        sf.diagnose(path)
    assert str(caught.value).isprintable(), "one line, and nothing that moves the cursor"


# --- what tools write


def rows_of(template: str, *, start: int = 1) -> str:
    """Twelve lines, each with an epoch, a loss and a larger one."""
    return "".join(
        template % {"epoch": start + place, "t": loss, "v": loss + 0.1} for place, loss in enumerate(FALLING)
    )


ULTRALYTICS = (
    "                  epoch,         train/box_loss,         train/cls_loss,   metrics/mAP50(B),"
    "           val/box_loss,           val/cls_loss,                 lr/pg0\n"
)
TOOLS = {
    "Weights & Biases' export": (
        "a.csv",
        '"Step","proud-sun-1 - train/loss","proud-sun-1 - train/loss__MIN","proud-sun-1 - train/loss__MAX",'
        '"proud-sun-1 - eval/loss"\n' + rows_of('"%(epoch)d","%(t)s","0","9","%(v)s"\n'),
    ),
    "timm": ("summary.csv", "epoch,train_loss,eval_loss,eval_top1,lr\n" + rows_of("%(epoch)d,%(t)s,%(v)s,51.2,0.1\n")),
    "Ray": (
        "result.json",
        rows_of(
            '{"training_iteration": %(epoch)d, "loss": %(t)s, "val_loss": %(v)s, "config": {"lr": 0.1, "a": []}}\n'
        ),
    ),
    "Detectron2 and an evaluation beside it": (
        "metrics.json",
        rows_of(
            '{"iteration": %(epoch)d, "total_loss": %(t)s, "loss_cls": 1.5, "validation_loss": %(v)s, "lr": 0.1}\n'
        ),
    ),
    "fairseq": (
        "train.log",
        "2026-01-01 10:00:00 | INFO | fairseq_cli.train | model size\n"
        + rows_of(
            '2026-01-01 | INFO | train | {"epoch": %(epoch)d, "train_loss": "%(t)s", "train_lr": "0.1"}\n'
            '2026-01-01 | INFO | valid | {"epoch": %(epoch)d, "valid_loss": "%(v)s", "valid_num_updates": "9"}\n'
        ),
    ),
    "Hugging Face's lines on the screen": (
        "nohup.log",
        "Some weights were not used\n"
        + rows_of(
            "{'loss': %(t)s, 'grad_norm': 1.5, 'learning_rate': 0.1, 'epoch': %(epoch)d.0}\n"
            "{'eval_loss': %(v)s, 'epoch': %(epoch)d.0}\n"
        ),
    ),
    "a row a part": (
        "a.csv",
        "epoch,phase,loss,lr\n" + rows_of("%(epoch)d,train,%(t)s,0.1\n%(epoch)d,val,%(v)s,0.1\n"),
    ),
    "a part in each group": (
        "a.jsonl",
        rows_of('{"epoch": %(epoch)d, "train": {"loss": %(t)s}, "val": {"loss": %(v)s}, "lr": 0.1}\n'),
    ),
    "a spreadsheet of Germany": (
        "a.csv",
        ("epoch;loss;val_loss;lr\n" + rows_of("%(epoch)d;%(t)s;%(v)s;0.1\n")).replace(".", ","),
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_tools_write_is_recognised(tmp_path: Path, tool: str) -> None:
    name, content = TOOLS[tool]
    [log] = read_logs(written(tmp_path, name, content))
    assert log.series["train_loss"].values == pytest.approx(FALLING)
    assert log.series["validation_loss"].values == pytest.approx(np.array(FALLING) + 0.1)
    assert log.series["train_loss"].at.tolist() == log.series["validation_loss"].at.tolist()
    assert ("learning_rate" in log.series) == (tool not in ("Weights & Biases' export", "Ray"))
    assert "learning_rate" not in log.series or set(log.series["learning_rate"].values) == {0.1}


def test_losses_of_several_terms_are_summed_and_it_is_said(tmp_path: Path) -> None:
    rows = rows_of("%(epoch)8d, %(t)s, 0.5, 0.4, %(v)s, 0.5, 0.01\n")
    [log] = read_logs(written(tmp_path, "results.csv", ULTRALYTICS + rows))
    assert log.unit == "epoch"
    assert log.series["train_loss"].values == pytest.approx(np.array(FALLING) + 0.5)
    assert log.series["validation_loss"].values == pytest.approx(np.array(FALLING) + 0.6)
    assert log.series["learning_rate"].values.tolist() == [0.01] * 12
    assert log.notes == (
        "train_loss is the sum of several columns: train/box_loss + train/cls_loss",
        "validation_loss is the sum of several columns: val/box_loss + val/cls_loss",
    )
    diverged = ULTRALYTICS + rows + "13, nan, 0.5, 0.4, nan, 0.5, 0.01\n"
    assert np.isnan(read_logs(written(tmp_path, "results.csv", diverged))[0].series["train_loss"].values[-1])


def test_one_term_is_not_taken_for_the_whole_beside_it(tmp_path: Path) -> None:
    log = written(tmp_path, "a.csv", "epoch,train_loss,val_kl_loss\n" + rows_of("%(epoch)d,%(t)s,%(v)s\n"))
    assert "validation_loss" not in read_logs(log)[0].series


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (["epoch", "train_loss", "valid_loss", "accuracy"], {"accuracy": "validation_accuracy"}),  # fastai
        (["epoch", "loss", "val_loss", "accuracy"], {"accuracy": "train_accuracy"}),  # Keras
        (["trainer/global_step", "train/epoch", "val/loss"], {"trainer/global_step": "step", "train/epoch": "epoch"}),
        (["loss", "loss_scale", "lr-SGD-momentum", "eta"], {"loss_scale": None, "lr-SGD-momentum": None, "eta": None}),
        (["loss", "x/lr0", "grad_norm"], {"x/lr0": "learning_rate", "grad_norm": "gradient_norm"}),
        (["ppl", "loss", "valid_ppl"], {"loss": "train_loss", "ppl": None, "valid_ppl": "validation_loss"}),
        (["validation_0/logloss"], {"validation_0/logloss": "validation_loss"}),  # XGBoost
        (
            ["validation_0/logloss", "validation_1/logloss"],
            {"validation_0/logloss": "train_loss", "validation_1/logloss": "validation_loss"},
        ),
        (["training/l2", "valid_1/l2"], {"training/l2": "train_loss", "valid_1/l2": "validation_loss"}),  # LightGBM
        (
            ["loss", "val_loss/dataloader_idx_0", "loss_0"],
            {"val_loss/dataloader_idx_0": "validation_loss", "loss_0": None},
        ),
        (["train_loss_step", "train_loss_epoch", "val_loss"], {"train_loss_epoch": "train_loss"}),
    ],
)
def test_columns_mean_what_their_tools_mean(columns: list[str], roles: dict[str, str | None]) -> None:
    from surefoot.diagnosis.columns import meanings

    found = meanings(columns)
    assert {column: found.get(column) for column in roles} == roles


def test_a_chart_of_several_runs_is_a_log_of_each(tmp_path: Path) -> None:
    header = '"Step","a-1 - loss","a-1 - loss__MIN","b - x - loss"\n'
    logs = read_logs(written(tmp_path, "a.csv", header + rows_of('"%(epoch)d","%(t)s","","%(v)s"\n')))
    assert [log.name.rpartition(": ")[2] for log in logs] == ["a-1", "b - x"]
    assert logs[0].series["train_loss"].values.tolist() == FALLING
    assert logs[1].series["train_loss"].values == pytest.approx(np.array(FALLING) + 0.1)


PRINTED = {
    "a page of PyTorch": ("Epoch [%(epoch)d/12], Train Loss: %(t)s, Val Loss: %(v)s\n", ""),
    "equals": ("2026-01-01 10:00:00 INFO epoch=%(epoch)d lr=0.1 train_loss=%(t)s val_loss=%(v)s\n", "learning_rate"),
    "the part said once": (
        "epoch %(epoch)d | train loss: %(t)s acc: 0.5 | val loss: %(v)s acc: 0.25\n",
        "train_accuracy",
    ),
    "an epoch in several lines": (
        "Train Epoch: %(epoch)d\tLoss: %(t)s\nTest set: Average loss: %(v)s, Accuracy: 98/100 (98%%)\n",
        "",
    ),
    "steps": ("step %(epoch)d: train loss %(t)s, val loss %(v)s\niter %(epoch)d: time 21ms, mfu 3%%\n", ""),
}


@pytest.mark.parametrize("what", PRINTED)
def test_what_a_training_printed(tmp_path: Path, what: str) -> None:
    template, also = PRINTED[what]
    [log] = read_logs(written(tmp_path, "nohup.out", "Using device: cpu\n" + rows_of(template)))
    assert log.series["train_loss"].values == pytest.approx(FALLING)
    assert log.series["validation_loss"].values == pytest.approx(np.array(FALLING) + 0.1)
    assert not also or also in log.series
    if what == "the part said once":
        assert set(log.series["validation_accuracy"].values) == {0.25}
    if what == "an epoch in several lines":
        assert set(log.series["validation_accuracy"].values) == {0.98} and log.unit == "epoch"


def test_what_keras_printed_reads_epoch_by_epoch() -> None:
    [log] = read_logs(LOGS / "keras_screen.log")
    assert log.unit == "epoch" and log.notes == ()
    for name in ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"):
        assert log.series[name].at.tolist() == list(range(1, 31))


def test_steps_that_begin_anew_with_each_epoch(tmp_path: Path) -> None:
    lines = "".join(
        f"Epoch [{1 + place // 3}/4], Step [{100 * (1 + place % 3)}/300], Loss: {loss}\n"
        for place, loss in enumerate(FALLING)
    )
    [log] = read_logs(written(tmp_path, "train.txt", lines))
    assert log.unit == "epoch" and log.series["train_loss"].values.tolist() == FALLING


def test_a_folder_of_mlflow(tmp_path: Path) -> None:
    for run, raised in (("0123", 0.0), ("4567", 1.0)):
        folder = tmp_path / "mlruns/0" / run
        (folder / "metrics/train").mkdir(parents=True)
        (folder / "meta.yaml").write_text("run_id: a\n")
        for name in ("train/loss", "val_loss"):
            lines = (f"176370000{step:04d} {value + raised} {step}\n" for step, value in enumerate(FALLING))
            (folder / "metrics" / name).write_text("".join(lines) + "17637000\n1763 oops 3\n")
    for place in ("mlruns/0/0123", "mlruns/0/0123/metrics"):
        [log] = read_logs(tmp_path / place)
        assert log.series["train_loss"].values.tolist() == log.series["validation_loss"].values.tolist() == FALLING
        assert log.unit == "step" and log.series["train_loss"].at.tolist() == list(range(12))
    assert len(read_logs(tmp_path / "mlruns")) == 2


def test_results_of_xgboost_and_arrays_of_numpy() -> None:
    held = {"train": {"rmse": FALLING}, "eval": {"rmse": [value + 0.1 for value in FALLING]}}
    [log] = read_logs(held)
    assert log.series["train_loss"].values.tolist() == FALLING and "validation_loss" in log.series
    [log] = read_logs({"loss": np.array(FALLING)})
    assert log.series["train_loss"].values.tolist() == FALLING


# --- what nobody should have written


HUGE = b"9" * 100_000
HOSTILE: dict[str, tuple[str, bytes]] = {
    "a million columns": ("a.csv", b"loss," + b"c," * 1_000_000 + b"\n1," + b"2," * 1_000_000),
    "a million columns of their own": (
        "a.jsonl",
        b'{"loss": 1}\n' + b"".join(b'{"a%d":1}\n' % n for n in range(30_000)),
    ),
    "numbers that are no floats": ("a.csv", b"loss\n1e999999\n-1e999999\n" + HUGE + b"\n1\n2\n"),
    "numbers of JSON that are none": ("a.json", b'{"loss": [1e999999, ' + HUGE + b", -1e999999, NaN, 3, 2]}"),
    "a million layers": ("a.json", b'{"loss": [3, 2, 1.5, 1.4], "x": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"),
    "a million layers of objects": ("a.json", b'{"loss": [3, 2, 1.5, 1.4], "x": ' + b'{"a":' * 1_000_000),
    "layers in a line": ("a.jsonl", b'{"loss": 3}\n{"loss": ' + b"[" * 200_000 + b"\n" + b'{"loss": 2}\n' * 5),
    "half a string": ("a.json", b'{"loss": [3, 2, 1.5, 1.4], "x": "' + b'\\"' * 300_000),
    "NULs in the middle": ("a.csv", b"epoch,loss\n" + b"1,2\n" * 300 + b"\0\0\0,\0\n" * 50),
    "a lone quote": ("a.csv", b'epoch,loss\n1,"2\n' + b"".join(b"%d,%d\n" % (n, 9 - n) for n in range(2, 9))),
    "UTF-16": ("a.csv", "epoch,loss\n1,3\n2,2\n3,1\n4,0.9\n".encode("utf-16")),
    "UTF-32": ("a.csv", "epoch,loss\n1,3\n2,2\n3,1\n4,0.9\n".encode("utf-32")),
    "half a letter of UTF-16": ("a.csv", "epoch,loss\n1,3\n2,2\n3,1\n4,0.9\n".encode("utf-16")[:-3]),
    "what was printed, and blanks": (
        "a.log",
        b"epoch 1 loss 3\nepoch 2 loss 2\n" + (b"loss" + b" " * 1990 + b"x\n" + b"a " * 1000 + b"\n") * 50,
    ),
    "a byte order mark": ("a.json", b"\xef\xbb\xbf" + b'{"loss": [3, 2, 1.5, 1.4]}'),
    "Latin-1": ("a.csv", "epoch,loss,Größe\n1,3,ä\n2,2,ö\n3,1,ü\n4,0.9,ß\n".encode("latin-1")),
    "places that are none": ("a.csv", b"epoch,loss\nnan,3\ninf,2\n-inf,1\n1e400,0.9\n-5,0.8\n"),
    "steps out of order": ("a.csv", b"step,loss\n" + b"".join(b"%d,%d\n" % (n * 7919 % 101, n) for n in range(101))),
    "a cell of every kind": ("a.json", b'[{"loss": 1}, 5, "x", null, [], {"loss": [1]}, {"loss": {"a": {"b": 1}}}]'),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_log_is_read_in_part(tmp_path: Path, what: str) -> None:
    name, content = HOSTILE[what]
    start = time.perf_counter()
    assert sf.diagnose(written(tmp_path, name, content))
    assert time.perf_counter() - start < 20.0


def test_a_trainer_state_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = (LOGS / "trainer_state.json").read_bytes()
    [log] = read_logs(written(tmp_path, "trainer_state.json", whole[: len(whole) * 2 // 3]))
    assert 15 < len(log.series["train_loss"]) < 25 and "read up to there" in log.notes[0]


def test_what_was_left_out_of_a_hostile_log_is_said(tmp_path: Path) -> None:
    def notes(what: str) -> str:
        return " ".join(read_logs(written(tmp_path, *HOSTILE[what]))[0].notes)

    assert "longer than 262,144 characters were cut there: 2" in notes("a million columns")
    assert f"more than {MOST_COLUMNS:,} columns" in notes("a million columns")
    assert "ends in the middle" in notes("half a string")
    assert "that are not utf-8 were replaced: 6" in notes("Latin-1")
    assert "that say no number" not in notes("a lone quote")


# What atheris found (benchmarks/fuzz_readers.py), made short.
FOUND: dict[str, tuple[str, bytes]] = {
    "a training loss that gained nothing beside a validation loss that did": (
        "a.csv",
        b"train_loss,val_loss\n" + b"".join(b"%d,%.9f\n" % (place, 1 + 9.0 / 4**place) for place in range(1, 17)),
    ),
    "a loss of which two numbers are finite": ("a.csv", b"loss\n3\n" + b"nan\ninf\n" * 8 + b"2\n"),
    "a layer with a control character in its name": (
        "a.csv",
        b"loss,grad/a,grad/\x04b\n" + b"".join(b"%f,0,410\n" % (1.0 / place) for place in range(1, 30)),
    ),
    "nothing but a percent sign": ("a.csv", b"loss\n3\n2\n%\n%%\n1"),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_atheris_found(tmp_path: Path, what: str) -> None:
    found = sf.diagnose(written(tmp_path, *FOUND[what]))
    assert found and all(text.isprintable() for one in found for text in (one.evidence, one.advice))


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "gzip": ("a.csv.gz", gzip.compress(b"epoch,loss\n1,2\n"), "packed with gzip; unpack it"),
    "a table of a spreadsheet": ("a.xlsx", b"PK\x03\x04" + b"\0" * 50, "packed with zip"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "is not text"),
    "two gibibytes of JSON": ("a.json", b"[" + b" " * 2000, "has 2.0 GiB, and JSON is read up to 1 GiB"),
    "names that move the cursor": ("a.json", b'{"\\u001b[2J\\nError: x\\ud800": [1, 2]}', r"only: \?\[2J\?Error: x\?"),
    "names without end": ("a.json", b'{"' + b"a" * 500_000 + b'": [1, 2]}', r"only: a{80}\.\.\.;"),
    "objects that say no loss": ("a.json", b'{"a": 1}\n{"a": 2}\n', "^[^ ]*a.json has no column that is known"),
    "no value": ("a.json", b'{"loss": [1, 2,, 3]}', "is not JSON: line 1 should have a value"),
    "no comma": ("a.json", b'{"loss": [1, 2] "b": 3}', "should have ',' or"),
    "a comma too many": ("a.json", b'{"loss": [1, 2,]}', "should have a value"),
    "no name": ("a.json", b"{1: [1, 2]}", "a name in quotes"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    name, content, words = REFUSED[what]
    path = written(tmp_path, name, content)
    if "GiB" in words:
        os.truncate(path, 2**31)
    refused(path, words)


def test_a_sparse_file_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"epoch,loss\n1,2\n" + b" " * 2000)
    os.truncate(path, 2**27)
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); import surefoot as sf\n"
        "print([finding.verdict for finding in sf.diagnose(sys.argv[1])])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.stdout == "['too short to tell']\n", done.stderr


MEASURED = """
import re, sys
from surefoot.diagnosis import read_logs
def peak(path):
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak begins anew
    read_logs(path)
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
peak(sys.argv[1])
small = peak(sys.argv[1])
print(*(peak(path) - small for path in sys.argv[2:]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone tells a peak of its own")
def test_reading_takes_less_than_ten_times_the_file(tmp_path: Path) -> None:
    row = b'{"loss": 1.5, "grad_norm": 1, "learning_rate": 1e-5, "epoch": 2.25, "step": %d},\n'
    contents = {
        "a.csv": b"epoch,loss\n" + b"".join(b"%d,0.5\n" % place for place in range(200_000)),
        "lists.json": b'{"loss": [3, 2, 1], "other": [' + b"[],{}," * 200_000 + b"1]}",
        "numbers.json": b'{"loss": [' + b"1,2," * 500_000 + b"3]}",
        "trainer_state.json": b'{"log_history": ['
        + b"".join(row % place for place in range(20_000))
        + b'{"loss": 1}]}',
    }
    paths = [written(tmp_path, name, content) for name, content in contents.items()]
    small = written(tmp_path, "small.json", b'{"loss": [3, 2, 1, 0.5, 0.4]}')
    done = subprocess.run([sys.executable, "-c", MEASURED, small, *paths], capture_output=True, text=True, check=True)
    ratios = [int(grown) / len(content) for grown, content in zip(done.stdout.split(), contents.values(), strict=True)]
    assert max(ratios) < 10.0, ratios


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    refused(tmp_path / "pipe.csv", "is a pipe or a device")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    refused(tmp_path / "loop.csv", "cannot be read: Too many levels of symbolic links")
    refused(Path("a" * 5000), "cannot be read: File name too long")
    refused(Path("a\0b.csv"), "cannot be read: embedded null byte")
    refused(tmp_path / "a\nb.csv", r"a\?b.csv does not exist")


def test_folders_with_odd_things_in_them(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    (tmp_path / "run.tfevents.1").mkdir()
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    refused(tmp_path, "has no log in it")
    refused(tmp_path / "x.csv", "has no log in it")
    written(tmp_path, "good.csv", "epoch,loss\n1,3\n2,2\n3,1\n4,0.9\n")
    assert len(sf.diagnose(tmp_path)) == 1
    written(tmp_path, "another.csv", "name,place\na,b\n")
    [log] = read_logs(tmp_path)
    assert log.name.endswith("good.csv") and "another.csv has no column that is known" in log.notes[0]


# --- event files


def record(event: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("<QI", len(event) if length is None else length, 0) + event + bytes(4)


def test_an_event_file_that_claims_what_it_does_not_have(tmp_path: Path) -> None:
    whole = (LOGS / "pytorch_tensorboard/events.out.tfevents.0").read_bytes()
    for claim in (2**27, 2**32, 2**63, 2**64 - 1):
        path = written(tmp_path, "events.out.tfevents.0", whole + record(b"", length=claim))
        [log] = read_logs(path)
        assert len(log.series["train_loss"]) == 30 and "ends in the middle" in log.notes[0]
    for end in range(0, len(whole), 97):
        try:
            sf.diagnose(written(tmp_path, "events.out.tfevents.0", whole[:end]))
        except RequestError as error:
            assert "no column that is known" in str(error)


def test_a_tensor_that_claims_a_billion_numbers_is_not_built(tmp_path: Path) -> None:
    from tensorboard.compat.proto import event_pb2

    event = event_pb2.Event(step=1)
    value = event.summary.value.add(tag="loss")
    value.tensor.dtype = 1
    value.tensor.float_val.append(1.0)
    for _ in range(3):
        value.tensor.tensor_shape.dim.add(size=2000)
    refused(written(tmp_path, "a.tfevents.0", record(event.SerializeToString())), "no column that is known")


# --- databases


def test_databases_that_are_not_optunas(tmp_path: Path) -> None:
    def database(name: str, *statements: str) -> Path:
        (tmp_path / name).unlink(missing_ok=True)
        connection = sqlite3.connect(tmp_path / name)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return tmp_path / name

    refused(database("a.db", "CREATE TABLE mine (x)"), "no database of Optuna's.*no such table: studies")
    refused(database("b?c#.db", "CREATE TABLE studies (study_id, study_name)"), "has no study in it")
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS study_id, i AS study_name FROM n"
    )
    refused(database("d.db", f"CREATE VIEW studies AS {endless}"), "no database of Optuna's.*interrupted")


@settings(max_examples=25, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=30)), min_size=1, max_size=8))
def test_a_damaged_database_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, small_database: bytes, places: list[tuple[float, bytes]]
) -> None:
    content = bytearray(small_database)
    for place, put in places:
        at = 16 + int(place * (len(content) - 16 - len(put)))
        content[at : at + len(put)] = put
    try:
        found = sf.diagnose(written(tmp_path_factory.mktemp("damaged"), "study.db", bytes(content)))
    except SurefootError as error:
        assert str(error).isprintable()
    else:
        assert found


@pytest.fixture(scope="module")
def small_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import optuna

    path = tmp_path_factory.mktemp("optuna") / "study.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="small")
    rate = optuna.distributions.FloatDistribution(1e-5, 1.0, log=True)
    kind = optuna.distributions.CategoricalDistribution(("sgd", "adam"))
    study.add_trials([
        optuna.trial.create_trial(
            params={"lr": 10.0**-place, "kind": "adam"}, distributions={"lr": rate, "kind": kind}, value=float(place)
        )
        for place in range(5)
    ])  # fmt: skip
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    return path.read_bytes()


# --- JSON by pieces


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(-10, 10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=20,
    )
)
def test_skipping_a_value_ends_where_its_decoder_ends(value: object) -> None:
    for indent in (None, 1):
        text = json.dumps(value, indent=indent, ensure_ascii=False)
        cursor = Cursor(f"{text} ,")
        cursor.skip()
        assert cursor.place == len(text)


@settings(max_examples=200)
@given(
    st.dictionaries(st.text(max_size=4), st.floats() | st.none() | st.text(max_size=5), max_size=5),
    st.lists(st.floats(allow_nan=False) | st.none() | st.text(max_size=5) | st.booleans(), max_size=8),
)
def test_rows_and_lists_read_as_the_decoder_reads_them(row: dict[str, object], cells: list[object]) -> None:
    assert repr(Cursor(json.dumps(row)).row()) == repr(json.loads(json.dumps(row)))
    read = [cell for piece in Cursor(json.dumps(cells)).elements() for cell in piece]
    assert read == json.loads(json.dumps(cells))


# --- on a terminal


def on_a_terminal(*arguments: str, width: int, **environment: str) -> str:
    """What a command writes when its output is a terminal so wide."""
    import fcntl
    import pty
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    started = subprocess.Popen(
        [sys.executable, "-m", "surefoot", *arguments],
        stdout=its,
        stderr=its,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(its)
    said = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal that nobody holds with an error
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    assert started.wait() == 0
    return said.decode().replace("\r\n", "\n")


def test_a_terminal_has_colours_and_its_own_width() -> None:
    log, other = str(LOGS / "keras_overfit.csv"), str(LOGS / "made/rate_too_low.csv")
    said = on_a_terminal("diagnose", log, other, width=64)
    assert "\x1b[1;33moverfitting (certain)" in said and "\x1b[1;36mlearning rate too low (possible)" in said
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said).split("\n")
    assert all(len(line) <= 64 for line in lines if line not in (log, other)) and "  ▲ overfitting (certain)" in map(
        str.rstrip, lines
    )
    without = on_a_terminal("diagnose", log, width=64, NO_COLOR="1")
    assert "overfitting (certain)" in without and not re.search(r"\x1b\[[0-9;]*3[0-7]m", without)


def test_what_is_no_terminal_gets_plain_text(call: Any) -> None:
    code, said, _ = call("diagnose", str(LOGS / "keras_overfit.csv"))
    assert code == 0 and "\n  overfitting (certain)\n    the validation loss" in said and "\x1b" not in said


@pytest.mark.parametrize(
    ("verdict", "certainty", "grave"),
    [
        ("diverged", "certain", "broken"),
        ("overfitting", "likely", "wrong"),
        ("learning rate too high", "possible", "doubt"),
        ("too short to tell", None, "doubt"),
        ("nothing wrong", "likely", "fine"),
    ],
)
def test_how_grave_a_verdict_is(verdict: str, certainty: Any, grave: str) -> None:
    from surefoot.records import Finding
    from surefoot.reports.verdicts import gravity

    assert gravity(Finding(verdict=verdict, run="", evidence="", advice="", certainty=certainty)) == grave
