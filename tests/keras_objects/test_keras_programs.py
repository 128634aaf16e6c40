"""The Keras programs in examples/ do what their first lines say."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


def test_a_tape_takes_five_added_lines(program: Any) -> None:
    plain, ours = (
        (EXAMPLES / "keras" / f"{name}.py").read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
        for name in ("gradient_tape", "gradient_tape_surefoot")
    )
    added = [line for line in difflib.ndiff(plain, ours) if line.startswith("+ ") and line[2:].strip()]
    assert len(added) == 5, added
    assert program("examples/keras", "gradient_tape").main(epochs=4) > 0.9
    assert program("examples/keras", "gradient_tape_surefoot").main(epochs=4) > 0.85


def test_a_softmax_that_is_left_out_learns_nothing(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUREFOOT_DATA", raising=False)  # the digits are small
    found = program("examples/classic", "gradient_tape_softmax").main(epochs=6)
    assert found["softmax in the loss"]["test_accuracy"] > 0.6
    assert found["softmax left out"]["test_accuracy"] < 0.5


def test_fashion_is_read_where_it_lies(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fashion = program("examples/classic", "gradient_tape_softmax")
    monkeypatch.setenv("SUREFOOT_DATA", os.environ.get("SUREFOOT_DATA", str(EXAMPLES.parents[1] / "shared")))
    if not fashion.has_fashion():
        pytest.skip("Fashion-MNIST lies neither in SUREFOOT_DATA nor in ../shared")
    (inputs, targets), (test_inputs, _) = fashion.data()
    assert inputs.shape == test_inputs.shape == (10_000, 784)
    assert inputs.max() == 1.0
    assert np.array_equal(targets.sum(axis=1), np.ones(10_000))


def test_the_64_64_network_is_better_tuned(program: Any) -> None:
    found = program("examples/classic", "keras_sixty_four").main(epochs=5)
    assert found["tuned"] < found["textbook"]
    assert found["trainings"] <= 2.05


def test_penalties_hold_the_weights_that_do_nothing(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = program("examples/classic", "keras_ten_one").main(epochs=20)
    idle = {name: float(np.abs(values["weights"][3:]).mean()) for name, values in found.items()}
    assert idle["L1"] < 0.5 * idle["none"]
    assert idle["L2"] < idle["none"]
    assert all((values["weights"] != 0).all() for values in found.values())
    assert "regularization.l1 = 0.2, regularization.l2 = 0.4" in capsys.readouterr().out
