"""Keras's schedules as a program: a request a line comes in as JSON, the rates go out as JSON.

It runs in a process of its own, because a backend is chosen once in a process, when Keras is imported.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any


def planned(keras: Any, request: dict[str, Any]) -> list[float]:
    """The rate at every step that was asked for."""
    schedule = getattr(keras.optimizers.schedules, request["schedule"])(**request["arguments"])
    return [float(schedule(step)) for step in request["steps"]]


def reactive(keras: Any, request: dict[str, Any]) -> list[float]:
    """The rate after every look at a value; a base of 1. A null in between is where ``fit`` is called again."""
    callback = keras.callbacks.ReduceLROnPlateau(monitor="value", **request["plateau"])
    optimizer = keras.optimizers.SGD(learning_rate=1.0)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(request["values"]):
        if value is None:
            callback.on_train_begin()
            continue
        callback.on_epoch_end(epoch, {"value": value})
        rates.append(float(optimizer.learning_rate))
    return rates


def main() -> None:
    """Answer until the requests end."""
    import keras

    keras.config.set_floatx("float64")  # the formulas are compared, not their rounding
    for line in sys.stdin:
        request = json.loads(line)
        answer = planned(keras, request) if "schedule" in request else reactive(keras, request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
