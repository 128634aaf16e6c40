"""HyperModels of Keras Tuner under our search: the space that is found, what it is taken for, what comes back."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

import surefoot as sf
from surefoot.integrations.keras import fit, model_builder, search
from surefoot.integrations.keras.tuner.hyperparameters import dimension_of
from surefoot.integrations.keras.tuner.translation import Translation

EXAMPLES = Path(__file__).parents[1] / "examples/keras_tuner"
STREAM = np.random.default_rng(0)
INPUTS = STREAM.normal(size=(120, 4)).astype("float32")
LABELS = (INPUTS[:, 0] * INPUTS[:, 1] > 0).astype(int)
LOSS = "sparse_categorical_crossentropy"
pytestmark = [
    # Keras Tuner 1.4.8 names threads by a method that Python 3.10 deprecated, in every call of an oracle
    pytest.mark.filterwarnings("ignore:(currentThread|getName)\\(\\) is deprecated:DeprecationWarning"),
    # Keras says so of the checkpoints that Keras Tuner itself writes and reads
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning"),
]


def network(*widths: int, activation: str = "relu") -> Any:
    layers = [keras.layers.Dense(width, activation=activation) for width in widths]
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2, activation="softmax")])


def looped(hp: Any) -> Any:
    """Parameters in a loop and behind an ``if``, as most public builders have them."""
    widths = [hp.Int(f"units_{layer}", 4, 12, step=4) for layer in range(hp.Int("layers", 1, 3))]
    model = network(*widths, activation=hp.Choice("activation", ["relu", "tanh"]))
    decay = hp.Float("decay", 1e-4, 1e-2, sampling="log") if hp.Boolean("decays") else None
    model.compile(keras.optimizers.Adam(hp.Float("alpha", 1e-3, 1e-1, sampling="log"), weight_decay=decay), LOSS)
    return model


class Chosen(keras_tuner.HyperModel):
    """Conditional scopes, an optimizer to choose, and a ``fit`` of its own."""

    def build(self, hp: Any) -> Any:
        kind = hp.Choice("kind", ["narrow", "wide"])
        with hp.conditional_scope("kind", ["narrow"]):
            narrow = hp.Int("units", 2, 4)
        with hp.conditional_scope("kind", ["wide"]):
            wide = hp.Int("units", 8, 16, step=8)
        model = network(narrow if kind == "narrow" else wide)
        name = hp.Choice("optimizer", ["adam", "sgd"])
        rate = 10.0 ** hp.Int("exponent", -3, -1)
        with hp.conditional_scope("optimizer", ["sgd"]):
            momentum = hp.Float("momentum", 0.0, 0.9)
        made = keras.optimizers.SGD(rate, momentum=momentum or 0.0) if name == "sgd" else keras.optimizers.Adam(rate)
        model.compile(made, LOSS, metrics=["accuracy"])
        return model

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["epochs"] = hp.Int("epochs", 2, 6)
        return model.fit(*args, batch_size=hp.Choice("batch", [8, 16]), shuffle=hp.Boolean("shuffle"), **kwargs)


def translated(hypermodel: Any) -> Translation:
    return model_builder(hypermodel, rows=(INPUTS, LABELS))


def test_parameters_in_loops_and_behind_conditions_are_found() -> None:
    found = translated(looped)
    assert set(found.arguments) == {"layers", "units_0", "units_1", "units_2", "activation", "decays"}
    assert found.space == {
        "model.layers": sf.space.integer(1, 3),
        **{f"model.units_{layer}": sf.space.choice(4, 8, 12) for layer in range(3)},
        "model.activation": sf.space.choice("relu", "tanh"),
        "model.decays": sf.space.choice(False, True),
        "optimizer.learning_rate": sf.space.log(1e-3, 1e-1),
        "optimizer.weight_decay": sf.space.log(1e-4, 1e-2),
    }


def test_what_a_parameter_is_is_told_by_what_it_does() -> None:
    found = translated(Chosen())
    roles = {role.parameter.key: role for role in found.roles}
    assert {key: role.key for key, role in roles.items()} == {
        "optimizer": "optimizer.name",
        "exponent": "optimizer.learning_rate",
        "momentum": "optimizer.momentum",
        "batch": "batch.size",
        "epochs": "epochs",
    }
    assert roles["exponent"].settings == {-3: 0.001, -2: 0.01, -1: 0.1}
    assert roles["optimizer"].settings == {"adam": "adamw", "sgd": "sgd"}
    assert found.unused == ("shuffle",)
    assert found.epochs(None) == 6.0
    assert found.space["optimizer.momentum"] == sf.space.when(sf.space.uniform(0.0, 0.9), "optimizer.name", "sgd")


def test_one_name_under_two_conditions_is_two_arguments() -> None:
    found = translated(Chosen())
    assert set(found.arguments) == {"kind", "units", "units (kind=wide)"}
    assert found.space["model.units (kind=wide)"] == sf.space.when(sf.space.choice(8, 16), "model.kind", "wide")
    both = {"units": 3, "units (kind=wide)": 16}
    assert found(kind="wide", **both).layers[0].units == 16
    assert found(kind="narrow", **both).layers[0].units == 3


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        (keras_tuner.engine.hyperparameters.Float("a", 0.0, 0.5, step=0.25), sf.space.choice(0.0, 0.25, 0.5)),
        (keras_tuner.engine.hyperparameters.Float("a", 0.0, 0.5), sf.space.uniform(0.0, 0.5)),
        (keras_tuner.engine.hyperparameters.Int("a", 2, 16, step=2, sampling="log"), sf.space.choice(2, 4, 8, 16)),
        (keras_tuner.engine.hyperparameters.Int("a", 1, 4, sampling="log"), sf.space.choice(1, 2, 3, 4)),
        (keras_tuner.engine.hyperparameters.Choice("a", ["x"]), None),
        (keras_tuner.engine.hyperparameters.Fixed("a", 7), None),
    ],
)
def test_a_range_becomes_the_same_range(declared: Any, wanted: Any) -> None:
    assert dimension_of(declared) == wanted


def test_a_hypermodel_is_searched_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = search(Chosen(), (INPUTS, LABELS), validation=0.25, objective="val_accuracy", seed=1)
    assert found.status == "completed"
    assert found.cost.trainings <= 2.0 + 16 / (90 * 6)
    for run in found.study.runs:
        assert run.recipe["optimizer"]["learning_rate"] in {0.001, 0.01, 0.1}
        assert run.recipe["batch"]["size"] in {8, 16}
    best, other = found.best_hyperparameters(2)
    assert isinstance(best, keras_tuner.HyperParameters)
    values = best.values
    assert {"kind", "units", "optimizer", "exponent", "batch", "epochs", "shuffle"} <= set(values)
    assert ("momentum" in values) == (values["optimizer"] == "sgd")
    assert values["units"] in (range(2, 5) if values["kind"] == "narrow" else (8, 16))
    assert Chosen().build(best).layers[0].units == found.model.layers[0].units == values["units"]
    assert any("shuffle" in note for note in found.study.notes)

    models = found.best_models(2)
    assert models[0] is found.model
    second = [run for run in found.study.runs if run.number != found.study.winner]
    accuracy = models[1].evaluate(*found.task.validation, verbose=0)[1]
    assert any(accuracy == pytest.approx(run.value, abs=1e-6) for run in second)
    assert models[1].layers[0].units == other.values["units"]

    found.results_summary(2)
    printed = capsys.readouterr().out
    assert "Hyperparameters:" in printed
    assert f"exponent: {values['exponent']}" in printed
    assert found.report(tmp_path / "page.html").is_file()


def test_ranges_that_are_given_go_before_those_that_are_declared() -> None:
    given = keras_tuner.HyperParameters()
    given.Float("alpha", 0.02, 0.03, sampling="log")
    given.Fixed("layers", 1)
    found = search(looped, (INPUTS, LABELS), epochs=3, hyperparameters=given)
    assert all(0.02 <= run.recipe["optimizer"]["learning_rate"] <= 0.03 for run in found.study.runs)
    assert len(found.model.layers) == 2


def test_what_was_found_is_trained_again_and_loaded(tmp_path: Path) -> None:
    found = search(looped, (INPUTS, LABELS), epochs=3, directory=tmp_path / "study")
    again = fit(model_builder(looped), (INPUTS, LABELS), epochs=1, recipe=found.recipe)
    assert [layer.get_config().get("units") for layer in again.model.layers] == [
        layer.get_config().get("units") for layer in found.model.layers
    ]
    with pytest.raises(sf.errors.TaskError, match="cannot be found by name"):
        sf.load(tmp_path / "study")
    loaded = sf.load(tmp_path / "study", model=model_builder(looped))
    expected = found.model.predict(INPUTS[:20], verbose=0).argmax(axis=1)
    assert list(loaded.predict(INPUTS[:20])) == expected.tolist()


def fits(how: Callable[..., Any]) -> Any:
    class Own(Chosen):
        def fit(self, hp: Any, model: Any, x: Any, y: Any, **kwargs: Any) -> Any:
            return how(hp, model, x, y, **kwargs)

    return Own()


def twice(hp: Any) -> Any:
    model = network(hp.Int("units", 2, 4), hp.Int("units", 2, 8))
    model.compile("adam", LOSS)
    return model


def two_rates(hp: Any) -> Any:
    kind = hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        slow = hp.Float("slow", 1e-4, 1e-3)
    with hp.conditional_scope("kind", ["b"]):
        fast = hp.Float("fast", 1e-2, 1e-1)
    model = network(4)
    model.compile(keras.optimizers.Adam(slow if kind == "a" else fast), LOSS)
    return model


def uncompiled(hp: Any) -> Any:
    return network(hp.Int("units", 2, 4))


def broken(hp: Any) -> Any:
    return network(hp.Int("units", 0, 4))


def unknown_optimizer(hp: Any) -> Any:
    model = network(4)
    model.compile(hp.Choice("optimizer", ["adam", "lion"]), LOSS)
    return model


@pytest.mark.parametrize(
    ("hypermodel", "changes", "line"),
    [
        (looped, {"objective": "val_nonsense"}, "objective is 'val_nonsense'; give \"val_loss\""),
        (looped, {"objective": keras_tuner.Objective("val_f1", "max")}, '"f1" is not measured'),
        (looped, {"objective": "accuracy"}, 'decides by the validation rows: "val_accuracy"'),
        (looped, {"objective": ["val_loss", "val_accuracy"]}, "objective must be one"),
        (looped, {"train": INPUTS}, "train must be \\(x, y\\)"),
        (looped, {"hyperparameters": {"units": 3}}, "must be keras_tuner.HyperParameters, not dict"),
        (looped, {"space": {"model.layers": sf.space.integer(1, 9)}}, "declared by the HyperModel"),
        (twice, {}, '"units" is declared twice, as Int\\(min_value=2, max_value=4'),
        (two_rates, {}, '"slow" and "fast" both set optimizer.learning_rate'),
        (unknown_optimizer, {}, "'lion' compiles Lion"),
        (uncompiled, {}, "compile"),
        (broken, {}, "failed with its defaults at test_keras_tuner.py"),
        (Chosen, {}, "give an instance: Chosen\\(\\)"),
        (network(4), {}, "not a Sequential"),
        (7, {}, "not a int"),
        (fits(lambda hp, model, x, y, **_: 0.5), {}, "trains without model.fit"),
        (fits(lambda hp, model, x, y, **_: model.fit(x / 2, y)), {}, "other rows"),
        (fits(lambda hp, model, x, y, **_: model.fit(x, y, class_weight={0: 2.0})), {}, "class_weight"),
        (fits(lambda hp, model, x, y, **_: (model.fit(x, y), model.fit(x, y))), {}, "more than once"),
        (fits(lambda hp, model, x, y, **_: 1 / 0), {}, "HyperModel.fit failed at .*ZeroDivisionError"),
    ],
)
def test_what_cannot_be_done_is_one_line(hypermodel: Any, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(sf.errors.RequestError, match=line) as raised:
        search(hypermodel, **{"train": (INPUTS, LABELS), "epochs": 2, **changes})
    assert "\n" not in str(raised.value)


def test_a_missing_or_an_old_keras_tuner_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    module, real = "surefoot.integrations.keras.tuner", importlib.metadata.version
    loaded = importlib.import_module(module)

    def old(name: str) -> str:
        return "1.3.5" if name == "keras-tuner" else real(name)

    def missing(name: str) -> str:
        if name == "keras-tuner":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", old)
    with pytest.raises(sf.errors.MissingExtraError, match="1.4 or newer, and 1.3.5 is installed"):
        importlib.reload(loaded)
    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(sf.errors.MissingExtraError, match=r"pip install 'surefoot\[keras-tuner\]'"):
        importlib.reload(loaded)


@pytest.mark.slow
def test_the_door_leaves_keras_tuner_alone_until_it_is_asked() -> None:
    statement = (
        "import surefoot.integrations.keras as door, sys; print('keras_tuner' in sys.modules); "
        "door.search; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_a_public_script_before_and_after(program: Any) -> None:
    theirs = program("examples/keras_tuner", "digits_hyperband").main(epochs=2)
    ours = program("examples/keras_tuner", "digits_surefoot").main(epochs=4)
    assert theirs["accuracy"] > 0.15  # two epochs at rates drawn at random
    assert ours["accuracy"] > 0.8
    assert ours["price"] < 2.1


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (EXAMPLES.parents[1] / "docs/coming-from-keras-tuner.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(code, "docs/coming-from-keras-tuner.md", "exec"), namespace)
    assert (tmp_path / "report.html").is_file()
    trials = namespace["tuner"].oracle.trials.values()
    assert max(trial.hyperparameters.values["tuner/epochs"] for trial in trials) == 4
    assert namespace["tuner"].get_best_models()[0].evaluate(namespace["X_val"], namespace["y_val"], verbose=0)[1] > 0.5


def test_the_list_names_every_program() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for program in EXAMPLES.glob("*.py"):
        assert f"({program.name})" in listed
