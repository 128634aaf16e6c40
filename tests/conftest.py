"""What several tests share: small tasks that train in milliseconds, and the command line."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("surefoot", deadline=None)
hypothesis.settings.load_profile("surefoot")

Call = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]

# Before anybody imports Keras: its tested default, without TensorFlow's greetings, its settings in a folder of ours.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_KERAS_HOME = tempfile.TemporaryDirectory(prefix="surefoot-keras-", ignore_cleanup_errors=True)
os.environ.setdefault("KERAS_HOME", _KERAS_HOME.name)


@pytest.fixture
def make_task() -> Callable[..., Any]:
    """Builds a small classification task; keyword arguments replace the Task's own."""
    from surefoot import Task

    def make(rows: int = 60, classes: int = 3, seed: int = 0, **changes: Any) -> Task:
        generator = np.random.default_rng(seed)
        centres = np.random.default_rng(7).normal(size=(classes, 4)) * 2
        labels = generator.integers(classes, size=rows)
        inputs = (centres[labels] + generator.normal(size=(rows, 4))).astype(np.float32)
        arguments = {"model": small_model, "train": (inputs, labels), "epochs": 4, **changes}
        return Task(**arguments)

    return make


def small_model(hidden: int = 8, dropout: float = 0.0, norm: bool = False) -> Any:
    """A network with four inputs and three outputs."""
    from torch import nn

    layers: list[Any] = [nn.Linear(4, hidden), nn.ReLU()]
    if norm:
        layers.append(nn.BatchNorm1d(hidden))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(hidden, 3))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Run the command line in an empty folder; exit code, standard output, standard error."""
    from surefoot import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def result_but_seconds(directory: Path) -> dict[str, Any]:
    """What a command with ``--out out`` wrote, without what differs from one time to the next."""
    found: dict[str, Any] = json.loads((directory / "out/result.json").read_text())
    found["cost"].pop("seconds")
    return found


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Any]]:
    """Imports a program of a folder of ours, which finds its neighbours there. All of them are forgotten afterwards:
    programs of several folders have the same name, and the first that was imported would answer to it.
    """
    folders = set()

    def load(folder: str, name: str) -> Any:
        folders.add(ROOT / folder)
        monkeypatch.syspath_prepend(str(ROOT / folder))
        return importlib.import_module(name)

    yield load
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).parent in folders:
            del sys.modules[name]
