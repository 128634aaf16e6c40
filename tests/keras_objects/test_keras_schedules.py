"""Surefoot's schedules in Keras: the planned ones as a LearningRateSchedule, the reactive ones as a callback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from surefoot import schedules
from surefoot.errors import RequestError
from surefoot.integrations.keras import SGD, ReactiveRate, ScheduledRate
from surefoot.row_order import step_size
from surefoot.schedules import from_recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "sequence": {"parts": [{"name": "constant", "length": 0.4}, {"name": "linear", "floor": 0.1}]},
    "triangular": {"mode": "exp_range"},
    "warmup_stable_decay": {"cooldown": "cosine"},
}


def compiled(function: Any) -> Any:
    """A function as the backend's ``fit`` runs it."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def values(rate: ScheduledRate, num_steps: int) -> np.ndarray:
    look_up = compiled(rate)
    steps = [keras.ops.convert_to_tensor(step, dtype="int32") for step in range(num_steps)]
    return np.array([float(keras.ops.convert_to_numpy(look_up(step))) for step in steps])


@pytest.mark.parametrize("name", sorted(schedules.SCHEDULES))
def test_every_schedule_has_its_own_values_at_every_step(name: str) -> None:
    arguments, warmup = ARGUMENTS.get(name, {}), schedules.default_warmup(name)
    rate = ScheduledRate(0.3, {"name": name, **arguments}, rows=70, epochs=3, batch=16)
    sizes = [16, 16, 16, 16, 6] * 3
    middles = (np.cumsum(sizes) - np.array(sizes) / 2) / 210
    expected = 0.3 * from_recipe(name, warmup=warmup, arguments=arguments)(middles)
    assert len(rate) == 15
    assert values(rate, 15) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert float(rate(99)) == float(rate(14))


def test_a_long_training_is_exact_to_its_last_step() -> None:
    """Float32 counts samples to 2^24 only; by steps the rates stay right beyond."""
    rate = ScheduledRate(1.0, {"name": "linear", "warmup": 0}, rows=1_000_000, epochs=100, batch=100)
    assert float(rate(999_999)) == pytest.approx(50 / 1e8, rel=1e-6)
    assert float(rate(999_998)) == pytest.approx(150 / 1e8, rel=1e-6)


def test_a_batch_that_grows_keeps_the_clock() -> None:
    batch = {"policy": "linear_ramp", "size": 4, "last": 20}
    rate = ScheduledRate(1.0, {"name": "linear", "warmup": 0}, rows=50, epochs=4, batch=batch)
    middles, seen = [], 0
    while seen < 200:
        size = step_size(round(4 + 16 * seen / 200), seen, num_rows=50, horizon=200)
        middles.append((seen + size / 2) / 200)
        seen += size
    assert values(rate, len(rate)) == pytest.approx(1 - np.array(middles), rel=1e-6)


def small_model(optimizer: Any, bias: float = 0.0) -> Any:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[bias]])])
    model.compile(optimizer, loss="mse")
    return model


def test_a_saved_model_has_its_schedule_and_its_place_in_it(tmp_path: Path) -> None:
    """With a gradient of −1 the weight is the sum of all rates so far."""
    schedule = from_recipe("cosine", warmup=0.1)
    rows = (np.ones((40, 1)), np.zeros((40, 1)))
    options: dict[str, Any] = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model = small_model(SGD(ScheduledRate(0.1, schedule, rows=40, epochs=2, batch=8)))
    model.compile(model.optimizer, loss=Descends())
    model.fit(*rows, epochs=1, **options)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    again.fit(*rows, epochs=1, **options)
    middles = (np.arange(10) + 0.5) / 10
    assert again.get_weights()[0].item() == pytest.approx(0.1 * schedule(middles).sum(), rel=1e-5)


@keras.saving.register_keras_serializable(package="surefoot_tests")
class Descends(keras.losses.Loss):
    """Minus the output: the gradient is −1 for inputs of 1."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(-y_pred + 0.0 * y_true, axis=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number above 0, not 0"),
        ({"schedule": "cosin"}, 'did you mean "cosine"'),
        ({"schedule": "plateau"}, '"plateau" reacts to the loss and has no rates of its own: take the callback'),
        ({"schedule": schedules.cosine(horizon=100)}, "schedule must be a name, a table or a schedule over shares"),
        ({"rows": 0}, "rows must be a whole number of at least 1, not 0"),
        ({"epochs": float("inf")}, "epochs must be a number above 0, not inf"),
        ({"batch": 51}, "batch must be a whole number from 1 to the 50 rows, not 51"),
        ({"batch": "noise_scale"}, '"noise_scale" follows the training and has no plan: use attach'),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ScheduledRate(**{"learning_rate": 0.1, "rows": 50, "epochs": 2, **arguments})
    assert "\n" not in str(caught.value)


def looks(callback: ReactiveRate, model: Any, losses: list[float]) -> list[float]:
    """The rates after epochs that logged these losses."""
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(round(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate.value)), 6))
    return rates


def test_cuts_come_when_the_schedule_itself_cuts() -> None:
    for schedule in (
        schedules.plateau(factor=0.5, patience=2, cooldown=1),
        schedules.reduce_then_raise(schedules.plateau(factor=0.1, patience=1, floor=0.1), peak=0.4, raise_length=2),
    ):
        losses = [1.0, 0.9, *([0.9] * 8)]
        state, expected = schedule.init(), []
        for epoch, loss in enumerate(losses):
            state, decision = schedule.update(state, loss, position=epoch)
            expected.append(round(0.2 * decision.multiplier, 6))
        assert len(set(expected)) > 2
        assert looks(ReactiveRate(schedule), small_model(keras.optimizers.SGD(0.2)), losses) == expected
        assert looks(ReactiveRate(schedule, mode="max"), small_model(SGD(0.2)), [-x for x in losses]) == expected


def test_the_wait_goes_on_over_a_second_fit_and_a_loaded_model(tmp_path: Path) -> None:
    """A cut after three epochs without progress, though no fit is longer than two and the model was loaded between."""
    rows = (np.ones((8, 1)), np.ones((8, 1)))

    def fit(model: Any, callback: ReactiveRate) -> float:
        model.fit(*rows, validation_data=rows, epochs=1, verbose=0, callbacks=[callback])
        return round(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate.value)), 6)

    model, schedule = small_model(SGD(0.1), bias=1.0), schedules.plateau(factor=0.5, patience=3)
    callback = ReactiveRate(schedule)
    assert [fit(model, callback), fit(model, callback)] == [0.1, 0.1]
    model.save(tmp_path / "model.keras")
    again, fresh = keras.models.load_model(tmp_path / "model.keras"), ReactiveRate(schedule)
    assert [fit(again, fresh) for _ in range(5)] == [0.1, 0.05, 0.05, 0.05, 0.025]
    assert len(fresh.reasons) == 2
    assert "epoch 4: cut to a rate of 0.05: no better than 0 for 3" in fresh.reasons[0]


def test_reactive_mistakes_are_one_line() -> None:
    with pytest.raises(RequestError, match="one that needs no watching is a ScheduledRate"):
        ReactiveRate(schedules.cosine())
    callback = ReactiveRate(schedules.plateau(patience=2))
    with pytest.raises(RequestError, match='monitor is "val_loss", which the epoch did not log; val_... needs'):
        looks_without = small_model(SGD(0.1))
        callback.set_model(looks_without)
        callback.on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(RequestError, match="the optimizer's learning_rate is a schedule"):
        looks(callback, small_model(SGD(ScheduledRate(0.1, rows=8, epochs=1, batch=8))), [1.0])
