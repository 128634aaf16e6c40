"""Verdicts on trainings with one known fault: small real ones (``benchmarks.made_faults --write`` wrote their logs)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.made_faults import FAULTS, cases, judge

import surefoot as sf
from surefoot.diagnosis.doubts import _rows_behind
from surefoot.records import Finding

LOGS = Path(__file__).parent / "logs" / "made"
# Faults that a log does not show, on the data sets whose logs are kept.
UNSEEN = {"too much decay"}


@pytest.mark.parametrize("log", sorted(LOGS.glob("*.csv")), ids=lambda log: log.stem)
def test_a_fault_that_was_made_is_named(log: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.name == log.stem.replace("_", " "))
    said = [finding.verdict for finding in sf.diagnose(log)]
    assert bool(set(said) & set(fault.verdicts)) == (fault.name not in UNSEEN), said


def test_every_fault_has_its_log() -> None:
    assert {log.stem.replace("_", " ") for log in LOGS.glob("*.csv")} == {fault.name for fault in FAULTS}


def test_the_fault_is_made_by_training() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "batch far too large")
    case = next(case for case in cases(fault, "chosen on") if case.data == "breast_cancer")
    columns, is_real = fault.make(case)
    assert is_real, "the training without the fault ends no better"
    assert set(judge(columns, view="all")) & set(fault.verdicts)
    assert "batch far above the noise" not in judge(columns, view="alone")  # such a log does not hold the noise


AT = np.arange(1, 31)
FALLS = 0.1 + np.exp(-AT / 4.0)


def found(**columns: Any) -> dict[str, Finding]:
    lists = {name.replace("__", "/"): [float(value) for value in values] for name, values in columns.items()}
    return {finding.verdict: finding for finding in sf.diagnose({"epoch": AT.tolist(), **lists})}


def test_layers_that_get_no_gradient_are_named() -> None:
    norms = {"grad_norm__conv1.weight": 1e-6 + 0 * AT, "grad_norm__conv1.bias": 1 + 0 * AT, "grad_norm__fc": 1 + 0 * AT}
    said = found(train_loss=FALLS, **norms)["gradients vanished"]
    assert said.evidence.startswith(
        "of the gradient that reaches grad_norm/fc, 1 in the middle of the log, grad_norm/c"
    )
    assert said.certainty == "likely"
    norms["grad_norm__conv1.weight"] = 0.01 + 0 * AT
    assert "gradients vanished" not in found(train_loss=FALLS, **norms)


def test_the_rows_behind_an_accuracy() -> None:
    draw = np.random.default_rng(0)
    for rows in (7, 12, 44):
        shares = draw.integers(1, rows, 12) / rows
        assert _rows_behind(np.append(shares, 1 / rows)) == rows
    assert _rows_behind(draw.integers(1, 300, 30) / 300) is None
    assert _rows_behind(np.round(draw.uniform(size=30), 2)) is None
    assert _rows_behind(np.round(draw.uniform(size=30), 4)) is None
    assert _rows_behind(np.array([0.5, 1.0, 0.5])) is None


def test_a_batch_is_judged_by_the_noise_scale_beside_it() -> None:
    small = found(train_loss=FALLS, batch_size=8 + 0 * AT, noise_scale=200.0 + AT)
    assert "grow the batch towards 10" in small["batch far below the noise"].advice
    usual = {"batch_size": 32 + 0 * AT, "noise_scale": 2000.0 + AT}  # steps are lost, and nothing else
    assert list(found(train_loss=FALLS, **usual)) == ["nothing wrong"]
    jumps = 0.3 + np.exp(-AT / 2.0) + 0.1 * np.cos(2.5 * AT)
    assert {"held up by noise", "batch far below the noise"} <= set(found(train_loss=jumps, **usual))
    large = found(train_loss=FALLS, batch_size=1024 + 0 * AT, gns=20.0 + AT)
    assert "lower the batch towards 5" in large["batch far above the noise"].advice
    assert list(found(train_loss=FALLS, batch_size=64 + 0 * AT, noise_scale=20.0 + 10 * AT)) == ["nothing wrong"]
    assert list(found(train_loss=FALLS, batch_size=64 + 0 * AT, noise_scale=np.nan + AT)) == ["nothing wrong"]


def test_a_rate_that_was_warmed_up_is_not_blamed_for_it() -> None:
    leaves = np.where((AT > 4) & (AT < 12), 2.5, FALLS)
    assert "warmup missing" in found(train_loss=leaves, lr=0.1 + 0 * AT)
    warmed = found(train_loss=leaves, lr=np.minimum(AT / 3.0, 1.0) * 0.1)
    assert "warmup missing" not in warmed
    assert "warmup missing" not in found(train_loss=leaves)  # nothing is known of the rate


def test_a_rare_class_is_seen_beside_the_accuracy() -> None:
    shares = {"val_loss": FALLS, "val_accuracy": 0.9 + AT / 1000, "val_balanced_accuracy": 0.5 + AT / 1000}
    said = found(train_loss=FALLS, **shares)["imbalance hidden by accuracy"]
    assert "93 % of the rows are right, but in the mean over classes 53 %" in said.evidence
    shares["val_balanced_accuracy"] = 0.85 + AT / 1000
    assert "imbalance hidden by accuracy" not in found(train_loss=FALLS, **shares)


def test_an_accuracy_of_one_class_is_not_learning() -> None:
    said = found(train_loss=0.69 - 0.001 * AT, val_loss=0.68 - 0.001 * AT, val_accuracy=0.62 + 0 * AT)
    assert next(iter(said)) == "learned nothing"
    right = found(train_loss=FALLS, val_loss=FALLS, val_accuracy=1.0 + 0 * AT)
    assert not {"learned nothing", "accuracy stands still"} & set(right)


def test_a_floor_of_noise_is_told_from_overfitting_and_from_few_rows() -> None:
    draw = np.random.default_rng(1)
    train = 0.3 + np.exp(-AT / 2.0) + 0.04 * draw.normal(size=30)
    validation = 0.35 + 0.2 * np.abs(draw.normal(size=30))
    validation[3] = 0.2
    said = found(train_loss=train, val_loss=validation, lr=0.1 + 0 * AT)
    assert next(iter(said)) == "held up by noise" and not {"overfitting", "validation too small to tell"} & set(said)
    calm = 0.3 + np.exp(-AT / 2.0) - 0.002 * AT
    said = found(train_loss=calm, val_loss=validation, lr=0.1 + 0 * AT)
    assert "held up by noise" not in said and "validation too small to tell" in said


def test_losses_that_fall_far_say_nothing_of_copied_rows_without_an_accuracy() -> None:
    far = np.exp(-AT / 4.0)
    known = found(train_loss=far, val_loss=1.1 * far, val_accuracy=np.minimum(1.0, 0.5 + AT / 40.0))
    assert "validation follows training" in known
    assert "validation follows training" not in found(train_loss=far, val_loss=1.1 * far)


def test_a_validation_loss_below_a_training_loss_under_dropout_is_no_fault() -> None:
    falls_on = 0.05 + np.exp(-AT / 8.0)
    assert list(found(train_loss=FALLS, val_loss=0.6 * FALLS)) == ["nothing wrong"]
    away = found(train_loss=falls_on, val_loss=np.linspace(0.95, 0.4, 30) * falls_on)
    assert "validation better than training" in away
    crossed = found(train_loss=falls_on, val_loss=np.linspace(1.3, 0.4, 30) * falls_on)
    assert "train and validation swapped" in crossed


def test_rows_are_known_by_heart_where_every_answer_is_right_in_shares_or_percent() -> None:
    far = np.exp(-AT / 4.0)
    for scale in (1.0, 100.0):
        right = {"val_accuracy": scale * np.minimum(1.0, 0.5 + AT / 40.0)}
        assert "validation follows training" in found(train_loss=far, val_loss=1.1 * far, **right)
        wrong = {"val_accuracy": scale * np.minimum(0.97, 0.5 + AT / 40.0)}
        assert "validation follows training" not in found(train_loss=far, val_loss=1.1 * far, **wrong)


def test_a_spike_is_held_against_the_points_around_it() -> None:
    calm = 0.01 + 2.0 * np.exp(-AT / 3.0) + 0.002 * np.cos(3.0 * AT)
    restless = np.where(AT <= 10, 0.25 * np.cos(2.5 * AT), 0.0)
    assert "spikes" not in found(train_loss=calm * (1.0 + restless))
    late = calm + np.where(AT == 20, 0.4, 0.0)
    assert "at epoch 20 to" in found(train_loss=late)["spikes"].evidence
    among_others = calm + np.where((AT % 5 == 0) & (AT < 30), 1.2, 0.0)
    assert "jumped 5 times" in found(train_loss=among_others)["spikes"].evidence


def test_a_validation_loss_that_jumps_is_no_sign_of_a_small_model() -> None:
    few = 1.4 + 0.9 * np.exp(-AT / 2.0)
    right = {"train_accuracy": 0.42 - 0.3 * np.exp(-AT / 5.0)}
    assert "underfitting" in found(train_loss=few, val_loss=few, **right)
    assert "underfitting" not in found(train_loss=few, val_loss=few + 0.1 * np.cos(3.0 * AT), **right)


def test_answers_that_are_right_more_often_than_sure_are_underfitting() -> None:
    """The right ones of four of five answers need a loss of 1.0 of ten classes, and a smoothing of the labels 0.6."""
    kept_small = 2.3 - 0.5 * (1.0 - np.exp(-AT / 2.0))
    said = found(train_loss=kept_small, val_loss=kept_small, train_accuracy=0.8 - 0.5 * np.exp(-AT / 5.0))
    assert said["underfitting"].advice.startswith("a tenth of the weight decay")
    smoothed = 0.6 + 1.7 * np.exp(-AT / 2.0)
    right = 0.97 - 0.5 * np.exp(-AT / 5.0)
    assert list(found(train_loss=smoothed, val_loss=smoothed, train_accuracy=right)) == ["nothing wrong"]


def test_a_text_that_stays_hard_to_foretell_is_no_underfitting() -> None:
    """Two fifths of the characters are right; beside a wrong one nine others come into question."""
    right = {"train_accuracy": 0.42 - 0.3 * np.exp(-AT / 5.0)}
    falls = 2.1 + 2.1 * np.exp(-AT / 2.0)
    assert list(found(train_loss=falls, val_loss=falls + 0.05, **right)) == ["nothing wrong"]
    few = 1.4 + 0.9 * np.exp(-AT / 2.0)
    assert "underfitting" in found(train_loss=few, val_loss=few + 0.05, **right)
