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
    if hasattr(source, "log_history") and isinstance(source.log_history, list):  # transformers.TrainerState
        return log_of_value(kind, {"log_history": source.log_history}, named=named)
    if hasattr(source, "state") and isinstance(getattr(source.state, "log_history", None), list):  # its Trainer
        return log_of_value(kind, {"log_history": source.state.log_history}, named=named)
    history = getattr(source, "history_", getattr(source, "history", None))  # a fitted skorch net; Keras
    if isinstance(history, Mapping):  # a value an epoch, counted as Keras does on the screen
        longest = max((len(values) for values in history.values()), default=0)
        return log_of_value(kind, {"epoch": list(range(1, longest + 1)), **history}, named=named)
    if isinstance(history, list):
        return log_of_value(kind, history, named=named)
    recorder = getattr(source, "recorder", source)  # a fastai Learner, or its Recorder
    if hasattr(recorder, "metric_names") and hasattr(recorder, "values"):
        names = [name for name in recorder.metric_names if name not in ("epoch", "time")]
        columns = {name: [row[place] for row in recorder.values] for place, name in enumerate(names)}
        return log_of(kind, Table.of(columns), named=named)
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a pandas or polars table
        columns = {str(name): list(source[name]) for name in source.columns}
        return log_of(kind, Table.of(columns), named=named)
    if isinstance(source, Mapping | list):
        return log_of_value(kind, source, named=named)
    raise RequestError(
        f"no log is known in a {kind}; give a file, a dict of lists, a list of dicts, a table, or the history that "
        "Keras, Hugging Face, skorch or fastai hands back"
    )
