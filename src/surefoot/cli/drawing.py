"""Curves over a training, drawn with characters and as a picture in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surefoot import files
from surefoot.errors import MissingExtraError, OutputError

__all__ = ["Curve", "draw", "write_picture"]

COLOURS = ("#0072B2", "#D55E00")
ENDINGS = (".png", ".svg", ".pdf")
# A braille character holds 2 × 4 dots; Unicode numbers them column by column, the lowest row last.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800


@dataclass(frozen=True)
class Curve:
    """Values at evenly spaced shares of a training.

    Attributes:
        label: what the values are.
        values: one or more finite numbers.
    """

    label: str
    values: Sequence[float]


def draw(curve: Curve, *, width: int = 64, height: int = 10, has_braille: bool = True) -> str:
    """A curve as lines of text with labels at its axes.

    Args:
        curve: what to draw, from 0 to its highest value.
        width: characters across.
        height: lines.
        has_braille: whether the terminal can show braille; asterisks stand in where it cannot.
    """
    high = max(curve.values) or 1.0
    dots = _dots(np.asarray(curve.values, dtype=float) / high, columns=2 * width, rows=4 * height)
    cells = dots.reshape(height, 4, width, 2)
    if has_braille:
        codes = _BLANK + (cells * _DOTS[None, :, None, :]).sum(axis=(1, 3))
        lines = ["".join(map(chr, row)) for row in codes]
    else:
        lines = ["".join(" *"[int(cell)] for cell in row) for row in cells.any(axis=(1, 3))]
    bar, corner, dash = ("│", "└", "─") if has_braille else ("|", "+", "-")
    labels = {0: f"{high:.3g}", height // 2: f"{high / 2:.3g}", height - 1: "0"}
    drawn = [f"{labels.get(row, ''):>6} {bar}{line}" for row, line in enumerate(lines)]
    ticks = "".join(f"{text:<{width // 4}}" for text in ("0", "0.25", "0.5", "0.75")) + "1"
    return "\n".join([f"{'':6} {curve.label}", *drawn, f"{'':6} {corner}{dash * width}", f"{'':8}{ticks}"])


def write_picture(path: Path, curves: Sequence[Curve], *, title: str) -> None:
    """Write the curves, one above the other, to a picture.

    Raises:
        OutputError: the ending is not that of a picture, or the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise OutputError(f'--plot takes a file that ends in {", ".join(ENDINGS)}, not "{path.name}"')
    figure = _figure(curves, title)
    try:
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format=ending[1:])
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None


def _figure(curves: Sequence[Curve], title: str) -> Any:
    try:
        from matplotlib.figure import Figure  # loaded on use: it takes a second
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise MissingExtraError("--plot needs matplotlib; install it with: pip install 'surefoot[torch]'") from None
    figure = Figure(figsize=(4.8, 0.6 + 1.9 * len(curves)), dpi=100, layout="constrained")
    panels = figure.subplots(len(curves), sharex=True, squeeze=False).flat
    for axes, curve, colour in zip(panels, curves, COLOURS, strict=False):
        axes.plot(np.linspace(0.0, 1.0, len(curve.values)), curve.values, color=colour, linewidth=1.8)
        axes.set_ylabel(curve.label)
        axes.margins(x=0.01)
        axes.grid(alpha=0.3)
        if min(curve.values) < max(curve.values) / 2 or len(set(curve.values)) == 1:
            axes.set_ylim(bottom=0.0)
    axes.set_xlabel("share of the training")
    figure.suptitle(title, fontsize=10)
    return figure


def _dots(values: Any, *, columns: int, rows: int) -> Any:
    """Which dots are set, the top row first; neighbours that lie far apart are joined by a vertical line."""
    chosen = values[np.linspace(0, len(values) - 1, columns).round().astype(int)]
    heights = ((1.0 - np.clip(chosen, 0.0, 1.0)) * (rows - 1)).round().astype(int)
    dots = np.zeros((rows, columns), dtype=bool)
    before = heights[0]
    for column, row in enumerate(heights.tolist()):
        dots[min(row, before) : max(row, before) + 1, column] = True
        before = row
    return dots
