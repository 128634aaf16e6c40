"""The guess of a rate from one curve: what it says, what it keeps to itself, and that nothing else is blamed on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot as sf
from surefoot.diagnosis import Log, Series, read_logs
from surefoot.diagnosis.curve import curve_of
from surefoot.diagnosis.learning_rate import SURE, Judged, judged_rate
from surefoot.diagnosis.rate_chances import WITHOUT_START
from surefoot.diagnosis.rate_measures import looks_at

LOGS = Path(__file__).parent / "logs"
EPOCHS = np.arange(1, 41)
FALLING = 0.2 + 0.8 * np.exp(-EPOCHS / 8.0)
SETTLED = 0.2 + 0.8 * np.exp(-EPOCHS / 4.0)


def course(train: Any, validation: Any = None, **others: Any) -> dict[str, list[float]]:
    columns = {"epoch": EPOCHS, "train_loss": train, **others}
    if validation is not None:
        columns["val_loss"] = validation
    return {name: [float(value) for value in values] for name, values in columns.items()}


def noise(size: float, seed: int = 0) -> np.ndarray:
    return size * np.random.default_rng(seed).normal(size=len(EPOCHS))


@pytest.mark.parametrize(
    ("train", "validation", "judgement"),
    [
        (SETTLED, SETTLED, "about right"),
        (FALLING + 0.5, 0.9 - 0.01 * EPOCHS, "too low"),
        (2.3 - 1e-4 * EPOCHS, 2.3 - 1e-4 * EPOCHS, "too low"),
        (SETTLED, 0.5 + 0.02 * np.abs(EPOCHS - 15), "too high"),
        ([1.0, *[3.0] * 5, *SETTLED[6:]], SETTLED, "too high"),
        (SETTLED + noise(0.05), SETTLED, "too high"),
        (2.3 + noise(0.001), SETTLED, "too high"),
        ([1.0, 0.5, *[np.nan] * 38], SETTLED, "too high"),
    ],
)
def test_the_rate_is_guessed_from_a_curve(train: Any, validation: Any, judgement: str) -> None:
    [log] = read_logs(course(train, validation))
    judged = judged_rate(log)
    assert judged is not None and judged[0] == judgement, judged


def guessed(train: np.ndarray, *, first: float, validation: np.ndarray | None = None) -> Judged:
    places = np.arange(len(train)) + first
    beside = np.minimum.accumulate(train) if validation is None else validation
    log = {"train_loss": Series(places, train), "validation_loss": Series(places, beside)}
    judged = judged_rate(Log("run", "epoch", log))
    assert judged is not None
    return judged


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_a_straight_line_is_a_rate_too_low_whether_or_not_a_log_has_its_start(first: float) -> None:
    judged = guessed(2.3 - 0.035 * EPOCHS, first=first)
    assert judged.judgement == "too low" and (judged.chance or 0.0) > 0.95 and judged.is_like_known


def test_the_guess_knows_whether_a_log_has_its_start() -> None:
    """In a log that begins after the first epoch the faster half of a power law is missing."""
    falls = 3.0 * EPOCHS**-0.5
    assert (guessed(falls, first=0.0).chance or 0.0) > SURE > (guessed(falls, first=1.0).chance or 1.0)


def test_what_can_be_either_is_not_said() -> None:
    fell_once = guessed(np.array([2.3, *[1.9] * 39]), first=0.0)  # its units died, or that was all there was
    assert (fell_once.chance or 1.0) < SURE
    hardly = guessed(2.3 - 0.05 * (1.0 - np.exp(-EPOCHS / 3.0)) + noise(0.01), first=0.0)  # the rows jump, on a plateau
    assert hardly.judgement != "too high" or not hardly.is_like_known


def test_rows_that_jump_are_no_weights_that_jump() -> None:
    """A loss of single batches may lie above its start while the validation loss falls calmly; not if both jump."""
    train = 1.0 - 0.005 * EPOCHS + noise(0.05)
    train[[3, 5]] = 1.1
    assert guessed(train, first=1.0, validation=1.0 - 0.005 * EPOCHS).judgement != "too high"
    both = guessed(train, first=1.0, validation=train)
    assert both.judgement == "too high" and both.chance is None


def test_chances_are_of_three_and_do_not_move_with_the_scale_of_a_loss() -> None:
    training, validation = 2.0 * np.exp(-EPOCHS / 12.0) + noise(0.01), 0.3 + 1.5 * np.exp(-EPOCHS / 9.0)
    for scale in (1.0, 1000.0):
        series = {"train_loss": Series(EPOCHS, scale * training), "validation_loss": Series(EPOCHS, scale * validation)}
        log = Log("run", "epoch", series)
        curve = curve_of(log, "train")
        assert curve is not None
        chances = WITHOUT_START.chances(looks_at(log, curve).measures)
        assert chances.sum() == pytest.approx(1.0) and chances.min() > 0.0
        if scale == 1.0:
            first = chances
    np.testing.assert_allclose(chances, first, rtol=1e-6)


def test_halves_are_of_the_rate_that_was_spent() -> None:
    """Under a cosine to zero a slow training gains little in the second half of its time, and half of all in that."""
    left = 0.5 * (1.0 + np.cos(np.pi * (EPOCHS - 1) / 40.0))
    slow = course(2.3 - 0.02 * np.cumsum(left), 2.4 - 0.02 * np.cumsum(left), lr=1e-4 * left)
    found = {finding.verdict: finding for finding in sf.diagnose(slow)}
    assert "came with the second half of the rate" in found["learning rate too low"].evidence
    assert "likely, as sweeps over the rate say" in found["learning rate too low"].evidence


@pytest.mark.parametrize(
    ("name", "is_said"),
    [
        ("rate_too_low", "learning rate too low"),
        ("rate_too_high", "learning rate too high"),
        ("dead_units", None),
        ("vanishing_gradients", None),
        ("zero_weights", None),
        ("parts_swapped", None),
        ("model_too_small", None),
        ("no_warmup", None),
        ("exploding_gradients", None),
        ("broken_rows", None),
    ],
)
def test_the_rate_is_not_blamed_for_what_another_verdict_explains(name: str, is_said: str | None) -> None:
    found = sf.diagnose(LOGS / "made" / f"{name}.csv")
    said = [finding.verdict for finding in found if finding.verdict.startswith("learning rate")]
    assert said == ([is_said] if is_said else [])


def test_a_guess_about_the_rate_stands_beside_what_it_explains() -> None:
    found = sf.diagnose(course(2.3 - 0.035 * EPOCHS, lr=[0.01] * 40))
    assert [finding.verdict for finding in found] == ["not converged", "learning rate too low"]
    assert found[1].certainty == "possible"


@pytest.mark.parametrize("size", [1e308, 1e-320])
def test_losses_beyond_numbers_are_judged_without_a_warning(size: float) -> None:
    falls = size * np.linspace(1.0, -0.9, len(EPOCHS))
    judged = guessed(falls, first=0.0, validation=-falls)
    assert judged.chance is None or 0.0 <= judged.chance <= 1.0
