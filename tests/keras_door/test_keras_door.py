"""``fit``, ``tune`` and ``probe`` of Keras models: what a user sees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import blobs, build, build_rich, build_subclassed

import surefoot as sf
import surefoot.integrations.keras as sfk
from surefoot.errors import ExportError, RecipeError, RequestError, TaskError
from surefoot.integrations.keras.settings import optimizer_section


def test_fit_trains_the_compiled_model(tmp_path: Path) -> None:
    x, y = blobs(200)
    test_x, test_y = blobs(60, seed=1)
    result = sfk.fit(build, (x, y), test=(test_x, test_y), epochs=8, directory=tmp_path / "fit")
    assert result.status == "completed" and result.recipe is not None
    assert (result.recipe.optimizer.name, result.recipe.optimizer.learning_rate) == ("adam", 0.01)
    assert isinstance(result.model, keras.Model) and result.metrics["test_accuracy"] > 0.8
    loss, accuracy = result.model.evaluate(test_x, test_y, verbose=0)
    assert result.metrics["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert result.metrics["test_accuracy"] == pytest.approx(accuracy)
    written = json.loads((tmp_path / "fit" / "result.json").read_text())
    assert written["cost"]["trainings"] == pytest.approx(1.0) and written["versions"]["keras"] == keras.__version__


def test_load_and_predict(tmp_path: Path) -> None:
    x, y = blobs(120)
    result = sfk.fit(build_rich, (x, y), epochs=3, recipe={"data": {"standardize": True}}, directory=tmp_path / "fit")
    loaded = sf.load(tmp_path / "fit")
    with pytest.raises(ExportError, match="one of keras: use its own tools"):
        sf.export(tmp_path / "fit")
    probabilities = loaded.predict_probabilities(x[:5])
    assert probabilities.shape == (5, 3) and np.allclose(probabilities.sum(axis=1), 1.0)
    assert loaded.predict(x[:5]) == probabilities.argmax(axis=1).tolist()
    assert result.model is not loaded.module


def test_tune_stays_within_its_price_and_resumes_nothing_new(tmp_path: Path) -> None:
    x, y = blobs(300)
    given: dict[str, Any] = {"epochs": 6, "space": {"model.hidden": sf.space.choice(4, 8)}, "directory": tmp_path / "s"}
    result = sfk.tune(build, (x, y), **given)
    assert result.status == "completed" and result.cost.trainings <= 2.0 + 1e-9
    assert result.recipe is not None and result.recipe.optimizer.name == "adamw"
    assert result.recipe.model["hidden"] in {4, 8}
    again = sfk.tune(build, (x, y), **given, resume=True)
    assert again.metrics == pytest.approx(result.metrics) and len(again.study.runs) == len(result.study.runs)


def test_an_optimizer_that_no_recipe_describes() -> None:
    def build_lion() -> Any:
        model = build()
        model.compile("lion", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(RecipeError, match="Lion is not one that a recipe describes; say which one"):
        sfk.fit(build_lion, blobs())
    assert sfk.fit(build_lion, blobs(), epochs=1, recipe={"optimizer": {"name": "sgd"}}).status == "completed"
    result = sfk.tune(build_lion, blobs(), epochs=2)
    assert any("put aside: Lion" in note for note in result.notes)
    assert "Note      the compiled optimizer was put aside: Lion" in str(result) and "\n" not in repr(result)


def test_the_command_line_takes_a_task_of_this_door(tmp_path: Path) -> None:
    script = """import keras, numpy as np, surefoot as sf
x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
def build():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model
task = sf.Task(build, (x, (x[:, 0] > 0).astype(int)), epochs=1, backend="surefoot.integrations.keras.backend")
"""
    (tmp_path / "mine.py").write_text(script)
    command = [sys.executable, "-m", "surefoot", "fit", "mine.py:task", "--out", "runs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Model     runs" in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "runs is not empty; --resume goes on with the study in it, --overwrite starts anew" in again.stderr


def test_probe() -> None:
    found = sfk.probe(build, blobs(400), epochs=10)
    assert found.learning_rate.value is not None and found.trainings <= 0.15 + 1e-9
    assert found.capacity is not None and found.range_test is not None and found.noise_scale is not None


@pytest.mark.parametrize(
    ("optimizer", "section"),
    [
        (keras.optimizers.Adam(2e-3, epsilon=1e-6), {"name": "adam", "learning_rate": 2e-3, "epsilon": 1e-6}),
        (keras.optimizers.Adam(weight_decay=0.1), {"name": "adamw", "weight_decay": 0.1}),
        (keras.optimizers.AdamW(global_clipnorm=1.0), {"weight_decay": 0.004, "max_gradient_norm": 1.0}),
        (
            keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
            {"name": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 0.001},
        ),
    ],
)
def test_what_a_keras_optimizer_says(optimizer: Any, section: dict[str, Any]) -> None:
    found, unlike = optimizer_section(optimizer)
    assert {key: found[key] for key in section} == pytest.approx(section) and unlike == ""


def build_with(loss: Any, outputs: int = 3) -> Any:
    """What builds a network with another loss."""

    def build_it() -> Any:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, activation="sigmoid")])
        model.compile("sgd", loss)
        return model

    return build_it


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": build(), "train": blobs()}, "model must be a function that builds and compiles"),
    ({"model": lambda: keras.Sequential([keras.layers.Dense(3)])}, "must compile its model"),
    ({"model": lambda: 3}, "must return a keras.Model, not int"),
    ({"model": lambda: 1 / 0}, "ZeroDivisionError"),
    ({"train": "rows"}, "train must be .x, y."),
    ({"train": (np.ones((5, 4)), np.zeros(4))}, "they must pair up"),
    (
        {"train": (np.ones((5, 3)), np.zeros(5, int))},
        r"^the model takes inputs of shape \(4,\), the train data has \(3,\)$",
    ),
    ({"validation": (np.ones((5, 3)), np.zeros(5, int))}, r"the validation data has \(3,\)$"),
    ({"model": build_rich, "train": (np.ones((5, 3)), np.zeros(5, int))}, r"the train data has \(3,\)$"),
    (
        {"train": (blobs()[0], blobs()[1] + 1)},
        "train labels run from 1 to 3, but the model has 3 outputs: labels must be",
    ),
    ({"test": (blobs()[0], blobs()[1] - 1)}, "^the test labels run from -1 to 1, but the model has 3 outputs"),
    (
        {"train": (blobs()[0], np.eye(3)[blobs()[1]])},
        "numbers a row, and sparse_categorical_crossentropy takes .* compile with categorical_crossentropy$",
    ),
    (
        {"model": build_with("categorical_crossentropy")},
        "class numbers, and categorical_crossentropy takes .* compile with sparse_categorical_crossentropy$",
    ),
    (
        {"model": build_with(keras.losses.CategoricalCrossentropy())},
        "class numbers, and CategoricalCrossentropy takes .* compile with SparseCategoricalCrossentropy$",
    ),
    (
        {"model": build_with("categorical_crossentropy"), "train": (blobs()[0], np.eye(4)[blobs()[1]])},
        "the train y has 4 numbers a row, but the model has 3 outputs",
    ),
    ({"model": build_with(sfk.loss("hinge")), "train": (blobs()[0], blobs()[1] + 1)}, "train labels run from 1 to 3"),
    ({"model": build_with("binary_crossentropy", 1)}, "targets run from 0 to 2, but binary_crossentropy needs"),
    (
        {"model": build_with("mse")},
        "^a training step failed at InvalidArgumentError: Incompatible shapes: .2. vs. .2,3.$",
    ),
    ({"train": (np.full((5, 4), np.nan), np.zeros(5, int))}, "not finite"),
    ({"recipe": {"data": {"mixup": 0.2}}}, "data.mixup is not for Keras models"),
    ({"recipe": {"network": {"pruning": "magnitude"}}}, "network.pruning is not for Keras models"),
    ({"recipe": {"hardware": {"compile": True}}}, "hardware.compile is not for Keras models"),
    ({"recipe": {"loss": {"label_smoothing": 0.1}}}, "loss.label_smoothing is not for Keras models"),
    ({"recipe": {"optimizer": {"name": "prodigy"}}}, "which is for PyTorch"),
    ({"recipe": {"batch": {"size": 1000}}}, "1000"),
    ({"objective": ("auc", "max")}, r'"auc" is not measured: compile the metric in, model.compile\(..., metrics='),
    ({"objective": "val_auc"}, "whether less or more of it is better"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_one_line_for_what_is_wrong(given: dict[str, Any], message: str) -> None:
    arguments = {"model": build, "train": blobs(), **given}
    with pytest.raises(RequestError, match=message) as caught:
        sfk.fit(arguments.pop("model"), arguments.pop("train"), **arguments)
    assert "\n" not in str(caught.value)


def test_an_argument_of_the_model_without_its_section_is_told() -> None:
    with pytest.raises(RequestError, match='did you mean "model.hidden", an argument of the model?'):
        sfk.tune(build, blobs(), space={"hidden": sf.space.choice(4, 8)})


def test_rows_that_keras_reshapes_are_taken() -> None:
    """One number a row without its axis, labels in a column, a class that the loss ignores in no row."""

    def build_narrow() -> Any:
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2))
        return model

    x, y = blobs()
    assert sfk.fit(build_narrow, (x[:, 0], y[:, None] % 2), epochs=1).status == "completed"


def test_a_training_step_of_ones_own_is_refused() -> None:
    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    def build_own() -> Any:
        model = Own([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(TaskError, match="Own has a train_step of its own"):
        sfk.fit(build_own, blobs())


def test_importing_it_loads_no_torch_and_no_keras_tuner() -> None:
    script = """import sys, surefoot.integrations.keras as door
door.tune
print(*(name in sys.modules for name in ("torch", "keras_tuner")))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_model_that_is_built_by_its_first_rows_comes_back(tmp_path: Path) -> None:
    x, _ = blobs(80)
    given = (x, x.sum(axis=1, keepdims=True))
    recipe = {"optimizer": {"name": "adamw", "learning_rate": 0.02}}
    result = sfk.fit(build_subclassed, given, epochs=3, recipe=recipe, directory=tmp_path / "fit")
    loaded = sf.load(tmp_path / "fit")
    assert np.allclose(loaded.predict(x), result.model.predict(x, verbose=0)[:, 0], atol=1e-6)


def test_what_our_optimizers_and_a_schedule_say() -> None:
    ours = sfk.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    given = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    assert optimizer_section(ours) == (given, "")
    assert optimizer_section(sfk.NAdamW(0.1))[0]["name"] == "nadamw"
    assert "rho" in optimizer_section(sfk.RMSprop(0.1, rho=0.9))[1]
    decay = keras.optimizers.schedules.CosineDecay(0.02, 100)
    assert optimizer_section(keras.optimizers.Adam(decay))[0]["learning_rate"] == 0.02
