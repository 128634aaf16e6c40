"""The pair of scripts in examples/keras, and the page for who comes from Keras."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_script_and_its_surefoot_version(program: Any) -> None:
    theirs = program("examples/keras", "digits_compile_fit").main(epochs=20)
    ours = program("examples/keras", "digits_surefoot").main(epochs=12)
    assert ours["trainings"] <= 2.0 and ours["accuracy"] > 0.94
    assert ours["loss"] < theirs["loss"]


def test_the_list_names_every_program() -> None:
    listed = (ROOT / "examples/keras/README.md").read_text(encoding="utf-8")
    for program in (ROOT / "examples/keras").glob("*.py"):
        assert f"({program.name})" in listed
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", listed):
        assert (ROOT / "examples/keras" / target).exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # as the page says of pipelines
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/coming-from-keras.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(code, "docs/coming-from-keras.md", "exec"), namespace)
    assert namespace["result"].status == "completed"
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
        assert (ROOT / "docs" / target).exists(), target
