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
    jumped = {**log, "train_loss": np.where(AT == 5, 3.0, FALLS)}
    assert "above its start on the way" in said(jumped)["learning rate too high"].evidence


def test_the_weights_to_keep_are_a_row_of_the_log() -> None:
    finding = said("overfit_reg")["overfitting"]  # 120 rows, of which verdicts see 50 means
    assert "was lowest, 0.478, at epoch 17 and rose to 0.753" in finding.evidence
    assert "keep the weights of epoch 17" in finding.advice and finding.epoch == 17.0
