"""A small SVG that reads on a light page and on a dark one: no ground of its own, middle grey, and two colours."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

__all__ = ["BLUE", "FOLDER", "GREY", "LOOK", "ORANGE", "Drawing", "panels"]

FOLDER = Path(__file__).parents[2] / "docs" / "pictures" / "questions"
BLUE, ORANGE, GREY = "#3a8fd0", "#e07b1a", "#7f7f7f"
LOOK = {
    "svg.fonttype": "none",
    "svg.hashsalt": "surefoot",  # the same bytes every time
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    **dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "text.color", "axes.titlecolor"), GREY
    ),
}


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure and the numbers that its page may say."""

    figure: Figure
    said: str

    def save(self, name: str) -> None:
        """Write it as an SVG without ground and without a date."""
        self.figure.savefig(FOLDER / f"{name}.svg", transparent=True, metadata={"Date": None})


def panels(count: int = 1, *, height: float = 2.4) -> tuple[Figure, list[Any]]:
    """A figure with so many panels side by side."""
    figure = Figure(figsize=(6.4, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])
