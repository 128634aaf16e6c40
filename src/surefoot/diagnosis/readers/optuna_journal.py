"""The studies in a journal of Optuna's: a JSON object a line, each saying one thing that was done."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.diagnosis.readers.opening import Lines, begins_with, shown
from surefoot.diagnosis.readers.optuna_file import held
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["is_journal", "studies_in_journal"]

# What is said in ``op_code`` (optuna.storages.journal), as far as verdicts ask for it.
_CREATE_STUDY, _DELETE_STUDY, _CREATE_TRIAL, _SET_PARAM, _SET_STATE = 0, 1, 4, 5, 6
_DIRECTIONS = {1: "MINIMIZE", 2: "MAXIMIZE"}
_BEGINNING = b'{"op_code"'


def is_journal(path: Path) -> bool:
    """Whether a file begins as Optuna's journals do.

    Raises:
        RequestError: it cannot be opened.
    """
    return begins_with(path, _BEGINNING)


def studies_in_journal(path: Path) -> list[tuple[Any, list[str]]]:
    """Every study of a journal, held in memory without what its trials reported on the way; and what was left out.

    Optuna's own storage may write into the file, and refuses all of it where one line is damaged.

    Raises:
        RequestError: it has no study.
    """
    lines, replayed, unread = Lines(path), _Replayed(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Optuna thinks of choices that are lists
        for line in lines:
            try:
                replayed.add(json.loads(line))
            except Exception:  # noqa: BLE001 - whatever JSON and Optuna make of lines that are damaged
                unread += bool(line.strip())
        notes = lines.notes()
        if unread:
            notes.append(say("lines of the journal that could not be read were left out: {count}", count=unread))
        studies = [study for study in replayed.studies if study is not None]
        found = [held(one["name"], one["directions"], one["trials"]) for one in studies]
    if not found:
        raise RequestError(f"{shown(path)} has no study in it")
    return [(study, [*notes, *left_out]) for study, left_out in found]


class _Replayed:
    """The studies as the lines so far say they are; studies and trials are numbered as they come."""

    def __init__(self) -> None:
        self.studies: list[dict[str, Any] | None] = []
        self._trials: list[dict[str, Any]] = []  # the arguments of optuna.trial.create_trial
        self._known: dict[str, Any] = {}  # most trials draw from the same few distributions

    def add(self, said: Mapping[str, Any]) -> None:
        """Do what a line says."""
        code = said["op_code"]
        if code == _CREATE_STUDY:
            directions = [_DIRECTIONS[int(direction)] for direction in said["directions"]] or [_DIRECTIONS[1]]
            self.studies.append({"name": str(said["study_name"]), "directions": directions, "trials": []})
        elif code == _DELETE_STUDY:
            self.studies[int(said["study_id"])] = None
        elif code == _CREATE_TRIAL:
            self._create(said)
        elif code == _SET_PARAM:
            trial = self._trials[int(said["trial_id"])]
            self._put(trial, str(said["param_name"]), said["param_value_internal"], said["distribution"])
        elif code == _SET_STATE:
            self._end(self._trials[int(said["trial_id"])], said)

    def _create(self, said: Mapping[str, Any]) -> None:
        trial: dict[str, Any] = {"values": None, "params": {}, "distributions": {}}
        self._end(trial, {"state": 0, "values": [said["value"]] if said.get("value") is not None else None, **said})
        self._trials.append(trial)
        study = self.studies[int(said["study_id"])]
        if study is not None:
            study["trials"].append(trial)
        for name, value in said.get("params", {}).items():
            self._put(trial, name, value, said["distributions"][name])

    def _end(self, trial: dict[str, Any], said: Mapping[str, Any]) -> None:
        import optuna

        trial["state"] = optuna.trial.TrialState(int(said["state"]))
        if said.get("values") is not None:
            trial["values"] = [float(value) for value in said["values"]] or None

    def _put(self, trial: dict[str, Any], name: str, value: Any, text: str) -> None:
        import optuna

        if text not in self._known:
            self._known[text] = optuna.distributions.json_to_distribution(text)
        trial["params"][name] = self._known[text].to_external_repr(value)
        trial["distributions"][name] = self._known[text]
