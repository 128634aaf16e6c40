"""Losses, penalties, micro-batches and the range test as Keras objects."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import surefoot as sf
from surefoot.engine.losses import NamedLoss
from surefoot.errors import RequestError
from surefoot.integrations.keras import (
    SGD,
    Accumulating,
    Adam,
    AdamW,
    RangeTest,
    loss,
    micro_batches,
    penalties_of,
    recipe_terms,
    regularize,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(45, 4)).astype(np.float32)
LABELS = GENERATOR.integers(3, size=45)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cross_entropy", {}),
        ("cross_entropy", {"label_smoothing": 0.2}),
        ("binary_cross_entropy", {"label_smoothing": 0.2}),
        ("focal", {"gamma": 1.5}),
        ("hinge", {}),
        ("mean_squared_error", {}),
        ("mean_absolute", {}),
        ("huber", {"delta": 0.4}),
        ("poisson", {}),
    ],
)
def test_a_loss_has_pytorchs_value(name: str, arguments: dict[str, Any]) -> None:
    is_of_classes = name in {"cross_entropy", "focal", "hinge"}
    outputs = INPUTS[:, :3] if is_of_classes else INPUTS[:, :1]
    targets = LABELS if is_of_classes else (LABELS > 0).astype(np.float32)
    expected = float(NamedLoss(name, **arguments)(torch.tensor(outputs), torch.tensor(targets)).loss)
    ours = loss(name, **arguments)
    again = keras.losses.deserialize(keras.losses.serialize(ours))
    for one in (ours, again):
        assert float(one(targets, outputs)) == pytest.approx(expected, rel=1e-5)
        if name != "hinge" and is_of_classes:
            assert float(one(np.eye(3)[targets], outputs)) == pytest.approx(expected, rel=1e-5)
        if not is_of_classes:
            assert float(one(targets[:, None], outputs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "hinge"])
def test_a_label_without_an_output_has_no_loss(name: str) -> None:
    """It is NaN, not the 0 of an empty one-hot row: the loss of nothing would be perfect."""
    for labels in ([0, 3], [-1, 0]):
        assert math.isnan(float(loss(name)(np.array(labels), INPUTS[:2, :3])))


def small_model(**layer: Any) -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="tanh", name="first", **layer),
            keras.layers.Dense(3, name="last"),
        ]
    )
    generator = np.random.default_rng(3)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def test_a_step_in_parts_is_the_step_of_the_whole_batch() -> None:
    """45 rows in batches of 20 and parts of 7: nothing divides anything, rows weigh differently, and L2 is there."""
    weights = np.random.default_rng(1).uniform(size=45)
    trained, logged = [], []
    for make in (lambda model: model, lambda model: Accumulating(model, micro_batch=7)):
        inner = small_model(kernel_regularizer="l2")
        model = make(inner)
        model.compile(Adam(0.05), loss=loss("cross_entropy"), metrics=["accuracy"])
        history = model.fit(INPUTS, LABELS, sample_weight=weights, batch_size=20, epochs=3, shuffle=False, verbose=0)
        trained.append(inner.get_weights())
        logged.append(history.history)
    for part, whole in zip(trained[1], trained[0], strict=True):
        assert part == pytest.approx(whole, rel=2e-4, abs=2e-5)
    assert logged[1]["accuracy"] == pytest.approx(logged[0]["accuracy"])
    assert logged[1]["loss"] == pytest.approx(logged[0]["loss"], rel=1e-3)


def test_what_keras_accumulates_is_another_gradient() -> None:
    """Three rows in batches of two, two batches a step: 0, 2 and then 9 average to (1 + 9)/2, not to 11/3."""
    moved = []
    for optimizer, make, size in (
        (keras.optimizers.SGD(1.0, gradient_accumulation_steps=2), lambda model: model, 2),
        (SGD(1.0), lambda model: Accumulating(model, micro_batch=2), 3),
    ):
        inner = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        inner.set_weights([np.zeros((1, 1))])
        model = make(inner)
        model.compile(optimizer, loss="mae")
        rows = np.array([[0.0], [2.0], [9.0]])
        model.fit(rows, np.full((3, 1), 100.0), batch_size=size, shuffle=False, verbose=0)
        moved.append(inner.get_weights()[0].item())
    assert moved == pytest.approx([5.0, 11 / 3])


def test_parts_add_up_in_a_loop_of_ones_own() -> None:
    shares = [(len(part[0]), share) for part, share in micro_batches((INPUTS, LABELS), 20)]
    assert shares == [(20, 20 / 45), (20, 20 / 45), (5, 5 / 45)]
    ours, outputs = loss("cross_entropy"), INPUTS[:, :3]
    added = sum(share * float(ours(part[1], part[0])) for part, share in micro_batches((outputs, LABELS), 20))
    assert added == pytest.approx(float(ours(LABELS, outputs)), rel=1e-6)


def test_an_accumulating_model_is_saved_with_what_is_inside(tmp_path: Path) -> None:
    model = Accumulating(small_model(), micro_batch=7)
    model.compile(SGD(0.1, momentum=0.9), loss=loss("cross_entropy"))
    model.fit(INPUTS, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.micro_batch == 7
    assert again.predict(INPUTS, verbose=0) == pytest.approx(model.inner.predict(INPUTS, verbose=0), rel=1e-5)


def test_mistakes_with_parts_are_one_line() -> None:
    with pytest.raises(RequestError, match="micro_batch must be a whole number of at least 1, not 0"):
        Accumulating(small_model(), micro_batch=0)
    with pytest.raises(RequestError, match='reduction="sum"; shares of rows need "sum_over_batch_size"'):
        model = Accumulating(small_model(), micro_batch=2)
        model.compile("sgd", loss=keras.losses.MeanSquaredError(reduction="sum"))
        model.fit(INPUTS, INPUTS[:, :3], verbose=0)
    with pytest.raises(RequestError, match="loss.gamma is for focal; it would do nothing to huber"):
        loss("huber", gamma=2.0)
    with pytest.raises(RequestError, match='loss.name is "crossentropy".*cross_entropy') as caught:
        loss("crossentropy")
    assert "\n" not in str(caught.value)


def test_regularizers_are_read_in_our_convention() -> None:
    l1l2 = keras.regularizers.L1L2(l1=0.01, l2=0.1)
    model = small_model(kernel_regularizer=l1l2, bias_regularizer="l2")
    found = {one.parameter.split("/", 1)[-1]: (one.l1, one.l2) for one in penalties_of(model)}
    assert {path.split("/")[-1]: strengths for path, strengths in found.items()} == {
        "kernel": (0.01, 0.2),
        "bias": (0.0, 0.02),
    }
    model.compile(AdamW(0.1, weight_decay=0.03), loss="mse")
    terms = recipe_terms(model)
    assert terms["optimizer"] == {"name": "adamw", "weight_decay": pytest.approx(0.03)}
    recipe = sf.Recipe(**terms)
    assert [(rule.l1, rule.l2) for rule in recipe.regularization.groups] == [(0.01, 0.2), (None, 0.02)]
    model.compile(SGD(0.1, weight_decay=0.03), loss="mse")
    assert recipe_terms(model)["optimizer"] == {"name": "sgd", "weight_decay": pytest.approx(0.03)}
    model.compile(keras.optimizers.Adam(0.1, weight_decay=0.03), loss="mse")
    assert recipe_terms(model)["optimizer"]["name"] == "adamw"


def test_a_recipes_penalties_train_as_pytorchs() -> None:
    """½λ₂‖θ‖² and λ₁‖θ‖₁ on the kernel alone, against the gradient written down."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="only")])
    start = [np.array([[1.0], [-2.0], [0.5], [3.0]]), np.array([4.0])]
    model.set_weights(start)
    regularize(model, sf.Recipe(regularization={"l1": 0.1, "l2": 0.6}))
    model.compile(SGD(0.5), loss="mse")
    model.fit(np.zeros((8, 4)), np.full((8, 1), 4.0), batch_size=8, verbose=0)
    kernel, bias = model.get_weights()
    assert kernel == pytest.approx(start[0] - 0.5 * (0.6 * start[0] + 0.1 * np.sign(start[0])), rel=1e-5)
    assert bias == pytest.approx(start[1])
    assert [(one.l1, pytest.approx(one.l2)) for one in penalties_of(model)] == [(0.1, 0.6)]


def test_a_rule_names_its_variables() -> None:
    model = small_model()
    rules = [{"parameters": "*first/bias", "l2": 0.2}, {"parameters": ["*last/*"], "l1": 0.0, "l2": 0.0}]
    regularize(model, sf.Recipe(regularization={"l2": 0.4, "groups": rules}))
    held = {one.parameter.split("/", 1)[-1]: one.l2 for one in penalties_of(model)}
    assert sorted(held.values()) == [pytest.approx(0.2), pytest.approx(0.4)]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: recipe_terms(small_model(activity_regularizer="l2")),
            "first has an activity_regularizer, a penalty on outputs, which no recipe has",
        ),
        (
            lambda: penalties_of(small_model(kernel_regularizer=keras.regularizers.OrthogonalRegularizer())),
            "kernel has the regularizer OrthogonalRegularizer, which is neither L1 nor L2",
        ),
        (
            lambda: recipe_terms(compiled(keras.optimizers.SGD(0.1, weight_decay=0.1))),
            'weight_decay of keras.optimizers.SGD is decoupled, and a recipe has it in the gradient for "sgd"',
        ),
        (
            lambda: regularize(small_model(), sf.Recipe(regularization={"l1": 0.1, "l1_method": "proximal"})),
            'regularization.l1_method is "proximal", a step after the optimizer',
        ),
        (
            lambda: regularize(small_model(), sf.Recipe(regularization={"groups": [{"parameters": "x", "l2": 1}]})),
            '"x" matches no variable; there are',
        ),
    ],
)
def test_what_cannot_be_translated_is_one_line(act: Any, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)) as caught:
        act()
    assert "\n" not in str(caught.value)


def compiled(optimizer: Any) -> Any:
    model = small_model()
    model.compile(optimizer, loss="mse")
    return model


def test_the_range_test_leaves_everything_as_it_was() -> None:
    model = small_model()
    model.compile(SGD(0.1, momentum=0.9), loss=loss("cross_entropy"))
    model.fit(INPUTS, LABELS, batch_size=5, verbose=0)
    before = [np.array(value) for value in model.get_weights()]
    memories = [variable.numpy() for variable in model.optimizer.variables]
    test = RangeTest(num_steps=60)
    history = model.fit(INPUTS, LABELS, batch_size=5, epochs=100, verbose=0, callbacks=[test])
    assert len(history.epoch) < 10
    for now, then in zip(model.get_weights(), before, strict=True):
        assert np.array_equal(now, then)
    for variable, then in zip(model.optimizer.variables, memories, strict=True):
        assert np.array_equal(variable.numpy(), then)
    assert test.result is not None
    assert test.result.batch_size == 5
    assert test.result.samples == 5 * len(test.result.losses)
    assert test.result.optimizer == "sgd"
    assert test.result.value is None or 1e-4 < test.result.value < 10
    # the first losses are those of single batches at weights that hardly moved, not a mean over the epoch
    first = float(loss("cross_entropy")(LABELS, model.predict(INPUTS, verbose=0)))
    assert np.mean(test.result.losses[:9]) == pytest.approx(first, rel=0.05)


def test_a_range_test_refuses_a_range_that_is_none() -> None:
    with pytest.raises(RequestError, match="num_steps must be a whole number of at least 10, not 3"):
        RangeTest(num_steps=3)
    with pytest.raises(RequestError, match="lowest and highest must be 0 < lowest < highest, not 1.0 and 0.5"):
        RangeTest(lowest=1.0, highest=0.5)
