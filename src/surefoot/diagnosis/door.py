"""``diagnose``: a log in, verdicts out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.optuna_verdicts import is_optuna_study, optuna_verdicts
from surefoot.diagnosis.readers import read_logs
from surefoot.diagnosis.readers.database import is_database
from surefoot.diagnosis.readers.mlflow import is_mlflow
from surefoot.diagnosis.readers.opening import kind_of
from surefoot.diagnosis.readers.optuna_file import studies_in
from surefoot.diagnosis.readers.optuna_journal import is_journal, studies_in_journal
from surefoot.diagnosis.readers.own import own_study
from surefoot.diagnosis.study_verdicts import findings
from surefoot.diagnosis.table import plain
from surefoot.diagnosis.trials import Trials, trials_of
from surefoot.errors import RequestError
from surefoot.language import language as spoken_in
from surefoot.language import say
from surefoot.records import Finding, Study

__all__ = ["Diagnosed", "diagnose", "diagnosed"]


def diagnose(source: Any, *, columns: Mapping[str, str] | None = None, language: str = "en") -> list[Finding]:
    """What went wrong in a training, read off its log, whatever tool wrote it.

    No framework is needed or imported. Logs are CSV of any tool (Keras's CSVLogger, Lightning's metrics.csv, fastai's
    history.csv), JSON (Hugging Face's trainer_state.json, a Keras history, skorch's history.json), JSON lines, what a
    training printed, MLflow's folders or database, the file of a run of Weights & Biases, and TensorBoard's event files
    or a folder of them (with ``surefoot[tensorboard]``); or what is still in memory: a Keras ``History``, a fitted
    skorch net or estimator of XGBoost, LightGBM, CatBoost or scikit-learn, a Hugging Face ``Trainer``, a fastai
    ``Learner``, a dict of lists, a list of dicts, a table of pandas or polars. The folder of a result of ours, or a
    ``Result``, gives the verdicts on it; so does a study of Optuna's, or the file or the journal that holds some.

    >>> losses = {"loss": [1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1], "val_loss": [1.0, 0.7, 0.6, 0.65, 0.8, 0.95, 1.1]}
    >>> [finding.verdict for finding in diagnose(losses)]
    ['overfitting']

    Args:
        source: a path, or an object.
        columns: which column is what, where no name is recognised: {"train_loss": "my loss"}. It can be: epoch, step,
            train_loss, train_accuracy, validation_loss, validation_accuracy, learning_rate, batch_size,
            gradient_norm, train_balanced_accuracy, validation_balanced_accuracy, noise_scale, dead_units.
        language: of evidence and advice: "en" or "zh". Verdicts keep their English names, for programs.

    Returns:
        Verdicts with evidence and advice, the worst first; a folder of several runs gives those of each. One that says
        "nothing wrong" where nothing is.

    Raises:
        RequestError: the log cannot be read, no loss is recognised in it, or there is no such language; in one line.
        MissingExtraError: event files need TensorBoard.
    """
    with spoken_in(language):
        return [finding for said in diagnosed(source, columns=columns) for finding in said.findings]


@dataclass(frozen=True)
class Diagnosed:
    """One log, or one study of ours.

    Attributes:
        name: of it.
        findings: the verdicts.
        left_out: what could not be read, a sentence each.
        log: what the verdicts were read off, where it was one training's.
        study: likewise, where it was one of ours.
        trials: likewise, where it was a study of Optuna's.
    """

    name: str
    findings: list[Finding]
    left_out: tuple[str, ...] = ()
    log: Log | None = None
    study: Study | None = None
    trials: Trials | None = None


def diagnosed(source: Any, *, columns: Mapping[str, str] | None = None) -> list[Diagnosed]:
    """As ``diagnose`` with the same ``source`` and ``columns``, log by log, with what was left out of each."""
    study = own_study(source)
    if study is not None:
        return [Diagnosed(study.task, findings(study), study=study)]
    studies = _optuna_studies(source)
    if studies:
        return _judged(studies)
    return [Diagnosed(log.name, verdicts(log), log.notes, log) for log in read_logs(source, columns=columns)]


def _judged(studies: list[tuple[Any, list[str]]]) -> list[Diagnosed]:
    """The verdicts on studies; one that cannot be judged, such as of two objectives, is said beside the others."""
    found, refused = [], []
    for study, notes in studies:
        try:
            judged = optuna_verdicts(study)
            found.append(Diagnosed(plain(study.study_name), judged, tuple(notes), trials=trials_of(study)))
        except RequestError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    left_out = tuple(say("no log: {why}", why=str(error)) for error in refused)
    return [replace(found[0], left_out=(*found[0].left_out, *left_out)), *found[1:]]


def _optuna_studies(source: Any) -> list[tuple[Any, list[str]]]:
    if is_optuna_study(source):
        return [(source, [])]
    if isinstance(source, str | os.PathLike):
        path = Path(os.fspath(source))
        if kind_of(path) != "file":
            return []
        if is_database(path):
            return [] if is_mlflow(path) else studies_in(path)
        if is_journal(path):
            return studies_in_journal(path)
    return []
