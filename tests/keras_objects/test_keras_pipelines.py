"""A tf.data pipeline whose batch size moves; TensorFlow alone has such pipelines."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from surefoot.errors import RequestError
from surefoot.integrations.keras import SGD, ScheduledRate, planned_batches
from surefoot.row_order import step_size

RAMP = {"policy": "linear_ramp", "size": 4, "last": 20}
PLAN: dict[str, Any] = {"rows": 50, "epochs": 3, "batch": RAMP}


def rows() -> Any:
    return tf.data.Dataset.range(50).shuffle(50, seed=1)


def test_every_row_comes_once_in_each_pass_and_in_batches_of_the_plan() -> None:
    planned = planned_batches(rows(), **PLAN)
    seen, batches = 0, [batch.numpy().tolist() for batch in planned.dataset]
    for batch in batches:
        assert len(batch) == step_size(round(4 + 16 * seen / 150), seen, num_rows=50, horizon=150)
        seen += len(batch)
    flat = [row for batch in batches for row in batch]
    passes = [flat[begin : begin + 50] for begin in (0, 50, 100)]
    assert all(sorted(one) == list(range(50)) for one in passes)
    assert passes[0] != passes[1]
    assert planned.sizes == tuple(map(len, batches))


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # the last of Keras's epochs is shorter
def test_fit_runs_over_all_of_it_at_the_rates_that_belong_to_it() -> None:
    """With a gradient of −1 the weight is the sum of the rates of all steps."""
    planned = planned_batches(rows(), **PLAN)
    rate = ScheduledRate(0.1, "cosine", **PLAN)
    assert len(rate) == len(planned.sizes)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1))])
    model.compile(SGD(rate), loss=lambda _, output: -output)
    pairs = planned.dataset.map(lambda row: (tf.ones_like(row[:, None], tf.float32), tf.zeros_like(row[:, None])))
    model.fit(pairs, epochs=planned.epochs, steps_per_epoch=planned.steps_per_epoch, shuffle=False, verbose=0)
    expected = sum(float(rate(step)) for step in range(len(rate)))
    assert model.get_weights()[0].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": [1, 2]}, "dataset must be a tf.data.Dataset of single rows, not list"),
        ({"rows": 49}, "rows is 49, and the pipeline has 50 elements"),
        ({"epochs": 0.5}, "epochs must be a whole number of at least 1, not 0.5"),
        ({"batch": "noise_scale"}, '"noise_scale" follows the training and has no plan'),
        ({"batch": 51}, "batch must be a whole number from 1 to the 50 rows, not 51"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        planned_batches(**{"dataset": rows(), **PLAN, **arguments})
    assert "\n" not in str(caught.value)
