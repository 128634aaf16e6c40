"""The site's own parts: what breaks its build, and what its pages are made from. `make lint` builds the whole of it."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import griffe
import pytest
from mkdocs.exceptions import PluginError

from surefoot.batching import Goodput

ROOT = Path(__file__).parents[1]

CONFIG = """
site_name: Small
docs_dir: docs
hooks: [docs_build/chinese.py, docs_build/formulas.py, docs_build/offline.py, docs_build/reference.py]
nav: [index.md, api/index.md, zh/index.md]
theme: {name: mkdocs, highlightjs: false}
validation: {omitted_files: warn, anchors: warn}
plugins:
  - mkdocstrings:
      handlers:
        python:
          paths: [src]
          options: {extensions: [docs_build/doctests.py:Doctests, docs_build/names.py:SecondNames]}
markdown_extensions:
  - pymdownx.arithmatex: {generic: true}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of one class under two names, and its site."""
    shutil.copytree(ROOT / "docs_build", tmp_path / "docs_build", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    (tmp_path / "docs/api").mkdir(parents=True)
    (tmp_path / "docs/index.md").write_text("# Home\n\nThe rate is $\\eta_0 / \\sqrt{t}$.\n")
    (tmp_path / "docs/zh").mkdir()
    (tmp_path / "docs/zh/index.md").write_text("# 学习率\n", encoding="utf-8")
    (tmp_path / "docs/api/index.md").write_text("# Names\n\n::: surefoot\n")
    (tmp_path / "src/surefoot/integrations").mkdir(parents=True)
    (tmp_path / "src/surefoot/inner.py").write_text('class Full:\n    """All.\n\n    >>> 1 + 1\n    2\n    """\n')
    (tmp_path / "src/surefoot/__init__.py").write_text(
        '"""A room."""\n\nfrom surefoot.inner import Full\n\nfull = Full\n\n__all__ = ["full"]\n'
    )
    return tmp_path


def build(project: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    return done.returncode, done.stdout + done.stderr


def test_a_build_says_nothing_and_shows_names_examples_and_formulas(project: Path) -> None:
    code, said = build(project)
    assert (code, [line for line in said.splitlines() if not line.startswith("INFO")]) == (0, [])
    names = (project / "site/api/index.html").read_text(encoding="utf-8")
    assert 'id="surefoot.full"' in names
    assert "&gt;&gt;&gt; 1 + 1" in re.sub(r"</?span[^>]*>", "", names)
    assert "<blockquote>" not in names
    home = (project / "site/index.html").read_text(encoding="utf-8")
    assert "<math" in home and "<msqrt>" in home
    assert '<html lang="en"' in home
    assert '<html lang="zh-Hans"' in (project / "site/zh/index.html").read_text(encoding="utf-8")
    assert "$" not in home.partition("<body")[2].partition("<script")[0]


def test_a_public_name_without_a_docstring_breaks_the_build(project: Path) -> None:
    room = project / "src/surefoot/__init__.py"
    room.write_text(room.read_text().replace('["full"]', '["bare", "full"]') + "\n\ndef bare():\n    pass\n")
    code, said = build(project)
    assert code != 0
    assert "not in the reference: surefoot.bare." in said


def test_a_room_without_a_page_breaks_the_build(project: Path) -> None:
    (project / "src/surefoot/attic.py").write_text('"""Up."""\n\n__all__ = ["box"]\n\nbox = 1\n"""One."""\n')
    code, said = build(project)
    assert code != 0
    assert "not in the reference: surefoot.attic.box." in said


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("index.md", "# Home\n\n[away](gone.md)\n", "gone.md"),
        ("index.md", "# Home\n\n[below](#gone)\n", "#gone"),
        ("lost.md", "# Lost\n", "lost.md"),
        ("index.md", "# Home\n\n![far](https://far.example/away.png)\n", "would fetch https://far.example/away.png"),
    ],
)
def test_a_dead_link_a_lost_page_or_a_request_breaks_the_build(
    project: Path, name: str, text: str, complaint: str
) -> None:
    (project / "docs" / name).write_text(text)
    code, said = build(project)
    assert code != 0
    assert complaint in said


def test_what_a_public_name_takes_is_named_in_its_docstring(program: Callable[[str, str], Any]) -> None:
    reference = program("docs_build", "reference")
    package = griffe.load("surefoot", search_paths=[ROOT / "src"])
    origins = reference.imports(ROOT / "src")
    unnamed = []
    for name in sorted(reference.public_names(ROOT / "src") - reference.PLAIN):
        found = package[reference.origin(name, origins).removeprefix("surefoot.")]
        text = found.docstring.value if found.docstring else ""
        unnamed += [f"{name}: {taken}" for taken in takes(found) if not re.search(rf"\b{taken}\b", text)]
    assert not unnamed


def takes(found: Any) -> list[str]:
    """The arguments of a function, the fields of a record or of a dataclass."""
    if found.is_function:
        return [argument.name for argument in found.parameters if not argument.kind.value.startswith("variadic")]
    if not found.is_class or "__init__" in found.members:
        return []
    fields = (field for field in found.members.values() if field.is_attribute and "property" not in field.labels)
    return [
        field.name
        for field in fields
        if field.name[0] != "_"
        and not str(field.annotation).startswith("ClassVar")
        and field.annotation is not None
        and str(field.annotation) != "KW_ONLY"
    ]


def test_every_page_has_its_line_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2].partition("\nvalidation:")[0]
    lines = [line.partition("#")[0].strip() for line in nav.splitlines()]
    listed = {line.split()[-1] for line in lines if line.endswith(".md")}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - listed == set(), "mkdocs.yml does not name these pages"
    assert listed - pages == {"commands.md", "examples.md"}, "mkdocs.yml names pages that are not there"


def test_a_picture_that_its_schedule_no_longer_draws_breaks_the_build(
    program: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = program("docs_build", "pictures")
    pictures.on_pre_build()
    shutil.copytree(pictures.FOLDER, tmp_path / "pictures")
    monkeypatch.setattr(pictures, "FOLDER", tmp_path / "pictures")
    pictures.on_pre_build()
    stale = tmp_path / "pictures/schedules/cosine.svg"
    stale.write_text(stale.with_name("linear.svg").read_text())
    with pytest.raises(PluginError, match=r"schedules/cosine\.svg in docs/pictures\. Run: make pictures"):
        pictures.on_pre_build()


def test_the_readings_come_to_rest_on_their_closed_forms(program: Callable[[str, str], Any]) -> None:
    drawing = program("docs_build", "batch_pictures")
    for label, reading, formula in drawing.readings():
        spacing = 0.05 if isinstance(reading, Goodput) else 1e-6  # it looks at sizes 5 % apart
        for scale in (30.0, 3e4):
            assert drawing.rest(reading, scale) == pytest.approx(formula(scale), rel=spacing), label


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "docs_build").glob("*.py")))
def test_the_examples_of_the_sites_parts_run(module: str, program: Callable[[str, str], Any]) -> None:
    failed, _ = doctest.testmod(program("docs_build", module))
    assert not failed
