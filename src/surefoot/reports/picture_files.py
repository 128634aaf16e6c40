"""The pictures of a page as PNG files: the same figures, drawn by matplotlib without a browser."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.errors import MissingExtraError, OutputError
from surefoot.language import current, language
from surefoot.reports.chart import Chart
from surefoot.reports.drawing import draw

__all__ = ["require_matplotlib", "write_pictures", "write_sheet"]

WIDTH, HEIGHT, LEGEND_LINE, DPI = 9.0, 3.9, 0.22, 110
# Families with Chinese characters on Linux, Windows and macOS; those that are installed are used.
_CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "SimHei", "Arial Unicode MS",
)  # fmt: skip
Make = Callable[[], Mapping[str, Chart]]


def require_matplotlib() -> None:
    """Refuse to draw where matplotlib is not installed.

    Raises:
        MissingExtraError: in one line.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("a .png needs matplotlib; install it with: pip install 'surefoot[torch]'")


def write_pictures(make: Make, folder: Path) -> list[Path]:
    """Write every picture to a PNG of its own in a folder, named as on the page, and give back their paths.

    Args:
        make: gives the charts. It is called in the language that can be drawn: without a font that has Chinese
            characters the pictures are in English.
        folder: made where it is not there.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: nothing can be written there.
    """
    with _drawing():
        return [_save([one], folder / f"{place}.png") for place, one in make().items()]


def write_sheet(make: Make, path: Path) -> Path:
    """Write all pictures below each other to one PNG, and give back its path; see :func:`write_pictures`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: there is nothing to draw, or nothing can be written there.
    """
    with _drawing():
        charts = list(make().values())
        if not charts:
            raise OutputError(f"{path} is not written: there is nothing to draw")
        return _save(charts, path)


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    """A block in which Chinese can be drawn, or English is spoken."""
    require_matplotlib()
    from matplotlib import font_manager, rc_context  # loaded on use: it takes a second

    installed = set(font_manager.get_font_names())
    families = [name for name in _CHINESE_FONTS if name in installed]
    spoken = "en" if current() == "zh" and not families else current()
    # a name that a user gave may hold a character that no font has
    with warnings.catch_warnings(), language(spoken), rc_context({"font.family": ["DejaVu Sans", *families]}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _save(charts: Sequence[Chart], path: Path) -> Path:
    from matplotlib.figure import Figure

    heights = [HEIGHT + LEGEND_LINE * -(-len(one.legend) // 4) for one in charts]
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI, layout="constrained")
    parts: Any = figure.subfigures(len(charts), 1, height_ratios=heights, squeeze=False)
    for part, one in zip(parts[:, 0], charts, strict=True):
        draw(one, part)
    try:
        with files.replacing(path) as temporary:
            figure.savefig(temporary, format="png")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    return path
