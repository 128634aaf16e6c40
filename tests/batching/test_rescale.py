"""sf.rescale and ``surefoot rescale``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import surefoot as sf
from surefoot.errors import RecipeError

ADAMW = sf.Recipe(
    optimizer={"name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.1}, batch={"size": 32}, model={"hidden": 8}
)


def test_the_function_stays_a_function():
    """A submodule called rescale would take its place on the second look."""
    import surefoot.rescaling  # noqa: F401

    assert callable(sf.rescale)
    assert callable(sf.rescale)


def test_everything_else_in_the_recipe_stays():
    large, reasons = sf.rescale(ADAMW, batch_size=128, noise_scale=1_000)
    assert large.model == ADAMW.model
    assert large.schedule == ADAMW.schedule
    assert large.batch.size == 128
    assert large.optimizer.learning_rate == pytest.approx(6e-3)
    assert large.optimizer.weight_decay == pytest.approx(0.2)
    assert [reason.split()[0] for reason in reasons[:-1]] == [
        "optimizer.learning_rate",
        "optimizer.beta1",
        "optimizer.beta2",
        "optimizer.epsilon",
        "optimizer.weight_decay",
    ]
    assert (
        reasons[-1] == "at a noise scale of 1000, the same loss takes 1.09 times the samples and 0.27 times the steps"
    )
    assert sf.Recipe.from_toml(large.to_toml()) == large


def test_there_and_back():
    large, _ = sf.rescale(ADAMW, batch_size=256, noise_scale=100)
    back, _ = sf.rescale(large, batch_size=32, noise_scale=100)
    assert back.optimizer.learning_rate == pytest.approx(3e-3)
    assert back.optimizer.weight_decay == pytest.approx(0.1)
    assert back.optimizer.beta1 == pytest.approx(0.9)
    assert back.batch.size == 32


def test_a_recipe_that_leaves_its_rate_out_gets_its_optimizers():
    large, _ = sf.rescale(sf.Recipe(optimizer={"name": "sgd"}, batch={"size": 32}), batch_size=64)
    assert large.optimizer.learning_rate == pytest.approx(0.025)
    assert large.optimizer.momentum is None


def test_ramps_and_ranges_scale_as_a_whole():
    ramp = sf.Recipe(batch={"policy": "linear_ramp", "size": 16, "last": 64, "length": 0.5})
    scaled, _ = sf.rescale(ramp, batch_size=32)
    assert scaled.to_dict()["batch"] == {"policy": "linear_ramp", "size": 32, "last": 128, "length": 0.5}
    random = sf.Recipe(batch={"policy": "random", "size": 16, "sizes": [8, 32]})
    scaled, _ = sf.rescale(random, batch_size=8)
    assert scaled.to_dict()["batch"] == {"policy": "random", "size": 8, "sizes": [4, 16]}


def test_single_becomes_fixed():
    scaled, _ = sf.rescale(sf.Recipe(batch={"policy": "single"}), batch_size=32)
    assert (scaled.batch.policy, scaled.batch.size) == ("fixed", 32)


def test_a_large_jump_asks_for_a_warmup():
    cold = sf.Recipe(optimizer={"name": "sgd"}, batch={"size": 32}, schedule={"warmup": 0.0})
    assert sf.rescale(cold, batch_size=48)[0].schedule.warmup == 0.0
    large, reasons = sf.rescale(cold, batch_size=64)
    assert large.schedule.warmup == 0.05
    assert any(reason.startswith("schedule.warmup 0 → 0.05") for reason in reasons)


def test_the_same_size_changes_nothing():
    assert sf.rescale(ADAMW, batch_size=32) == (ADAMW, ["the batch size stays; nothing moves"])


def test_a_caution_where_nothing_was_measured():
    _, reasons = sf.rescale(ADAMW, batch_size=64)
    assert reasons[-1].startswith("no noise scale was given")


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        (ADAMW, {"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        (ADAMW, {"batch_size": 2.5}, "batch_size must be a whole number of at least 1, not 2.5"),
        (ADAMW, {"batch_size": 64, "num_rows": 50}, "batch_size is 64, but there are 50 training rows"),
        (ADAMW, {"batch_size": 64, "coupling": "adascale"}, 'coupling "adascale" is derived for sgd'),
        (ADAMW, {"batch_size": 64, "noise_scale": -1}, "noise_scale must be a finite number above 0"),
        (sf.Recipe(), {"batch_size": 64}, "the recipe leaves batch.size out: add it, or say num_rows"),
        (sf.Recipe(batch={"policy": "full"}), {"batch_size": 64}, 'batch.policy is "full": it has no size to rescale'),
    ],
)
def test_bad_input_is_refused(recipe, arguments, message):
    with pytest.raises(RecipeError, match=message):
        sf.rescale(recipe, **arguments)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-c", "from surefoot.cli import main; main()", "rescale", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_prints_a_recipe_that_can_be_used_as_it_is(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(ADAMW.to_toml(), encoding="utf-8")
    done = command(path, "--batch-size", 128, "--noise-scale", 1000)
    assert done.returncode == 0
    assert done.stderr == ""
    assert sf.Recipe.from_toml(done.stdout) == sf.rescale(ADAMW, batch_size=128, noise_scale=1000)[0]
    assert done.stdout.startswith("# optimizer.learning_rate 0.003 → 0.006: square-root rule")
    as_json = json.loads(command(path, "--batch-size", 128, "--json").stdout)
    assert as_json["recipe"]["batch"] == {"size": 128}
    assert as_json["reasons"][0].startswith("optimizer.learning_rate")


def test_the_command_refuses_in_one_line(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text('[batch]\npolicy = "full"\n', encoding="utf-8")
    done = command(path, "--batch-size", 128)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'Error: batch.policy is "full": it has no size to rescale; name a fixed batch.size first\n'
