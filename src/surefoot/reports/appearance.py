"""What all pictures share: colours, axes, room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import plotly.graph_objects as go

from surefoot.reports.thinning import kept_places

__all__ = ["CURVES", "GREY", "PALETTE", "curve_points", "log_if_positive", "mark_place", "points_each", "styled"]

# Okabe and Ito's palette, told apart by colour-blind readers too; jfly.uni-koeln.de/color.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
GREY = PALETTE[6]
# Six more for whoever draws more curves; each can be read on white and on black.
CURVES = (*PALETTE[:6], "#7F5BD6", "#C2185B", "#6B9A00", "#00A3A3", "#A0703C", "#8C8C8C")
# A curve of a page 1,000 pixels wide needs no more; all curves of one picture together are kept below MOST_TOGETHER, so
# that a page of some hundred runs stays a few megabytes.
MOST_POINTS, MOST_TOGETHER, FEWEST_POINTS = 400, 12_000, 16


# Powers of ten that an axis is marked with.
MOST_POWERS = 8


def points_each(num_curves: int) -> int:
    """How many points each curve of a picture may have."""
    return max(FEWEST_POINTS, min(MOST_POINTS, MOST_TOGETHER // max(1, num_curves)))


def curve_points(at: Sequence[float], values: Sequence[float | None], most: int = MOST_POINTS) -> dict[str, Any]:
    """A long curve thinned, and in as many digits as can be seen: the ``x`` and ``y`` of a trace."""
    kept = kept_places(values, most)
    return {"x": [_digits(at[place], 7) for place in kept], "y": [_digits(values[place], 5) for place in kept]}


def log_if_positive(figure: go.Figure, values: Iterable[float], *, axis: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis for positive values that differ by more than a factor of five."""
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    if finite and min(finite) > 0 and max(finite) > 5 * min(finite):
        # 1, 2, 5, 10 where few powers of ten are in sight; the powers alone, or every so many of them, where many are
        decades = math.log10(max(finite) / min(finite))
        dtick = "D2" if decades <= math.log10(500) else max(1, math.ceil(decades / MOST_POWERS))
        figure.update_layout({f"{axis}axis": {"type": "log", "dtick": dtick, "tickformat": "~g"}})


def mark_place(figure: go.Figure, x: float, words: str, *, height: float = 1.0, colour: str = GREY) -> None:
    """A dotted upright line with words beside its top; words are markup already."""
    figure.add_vline(x=x, line={"color": colour, "dash": "dot", "width": 2})
    figure.add_annotation(
        x=x, y=height, yref="paper", yanchor="top", xanchor="left", xshift=3, text=words, showarrow=False,
        font={"size": 12},
    )  # fmt: skip


def styled(figure: go.Figure, *, x: str, y: str) -> Any:
    """The look that all pictures share; the page's style sheet puts in the colours of light and dark."""
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
        height=400,
        showlegend=False,  # the page has one of its own that a keyboard reaches
        hoverlabel={"align": "left", "namelength": -1},
    )
    figure.update_xaxes(title=x, automargin=True, zeroline=False)
    figure.update_layout(yaxis_title=y, yaxis_automargin=True, yaxis_zeroline=False, yaxis_title_standoff=10)
    return figure


def _digits(value: float | None, digits: int) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
