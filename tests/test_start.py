"""The five-minute page: its programs and commands run from an empty folder, and say what the page shows."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from surefoot import cli

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"```(python|sh|text|toml)(?: title=\"([\w.]+)\")?\n(.*?)```", re.DOTALL)


def test_the_five_minutes_run_and_show_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    said, shown = "", 0
    for language, name, block in BLOCK.findall((DOCS / "start.md").read_text(encoding="utf-8")):
        if language == "python":
            (tmp_path / name).write_text(block, encoding="utf-8")
        elif language == "sh":
            said = ""
            for line in block.splitlines():
                run(line, monkeypatch)
                said += "".join(capsys.readouterr())
        elif said:  # the first block says how to install
            missing = {begin for begin in beginnings(block) if begin not in beginnings(said)}
            assert not missing
            shown += 1
    assert shown == 6
    assert (tmp_path / "runs/digits-1/report.html").is_file()


def test_the_comparisons_run_and_show_such_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((DOCS / "comparing.md").read_text(encoding="utf-8"))
    for _, name, block in blocks:
        if name:
            (tmp_path / name).write_text(block, encoding="utf-8")
    said = ""
    for language, _, block in blocks:
        if language == "sh":
            run(f"{block.strip()} --epochs 1", monkeypatch)  # the page's, but shorter
            said = "".join(capsys.readouterr())
        elif language == "text":
            assert beginnings(block) <= beginnings(said)
        elif language == "python":
            exec(compile(block, "docs/comparing.md", "exec"), {})
    assert capsys.readouterr().out.count("batch.size=") == 4


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command, in this process."""
    program, *arguments = shlex.split(line)
    if program == "python":
        runpy.run_path(arguments[0], run_name="__main__")
        return
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    try:
        cli.main()
    except SystemExit as ending:
        assert not ending.code, line


def beginnings(text: str) -> set[str]:
    """How each line begins, up to its first number: what does not hang on the machine."""
    lines = (re.split(r"\d|\(", line)[0].rstrip() for line in text.splitlines())
    return {line[:10] for line in lines if re.match(r"[A-Za-z]|  overfitting", line)}


def test_the_chinese_page_has_the_same_programs_and_commands() -> None:
    english, chinese = (
        [
            (language, name, re.sub(r" +# .*| --lang zh", "", block))
            for language, name, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
            if language != "text"
        ]
        for page in ("start.md", "zh/quick-start.md")
    )
    assert english == chinese
