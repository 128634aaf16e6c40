"""A batch size that moves during ``fit``, and everything that moves with it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import surefoot as sf
from surefoot import batching
from surefoot.errors import RequestError
from surefoot.integrations.keras import SGD, AdamW, ReactiveRate, ScheduledRate, attach
from surefoot.integrations.keras.batches import Batches

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
RAMP = {"policy": "linear_ramp", "size": 4, "last": 20}
ROWS = tuple(
    np.random.default_rng(seed).normal(size=(50, width)).astype(np.float32) for seed, width in ((0, 3), (1, 1))
)


class Seen(keras.callbacks.Callback):
    """Which rows came, in which batch, at which rate; a row is known by its input."""

    def __init__(self, pilot: Any) -> None:
        super().__init__()
        self.epochs: list[list[list[int]]] = []
        self.rates: list[float] = []
        self._pilot = pilot

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append([])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        inputs = self._pilot.batches[batch][0]
        self.epochs[-1].append([int(np.flatnonzero((ROWS[0] == row).all(axis=1))[0]) for row in inputs])
        self.rates.append(self._pilot.learning_rate)


def small_model(optimizer: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((3, 1))])
    model.compile(optimizer, loss="mse")
    return model


def fit(model: Any, pilot: Any, **options: Any) -> Any:
    callbacks = [pilot, *options.pop("callbacks", [])]
    return model.fit(pilot.batches, shuffle=False, verbose=0, callbacks=callbacks, **{"epochs": 4, **options})


def by_torch(make: Any, **settings: Any) -> tuple[np.ndarray, list[list[int]]]:
    """The same training by PyTorch's own pilot: the weight, and the rows of every batch."""
    weight = torch.nn.Parameter(torch.zeros(3, 1))
    pilot, batches = sf.attach(make([weight]), ROWS, epochs=4, **settings), []
    for inputs, targets in pilot:
        batches.append([int(np.flatnonzero((ROWS[0] == row.numpy()).all(axis=1))[0]) for row in inputs])
        pilot._optimizer.zero_grad()
        ((inputs @ weight - targets) ** 2).mean().backward()
        pilot._optimizer.step()
    return weight.detach().numpy(), batches


def test_fit_gives_what_pytorchs_pilot_gives() -> None:
    """The rows, the batches, the rates and the weights, while the batch grows and the momentum's memory shortens."""
    settings: dict[str, Any] = {"schedule": "cosine", "batch": RAMP, "seed": 3}
    for make, theirs in (
        (lambda: SGD(0.05, momentum=0.9), lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)),
        (lambda: AdamW(0.05, weight_decay=0.1), lambda weights: torch.optim.AdamW(weights, lr=0.05, weight_decay=0.1)),
    ):
        expected, batches = by_torch(theirs, **settings)
        model = small_model(make())
        pilot = attach(model.optimizer, ROWS, epochs=4, **settings)
        seen = Seen(pilot)
        fit(model, pilot, callbacks=[seen])
        assert [batch for epoch in seen.epochs for batch in epoch] == batches
        assert all(sorted(row for batch in epoch for row in batch) == list(range(50)) for epoch in seen.epochs)
        assert [len(epoch) for epoch in seen.epochs] == sorted({len(epoch) for epoch in seen.epochs}, reverse=True)
        assert model.get_weights()[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert pilot.samples == pilot.horizon == 200
        assert len(set(seen.rates)) == len(seen.rates)


def test_what_the_loss_is_taken_over_are_those_rows() -> None:
    """What Keras was handed, not what the pilot says it hands out: the first step alone decides the weight."""
    model = small_model(SGD(1.0))
    pilot = attach(model.optimizer, ROWS, epochs=1, schedule={"name": "constant", "warmup": 0}, batch=10)
    if keras.config.backend() == "jax":
        pytest.skip("its fit works on copies of the weights until the epoch ends")
    weights: list[Any] = []
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: weights.append(model.get_weights()[0]))
    fit(model, pilot, epochs=1, callbacks=[stop])
    first = sf.row_order.epoch_order(0, 0, 50)[:10]
    gradient = 2 * ROWS[0][first].T @ -ROWS[1][first] / 10
    assert weights[0] == pytest.approx(-gradient, rel=1e-4)
    assert len(weights) == 5


def test_a_fit_that_stops_anywhere_goes_on_there(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 4, "schedule": "linear", "batch": RAMP, "seed": 1}
    whole = small_model(SGD(0.05, momentum=0.9))
    fit(whole, attach(whole.optimizer, ROWS, **settings))
    model = small_model(SGD(0.05, momentum=0.9))
    pilot = attach(model.optimizer, ROWS, **settings)

    def stop_early(batch: int, logs: Any) -> None:
        model.stop_training = batch == 3

    fit(model, pilot, epochs=2, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop_early)])
    assert 0 < pilot.samples < 50
    fit(model, pilot, epochs=2)  # the rest of the first epoch, and the second
    assert pilot.samples == 100
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.optimizer.learning_rate = 0.05
    other = attach(again.optimizer, ROWS, **settings)
    other.load_state_dict(again.optimizer.notes["pilot"])
    with pytest.warns(UserWarning, match="the pilot ended fit after 2 of 9 epochs, at its horizon of 200 samples"):
        fit(again, other, epochs=9)
    assert other.samples == 200
    assert again.get_weights()[0] == pytest.approx(whole.get_weights()[0], rel=1e-5)


def test_a_plateau_grows_the_batch_by_the_loss_that_is_monitored() -> None:
    model = small_model(SGD(1e-9))
    pilot = attach(
        model.optimizer,
        ROWS,
        epochs=6,
        schedule="constant",
        batch={"policy": "plateau_growth", "size": 5, "patience": 1, "share_of_rows": 1},
    )
    fit(model, pilot, epochs=6, validation_data=ROWS)
    assert pilot.batch_size == 20
    assert [(change.name, change.samples) for change in pilot.changes] == [("batch_size", 150), ("batch_size", 250)]
    with pytest.raises(RequestError, match="the pilot has reached its horizon of 300 samples"):
        fit(model, pilot)


def test_more_workers_make_the_same_batches() -> None:
    found = []
    for workers in (1, 3):
        model = small_model(SGD(0.05))
        pilot = attach(model.optimizer, ROWS, epochs=2, batch=RAMP)
        pilot.batches = Batches(ROWS, seed=0, workers=workers)
        fit(model, pilot, epochs=2)
        found.append(model.get_weights()[0])
    assert np.array_equal(*found)


def test_inputs_may_be_tables_and_rows_may_have_weights() -> None:
    inputs = {"left": ROWS[0][:, :1], "right": ROWS[0][:, 1:]}
    ends = [keras.Input((1,), name="left"), keras.Input((2,), name="right")]
    output = keras.layers.Dense(1)(keras.layers.Concatenate()(ends))
    model = keras.Model(dict(zip(("left", "right"), ends, strict=True)), output)
    model.compile(SGD(0.05), loss="mse")
    pilot = attach(model.optimizer, (inputs, ROWS[1], np.full(50, 0.5)), epochs=2, batch=8)
    fit(model, pilot, epochs=2)
    assert pilot.samples == 100


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (lambda: SGD(0.1), {"batch": 51}, "batch.size is 51, but there are 50 training rows"),
        (lambda: SGD(0.1), {"schedule": "cosin"}, 'did you mean "cosine"'),
        (lambda: SGD(0.1), {"epochs": 0}, "epochs must be a number above 0, not 0"),
        (lambda: SGD(ScheduledRate(0.1, rows=50, epochs=1)), {}, "learning_rate is a schedule: give it a number"),
        (lambda: keras.optimizers.AdamW(0.1), {"batch": RAMP}, "take surefoot.integrations.keras.AdamW; or coupling="),
        (lambda: "sgd", {}, "optimizer must be one of Keras, such as model.optimizer, not str"),
    ],
)
def test_bad_input_is_one_line(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        attach(make(), ROWS, **{"epochs": 2, **settings})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((ROWS[0], ROWS[1][:9]), "the arrays have 9 and 50 rows; they must pair up"),
        (([], []), "rows must be a pair of arrays"),
    ],
)
def test_bad_rows_are_one_line(rows: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        attach(SGD(0.1), rows, epochs=1)


def test_what_fit_does_wrong_is_said() -> None:
    model = small_model(SGD(0.1))
    pilot = attach(model.optimizer, ROWS, epochs=3, batch=4)
    with pytest.raises(RequestError, match="fit shuffles the batches, and their sizes with them: pass shuffle=False"):
        model.fit(pilot.batches, epochs=1, verbose=0, callbacks=[pilot])
    with pytest.raises(RequestError, match="fit runs over other data than pilot.batches"):
        model.fit(*ROWS, batch_size=1, epochs=1, verbose=0, callbacks=[pilot])
    measured = attach(model.optimizer, ROWS, epochs=3, batch="noise_scale")
    with pytest.raises(RequestError, match='"noise_scale" looks at the noise, which fit does not show'):
        fit(model, measured)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.distribute")
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_a_distributed_model_is_built_before_the_pilot_hears_of_the_fit() -> None:
    strategy = importlib.import_module("tensorflow").distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        model = small_model(SGD(0.1))
    pilot = attach(model.optimizer, ROWS, epochs=1, batch=10)
    fit(model, pilot, epochs=1)
    assert pilot.samples == 50


def test_batches_that_no_pilot_lays_out_are_refused() -> None:
    """Without the callback there is no epoch, but a row or two; a fit with it before changes nothing."""
    for epochs in (1, 3):
        model = small_model(SGD(0.1))
        pilot = attach(model.optimizer, ROWS, epochs=3, batch=4)
        for _ in range(2):
            with pytest.raises(RequestError, match=r"nobody lays out pilot.batches: .*callbacks=\[pilot\]"):
                model.fit(pilot.batches, epochs=epochs, shuffle=False, verbose=0)
        fit(model, pilot, epochs=1)
        assert pilot.samples == 50
        with pytest.raises(RequestError, match=r"callbacks=\[pilot\]"):
            model.fit(pilot.batches, epochs=epochs, shuffle=False, verbose=0)
        fit(model, pilot, epochs=1)
        assert pilot.samples == 100


def test_a_measured_policy_in_a_loop_of_ones_own() -> None:
    model = small_model(SGD(0.1))
    batch = {"policy": "noise_scale", "size": 4, "look_every": 1, "memory": 0.05, "largest": 16, "share_of_rows": 1.0}
    pilot = attach(model.optimizer, ROWS, epochs=20, batch=batch)
    for _ in pilot:
        pilot.observe(loss=1.0, noise=batching.NoiseSample(noise=400.0, signal=1.0, samples=8))
    assert pilot.batch_size == 16
    assert any(change.name == "learning_rate" for change in pilot.changes)


def test_a_reactive_rate_and_a_moving_batch_do_not_share_an_optimizer_by_accident() -> None:
    """A pilot counts from the rate it was attached with; what another callback sets is overwritten at the next step."""
    model = small_model(SGD(0.1))
    pilot = attach(model.optimizer, ROWS, epochs=2, schedule={"name": "constant", "warmup": 0}, batch=8)
    fit(model, pilot, epochs=2, callbacks=[ReactiveRate(sf.schedules.plateau(patience=1), monitor="loss")])
    assert pilot.changes == []
