"""Names that people give to the columns of their logs, and what is said of those that nobody knows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.diagnosis import diagnosed, read_logs
from surefoot.errors import RequestError


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        (("ep", "tr_loss", "va_loss", "va_acc"), {"train_loss", "validation_loss", "validation_accuracy"}),
        (("loss_tr", "loss_va"), {"train_loss", "validation_loss"}),
        (("trn_loss", "vld_loss"), {"train_loss", "validation_loss"}),
        (("train_nll", "heldout_nll"), {"train_loss", "validation_loss"}),
        (("train_ce", "held_out_ce"), {"train_loss", "validation_loss"}),
        (("loss", "oof_loss"), {"train_loss", "validation_loss"}),
        (("tloss", "vloss"), {"train_loss", "validation_loss"}),
        (("trainBCE", "valBCE"), {"train_loss", "validation_loss"}),
    ],
)
def test_words_that_people_use_are_known(columns: tuple[str, ...], known: set[str]) -> None:
    [log] = read_logs({column: [3.0, 2.0, 1.0] for column in columns})
    assert known <= set(log.series)


def test_a_loss_that_may_be_the_validation_loss_is_not_passed_over_in_silence() -> None:
    falls = [1.0 / place for place in range(1, 21)]
    [one] = diagnosed({"train_loss": falls, "loss_b": falls[::-1]})
    assert "loss_b" in one.left_out[0]
    assert "log a validation loss" in one.findings[0].advice
    [one] = diagnosed({"train_loss": falls, "val_loss": falls, "loss_b": falls})
    assert not one.left_out
    assert one.findings[0].advice == "use the model"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("train_elbo", "val_elbo"), "elbo rises: log its negative"),
        (("episode_reward",), "reward rises: log its negative"),
        (("G_loss", "D_loss"), "two networks that play against each other"),
        (("alpha", "beta"), "--column train_loss=NAME"),
    ],
)
def test_what_is_no_loss_is_said_to_be_none(columns: tuple[str, ...], said: str) -> None:
    with pytest.raises(RequestError, match=re.escape(said)):
        diagnosed({column: [1.0, 2.0, 3.0, 4.0] for column in columns})
    if "rises" in said:
        with pytest.raises(RequestError, match="best where it is highest"):
            diagnosed({columns[0]: [1.0, 2.0, 3.0, 4.0]}, columns={"train_loss": columns[0]})


def test_rewards_beside_a_loss_are_said_not_to_be_judged() -> None:
    [one] = diagnosed({"loss": [1.0, 0.5, 0.3, 0.2, 0.15, 0.12], "reward": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    assert "rewards are not judged" in one.left_out[0]


def test_validation_rows_without_a_step_stand_at_the_last_one(tmp_path: Path) -> None:
    rows = []
    for epoch in range(1, 8):
        rows += [{"step": 10 * epoch - back, "train_loss": 1.0 / epoch} for back in (5, 0)]
        rows.append({"epoch": epoch, "val_loss": 1.2 / epoch})
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    [log] = read_logs(file)
    assert log.unit == "step"
    assert log.series["validation_loss"].at.tolist() == [10.0 * epoch for epoch in range(1, 8)]


def test_what_pytorchs_add_scalars_writes_is_one_log(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(1, 9):
            writer.add_scalars("Metrics/Loss", {"train": 1.0 / step, "val": 1.5 / step}, step)
    [log] = read_logs(tmp_path / "run")
    assert {"train_loss", "validation_loss"} <= set(log.series)
    assert log.series["validation_loss"].values.tolist() == pytest.approx([1.5 / step for step in range(1, 9)])


def test_of_several_logs_those_that_can_be_read_are_judged(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("loss\n" + "\n".join(str(1.0 / place) for place in range(1, 21)))
    bad.write_text("alpha\n1\n2\n")
    code, out, err = call("diagnose", str(good), str(bad), str(good))
    assert code == 2
    assert out.count("good.csv") == 2
    assert err.count("Error:") == 1
    assert "bad.csv has no column" in err
