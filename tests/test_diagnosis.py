"""Verdicts on logs: of every tool that is named, of courses with one known fault, and one line for what is no log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surefoot as sf
from surefoot.diagnosis import read_logs
from surefoot.errors import RequestError, SurefootError

LOGS = Path(__file__).parent / "logs"
EPOCHS = np.arange(1, 41)
FALLING = 0.2 + 0.8 * np.exp(-EPOCHS / 8.0)
SETTLED = 0.2 + 0.8 * np.exp(-EPOCHS / 4.0)


def names(source: Any, **arguments: Any) -> list[str]:
    return [finding.verdict for finding in sf.diagnose(source, **arguments)]


def course(train: Any, validation: Any = None, **others: Any) -> dict[str, list[float]]:
    columns = {"epoch": EPOCHS, "train_loss": train, **others}
    if validation is not None:
        columns["val_loss"] = validation
    return {name: [float(value) for value in values] for name, values in columns.items()}


def noise(size: float, seed: int = 0, count: int = 40) -> np.ndarray:
    return size * np.random.default_rng(seed).normal(size=count)


# --- logs that tools wrote (tests/logs/make.py ran them)


@pytest.mark.parametrize(
    ("log", "verdict"),
    [
        ("fastai_history.csv", "does not generalise"),
        ("keras_csvlogger.csv", "does not generalise"),
        ("keras_history.json", "does not generalise"),
        ("keras_screen.log", "does not generalise"),
        ("keras_tensorboard", "does not generalise"),
        ("lightning_metrics.csv", "overfitting"),
        ("pytorch_tensorboard", "overfitting"),
        ("skorch_history.json", "does not generalise"),
        ("trainer_state.json", "overfitting"),
    ],
)
def test_a_log_of_each_tool_tells_of_what_was_learned_by_heart(log: str, verdict: str) -> None:
    [read] = read_logs(LOGS / log)
    assert {"train_loss", "validation_loss"} <= read.series.keys()
    [finding, *_] = sf.diagnose(LOGS / log)
    assert finding.verdict == verdict  # of 200 rows with noisy labels; few of their validation losses ever fell
    assert "training loss fell" in finding.evidence and "weight decay" in finding.advice


def test_one_training_of_keras_reads_alike_from_all_its_logs() -> None:
    logs = [read_logs(LOGS / name)[0] for name in ("keras_csvlogger.csv", "keras_tensorboard")]
    for name in ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"):
        first, second = (log.series[name] for log in logs)
        assert first.at.tolist() == second.at.tolist() == list(range(1, 31))
        assert first.values == pytest.approx(second.values, rel=1e-5)


def test_what_loops_hand_back_reads_as_their_files() -> None:
    columns = json.loads((LOGS / "keras_history.json").read_text())
    state = json.loads((LOGS / "trainer_state.json").read_text())
    skorch = json.loads((LOGS / "skorch_history.json").read_text())
    for held, file in (
        (SimpleNamespace(history=columns), "keras_history.json"),
        (SimpleNamespace(state=SimpleNamespace(log_history=state["log_history"])), "trainer_state.json"),
        (SimpleNamespace(history_=skorch), "skorch_history.json"),
        (pd.read_csv(LOGS / "fastai_history.csv"), "fastai_history.csv"),
        (pd.read_csv(LOGS / "fastai_history.csv").to_dict("records"), "fastai_history.csv"),
    ):
        assert names(held) == names(LOGS / file)


def test_a_folder_of_huggingface_is_read_from_its_newest_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-7").mkdir()
    (tmp_path / "checkpoint-7/trainer_state.json").write_text((LOGS / "trainer_state.json").read_text())
    assert names(tmp_path)[0] == "overfitting"


def test_no_framework_is_loaded() -> None:
    script = (
        "import sys, surefoot as sf; sf.diagnose({'loss': [3, 2, 1.5, 1.2, 1.1]}); "
        "print({'torch', 'keras', 'tensorflow', 'pandas', 'tensorboard'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_study_of_ours_has_its_own_verdicts(make_task: Any, tmp_path: Path) -> None:
    result = sf.fit(make_task(), directory=tmp_path / "out")
    assert sf.diagnose(result) == sf.diagnose(tmp_path / "out") == result.findings
    (tmp_path / "out/records.json").write_text("{}")
    with pytest.raises(RequestError, match=r"^[^\n]*is no record that this version reads[^\n]*$"):
        sf.diagnose(tmp_path / "out")


def optuna_study(tmp_path: Path, number: int = 40) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="mine",
        storage=f"sqlite:///{tmp_path / 'study.db'}",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    rate = optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)
    seat = optuna.distributions.IntDistribution(1, 100)
    draw = np.random.default_rng(0)
    for _ in range(number):
        params = {"lr": float(10 ** draw.uniform(-5, -1)), "seat": int(draw.integers(1, 101))}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions={"lr": rate, "seat": seat}, value=-np.log10(params["lr"])
            )
        )
    return study


def test_a_study_of_optuna_and_its_file(tmp_path: Path) -> None:
    study = optuna_study(tmp_path)
    found = {finding.verdict: finding for finding in sf.diagnose(study)}
    assert "at the upper end of 1e-05 to 0.1" in found["best at the edge"].evidence
    assert "seat has" in found["parameter does not matter"].evidence
    assert sf.diagnose(tmp_path / "study.db") == sf.diagnose(study)
    (tmp_path / "no.db").write_bytes((tmp_path / "study.db").read_bytes()[:5000])
    with pytest.raises(RequestError, match=r"^[^\n]*no database of Optuna's[^\n]*$"):
        sf.diagnose(tmp_path / "no.db")


def test_a_study_that_has_just_begun(tmp_path: Path) -> None:
    assert names(optuna_study(tmp_path, 3)) == ["too few trials to tell"]


# --- one fault each


def with_spike() -> np.ndarray:
    loss = FALLING + noise(0.003)
    loss[20] += 1.0
    return loss


@pytest.mark.parametrize(
    ("log", "verdict", "words"),
    [
        (course(SETTLED + noise(0.002), 0.05 + SETTLED + noise(0.002)), "nothing wrong", "levelled out"),
        (course([1.0, 0.5, 0.4, *[np.nan] * 37]), "diverged", "no finite number from epoch 4 on; it was 0.4 before"),
        (course([1.0, 0.5, 0.4, *np.linspace(0.5, 9, 37)]), "diverged", "above its start since epoch"),
        (course([np.nan] * 40), "diverged", "not one of its 40 losses"),
        (course(FALLING, 0.9 - 0.02 * np.minimum(EPOCHS, 12) + 0.02 * np.maximum(EPOCHS - 12, 0)), "overfitting", "12"),
        (course(1.0 + 0.01 * EPOCHS, 1.0 + 0.02 * EPOCHS), "getting worse", "did not fall either"),
        (course(3.0 * EPOCHS**-0.5), "not converged", "still falling at the end, epoch 40"),
        (course(2.3 + noise(0.001)), "learned nothing", "at best 0.1 % down"),
        (course(2.3 - 1e-4 * EPOCHS), "learned nothing", "went from 2.3"),
        (course(0.3 + 0.7 * np.exp(-EPOCHS / 2.0) + noise(0.08)), "held up by noise", "stays level and jumps"),
        (course(with_spike()), "spikes", "jumped once and came back, at epoch 21"),
        (course(FALLING, np.linspace(1, 0.4, 40) * FALLING), "validation better than training", "falls away from it"),
        (course(FALLING, FALLING + noise(0.15)), "validation too small to tell", "training loss is calmer"),
        (course(FALLING, val_accuracy=[0.9] * 40), "accuracy stands still", "one class were said for every row"),
        (course(FALLING, grad_norm=[1.0] * 20 + [1e-12] * 20), "gradients vanished", "1e-12"),
        (course(FALLING, grad_norm=[1.0] * 20 + [1e6] * 20), "gradients explode", "from 1 to 1e+06"),
        ({"loss": [1.0, 0.5]}, "too short to tell", "2 points"),
    ],
)
def test_a_course_with_a_known_fault(log: dict[str, list[float]], verdict: str, words: str) -> None:
    found = {finding.verdict: finding for finding in sf.diagnose(log)}
    assert verdict in found, found
    assert words in found[verdict].evidence
    assert "\n" not in found[verdict].evidence + found[verdict].advice


@pytest.mark.parametrize(
    ("count", "verdict"),
    [(4, "too short to tell"), (5, "too short to tell"), (6, "not converged"), (20, "not converged")],
)
def test_a_short_log_that_falls_to_its_end_has_not_levelled_out(count: int, verdict: str) -> None:
    line = [2.3 - 1.5 * place / count for place in range(count)]
    assert names({"loss": line})[0] == names({"loss": line, "val_loss": line})[0] == verdict


def test_numbers_and_epochs_are_those_of_the_log(tmp_path: Path) -> None:
    log = course(FALLING, 0.9 - 0.02 * np.minimum(EPOCHS, 12) + 0.02 * np.maximum(EPOCHS - 12, 0))
    [finding, *_] = sf.diagnose(log)
    assert "was lowest, 0.66, at epoch 12 and rose to 1.22" in finding.evidence and finding.epoch == 12.0
    log["epoch"] = [epoch - 1 for epoch in log["epoch"]]  # as Keras's CSVLogger counts
    [finding, *_] = sf.diagnose(log)
    assert "at epoch 11 and rose" in finding.evidence and finding.epoch == 11.0


def test_a_folder_of_csv_files(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes((LOGS / "keras_overfit.csv").read_bytes())
    assert names(tmp_path).count("overfitting") == 2


def test_a_verdict_moves_with_the_scale_of_nothing() -> None:
    log = course(FALLING, 0.9 - 0.02 * np.minimum(EPOCHS, 12) + 0.02 * np.maximum(EPOCHS - 12, 0))
    scaled = {name: values if name == "epoch" else [1000.0 * value for value in values] for name, values in log.items()}
    assert names(log) == names(scaled)


def test_a_long_log_of_steps_is_judged_like_a_short_one_of_epochs() -> None:
    steps = np.arange(20_000)
    train = 0.2 + 0.8 * np.exp(-steps / 4000) + noise(0.05, count=20_000)
    validation = 0.9 - 0.24 * np.minimum(steps, 6000) / 6000 + 0.4 * np.maximum(steps - 6000, 0) / 14_000
    [finding, *_] = sf.diagnose({"step": steps.tolist(), "train_loss": train.tolist(), "val_loss": validation.tolist()})
    assert finding.verdict == "overfitting"
    assert "was lowest, 0.66, at step 6,000" in finding.evidence  # the row itself, not a mean of neighbours


# --- what is wrong with a log itself


def test_columns_are_named_where_nobody_knows_them(tmp_path: Path) -> None:
    log = tmp_path / "mine.csv"
    log.write_text("t;schmerz\n" + "".join(f"{epoch};{value}\n" for epoch, value in zip(EPOCHS, SETTLED, strict=True)))
    with pytest.raises(RequestError, match=r"no column that is known as a loss.*only: t, schmerz; say which"):
        sf.diagnose(log)
    assert names(log, columns={"train_loss": "schmerz", "epoch": "t"}) == ["nothing wrong"]
    with pytest.raises(RequestError, match=r"no column 'schmertz' for train_loss: did you mean \"schmerz\""):
        sf.diagnose(log, columns={"train_loss": "schmertz"})
    with pytest.raises(RequestError, match=r"a column cannot be 'loss'"):
        sf.diagnose(log, columns={"loss": "schmerz"})


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    log = tmp_path / "mine.csv"
    log.write_text("epoch,loss\n1,0.9\n2,oops\n3,0.7,9\n2,0.8\n3,0.6\n4,0.5\n")
    [read] = read_logs(log)
    assert read.series["train_loss"].values.tolist() == [0.9, 0.8, 0.6, 0.5]
    assert read.notes == (
        "lines with another number of cells than the header, what is missing being blank: 1",
        "cells of loss that say no number were left out: 1",
        "places where it goes back in time, what was written last standing, as after a resume: 1",
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "has no rows"),
        ("a.csv", b"epoch,loss\n", "has no rows"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "is not text"),
        ("a.json", b'{"loss": [', "ends in the middle"),
        ("a.json", b"[" * 100_000, "too many layers|ends in the middle"),
        ("a.json", b'"text"', "no log that is known"),
        ("a.json", b'{"log_history": []}', "empty log_history"),
        ("a.jsonl", b"1\n2\n", "no line that is a JSON object"),
        ("events.out.tfevents.1", b"nothing of the kind", "no column that is known"),
    ],
)
def test_what_is_no_log_is_one_line(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    log = tmp_path / name
    log.write_bytes(content)
    with pytest.raises(RequestError, match=f"^[^\n]*({words})[^\n]*$"):
        sf.diagnose(log)


def test_a_truncated_event_file_is_read_up_to_there(tmp_path: Path) -> None:
    whole = (LOGS / "pytorch_tensorboard/events.out.tfevents.0").read_bytes()
    (tmp_path / "events.out.tfevents.0").write_bytes(whole[: len(whole) // 2])
    [read] = read_logs(tmp_path)
    assert 10 <= len(read.series["train_loss"]) < 30
    assert "ends in the middle" in read.notes[0]


@pytest.mark.parametrize("missing", ["nothing.csv", "empty"])
def test_what_is_not_there_is_one_line(tmp_path: Path, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"does not exist|has no log in it"):
        sf.diagnose(tmp_path / missing)
    with pytest.raises(RequestError, match="no log is known in a int"):
        sf.diagnose(3)


WHOLE = {path.name: path.read_bytes() for path in LOGS.iterdir() if path.is_file() and path.suffix != ".py"}
WHOLE["events.out.tfevents.0"] = (LOGS / "pytorch_tensorboard/events.out.tfevents.0").read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(WHOLE)),
    place=st.floats(0, 1),
    put=st.one_of(st.binary(max_size=40), st.sampled_from([b",", b"\n", b"NaN", b"1e999", b"\0", b'"', b"\xff\xfe"])),
    dropped=st.integers(0, 400),
)
def test_a_damaged_log_is_read_in_part_or_refused_in_a_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: float, put: bytes, dropped: int
) -> None:
    content, at = WHOLE[name], int(place * len(WHOLE[name]))
    log = tmp_path_factory.mktemp("damaged") / name
    log.write_bytes(content[:at] + put + content[at + dropped :])
    try:
        found = sf.diagnose(log)
    except SurefootError as error:
        assert "\n" not in str(error)
    else:
        assert found


# --- the command


def test_the_command(call: Any) -> None:
    code, said, _ = call("diagnose", str(LOGS / "keras_overfit.csv"), str(LOGS / "lightning_metrics.csv"))
    assert code == 0 and said.count("overfitting (certain)") == 2
    _, said, _ = call("diagnose", str(LOGS / "keras_overfit.csv"), "--json")
    assert json.loads(said)[0]["findings"][0]["verdict"] == "overfitting"
    assert call("diagnose", "nothing.csv") == (2, "", "Error: nothing.csv does not exist\n")
    code, _, errors = call("diagnose", str(LOGS / "keras_csvlogger.csv"), "--column", "loss")
    assert code == 2 and "ROLE=NAME" in errors
