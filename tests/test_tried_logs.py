"""Logs that a new user made by training, and what was wrong with the verdicts on them (docs/log.md, 2026-11-22)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot as sf
from surefoot.records import Finding

LOGS = Path(__file__).parent / "logs" / "tried"
AT = np.arange(1, 31)
FALLS = 0.1 + np.exp(-AT / 4.0)


def said(log: str | dict[str, Any]) -> dict[str, Finding]:
    source = LOGS / f"{log}.csv" if isinstance(log, str) else {name: [*map(float, log[name])] for name in log}
    return {finding.verdict: finding for finding in sf.diagnose(source)}


# --- labels that do not belong to their rows


@pytest.mark.parametrize("log", ["noise_nothing", "shuffled_labels"])
def test_what_holds_for_no_other_row_is_said(log: str) -> None:
    found = said(log)
    assert list(found) == ["does not generalise"]
    finding = found["does not generalise"]
    assert finding.certainty == "likely" and "no better than a guess" in finding.evidence
    assert "labels belong to their rows" in finding.advice and "keep the weights" not in finding.advice


def rising(**others: Any) -> dict[str, Any]:
    return {"epoch": AT, "train_loss": 0.5 * FALLS, "val_loss": 0.3 + 0.01 * AT, **others}


def test_a_first_epoch_that_was_long_is_believed_by_its_accuracy() -> None:
    fine_tuned = said(rising(val_accuracy=0.93 + 0.0001 * AT))
    assert fine_tuned["overfitting"].certainty == "certain"
    unknown = said(rising())["overfitting"]
    assert unknown.certainty == "likely" and "nothing shows that anything was learned" in unknown.advice
    flat = said({"epoch": AT, "train_loss": FALLS, "val_loss": 0.7 + 0 * AT})
    assert flat["does not generalise"].certainty == "possible"


def test_a_rise_of_the_validation_loss_is_not_said_twice() -> None:
    log = {"epoch": AT, "train_loss": FALLS, "val_loss": FALLS + 0.02 * np.maximum(AT - 10, 0)}
    assert list(said(log)) == ["overfitting"]
    jumped = {**log, "train_loss": np.where((AT == 5) | (AT == 6), 3.0, FALLS)}  # a single point may be a broken row
    assert "above its start on the way" in said(jumped)["learning rate too high"].evidence


def test_the_weights_to_keep_are_a_row_of_the_log() -> None:
    finding = said("overfit_reg")["overfitting"]  # 120 rows, of which verdicts see 50 means
    assert "was lowest, 0.478, at epoch 17 and rose to 0.753" in finding.evidence
    assert "keep the weights of epoch 17" in finding.advice and finding.epoch == 17.0


# --- the rate that was logged


def test_a_warm_restart_is_no_fault() -> None:
    assert list(said("restarts")) == ["nothing wrong"]
    rate = 0.1 * (1 + np.cos(np.pi * ((AT - 1) % 15) / 15)) / 2
    jumps = np.where(AT == 16, 3.0, FALLS)  # above its start, for a single point, where the rate jumped
    assert {"spikes", "warmup missing", "diverged"} & set(said({"epoch": AT, "train_loss": jumps})) == {"spikes"}
    assert list(said({"epoch": AT, "train_loss": jumps, "lr": rate})) == ["nothing wrong"]
    fresh = {"epoch": AT[:18], "train_loss": np.where(AT[:18] >= 16, 3.0, FALLS[:18])}
    assert "diverged" in said(fresh)
    assert "diverged" not in said({**fresh, "lr": rate[:18]})  # it has not had a cycle's time to come back
    assert "diverged" in said({"epoch": AT, "train_loss": np.where(AT >= 16, 3.0, FALLS), "lr": rate})
    warmed = np.minimum(AT / 15.0, 1.0) * 0.1  # a rate that rises as never before is no restart
    assert "diverged" in said({**fresh, "lr": warmed[:18]})


def test_a_level_tail_is_not_still_falling() -> None:
    assert list(said("nll_negative")) == ["nothing wrong"]  # cosine to zero; the loss is negative
    assert "not converged" in said({"epoch": AT, "train_loss": 3.0 - 0.0002 * AT**2.5})  # faster and faster


def test_a_positive_loss_is_carried_on_to_a_positive_value() -> None:
    finding = said({"epoch": AT, "train_loss": 2.3 - 0.06 * AT})["not converged"]
    assert "it would be -" not in finding.evidence and "raise the learning rate" in finding.advice
    falling = {"epoch": AT, "train_loss": 2.3 - 0.06 * AT, "lr": np.linspace(0.1, 0.001, 30)}
    assert "raise the learning rate" not in said(falling)["not converged"].advice


def test_a_loss_that_fell_with_its_rate_was_not_at_its_end() -> None:
    rate = 0.001 * (1 + np.cos(np.pi * (AT - 1) / 30)) / 2
    slow = said({"epoch": AT, "train_loss": 2.3 - 10 * np.cumsum(rate), "lr": rate})
    assert list(slow) == ["not converged", "learning rate too low"]


# --- rows and classes


def test_a_rate_is_looked_at_before_more_rows_are_held_out() -> None:
    assert "validation too small to tell" not in said("lr_high_adam")  # both losses jump by a share of where they stand
    jumps = FALLS + 0.2 * np.random.default_rng(0).normal(size=30)
    alone = said({"epoch": AT, "train_loss": FALLS, "val_loss": jumps})["validation too small to tell"]
    assert alone.certainty == "possible" and "then it was the rate" in alone.advice
    log = {"epoch": AT, "train_loss": FALLS, "val_loss": jumps, "lr": np.linspace(0.1, 0.0, 30)}
    assert said(log)["validation too small to tell"].certainty == "likely"


def test_an_accuracy_that_froze_early_stands_still() -> None:
    finding = said("imbalance")["accuracy stands still"]
    assert "stays at 0.9819" in finding.evidence and finding.certainty == "likely"
    moved = {"epoch": AT, "train_loss": FALLS, "val_loss": FALLS, "val_acc": np.where(AT < 4, 0.5 + AT / 10, 0.98)}
    assert "accuracy stands still" in said(moved)
    known = {**moved, "val_loss": 0.5 * FALLS}  # a loss that is lower than the share of a class gives
    assert "accuracy stands still" not in said(known)
    assert "accuracy stands still" not in said({**moved, "train_loss": 0.5 * FALLS})


def test_rows_are_counted_in_numbers_of_four_bytes_and_of_two_digits() -> None:
    assert "as of 20 rows" in said("tiny_val")["validation too small to tell"].evidence
    shares = np.resize([0.6, 0.7, 0.85, 0.9, 0.95], 30)
    rounded = {"epoch": AT, "train_loss": FALLS, "val_loss": FALLS, "val_acc": shares}
    assert "as of 20 rows" in said(rounded)["validation too small to tell"].evidence
    few = {**rounded, "val_acc": np.resize([0.9, 0.95, 0.95], 30)}  # two numbers of two digits may be chance
    assert "validation too small to tell" not in said(few)


def test_no_number_from_the_first_epoch_on() -> None:
    assert said("diverge")["diverged"].advice.startswith("the learning rate may be far too high")
    steps = said({"step": AT, "train_loss": [np.nan] * 30})["diverged"]
    assert steps.advice.startswith("look for NaN in the data")


# --- logs that say little


def test_a_validation_loss_alone_that_turns_may_be_either() -> None:
    turns = [0.676, 0.65, 0.63, 0.628, 0.64, 0.66, 0.68, 0.69, 0.70, 0.717]
    [finding] = said({"val_loss": turns}).values()
    assert finding.verdict == "getting worse" and "log the training loss too" in finding.advice
    [short] = said({"val_loss": [0.70, 0.65, 0.60, 0.90, 1.00]}).values()
    assert short.verdict == "getting worse"
    assert list(said({"val_loss": [0.70, 0.65, 0.60, 9.0, 95.0]})) == ["diverged"]


def test_a_noisy_loss_that_ends_above_its_start_by_chance_has_not_diverged() -> None:
    noisy = [0.67, 0.72, 0.73, 0.68, 0.86, 0.95, 0.88, 0.67, 0.81, 0.78, 0.59, 0.70]
    assert "diverged" not in said({"train_loss": noisy, "val_loss": [0.693] * 12})
    assert "diverged" in said({"train_loss": [*noisy[:-1], 1.2], "val_loss": [0.693] * 12})
    lost = [0.55, 0.54, 396.0, 4.8e14, 6.6e22, 8.1e27, 3.4e29, 6.7e29, 1.3e28, 1.3e26, 1.7e23, 8.9e18]
    assert "diverged" in said({"train_loss": lost})


def test_few_looks_at_validation_rows_leave_the_training_loss() -> None:
    rows: list[dict[str, float]] = [{"step": step, "loss": float(2.0 / (1.0 + 0.2 * step))} for step in range(1, 61)]
    for step in (20, 40, 60):
        rows[step - 1]["eval_loss"] = 1.1 * rows[step - 1]["loss"]
    falling, *_ = sf.diagnose(rows)
    assert falling.verdict == "not converged" and "the training loss" in falling.evidence
    done = [{**row, "loss": 0.1 + float(np.exp(-row["step"] / 4.0))} for row in rows]
    [nothing] = sf.diagnose(done)
    assert nothing.verdict == "nothing wrong" and "more often" in nothing.advice


def test_accuracies_alone_are_said_to_be_so() -> None:
    [finding] = said({"accuracy": np.linspace(0.5, 0.9, 10)}).values()
    assert finding.verdict == "too short to tell" and "only accuracies were logged" in finding.evidence


def test_steps_may_be_counted_from_anywhere() -> None:
    falling, steps = 2.0 * np.exp(-np.arange(30) / 20.0), np.arange(30) * 16.0
    for first in (0.0, 1e16):  # a warning of the fit would be an error here
        assert "not converged" in said({"step": first + steps, "train_loss": falling})
