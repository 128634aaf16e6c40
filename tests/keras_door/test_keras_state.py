"""What a Keras run keeps: killed runs, seeds, turns on one model, exact accumulation, several inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import blobs, build, build_rich
from test_keras_run import factory_of

import surefoot as sf
import surefoot.integrations.keras as sfk
from surefoot.integrations.keras.factory import KerasFactory
from surefoot.protocols import Silent
from surefoot.training import never

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")


class Killed(BaseException):
    """Stands for a process that ends at once."""


class Killer(Silent):
    """Ends everything at a look."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def evaluated(self, *arguments: Any, **more: Any) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


def test_a_killed_run_ends_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.protocols.search.CHECKPOINT_SECONDS", 0.0)
    given: dict[str, Any] = {"epochs": 5, "recipe": {"batch": {"size": 16}, "schedule": {"name": "plateau"}}}
    whole = sfk.fit(build_rich, blobs(120), **given)
    with pytest.raises(Killed):
        sfk.fit(build_rich, blobs(120), **given, directory=tmp_path / "run", observer=Killer(3))
    assert list((tmp_path / "run").rglob("checkpoint.safetensors"))
    resumed = sfk.fit(build_rich, blobs(120), **given, directory=tmp_path / "run", resume=True)
    assert resumed.metrics == whole.metrics
    assert [look.train_loss for look in resumed.study.runs[0].evaluations] == [
        look.train_loss for look in whole.study.runs[0].evaluations
    ]


def test_runs_that_share_a_model_do_not_meet() -> None:
    factory, recipe = factory_of(build_rich, blobs())
    complete = recipe.complete(factory.num_rows)

    def trained(*seeds: int) -> list[dict[str, float]]:
        runs = [factory.create(complete, seed=seed) for seed in seeds]
        while any(run.samples_seen < run.horizon for run in runs):
            for run in runs:
                run.advance(1, should_stop=never)
        return [run.evaluate("validation") for run in runs]

    apart = trained(1) + trained(2)
    assert trained(1, 2) == apart and apart[0] != apart[1]


class Applied(keras.layers.Layer):  # type: ignore[misc] # Keras has no types
    """A layer of somebody's own, of whose arguments Keras can tell nothing."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


def test_layers_whose_settings_nobody_can_tell_are_not_taken_for_each_other() -> None:
    factors = iter([1.0, 1.0, 30.0])  # the second is for the trial at the door

    def build_applied() -> Any:
        factor = next(factors)
        layers = [keras.Input((4,)), Applied(lambda inputs: factor * inputs), keras.layers.Dense(3)]
        model = keras.Sequential(layers)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    factory, recipe = factory_of(build_applied, blobs())
    complete = recipe.complete(factory.num_rows)
    first, second = (factory.create(complete, seed=1).evaluate("train")["loss"] for _ in range(2))
    assert first != second


def test_a_finished_model_is_nobody_elses() -> None:
    factory, recipe = factory_of(build, blobs())
    complete = recipe.complete(factory.num_rows)
    first = factory.create(complete, seed=1)
    first.finish()
    second = factory.create(complete, seed=2)
    assert second.model is not first.model
    assert factory.create(complete, seed=3).model is second.model


def test_the_same_seed_draws_the_same_weights_and_leaves_the_global_streams() -> None:
    factory, recipe = factory_of(build, blobs())
    complete = recipe.complete(factory.num_rows)
    np.random.seed(0)  # noqa: NPY002 - the user's own
    expected = np.random.RandomState(0).random()
    drawn = [factory.create(complete, seed=seed).model.get_weights()[0] for seed in (1, 2, 1)]
    assert np.array_equal(drawn[0], drawn[2]) and not np.array_equal(drawn[0], drawn[1])
    assert np.random.random() == expected  # noqa: NPY002


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_parts_of_uneven_size_add_up_to_the_whole_batch(reduction: str) -> None:
    def plain() -> Any:
        layers = [keras.Input((4,)), keras.layers.Dense(8, activation="tanh", kernel_regularizer="l2")]
        model = keras.Sequential([*layers, keras.layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
        model.compile(keras.optimizers.SGD(0.002 if reduction == "sum" else 0.05), loss)
        return model

    x, y = blobs()
    part = (x, y, np.linspace(0.1, 3.0, len(x)))
    factory, recipe = factory_of(plain, part, recipe={"batch": {"size": 16}})
    whole, parted = (
        factory.create(recipe.with_changes(changes).complete(factory.num_rows), seed=0)
        for changes in ({}, {"batch.micro_batch": 5})
    )
    for run in (whole, parted):
        run.advance(run.horizon, should_stop=never)
    for name, value in whole.evaluate("validation").items():
        assert parted.evaluate("validation")[name] == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(parted.model.get_weights()[0], whole.model.get_weights()[0], rtol=1e-4, atol=1e-6)


def test_a_batch_that_does_not_fit_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    factory, recipe = factory_of(build, blobs(), recipe={"batch": {"size": 16}})
    complete = recipe.complete(factory.num_rows)
    expected = factory.create(complete, seed=0)
    expected.advance(expected.horizon, should_stop=never)
    run = factory.create(complete, seed=0)
    steps, ordinary = run._bench.steps, run._bench.steps.run

    def limited(rows: Any, sizes: Any, knobs: Any, limit: float) -> Any:
        if max(sizes) > 8:
            raise MemoryError
        return ordinary(rows, sizes, knobs, limit)

    monkeypatch.setattr(steps, "run", limited)
    done = run.advance(run.horizon, should_stop=never)
    assert not done.failure and [(change.before, change.after) for change in run.changes] == [(16, 8)]
    assert run.evaluate("validation")["loss"] == pytest.approx(expected.evaluate("validation")["loss"], rel=1e-5)
    monkeypatch.setattr(steps, "gradient", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    lost = factory.create(complete, seed=0)
    assert lost.advance(lost.horizon, should_stop=never).failure == "out_of_memory"


def test_several_inputs_and_outputs() -> None:
    def build_two() -> Any:
        left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
        hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Concatenate()([left, right]))
        outputs = {
            "kind": keras.layers.Dense(3, activation="softmax", name="kind")(hidden),
            "size": keras.layers.Dense(1, name="size")(hidden),
        }
        model = keras.Model({"left": left, "right": right}, outputs)
        model.compile(
            keras.optimizers.Adam(0.02),
            {"kind": "sparse_categorical_crossentropy", "size": "mse"},
            loss_weights={"kind": 1.0, "size": 0.1},
            metrics={"kind": ["accuracy"]},
        )
        return model

    x, y = blobs(200)
    given = ({"left": x[:, :2], "right": x[:, 2:]}, {"kind": y, "size": x.sum(axis=1, keepdims=True)})
    result = sfk.fit(build_two, given, epochs=8, objective=("kind_accuracy", "max"))
    assert result.metrics["validation_kind_accuracy"] > 0.7
    assert np.isfinite(result.metrics["train_loss"])


def test_a_diverged_run_says_so() -> None:
    recipe = {"optimizer": {"name": "sgd", "learning_rate": 1e6}, "stopping": {"retries": 0}}
    x, _ = blobs()

    def regression() -> Any:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    result = sfk.fit(regression, (x, x[:, 0]), epochs=3, recipe=recipe)
    assert result.status == "diverged" and "rate" in result.study.reason
    assert isinstance(result.recipe or sf.Recipe(), sf.Recipe)


def test_the_factory_is_what_other_doors_build_on() -> None:
    x, y = blobs()
    task = sf.Task(build, (x, y), epochs=2, backend="surefoot.integrations.keras.backend")
    factory = KerasFactory(task)
    assert factory.training_samples == 2 * factory.num_rows and len(factory.fingerprint) == 8
    assert sf.fit(task).status == "completed"
