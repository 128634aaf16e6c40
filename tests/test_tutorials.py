"""The tutorials run, small, from their data to an answer; and their pages show lines that stand in them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples/tutorials"
NAMES = ("pictures", "text", "speech", "recommendation", "tables")
SMALL: dict[str, dict[str, Any]] = {
    "pictures": {"rows": 800, "epochs": 1.5},
    "text": {"rows": 3_000, "epochs": 3},
    "speech": {"every": 4, "epochs": 4},
    "recommendation": {"limit": 20_000, "epochs": 1},
    "tables": {"limit": 600, "epochs": 2},
}


@pytest.fixture
def run(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a tutorial by its name in an empty folder: its result and what it printed. Skips where its data is not."""
    monkeypatch.setattr("sys.argv", ["tutorial"])
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> tuple[Any, str]:
        try:
            result = program("examples/tutorials", name).main(budget=1.25, **SMALL[name])
        except SystemExit as ending:
            assert "SUREFOOT_DATA" in str(ending)
            pytest.skip(str(ending))
        return result, capsys.readouterr().out

    return run


@pytest.mark.slow
def test_pictures(run: Any) -> None:
    result, printed = run("pictures")
    assert result.metrics["test_accuracy"] > 0.5  # one in ten by chance
    assert len(re.findall(r"picture \d+: [\d.]+% .*, but it is a ", printed)) == 3


@pytest.mark.slow
def test_text(run: Any) -> None:
    result, printed = run("text")
    assert result.metrics["test_accuracy"] > 0.3  # one in 150 by chance
    assert re.search(r"is there a place to eat nearby +\w+ +\d+%", printed)


@pytest.mark.slow
def test_speech(run: Any) -> None:
    result, printed = run("speech")
    assert result.metrics["test_accuracy"] > 0.3
    assert "Digits that are taken for others" in printed


@pytest.mark.slow
def test_recommendation(run: Any) -> None:
    _, printed = run("recommendation")
    mean, model = (
        float(number) for number in re.findall(r"Always the mean: ([\d.]+); the model: ([\d.]+)", printed)[0]
    )
    assert model < mean
    assert len(re.findall(r"^  \d+\.\d  \S", printed, flags=re.MULTILINE)) >= 5


@pytest.mark.slow
def test_tables(run: Any) -> None:
    result, printed = run("tables")
    assert result.metrics["test_accuracy"] > 0.8
    right = int(re.findall(r"(\d+) of 200 new people right", printed)[0])
    assert right > 140
    assert printed.count("$ surefoot ") == 3
    assert Path("answers.csv").read_text(encoding="utf-8").count("\n") == 201


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_lines_of_the_program(name: str) -> None:
    page = (ROOT / f"docs/tutorials/{name}.md").read_text(encoding="utf-8")
    program = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        assert block.strip() in program or textwrap.indent(block.rstrip(), "    ") in program, block


def test_data_that_is_not_here_is_one_line(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    where = program("examples/tutorials", "where")
    monkeypatch.setattr(where, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"data/fsdd/recordings\.zip is not here.*SUREFOOT_DATA"):
        where.data_file("fsdd", "recordings.zip")


def test_the_list_names_every_program() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for program in FOLDER.glob("*.py"):
        assert f"({program.name})" in listed
