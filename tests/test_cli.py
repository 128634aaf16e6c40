"""The commands: what they print, what they refuse, with which exit code."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest
from tests.conftest import Call


def test_tune_prints_recipe_metrics_price_and_report(call: Call, tmp_path: Path) -> None:
    code, out, err = call("tune", "iris", "--epochs", "20")
    assert code == 0
    for part in ("Recipe", "learning rate", "train", "validation", "test", "accuracy", "Price", "trainings", "Report"):
        assert part in out
    assert "best so far" in err
    assert "price" in err
    assert (tmp_path / "runs/iris-1/report.html").exists()
    assert call("tune", "iris", "--epochs", "5", "--budget", "0.5")[0] == 0
    assert (tmp_path / "runs/iris-2/report.html").exists()


def test_json_is_alone_on_standard_output(call: Call, tmp_path: Path) -> None:
    code, out, err = call("tune", "wine", "--epochs", "5", "--json", "--out", "result")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "result/result.json").read_text())
    assert "Report" in err
    code, out, _ = call("compare", "iris", "--epochs", "2", "--grid", "batch.size=8,16", "--json")
    assert code == 0
    assert set(json.loads(out)["results"]) == {"batch.size=8", "batch.size=16"}
    code, out, _ = call("probe", "digits", "--json")
    assert json.loads(out)["range_test"]["optimizer"] == "adamw"


def test_fit_prints_every_epoch(call: Call) -> None:
    code, out, err = call("fit", "iris", "--epochs", "3", "--set", "optimizer.name=sgd")
    assert code == 0
    assert len(re.findall(r"epoch +\d\.00 +train loss \d\.\d+ +validation loss \d\.\d+", err)) == 3
    assert "sgd" in out


def test_probe_and_compare(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("probe", "digits", "--set", "optimizer.name=sgd")
    assert code == 0
    assert re.search(r"Learning rate +\d\S* +\(\S+ to \S+\)", out)
    code, out, _ = call("probe", "iris", "--epochs", "1")
    assert code == 0
    assert "no suggestion: so short a training can pay for no probe" in out
    (tmp_path / "slow.toml").write_text("[optimizer]\nlearning_rate = 1e-4\n")
    (tmp_path / "fast.toml").write_text("[optimizer]\nlearning_rate = 1e-2\n")
    code, out, _ = call("compare", "iris", "slow=slow.toml", "fast=fast.toml", "--epochs", "3", "--out", "both")
    assert code == 0
    assert "slow" in out
    assert (tmp_path / "both/fast/result.json").exists()
    assert (tmp_path / "both/report.html").exists()


@pytest.mark.slow
def test_compare_alone_is_the_lesson(call: Call, tmp_path: Path) -> None:
    code, out, err = call("compare", "iris", "--epochs", "4", "--out", "lesson", "--tensorboard", "logs")
    assert code == 0
    assert len(re.findall(r"epoch +\d\.00  train loss \d\S+  validation loss .*  test loss \d", err)) == 5 * 4
    for name in ("full_batch", "single_sample", "mini_batch", "plateau", "l2"):
        assert re.search(rf"^{name} +\d\.\d+ ", out, flags=re.MULTILINE)
        assert list((tmp_path / "logs" / name).glob("events*"))
    assert (tmp_path / "lesson/report.html").exists()


def test_a_grid_prints_loss_and_time(call: Call) -> None:
    axes = ("--grid", "optimizer.learning_rate=.001,.01", "--grid", "batch.size=16,32")
    code, out, err = call("compare", "iris", "--epochs", "2", *axes, "--out", "grid")
    assert code == 0
    assert len(re.findall("validation loss", err)) == 4
    assert re.search(r"validation loss\n +learning rate \\ batch size +16 +32\n +0.001 +\d\.\d{4} +\d\.\d{4}\n", out)
    assert re.search(r"seconds\n +learning rate", out)


def test_a_table_is_tuned_and_predicted(call: Call, tmp_path: Path) -> None:
    lines = [f"{row % 10},{'left' if row % 2 else 'right'},{'big' if row % 10 > 4 else 'small'}" for row in range(200)]
    (tmp_path / "boxes.csv").write_text("\n".join(["size,side,kind", *lines]) + "\n")
    code, out, _ = call("tune", "boxes.csv", "--target", "kind", "--epochs", "30", "--out", "out")
    assert code == 0
    assert '"kind" is read as 2 classes' in out
    (tmp_path / "new.csv").write_text("side,size\nleft,0\nright,9\n")
    code, out, _ = call("predict", "out", "new.csv")
    assert code == 0
    header, first, second = out.splitlines()
    assert header == "prediction,probability"
    assert first.startswith("small,")
    assert second.startswith("big,")
    assert call("predict", "out", "new.csv", "--out", "answers.csv")[0] == 0
    assert (tmp_path / "answers.csv").read_text().splitlines()[0] == header
    code, out, _ = call("predict", "out", "new.csv", "--json")
    assert [row["prediction"] for row in json.loads(out)] == ["small", "big"]
    (tmp_path / "bad.csv").write_text("side\nleft\n")
    assert (
        refused(call("predict", "out", "bad.csv")) == 'the rows lack the column "size", which the model was trained on'
    )
    assert refused(call("predict", "out", "none.csv")).startswith("cannot read none.csv")
    assert refused(call("predict", "absent", "new.csv")).startswith("there is no model in absent")
    assert refused(call("predict", "out", "new.csv", "--out", "new.csv/x.csv")).startswith("cannot write")


def refused(answer: tuple[int, str, str]) -> str:
    """The one line of a refusal."""
    code, out, err = answer
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.removeprefix("Error: ").rstrip("\n")


MODEL = """
import numpy as np
import surefoot as sf
from torch import nn

inputs, labels = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"), np.arange(60) % 3

def build(hidden=4):
    return nn.Sequential(nn.Linear(4, hidden), nn.Linear(hidden, 3))

def make(**changes):
    return sf.Task(**{"model": build, "train": (inputs, labels), "epochs": 3, **changes})

def good(): return make()
def raises(): raise OSError("the disk is away")
def number(): return 3
def no_parameters(): return make(model=nn.ReLU)
def not_scalar(): return make(loss=lambda output, target: (output ** 2).mean(1))
def out_of_range(): return make(train=(inputs, labels + 1))
def nan_targets(): return make(train=(inputs, np.where(labels > 1, np.nan, 1.0)))
def infinite(): return make(train=(inputs, np.where(labels > 1, np.inf, 1.0)))
def diverges(): return make(loss=lambda output, target: output.sum() * float("nan"))
def loss_raises(): return make(loss=lambda output, target: output @ target)
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tune", "digit"], 'no task "digit"; did you mean "digits"?'),
        (["tune", "absent.csv", "--target", "y"], "cannot read absent.csv"),
        (["tune", "t.csv", "--target", "z"], 't.csv has no column "z"; allowed: x, y'),
        (["tune", "t.csv"], "which column of t.csv should be predicted?"),
        (["tune", "texts.csv", "--target", "y"], "10,000 different texts"),
        (["tune", "texts.csv", "--target", "x"], "10,000 different values"),
        (["tune", "empty.csv", "--target", "y"], "has no rows"),
        (["tune", "one.csv", "--target", "y"], "one class only"),
        (["tune", "digits", "--budget", "0"], "budget is '0'; it must be a number of trainings above 0"),
        (["tune", "digits", "--budget=-2"], "budget is '-2'; it must be"),
        (["tune", "digits", "--budget", "two"], "budget is 'two'; it must be"),
        (["tune", "digits", "--budget", "nan"], "budget is 'nan'; it must be"),
        (["tune", "digits", "--epochs", "0"], "epochs must be a number above 0, not 0.0"),
        (["tune", "digits", "--set", "optimizer.nam=sgd"], 'no key "optimizer.nam"; did you mean "name"'),
        (["tune", "digits", "--set", "optimizer.name=sdg"], 'optimizer.name is "sdg", which does not exist'),
        (["tune", "digits", "--set", "batch.size"], "--set takes KEY=VALUE"),
        (["tune", "digits", "--set", "batch.size=5000"], "batch.size is 5000, but there are 1078 training rows"),
        (["tune", "digits", "--set", "model.hiden=3"], "the model builder failed"),
        (["tune", "digits", "--recipe", "absent.toml"], "cannot read the recipe absent.toml"),
        (["tune", "digits", "--out", "t.csv"], "cannot write into t.csv"),
        (["tune", "digits", "--out", "full"], "full is not empty; --resume goes on with the study in it"),
        (["tune", "digits", "--resume"], "--resume needs --out"),
        (["tune", "model.py:goood"], 'model.py has no "goood"; did you mean "good"?'),
        (["tune", "model.py:raises"], "model.py:raises failed at model.py:15: OSError: the disk is away"),
        (["tune", "model.py:number"], "must be a surefoot.Task or a function that returns one, not int"),
        (["tune", "model.py:no_parameters"], "the model has no parameters to train"),
        (["tune", "model.py:not_scalar"], "the loss must return a scalar, not a tensor of shape (2,)"),
        (["tune", "model.py:out_of_range"], "the train labels run from 1 to 3, but the model has 3 outputs"),
        (["tune", "model.py:nan_targets"], "train targets are not finite"),
        (["tune", "model.py:infinite"], "train targets are not finite"),
        (["tune", "model.py:loss_raises"], "the loss failed at model.py:23: RuntimeError"),
        (["fit", "digits", "--set", "schedule.name=cosin"], 'did you mean "cosine"'),
        (["compare", "digits", "--set", "batch.size=8"], "are what a --grid starts from"),
        (["compare", "digits", "--grid", "batch.size=8", "--grid", "batch.size=9"], "names batch.size twice"),
        (["compare", "digits", "--grid", "batch.size=8,8"], "names a value twice"),
        (["compare", "digits", "--grid", "batch.size"], "--grid takes KEY=V1,V2"),
        (["compare", "digits", "slow.toml"], "a recipe is given as NAME=FILE"),
        (["compare", "digits", "a=x.toml", "--grid", "batch.size=8"], "not both"),
        (["probe", "iris", "--plot", "probe.pdf"], ".html"),
        (["fit", "iris", "--set", "data.flip=0.5"], "data.flip is for pictures"),
    ],
)  # fmt: skip
def test_a_wrong_request_gets_one_line(call: Call, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n2,1\n" * 20)
    (tmp_path / "one.csv").write_text("x,y\n" + "1,2\n2,2\n" * 20)
    (tmp_path / "empty.csv").write_text("x,y\n")
    (tmp_path / "texts.csv").write_text("x,y\n" + "".join(f"word{row},{row % 2}\n" for row in range(10_000)))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert said in refused(call(*arguments))
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before


def test_unknown_options_are_refused(call: Call) -> None:
    assert call("tune", "digits", "--bugdet", "2")[0] == 2
    assert call("tuna", "digits")[0] == 2


def test_a_folder_that_cannot_be_written(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # root may write anywhere, so the system will not

    monkeypatch.setattr("surefoot.workflows.output.tempfile.TemporaryFile", refuse)
    assert refused(call("tune", "iris", "--out", "locked")).startswith("cannot write into locked: Permission denied")


def test_a_model_whose_every_run_diverges_exits_with_1(call: Call, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    code, out, _ = call("tune", "model.py:diverges", "--out", "out")
    assert code == 1
    assert "diverged" in out
    assert "Traceback" not in out
    assert (tmp_path / "out/report.html").exists()
    assert json.loads((tmp_path / "out/result.json").read_text())["status"] == "diverged"


def test_help_is_written_for_a_newcomer(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    for command in ("tune", "fit", "probe", "compare", "predict"):
        assert command in out
        code, text, _ = call(command, "--help")
        assert code == 0
        assert "Example" in text
