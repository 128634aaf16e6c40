"""The programs of examples/ as one page, so that the pages which link to them have somewhere to lead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGE = "examples.md"


def on_files(files: Any, *, config: Any) -> Any:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=page()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Turn links into examples/ into links to their place on the page."""
    way = "../" * page.file.src_uri.count("/")
    return re.sub(r"\]\((?:\.\./)+examples/([^)#]*)\)", lambda found: f"]({way}{PAGE}#{anchor(found[1])})", markdown)


def page() -> str:
    """Every program with its code, the folders first."""
    folder = ROOT / "examples"
    parts = [
        "# Examples",
        "Each runs by itself from a clone, as `python examples/NAME.py`, and its first lines say what to see.",
    ]
    for inner in sorted(path for path in folder.iterdir() if (path / "README.md").is_file()):
        title, _, text = (inner / "README.md").read_text(encoding="utf-8").partition("\n")
        text = re.sub(r"\]\(([\w.]+\.py)\)", lambda found, at=inner: f"](#{anchor(f'{at.name}/{found[1]}')})", text)
        text = text.replace("](../../docs/", "](")
        parts += [f"#{title} {{ #{anchor(inner.name)} }}", text.strip()]
        parts += [_program(path, f"{inner.name}/{path.name}") for path in sorted(inner.glob("*.py"))]
    parts.append("## Others")
    parts += [_program(path, path.name) for path in sorted(folder.glob("*.py"))]
    return "\n\n".join(parts) + "\n"


def anchor(path: str) -> str:
    """The place on the page of a program or of a folder of them."""
    return re.sub(r"\W+", "-", path.strip("/").removesuffix("README.md").strip("/"))


def _program(path: Path, name: str) -> str:
    return f"### {name} {{ #{anchor(name)} }}\n\n```python\n{path.read_text(encoding='utf-8').rstrip()}\n```"
