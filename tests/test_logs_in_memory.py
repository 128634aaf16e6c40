"""Logs that are still in memory, or were written from what was: blanks that are no number, lists, fitted models."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import surefoot as sf
from surefoot.diagnosis import read_logs

LOGS = Path(__file__).parent / "logs"
FALLS = [round(0.2 + 1.0 / place, 4) for place in range(1, 13)]


def test_a_table_of_pandas_reads_as_the_file_it_came_from() -> None:
    file = LOGS / "lightning_metrics.csv"
    [written] = read_logs(file)
    table = pd.read_csv(file)
    for held in (table, table.to_dict("records"), table.to_dict("list")):
        [log] = read_logs(held)
        for name in ("train_loss", "validation_loss", "learning_rate"):
            assert log.series[name].at.tolist() == written.series[name].at.tolist()
            assert log.series[name].values.tolist() == written.series[name].values.tolist()


def test_cells_that_are_no_number_between_others_are_blanks_in_every_file(tmp_path: Path) -> None:
    rows = [{"epoch": e, "loss": loss, "val_loss": loss if e % 3 == 0 else np.nan} for e, loss in enumerate(FALLS)]
    frame = pd.DataFrame(rows)
    for name, text in (
        ("a.csv", frame.to_csv(index=False, na_rep="nan")),
        ("a.json", json.dumps(rows)),
        ("a.jsonl", "\n".join(map(json.dumps, rows))),
    ):
        (tmp_path / name).write_text(text)
        [log] = read_logs(tmp_path / name)
        assert log.series["validation_loss"].values.tolist() == FALLS[::3]
        assert log.series["train_loss"].values.tolist() == FALLS


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ({"loss": [np.nan] * 3}, "diverged"),
        ({"loss": [np.nan] * 3, "accuracy": [0.5] * 3}, "diverged"),
        ({"loss": [np.nan], "test_loss": [0.4]}, "not converged"),  # the row of an evaluation after the training
    ],
)
def test_a_loss_that_was_lost_is_told_from_a_row_of_another_kind(ends: dict[str, list[float]], verdict: str) -> None:
    before = {"loss": FALLS, "accuracy": [0.5] * 12}
    length = len(ends["loss"])
    columns = {name: before.get(name, [np.nan] * 12) + ends.get(name, [np.nan] * length) for name in {**before, **ends}}
    assert sf.diagnose(pd.DataFrame(columns))[0].verdict == verdict


def test_names_that_notebooks_give_their_lists() -> None:
    [log] = read_logs({"train_losses": FALLS, "val_losses": FALLS, "val_acc_history": [0.5] * 12, "lrs": [0.1] * 12})
    assert set(log.series) == {"train_loss", "validation_loss", "validation_accuracy", "learning_rate"}
    [log] = read_logs(FALLS)
    assert log.series["train_loss"].values.tolist() == FALLS


def test_a_history_of_keras_counts_on_where_the_fit_did() -> None:
    history = SimpleNamespace(history={"loss": FALLS, "val_loss": FALLS[2::3]}, epoch=list(range(8, 20)))
    for held in (history, SimpleNamespace(history=history)):  # and a model, which has that of its last fit
        [log] = read_logs(held)
        assert log.unit == "epoch" and log.series["train_loss"].at.tolist() == list(range(9, 21))
        assert log.series["validation_loss"].at.tolist() == [11.0, 14.0, 17.0, 20.0]


def test_a_learner_of_fastai_counts_epochs_from_0() -> None:
    values = [[loss, loss + 1, 0.5] for loss in FALLS]
    recorder = SimpleNamespace(metric_names=["epoch", "train_loss", "valid_loss", "accuracy", "time"], values=values)
    [log] = read_logs(SimpleNamespace(recorder=recorder))
    assert (log.unit, log.first) == ("epoch", 0) and log.series["validation_loss"].values[-1] == FALLS[-1] + 1


def test_fitted_estimators_keep_their_rounds() -> None:
    results = json.loads((LOGS / "more/xgboost_error.json").read_text())
    [log] = read_logs(SimpleNamespace(evals_result=lambda: results))  # XGBoost
    assert log.series["train_loss"].values.tolist() == results["validation_0"]["error"]
    sets = {"learn": {"Logloss": FALLS}, "validation": {"Logloss": FALLS[::-1]}}
    [log] = read_logs(SimpleNamespace(evals_result_=sets))  # CatBoost
    assert log.series["validation_loss"].values.tolist() == FALLS[::-1]


def test_a_network_of_scikit_learn() -> None:
    from sklearn.neural_network import MLPClassifier

    draw = np.random.default_rng(0)
    rows = draw.normal(size=(80, 4))
    model = MLPClassifier((8,), early_stopping=True, n_iter_no_change=5, random_state=0).fit(rows, rows[:, 0] > 0)
    [log] = read_logs(model)
    assert log.unit == "epoch" and log.series["train_loss"].values.tolist() == model.loss_curve_
    assert log.series["validation_accuracy"].values.tolist() == model.validation_scores_
