"""What the READMEs show is what happens."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_the_python_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = blocks(name, "python")
    assert len([line for line in first.splitlines() if line.strip()]) < 20
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in (first, *others):
        exec(compile(code, name, "exec"), namespace)
    assert (tmp_path / "report.html").exists()
    assert namespace["pilot"].epoch == 20  # type: ignore[attr-defined] # of the loop of one's own


def test_the_page_on_watching_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in blocks("docs/watching.md", "python"):
        exec(compile(code, "docs/watching.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert len(re.findall(r"^  epoch +\d+\.00  train loss", out, flags=re.MULTILINE)) == 10
    assert re.search(r"^1: \d\.\d+ \d\.\d+, rate", out, flags=re.MULTILINE)
    assert "trainings: completed" in out
    assert "5: batch" in out


def test_the_page_on_data_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in blocks("docs/data.md", "python"):
        exec(compile(code, "docs/data.md", "exec"), namespace)


def test_the_page_on_using_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the page opens a file as people do
        for code in blocks("docs/using.md", "python"):
            exec(compile(code, "docs/using.md", "exec"), namespace)
    assert namespace["scores"].shape == (5, 3)  # type: ignore[attr-defined]


def test_the_page_on_diagnosing_runs_and_shows_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    logs = ROOT / "tests/logs"
    (tmp_path / "lightning_logs/version_0").mkdir(parents=True)
    (tmp_path / "lightning_logs/version_0/metrics.csv").write_bytes((logs / "lightning_metrics.csv").read_bytes())
    (tmp_path / "history.csv").write_bytes((logs / "keras_overfit.csv").read_bytes())
    for code in blocks("docs/diagnosing.md", "python"):
        exec(compile(code, "docs/diagnosing.md", "exec"), {})
    [shown] = blocks("docs/diagnosing.md", "text")
    assert call("diagnose", "history.csv")[1].strip() == shown.partition("\n")[2].strip()
    for name, options in zip(READMES, ((), ("--lang", "zh")), strict=True):
        [shown] = [block for block in blocks(name, "text") if "surefoot diagnose" in block]
        assert call("diagnose", "history.csv", *options)[1].strip() == shown.partition("\n")[2].strip()


def test_both_readmes_show_the_same_code() -> None:
    first, second = ([re.sub("#.*", "", block) for block in blocks(name, "python")] for name in READMES)
    assert first == second
    commands = [
        [line.split("#")[0].strip() for block in blocks(name, "sh") for line in block.splitlines()] for name in READMES
    ]
    assert commands[0] == commands[1]
    assert commands[0][:2] == ["make tune", "make test"]


def test_the_commands_on_a_table_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surefoot import cli

    rows = "".join(f"{row % 13},{['north', 'south'][row % 2]},{50 + 4 * (row % 13)}.5\n" for row in range(80))
    (tmp_path / "houses.csv").write_text("rooms,side,price\n" + rows)
    (tmp_path / "new_houses.csv").write_text("rooms,side\n3,north\n")
    monkeypatch.chdir(tmp_path)
    for line in blocks("README.md", "sh")[1].splitlines():
        monkeypatch.setattr(sys, "argv", line.split())
        try:
            cli.main()
        except SystemExit as ending:
            assert not ending.code


@pytest.mark.parametrize(
    "name",
    [
        *READMES,
        "CONTRIBUTING.md",
        "docs/log.md",
        "docs/watching.md",
        "docs/data.md",
        "docs/using.md",
        "docs/diagnosing.md",
        "docs/corrections.md",
        "docs/questions.md",
        *(f"docs/tutorials/{path.name}" for path in sorted((ROOT / "docs/tutorials").glob("*.md"))),
        "CHANGELOG.md",
    ],
)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


def test_the_recipe_page_names_every_key() -> None:
    from surefoot.recipe import Recipe

    page = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")
    for section, field in Recipe.model_fields.items():
        if section != "model":
            for key in field.annotation.model_fields:  # type: ignore[union-attr]
                assert f"`{section}.{key}`" in page, f"docs/recipe.md does not name {section}.{key}"
