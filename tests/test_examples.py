"""The programs in examples/ do what their first lines say."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

CLASSIC = Path(__file__).parents[1] / "examples/classic"


@pytest.mark.slow
def test_the_network_by_hand_and_with_surefoot(program: Any) -> None:
    found = program("examples/classic", "ten_fifty_ten").main(epochs=30)
    assert found["with Surefoot"] == pytest.approx(found["by hand"], rel=0.1)
    assert found["at ten times the rate"] < 0.9 * found["with Surefoot"]


@pytest.mark.slow
def test_the_batch_really_changes(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    results = program("examples/classic", "adaptive_batch").main(epochs=50)
    fixed, adaptive = (result.study.runs[0] for result in results.values())
    assert adaptive.samples == fixed.samples
    assert adaptive.steps < 0.8 * fixed.steps
    assert adaptive.value < 1.1 * fixed.value
    assert len({look.batch_size for look in adaptive.evaluations}) > 2
    assert "The batch went from 32 to" in capsys.readouterr().out


@pytest.mark.slow
def test_a_relu_on_the_output_fails(program: Any) -> None:
    found = program("examples/classic", "iris_lesson").main(epochs=20, seeds=5)
    accuracy = {name: fmean(each["test_accuracy"] for each in measured) for name, measured in found.items()}
    loss = {name: [each["test_loss"] for each in measured] for name, measured in found.items()}
    assert accuracy["setosa or not, a plain output"] == 1.0
    assert min(loss["setosa or not, a ReLU on it"]) >= 2 / 3 * math.log(2)
    assert max(loss["setosa or not, a plain output"]) < 0.1
    assert accuracy["three classes, a ReLU on them"] < accuracy["three classes, plain outputs"]


def test_the_list_names_every_program() -> None:
    listed = (CLASSIC / "README.md").read_text(encoding="utf-8")
    for path in CLASSIC.glob("*.py"):
        assert f"({path.name})" in listed


def test_words_are_told_apart_without_their_zeros(program: Any) -> None:
    result = program("examples", "bag_of_words").main(count=2_000, epochs=4)
    assert result.metrics["validation_accuracy"] > 0.5  # one in twenty by chance


@pytest.mark.slow
def test_a_moved_threshold_finds_the_rare_class(program: Any) -> None:
    found = program("examples", "imbalance").main(epochs=20)
    assert found["nothing"] < 0.7
    assert min(found["threshold moved"], found["oversample"]) > 0.7
