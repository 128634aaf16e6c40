"""``surefoot schedule``: the drawing, the picture, the list, and one line for what is wrong."""

from __future__ import annotations

import itertools
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from test_schedule_recipes import Halves

from surefoot import schedules
from surefoot.cli import main
from surefoot.cli.drawing import Curve, draw
from surefoot.recipe import Recipe

__all__ = ["Halves"]  # named below by this module


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["surefoot", "schedule", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", sorted({*schedules.SCHEDULES, *schedules.REACTIVE} - {"sequence"}))
def test_every_schedule_is_drawn_with_its_defaults(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, name) == 0
    shown = capsys.readouterr().out
    assert "multiplier" in shown and "│" in shown
    assert ("imagined" in shown) == (name in schedules.REACTIVE)


def test_the_section_it_prints_is_the_one_it_drew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "cosine", "--set", "floor=0.1", "--set", "schedule.warmup=0.2") == 0
    shown = capsys.readouterr().out
    section = tomllib.loads(shown[shown.index("[schedule]") :])["schedule"]
    assert section == {"name": "cosine", "warmup": 0.2, "floor": 0.1}
    built = Recipe(schedule=section).schedule.build()
    assert f"{built(0.5):.3g}" in shown and f"{schedules.mean_multiplier(built):.3g}" in shown


def test_a_sequence_and_one_of_your_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parts = 'parts=[{name="linear",length=0.5,floor=0.5},{name="cosine"}]'
    assert run(monkeypatch, "sequence", "--set", parts) == 0
    assert run(monkeypatch, f"{__name__}:Halves", "--set", "deep=0.1") == 0
    assert "deep = 0.1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["one_cycle", "reduce_then_raise", "linear"])
def test_the_picture(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / "deep" / f"{name}{ending}"
        assert run(monkeypatch, name, "--plot", str(path)) == 0
        assert path.read_bytes().startswith(start)
        assert path.stat().st_size < 100_000


def test_the_list_names_every_schedule(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--list") == 0
    shown = capsys.readouterr().out
    for name in (*schedules.SCHEDULES, *schedules.REACTIVE):
        assert f"\n{name} " in f"\n{shown}"


@pytest.mark.parametrize(("arguments", "complaint"), [
    ([], "which schedule?"),
    (["cosin"], 'did you mean "cosine"?'),
    (["cosine", "--set", "flor=0.1"], 'did you mean "floor"?'),
    (["cosine", "--set", "floor"], '--set takes KEY=VALUE, such as floor=0.1, not "floor"'),
    (["cosine", "--set", "floor=3"], "schedule.floor must lie in [0, 1], not 3"),
    (["cosine", "--set", "name=linear"], "the name stands alone"),
    (["plateau", "--set", "patience=0"], "schedule.patience must be a finite number above 0, not 0"),
    (["reduce_then_raise", "--set", "plateau=1", "--set", "plateau.floor=0.1"], "was already given a value"),
    (["cosine", "--plot", "cosine.txt"], 'ends in .png, .svg, .pdf, not "cosine.txt"'),
    (["cosine", "--plot", "/proc/nowhere/cosine.png"], "cannot write /proc/nowhere/cosine.png"),
])  # fmt: skip
def test_a_wrong_request_is_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert complaint in told.err
    assert told.err.count("\n") == 1 and not told.out


def test_without_matplotlib_the_message_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(monkeypatch, "cosine", "--plot", str(tmp_path / "c.png")) == 2
    assert "pip install 'surefoot[torch]'" in capsys.readouterr().err


@pytest.mark.parametrize("has_braille", [True, False])
def test_a_drawing_shows_where_the_curve_is(has_braille: bool) -> None:
    values = np.linspace(2.0, 0.0, 500).tolist()
    lines = draw(Curve("falls", values), width=20, height=10, has_braille=has_braille).splitlines()
    assert lines[0].strip() == "falls"
    assert [line[:7].strip() for line in lines[1:11]] == ["2", "", "", "", "", "1", "", "", "", "0"]
    rows = [line[8:] for line in lines[1:11]]
    empty = "\N{BRAILLE PATTERN BLANK}" if has_braille else " "
    places = [[column for column, cell in enumerate(row) if cell != empty] for row in rows]
    assert places[0][0] == 0 and places[-1][-1] == 19
    assert sorted({column for row in places for column in row}) == list(range(20))
    assert all(earlier[-1] <= later[0] + 1 for earlier, later in itertools.pairwise(places))
