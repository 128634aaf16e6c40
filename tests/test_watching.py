"""What a user sees and may do while a training runs: lines, callbacks, TensorBoard."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import surefoot as sf
from surefoot.cli.progress import watching
from surefoot.errors import RequestError

Make = Callable[..., Any]


def test_verbose_prints_a_line_an_epoch(make_task: Make, capsys: pytest.CaptureFixture[str]) -> None:
    sf.fit(make_task(epochs=5), verbose=True)
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"  fit: adamw 0\.003, batch \d+", out[0])
    assert len([line for line in out if re.match(r"  epoch +\d\.00  train loss \d\S+  validation loss \d", line)]) == 5
    sf.fit(make_task(epochs=5))
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(make_task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    for is_terminal in (True, False):
        text = io.StringIO()
        console = Console(file=text, force_terminal=is_terminal, width=120, highlight=False)
        monkeypatch.setattr("surefoot.cli.progress.Console", lambda console=console, **_: console)
        with watching("Training", every_look=True) as observer:
            sf.fit(make_task(epochs=4), observer=observer)
        seen[is_terminal] = text.getvalue()
        assert len(re.findall(r"epoch +\d\.00", seen[is_terminal])) == 4
    assert "━" in seen[True]
    assert "━" not in seen[False]
    assert "\x1b" not in seen[False]


def test_a_callback_hears_every_look(make_task: Make) -> None:
    heard: list[sf.Event] = []
    result = sf.fit(make_task(epochs=5), callbacks=[heard.append])
    looks = result.study.runs[0].evaluations
    assert [event.epoch for event in heard] == [1, 2, 3, 4, 5]
    assert [event.validation_loss for event in heard] == [look.metrics["validation_loss"] for look in looks]
    assert heard[0].model is result.model
    assert (heard[0].run, heard[0].horizon) == ("fit", result.cost.samples)


def test_a_callback_stops_the_run_and_keeps_the_best_weights(make_task: Make, tmp_path: Path) -> None:
    def enough(event: sf.Event) -> str | None:
        return "stop" if event.epoch >= 3 else None

    result = sf.fit(make_task(epochs=9), callbacks=[enough], directory=tmp_path / "out")
    run = result.study.runs[0]
    assert (run.status, result.status, len(run.evaluations)) == ("stopped_early", "completed", 3)
    assert run.reason == "the callback enough asked to stop at epoch 3.00"
    assert result.metrics["validation_loss"] == run.value
    assert (tmp_path / "out/model.safetensors").exists()


@pytest.mark.slow
def test_a_broken_callback_is_one_line_and_loses_no_work(make_task: Make, tmp_path: Path) -> None:
    def broken(event: sf.Event) -> None:
        if event.epoch >= 3:
            raise KeyError("nothing")

    with pytest.raises(RequestError, match=r"the callback broken failed at test_watching.py:\d+: KeyError: 'nothing'"):
        sf.fit(make_task(epochs=9), callbacks=[broken], directory=tmp_path / "out")
    heard: list[sf.Event] = []
    resumed = sf.fit(make_task(epochs=9), callbacks=[heard.append], directory=tmp_path / "out", resume=True)
    assert [event.epoch for event in heard] == [4, 5, 6, 7, 8, 9]
    whole = sf.fit(make_task(epochs=9))
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize(
    ("callbacks", "said"),
    [
        (print, "callbacks must be a list of functions"),
        ([3], "a callback must be a function of an event, not 3"),
        ([lambda event: event.epoch], 'gave back 1.0; it may give back None, or "stop"'),
    ],
)
def test_a_wrong_callback_gets_one_line(make_task: Make, callbacks: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        sf.fit(make_task(), callbacks=callbacks)


def test_an_observer_of_ones_own(make_task: Make) -> None:
    class Counting(sf.Observer):
        looks = 0

        def evaluated(self, candidate: Any, evaluation: Any, *, spent: float) -> None:
            self.looks += 1

    counting = Counting()
    sf.fit(make_task(epochs=6), observer=counting)
    assert counting.looks == 6


@pytest.mark.slow
def test_tensorboard_reads_back_what_happened(make_task: Make, tmp_path: Path) -> None:
    writing = sf.TensorBoardWriter(tmp_path / "logs")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = sf.fit(make_task(epochs=5), name="a run/1", observer=writing)
    read = EventAccumulator(str(tmp_path / "logs/a run_1"))
    read.Reload()
    looks = result.study.runs[0].evaluations
    wanted = {
        "loss/train": [look.train_loss for look in looks],
        "loss/validation": [look.metrics["validation_loss"] for look in looks],
        "accuracy/validation": [look.metrics["validation_accuracy"] for look in looks],
        "learning_rate": [look.learning_rate for look in looks],
        "batch_size": [look.batch_size for look in looks],
    }
    assert set(read.Tags()["scalars"]) == set(wanted)
    for tag, values in wanted.items():
        events = read.Scalars(tag)
        assert [event.value for event in events] == pytest.approx(values)
        assert [event.step for event in events] == [look.samples for look in looks]


def test_without_tensorboard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install 'surefoot\[tensorboard\]'"):
        sf.TensorBoardWriter(tmp_path)
