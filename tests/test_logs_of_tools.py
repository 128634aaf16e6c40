"""Logs that tools wrote in styles of their own (tests/logs/make_more.py and make_styles.py ran them), read exactly."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.diagnosis import Log, diagnosed, read_logs
from surefoot.errors import RequestError
from surefoot.language import language

LOGS = Path(__file__).parent / "logs" / "more"
COUNTED_ON = "counts from the beginning again while the loss goes on where it stood, which were counted on: 1"
BY_TIME = "placed by the time at which they were written: "

# The loop of make_more.py: its losses at the first and the last of 12 epochs, its batches' at the first and last of 84.
BATCHES, EPOCHS, LOOKS = (0.7770, 0.03858), (0.7310, 0.1400), (0.6910, 1.1041)
# log -> its unit; places and values of the first and the last training and validation loss; a note
READ = {
    "catboost_info": ("step", (0, 39, 0.6636, 0.2499), (0, 39, 0.6814, 0.6686), ""),
    "fastai_twice.csv": ("epoch", (1, 12, 0.6886, 0.2849), (1, 12, 0.6755, 0.8263), COUNTED_ON),
    "huggingface_printed.log": ("epoch", (1, 12, 0.7162, 0.3361), (1, 12, 0.67, 0.7598), "not read, as it can be one"),
    "huggingface_sets.json": ("epoch", (1, 12, 0.7162, 0.3361), (1, 12, 0.67, 0.7598), "can be one: eval_talks_loss"),
    "ignite_printed.log": ("step", (6, 84, 0.61, 0.13), (6, 84, 0.69, 1.04), ""),
    "keras_twice": ("epoch", (1, 15, 0.7034, 0.1365), (1, 15, 0.7306, 1.0332), COUNTED_ON),
    "keras_twice.csv": ("epoch", (1, 15, 0.7034, 0.1365), (1, 15, 0.7306, 1.0332), COUNTED_ON),
    "lightgbm_printed.log": ("step", (1, 33, 0.6659, 0.3114), (1, 33, 0.6756, 0.6556), ""),
    "mlruns/0/0": ("step", (0, 83, *BATCHES), (6, 83, *LOOKS), BY_TIME + "val_loss"),
    "mlruns/0/1": ("step", (0, 11, *EPOCHS), (0, 11, *LOOKS), ""),
    "pytorch_mixed": ("step", (0, 83, *BATCHES), (6, 83, *LOOKS), BY_TIME + "val/loss"),
    "pytorch_no_step": ("row", (1, 12, *EPOCHS), (1, 12, *LOOKS), "no steps were logged"),
    "pytorch_quickstart.log": ("epoch", (1, 12 + 6 / 7, *BATCHES), (1 + 6 / 7, 12 + 6 / 7, *LOOKS), ""),
    "ray/trial_0/result.json": ("step", (1, 12, *EPOCHS), (1, 12, *LOOKS), ""),
    "run-owl.wandb": ("step", (0, 94, *BATCHES), (7, 95, *LOOKS), ""),
    "skorch_printed.log": ("epoch", (1, 12, 0.6979, 0.1338), (1, 12, 0.6648, 1.0265), ""),
    "timm": ("epoch", (1, 12, *EPOCHS), (1, 12, *LOOKS), ""),
    "ultralytics_results.csv": ("epoch", (1, 12, 0.67214, 0.70402), (1, 12, 0.69327, 0.68457), ""),
    "xgboost_error.json": ("row", (1, 30, 0.13, 0.0), (1, 30, 0.47, 0.41), "validation_0/error, validation_1/error"),
    "xgboost_printed.log": ("step", (0, 29, 0.55335, 0.06114), (0, 29, 0.68266, 0.81848), ""),
}


def ends(log: Log, name: str) -> tuple[float, ...]:
    one = log.series[name]
    return (*one.at[[0, -1]], *one.values[[0, -1]])


@pytest.mark.parametrize("name", READ)
def test_both_losses_are_read_where_they_stand(name: str) -> None:
    unit, train, validation, note = READ[name]
    [log] = read_logs(LOGS / name)
    assert log.unit == unit
    assert ends(log, "train_loss") == pytest.approx(train, abs=6e-5)
    assert ends(log, "validation_loss") == pytest.approx(validation, abs=6e-5)
    assert note in " ".join(log.notes) if note else log.notes == ()


@pytest.mark.parametrize("name", READ)
def test_every_note_is_said_in_chinese(name: str) -> None:
    with language("zh"):
        [one] = diagnosed(LOGS / name)
    assert all(re.search("[\u4e00-\u9fff]", note) for note in one.left_out)


def test_rates_and_accuracies_of_their_own_names() -> None:
    [keras] = read_logs(LOGS / "keras_twice")
    assert keras.series["learning_rate"].values == pytest.approx([0.01] * 15)
    [timm] = read_logs(LOGS / "timm")  # top1 is in percent
    assert ends(timm, "validation_accuracy") == pytest.approx((1, 12, 0.57, 0.565))
    [detector] = read_logs(LOGS / "ultralytics_results.csv")
    assert set(detector.series["validation_accuracy"].values) == {0.5}


def test_the_database_of_mlflow_has_a_log_of_each_run() -> None:
    by_epoch, by_step = read_logs(LOGS / "mlflow.db")
    assert [log.name.rpartition(": ")[2] for log in (by_epoch, by_step)] == ["by epoch", "by step"]
    assert ends(by_epoch, "train_loss") == pytest.approx((0, 11, *EPOCHS), abs=6e-5)
    assert ends(by_step, "validation_loss") == pytest.approx((6, 83, *LOOKS), abs=6e-5)
    for log, folder in ((by_step, "0"), (by_epoch, "1")):
        [of_folder] = read_logs(LOGS / "mlruns/0" / folder)
        assert of_folder.name.endswith(f"({log.name.rpartition(': ')[2]})")
        for name in ("train_loss", "validation_loss"):
            assert of_folder.series[name].values.tolist() == log.series[name].values.tolist()


def test_a_folder_of_lightning_has_a_log_of_each_version() -> None:
    logs = read_logs(LOGS / "lightning_logs")
    assert [Path(log.name).parent.name for log in logs] == ["version_0", "version_2"]
    assert "event files beside them were not read: 1" in logs[0].notes
    [events] = read_logs(LOGS / "lightning_logs/version_2/events.out.tfevents.0")
    for name in ("train_loss", "validation_loss"):
        assert logs[1].series[name].at.tolist() == events.series[name].at.tolist()
        assert logs[1].series[name].values == pytest.approx(events.series[name].values)
    for log in (*logs, events):
        said = "validation_loss is val_loss/dataloader_idx_0; not read, as it can be one: val_loss/dataloader_idx_1"
        assert said in log.notes


def test_folders_of_trainings_have_a_log_of_each(tmp_path: Path) -> None:
    assert [Path(log.name).parent.name for log in read_logs(LOGS / "ray")] == ["trial_0", "trial_1"]
    state = LOGS / "huggingface_sets.json"
    for place in ("a/checkpoint-7", "a/checkpoint-14", "b", "b/checkpoint-14"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(state, tmp_path / place / "trainer_state.json")
    (tmp_path / "b/checkpoint-14/trainer_state.json").write_text("{}")
    names = {Path(log.name).relative_to(tmp_path).as_posix() for log in read_logs(tmp_path)}
    assert len(names) == 2 and "b/trainer_state.json" in names
    (tmp_path / "b/trainer_state.json").write_text("{}")
    [log] = read_logs(tmp_path)
    assert "a/checkpoint-" in log.name and "no log:" in log.notes[-1]


def test_a_journal_of_optuna_is_a_study(tmp_path: Path) -> None:
    [one] = diagnosed(LOGS / "optuna_journal.log")
    assert one.name == "of a journal" and one.left_out == ()
    [edge] = [finding for finding in one.findings if finding.verdict == "best at the edge"]
    assert "lr = 0.009079, at the upper end of 1e-05 to 0.01" in edge.evidence
    damaged = tmp_path / "journal.log"
    lines = (LOGS / "optuna_journal.log").read_text().splitlines()
    unread = ['{"op_code": 5, "trial_id": 99}', "[]", "oops", lines[2].replace("FloatDist", "FleaDist")]
    damaged.write_text("\n".join([*lines[:20], *unread, *lines[20:-1], lines[-1][:9]]))
    [found] = diagnosed(damaged)
    assert found.left_out[0] == "lines of the journal that could not be read were left out: 5"


def test_of_the_studies_of_a_file_those_of_one_objective_are_judged(tmp_path: Path) -> None:
    import optuna

    storage = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(study_name="two", directions=["minimize", "maximize"], storage=storage)
    with pytest.raises(RequestError, match="study 'two' has 2 objectives"):
        diagnosed(tmp_path / "study.db")
    optuna.create_study(study_name="one", storage=storage)
    [one] = diagnosed(tmp_path / "study.db")
    assert one.name == "one" and "'two' has 2 objectives" in one.left_out[0]


# --- how places were counted

FALLS = [1.0, 0.6, 0.4, 0.3]


@pytest.mark.parametrize(
    ("second", "train", "note"),
    [
        ([0.28, 0.25, 0.22], [*FALLS, 0.28, 0.25, 0.22], COUNTED_ON),  # the same training
        ([0.9, 0.5, 0.35], [0.9, 0.5, 0.35], "2 trainings one after another; the last one is judged"),
        ([1.0], FALLS, ""),  # said once more, as the best round is
        ([1.1], [1.1, *FALLS[1:]], "goes back in time"),
    ],
)
def test_places_that_are_counted_from_the_beginning_again(
    tmp_path: Path, second: list[float], train: list[float], note: str
) -> None:
    rows = [f"{epoch},{loss},{loss + 1}" for part in (FALLS, second) for epoch, loss in enumerate(part)]
    file = tmp_path / "history.csv"
    file.write_text("\n".join(["epoch,loss,val_loss", *rows]))
    [log] = read_logs(file)
    assert log.series["train_loss"].values.tolist() == train
    assert log.series["validation_loss"].values.tolist() == [value + 1 for value in train]
    assert log.series["train_loss"].at.tolist() == list(range(1, len(train) + 1))
    assert note in log.notes[0] if note else log.notes == ()


def test_lists_of_another_length_stand_evenly_beside_the_longest() -> None:
    [log] = read_logs({"loss": [1.0 / place for place in range(1, 25)], "val_loss": [0.5, 0.4, 0.35, 0.3]})
    assert log.series["validation_loss"].at.tolist() == [6.0, 12.0, 18.0, 24.0]
    assert log.notes == ("shorter than the longest column, and taken to be evenly apart: val_loss",)
    [log] = read_logs({"loss": FALLS, "val_loss": FALLS[:3]})  # as where it was stopped
    assert log.series["validation_loss"].at.tolist() == [1.0, 2.0, 3.0] and log.notes == ()


def test_one_look_after_the_training_hides_no_course() -> None:
    [one] = diagnosed([*({"step": step, "loss": 1.0 / step} for step in range(1, 31)), {"step": 30, "eval_loss": 0.5}])
    assert one.findings[0].verdict == "nothing wrong" and "training loss fell from 1 to" in one.findings[0].evidence
    assert "logged once, 0.5" in one.left_out[0]


def test_a_column_that_is_not_read_takes_no_role_by_its_name() -> None:
    [log] = read_logs({"loss": FALLS, "train_loss": [9.0, 9.0, 9.0, 9.0]})
    assert log.series["train_loss"].values.tolist() == FALLS
    assert log.series["train_loss (not read)"].values.tolist() == [9.0] * 4


# --- what a screen says

LINES: dict[str, tuple[str, dict[str, list[float]]]] = {
    "the best is none of the course": (
        "Epoch {e}/9\ntrain Loss: {t} Acc: 0.5\nval Loss: {v} Acc: 0.25\n",
        {"validation_accuracy": [0.25] * 12},
    ),
    "the loss of a batch beside those of both parts": (
        "iter {e}: loss 7.5, time 21.30ms\nstep {e}: train loss {t}, val loss {v}\n",
        {},
    ),
}


@pytest.mark.parametrize("what", LINES)
def test_lines_of_well_known_loops(tmp_path: Path, what: str) -> None:
    template, others = LINES[what]
    train = [round(1.0 / epoch, 3) for epoch in range(1, 13)]
    text = "".join(template.format(e=epoch, t=loss, v=loss + 1) for epoch, loss in enumerate(train, start=1))
    (tmp_path / "train.log").write_text(f"{text}\nTraining complete\nBest val Acc: 0.990000, best val loss: 0.1\n")
    [log] = read_logs(tmp_path / "train.log")
    expected = {"train_loss": train, "validation_loss": [loss + 1 for loss in train], **others}
    for name, values in expected.items():
        assert log.series[name].values == pytest.approx(values)


# --- what is refused, and what to do about it


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("history.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.", "is a pickle, which runs what is in it"),
        ("run-1.wandb", b":W&B\xe1\xbe\0", "run-1.wandb has no row in it: the run was stopped"),
        ("run-2.wandb", b"epoch,loss\n1,2\n", "run-2.wandb is no run of Weights & Biases"),
        ("trials.csv", b"number,value,params_lr\n0,0.5,0.1\n1,0.4,0.2\n", "give the study, or the file that holds it"),
    ],
)
def test_what_is_no_log_says_what_to_give_instead(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]], name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=re.escape(words)):
        diagnosed(tmp_path / name)
    code, out, err = call("diagnose", str(tmp_path / name), "--lang", "zh")
    assert code == 2 and out == "" and err.count("\n") == 1


def test_the_command_on_a_folder_with_a_page(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = call("diagnose", str(LOGS / "lightning_logs"), "--json", "--report", str(tmp_path / "page.html"))
    assert code == 0 and len(json.loads(out)) == 2
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "dataloader_idx_1" in page
