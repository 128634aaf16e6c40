"""Logs that are still in memory: what training loops of other libraries hand back, found by their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.json_logs import log_of_value
from surefoot.diagnosis.table import Table
from surefoot.errors import RequestError

__all__ = ["read_object"]


def read_object(source: Any, *, named: Mapping[str, str]) -> Log:
    """The log in an object; no library is imported to recognise its own.

    Raises:
        RequestError: it is none that is known.
    """
    kind = type(source).__name__
    if isinstance(source, Log):
        return source
    table = _table_in(source)
    if table is not None:
        return log_of(kind, table, named=named)
    held = next((found for look in _PLACES if (found := look(source)) is not None), None)
    if held is not None:
        return log_of_value(kind, held, named=named)
    raise RequestError(
        f"no log is known in a {kind}; give a file, a dict of lists, a list of dicts, a table, or the history that "
        "Keras, Hugging Face, skorch, fastai or XGBoost hands back"
    )


def _state_of(source: Any) -> Any:
    """Of transformers' Trainer, or its TrainerState."""
    for place in (source, getattr(source, "state", None)):
        if isinstance(getattr(place, "log_history", None), list):
            return {"log_history": place.log_history}  # type: ignore[union-attr]  # it has one
    return None


def _history_of(source: Any) -> Any:
    """Of a fitted skorch net; of Keras, whose History says its epochs, and whose model has that of its last fit."""
    history = getattr(source, "history_", getattr(source, "history", None))
    if isinstance(getattr(history, "history", None), Mapping):
        return _history_of(history)
    if isinstance(history, Mapping):
        longest = max((len(values) for values in history.values()), default=0)
        epochs = getattr(source, "epoch", None)  # counted from 0, and later where a training went on
        if not isinstance(epochs, list) or len(epochs) != longest:
            epochs = list(range(longest))
        return {"epoch": [epoch + 1 for epoch in epochs], **history}
    return history if isinstance(history, list) else None


def _plain_value(source: Any) -> Any:
    """A dict of lists, a list of dicts, or the losses alone."""
    if isinstance(source, list) and source and all(isinstance(value, float | int) for value in source):
        return {"loss": source}
    return source if isinstance(source, Mapping | list) else None


def _table_in(source: Any) -> Table | None:
    """Of a fastai Learner, or its Recorder; of pandas or polars."""
    recorder = getattr(source, "recorder", source)
    if hasattr(recorder, "metric_names") and hasattr(recorder, "values"):
        names = [name for name in recorder.metric_names if name not in ("epoch", "time")]
        columns = {name: [row[place] for row in recorder.values] for place, name in enumerate(names)}
        return Table.of({"epoch": range(len(recorder.values)), **columns})
    if hasattr(source, "to_dict") and hasattr(source, "columns"):
        return Table.of({str(name): list(source[name]) for name in source.columns})
    return None


def _results_of(source: Any) -> Mapping[str, Any] | None:
    """What a fitted estimator keeps of its rounds: of LightGBM and CatBoost, of XGBoost, of scikit-learn's networks."""
    for name in ("evals_result_", "evals_result"):
        try:
            results = getattr(source, name, None)
            results = results() if callable(results) else results
        except Exception:  # noqa: BLE001 - each library has an error of its own for what is not fitted
            return None
        if isinstance(results, Mapping):
            return results
    losses = getattr(source, "loss_curve_", None)
    if losses is None:
        return None
    found = {"epoch": list(range(1, len(losses) + 1)), "loss": losses}
    scores = getattr(source, "validation_scores_", None)
    if scores is not None and hasattr(source, "classes_"):  # a classifier's are accuracies
        found["val_accuracy"] = scores
    return found


_PLACES = (_state_of, _history_of, _results_of, _plain_value)
