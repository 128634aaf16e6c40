"""What each part of a recipe bought: the arithmetic, the order of the trainings, a lever that really does something."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from scipy import stats

import surefoot as sf
from surefoot.cli import main
from surefoot.records import WHOLE, Ablation, Objective, Trial
from surefoot.reports import ablation_text
from surefoot.reports.ablation import difference
from surefoot.tasks import resolve
from surefoot.workflows.ablate import _levers_of, side_by_side, without


@pytest.fixture(scope="module")
def iris():
    return resolve("iris", epochs=2)


def _trial(variant, seed, loss, seconds=1.0, status="completed"):
    metrics = {"test_loss": loss, "validation_loss": loss} if status == "completed" else {}
    return Trial(variant=variant, seed=seed, status=status, metrics=metrics, samples=100, seconds=seconds)


def _ablation(trials, objective=None):
    names = dict.fromkeys(trial.variant for trial in trials)
    return Ablation(
        task="made up",
        objective=objective or Objective(),
        device="cpu",
        recipes={name: {} for name in names},
        trials=tuple(trials),
    )


@pytest.mark.parametrize("count", range(3, 14))
def test_the_interval_is_that_of_a_paired_t_test(count):
    draws = np.random.default_rng(count)
    own, other = draws.normal(size=count), draws.normal(size=count)
    low, high = stats.ttest_rel(other, own).confidence_interval(0.9)
    middle, half = difference(own.tolist(), other.tolist())
    assert middle == pytest.approx((low + high) / 2)
    # above ten pairs the normal distribution's quantile stands in, which is a little narrower
    assert half == pytest.approx((high - low) / 2, rel=2e-3 if count <= 10 else 0.12)


def test_the_keys_that_need_each_other_go_together():
    recipe = sf.Recipe(
        initialization={"scheme": "normal", "std": 0.1, "last_layer_zero": True},
        loss={"label_smoothing": 0.1},
        schedule={"name": "linear"},
    )
    assert _levers_of(recipe) == [
        "loss.label_smoothing", "initialization.scheme,initialization.std", "initialization.last_layer_zero"
    ]  # fmt: skip
    assert without(recipe, "initialization.scheme,initialization.std").initialization.last_layer_zero
    assert without(recipe, "initialization").to_dict().keys() == {"loss", "schedule"}


def test_every_variant_is_trained_with_every_seed_in_a_turning_order(iris):
    recipes = {WHOLE: sf.Recipe(), "b": sf.Recipe(batch={"size": 8}), "c": sf.Recipe(batch={"size": 64})}
    found = side_by_side(iris, recipes, seeds=[5, 7])
    assert [(trial.seed, trial.variant) for trial in found.trials] == [
        (5, WHOLE), (5, "b"), (5, "c"), (7, "b"), (7, "c"), (7, WHOLE),
    ]  # fmt: skip
    plain = sf.fit(iris, sf.Recipe(), seed=7)
    assert found.of(WHOLE)[7].metrics == plain.metrics  # measuring changes nothing
    assert all(trial.seconds > 0 and 0 < trial.device_use <= 1 for trial in found.trials)
    assert found.of("b")[5].step_bytes < found.of("c")[5].step_bytes
    assert Ablation.model_validate_json(found.model_dump_json()) == found


def test_a_start_that_spoils_the_training_is_told_from_one_that_does_nothing(iris):
    spoiled = sf.Recipe(
        initialization={"scheme": "normal", "std": 0.0}, data={"workers": 0}, optimizer={"learning_rate": 0.01}
    )
    text = ablation_text(sf.ablate(iris, spoiled))
    said = {line.partition(":")[0]: line for line in text.splitlines() if "with it" in line}
    assert "it hurts by" in said["initialization.scheme, initialization.std"]
    assert "cannot be told from chance" in said["data.workers"]
    assert text.splitlines()[1].startswith(WHOLE)


def test_what_more_of_is_better_is_read_that_way():
    objective = Objective(name="validation_f1", direction="max")
    trials = []
    for seed in range(3):
        for name, score in ((WHOLE, 0.9), ("without x", 0.8)):
            metrics = {"validation_f1": score + 0.001 * seed}
            trials.append(Trial(variant=name, seed=seed, status="completed", metrics=metrics, samples=1, seconds=1.0))
    assert "it helps by 0.1" in ablation_text(_ablation(trials, objective))


def test_few_seeds_and_failures_are_told_and_claim_nothing():
    text = ablation_text(_ablation([_trial(WHOLE, 0, 0.2), _trial("without x", 0, 0.5)]))
    assert "three seeds or more" in text and "helps" not in text
    text = ablation_text(_ablation([_trial(WHOLE, 0, 0.2), _trial("without x", 0, 0.5, status="diverged")]))
    assert "(1 diverged)" in text and "x: not measured on both sides" in text


@pytest.mark.parametrize(
    ("recipe", "arguments", "told"),
    [
        ({}, {}, "nothing to leave out"),
        ({"loss": {"label_smoothing": 0.1}}, {"keys": ["loss.gamma"]}, 'does not set "loss.gamma"'),
        (
            {"initialization": {"scheme": "normal", "std": 0.1}},
            {"keys": ["initialization.scheme"]},
            "leave out what belongs together",
        ),
        ({"loss": {"label_smoothing": 0.1}}, {"seeds": [1, 1]}, "all different"),
        ({"loss": {"label_smoothing": 0.1}}, {"seeds": []}, "at least one"),
    ],
)
def test_a_wrong_request_is_one_line(iris, recipe, arguments, told):
    with pytest.raises(sf.RequestError, match=told) as caught:
        sf.ablate(iris, sf.Recipe(**recipe), **arguments)
    assert "\n" not in str(caught.value)


def test_the_command_prints_the_table_and_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["surefoot", "ablate", "iris", "--epochs", "1", "--seeds", "1", "--set", "loss.label_smoothing=0.1"]
    monkeypatch.setattr(sys, "argv", [*command, "--json", "--out", "bought.json"])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert not left.value.code
    assert json.loads(printed.out) == json.loads((tmp_path / "bought.json").read_text())
    assert "without loss.label_smoothing" in printed.err
    monkeypatch.setattr(sys, "argv", [*command, "--without", "x"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2 and capsys.readouterr().err.count("\n") == 1
