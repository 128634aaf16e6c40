"""What a study says of itself: why each run was made, what became of it, what is known of the best rate."""

from __future__ import annotations

import pytest

import surefoot as sf
from surefoot import tasks
from surefoot.records import Evaluation, Run, Study
from surefoot.reports.explanation import explained
from surefoot.reports.knowledge import best_rate_band
from surefoot.reports.terminal import forecast_line, summary


def run(number: int, rate: float, value: float, *, share: float = 0.1, error: float = 0.01, decay: float = 1.0) -> Run:
    look = Evaluation(
        samples=10,
        epoch=1,
        train_loss=value,
        metrics={"validation_loss": value},
        learning_rate=rate,
        batch_size=1,
        seconds=0,
        standard_error=error,
    )
    return Run(
        name=f"run {number + 1}",
        number=number,
        share=share,
        recipe={"optimizer": {"name": "adamw", "learning_rate": rate}, "batch": {"size": 1}},
        coordinates={"decay": decay},
        seed=0,
        horizon=10,
        status="completed",
        samples=10,
        steps=10,
        seconds=0,
        evaluations=(look,),
        best=0,
    )


def test_the_band_of_rates_narrows_with_what_is_ruled_out() -> None:
    slow, good, fast = run(0, 0.01, 1.0), run(1, 0.03, 0.5), run(2, 0.1, 0.8)
    assert best_rate_band([slow]) == ""
    assert best_rate_band([slow, good]) == "adamw: best rate above 0.01"
    assert best_rate_band([slow, good, fast]) == "adamw: best rate 0.01 to 0.1"
    assert best_rate_band([slow, good, run(2, 0.1, 0.501)]) == "adamw: best rate above 0.01"


def test_a_rate_is_not_ruled_out_by_another_decay() -> None:
    runs = [run(0, 0.03, 0.5), run(1, 0.03, 0.9, decay=3.0), run(2, 0.01, 0.505, decay=1.0)]
    assert best_rate_band(runs) == ""


def test_a_rate_that_diverged_is_ruled_out() -> None:
    lost = run(0, 0.3, 1.0).model_copy(update={"status": "diverged", "best": None})
    assert best_rate_band([lost, run(1, 0.03, 0.5)]) == "adamw: best rate below 0.3"


@pytest.fixture(scope="module")
def study() -> Study:
    return sf.tune(tasks.builtin("wine"), budget=1.0).study


def test_every_run_has_a_purpose_and_a_fate(study: Study) -> None:
    story = explained(study)
    assert all(story.purposes[one.number] for one in study.runs)
    assert all(story.fates[one.number] for one in study.runs)
    assert [number for number, fate in story.fates.items() if fate == "kept"] == [study.winner]


def test_the_words_name_the_winner_its_error_and_what_more_would_try(study: Study) -> None:
    text = " ".join(explained(study).lines)
    winner = study.winning_run
    assert winner is not None
    assert f"{winner.name.capitalize()} was kept" in text
    assert "±" in text
    assert "A larger budget would try" in text


def test_a_small_budget_tells_what_a_whole_training_takes_and_where_it_ends() -> None:
    study = sf.tune(tasks.builtin("digits"), budget=0.3).study
    assert study.forecast is not None
    assert study.forecast.value is not None
    assert study.forecast.low is not None
    assert study.forecast.high is not None
    assert study.forecast.low < study.forecast.value < study.forecast.high
    winner = study.winning_run
    assert winner is not None
    assert study.forecast.value < winner.value
    assert winner.share < 0.5
    assert "full_recipe.toml" in forecast_line(study)
    assert forecast_line(study) in " ".join(summary(study).split())


def test_a_whole_training_leaves_nothing_to_foresee() -> None:
    study = sf.tune(tasks.builtin("iris"), budget=2.0).study
    assert max(one.share for one in study.runs) >= 0.5
    assert study.forecast is None
