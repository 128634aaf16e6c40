"""The pictures of a study: the ladder with its price, and the map of what was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.language import retold, say
from surefoot.records import Run, Study
from surefoot.reports.appearance import CURVES, GREY, PALETTE, log_if_positive, styled
from surefoot.reports.escaping import plain
from surefoot.reports.words import in_words

__all__ = ["ladder_figure", "map_figure", "varies_batch"]

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "hexagon")
LOST = frozenset({"diverged", "out_of_memory"})
# A colour scale reaches from the best value to so many times of it: what is worse is simply bad.
WORST_SHOWN = 10.0


def ladder_figure(study: Study) -> go.Figure:
    """Every run as a bar from the price at which it began to that at which it ended, as high as its best objective."""
    figure = go.Figure()
    training = study.cost.samples / study.cost.trainings if study.cost.trainings else 1.0
    begin = sum(test.samples for test in study.probes) / training
    if begin > 0:
        figure.add_vrect(x0=0, x1=begin, fillcolor=GREY, opacity=0.18, line_width=0)
    spans = []
    for run in study.runs:
        spans.append((run, begin, begin + run.samples / training))
        begin += run.samples / training
    for name, colour in _colours(study).items():
        _draw_spans(figure, study, [span for span in spans if _optimizer(span[0]) == name], name, colour)
    _draw_best_so_far(figure, study, spans)
    _draw_lost(figure, [(run, (start + end) / 2) for run, start, end in spans if not math.isfinite(run.value)])
    log_if_positive(figure, [run.value for run in study.runs])
    styled(figure, x=say("price so far, in trainings"), y=_words(study.objective.name))
    figure.update_layout(xaxis_rangemode="tozero")
    return figure


def _draw_spans(
    figure: go.Figure, study: Study, spans: Sequence[tuple[Run, float, float]], name: str, colour: str
) -> None:
    shown = [span for span in spans if math.isfinite(span[0].value)]
    at: list[float | None] = []
    values: list[float | None] = []
    for run, start, end in shown:
        at += [start, end, None]
        values += [run.value, run.value, None]
    shared: dict[str, Any] = {"name": plain(name), "legendgroup": plain(name)}
    figure.add_scatter(
        x=at, y=values, mode="lines", line={"color": colour, "width": 4}, opacity=0.5, hoverinfo="skip", **shared
    )
    figure.add_scatter(
        x=[end for _, _, end in shown],
        y=[run.value for run, _, _ in shown],
        mode="markers",
        marker={
            "size": [18 if run.number == study.winner else 9 for run, _, _ in shown],
            "symbol": ["star" if run.number == study.winner else "circle" for run, _, _ in shown],
            "color": colour,
            "opacity": 1.0,
        },
        text=[_told(run) for run, _, _ in shown],
        hovertemplate=f"%{{text}}<br>{say('price')} %{{x:.2f}}, {_words(study.objective.name)} %{{y:.4g}}"
        "<extra></extra>",
        **shared,
    )


def _draw_best_so_far(figure: go.Figure, study: Study, spans: Sequence[tuple[Run, float, float]]) -> None:
    at, values, best = [], [], math.nan
    for run, _, end in spans:
        if study.objective.is_better(run.value, best):
            best = run.value
        at.append(end)
        values.append(best)
    line = {"color": GREY, "width": 1.5, "dash": "dot", "shape": "hv"}
    figure.add_scatter(x=at, y=values, mode="lines", name=say("best so far"), line=line, hoverinfo="skip")


def _draw_lost(figure: go.Figure, lost: Sequence[tuple[Run, float]]) -> None:
    """Runs without a value, as crosses along the upper edge."""
    if not lost:
        return
    figure.add_scatter(
        x=[at for _, at in lost],
        y=[0.97] * len(lost),
        yaxis="y2",
        mode="markers",
        marker={"symbol": "x", "size": 9, "color": PALETTE[1]},
        text=[_told(run) for run, _ in lost],
        hovertemplate="%{text}<extra></extra>",
        name=say("without a usable model"),
        meta="no value",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False})


def varies_batch(study: Study) -> bool:
    """Whether the study tried more than one batch size."""
    return len({run.recipe["batch"]["size"] for run in study.runs}) > 1


def map_figure(study: Study) -> go.Figure:
    """Every run at its learning rate and batch size, coloured by its objective, as large as it is long.

    Where there is but one batch size, the height is the weight decay. Runs without a value are crosses.
    """
    figure = go.Figure()
    shades = [_shade(study, run) for run in study.runs]
    known = [shade for shade in shades if shade is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    for place, name in enumerate(_colours(study)):
        own = [
            (run, shade)
            for run, shade in zip(study.runs, shades, strict=True)
            if _optimizer(run) == name and shade is not None
        ]
        if not own:
            continue
        figure.add_scatter(
            **_places(study, [run for run, _ in own]),
            mode="markers",
            name=plain(name),
            marker={
                "symbol": SYMBOLS[place % len(SYMBOLS)],
                "size": [10 + 16 * math.sqrt(min(run.share, 1.5)) for run, _ in own],
                "color": [shade for _, shade in own],
                "cmin": low, "cmax": high, "colorscale": "Viridis", "reversescale": study.objective.direction == "min",
                "line": {"width": [3 if run.number == study.winner else 1 for run, _ in own], "color": GREY},
                "showscale": not figure.data,
                "colorbar": {**_colour_ticks(study, low, high), "thickness": 12, "outlinewidth": 0, "xpad": 4},
                "opacity": 0.9,
            },
            text=[_told(run, _value(study, run)) for run, _ in own],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    lost = [run for run, shade in zip(study.runs, shades, strict=True) if shade is None]
    if lost:
        figure.add_scatter(
            **_places(study, lost), mode="markers", name=say("without a usable model"),
            marker={"symbol": "x", "size": 11, "color": PALETTE[1]},
            text=[_told(run) for run in lost], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    styled(figure, x=say("learning rate"), y=say("batch size") if varies_batch(study) else say("weight decay"))
    log_if_positive(figure, [run.recipe["optimizer"]["learning_rate"] for run in study.runs], axis="x")
    _set_heights(figure, study)
    return figure


def _set_heights(figure: go.Figure, study: Study) -> None:
    heights = [_height(study, run) for run in study.runs]
    if varies_batch(study):
        sizes = sorted(set(heights))
        figure.update_yaxes(type="log")
        if len(sizes) <= 12:
            figure.update_yaxes(tickmode="array", tickvals=sizes, ticktext=[f"{size:,.0f}" for size in sizes])
    else:
        log_if_positive(figure, heights)


def _places(study: Study, runs: Sequence[Run]) -> dict[str, list[float]]:
    return {
        "x": [run.recipe["optimizer"]["learning_rate"] for run in runs],
        "y": [_height(study, run) for run in runs],
    }


def _height(study: Study, run: Run) -> float:
    return float(run.recipe["batch"]["size"] if varies_batch(study) else run.recipe["optimizer"]["weight_decay"])


def _is_log(study: Study) -> bool:
    values = [run.value for run in study.runs if math.isfinite(run.value)]
    return bool(values) and min(values) > 0 and study.objective.direction == "min" and max(values) > 2 * min(values)


def _shade(study: Study, run: Run) -> float | None:
    """Where a run's objective stands in the colour scale; None where it has none."""
    if not math.isfinite(run.value) or run.status in LOST:
        return None
    if not _is_log(study):
        return run.value
    best = min(other.value for other in study.runs if math.isfinite(other.value))
    return math.log10(min(run.value, WORST_SHOWN * best))


def _colour_ticks(study: Study, low: float, high: float) -> dict[str, Any]:
    places = [low + part * (high - low) / 3 for part in range(4)] if high > low else [low]
    texts = [f"{10**place if _is_log(study) else place:.3g}" for place in places]
    if _is_log(study) and any(math.isfinite(run.value) and math.log10(run.value) > high for run in study.runs):
        texts[-1] = f"≥ {texts[-1]}"
    title = {"text": _words(study.objective.name), "side": "right"}
    return {"tickmode": "array", "tickvals": places, "ticktext": texts, "title": title}


def _value(study: Study, run: Run) -> str:
    return f"{_words(study.objective.name)} {run.value:.4g}"


def _told(run: Run, value: str = "") -> str:
    """A run's name, length and settings, for a hover text."""
    settings = run.recipe["optimizer"]
    lines = [
        say("{name}, share {stage}", name=retold(run.name), stage=run.stage),
        say(
            "{optimizer}, rate {rate:.3g}, decay {decay:.3g}, batch {size}",
            optimizer=settings["name"],
            rate=settings["learning_rate"],
            decay=settings["weight_decay"],
            size=run.recipe["batch"]["size"],
        ),
        value or in_words(run.status),
    ]
    return "<br>".join(plain(line) for line in lines)


def _colours(study: Study) -> dict[str, str]:
    names = list(dict.fromkeys(_optimizer(run) for run in study.runs))
    return {name: CURVES[place % len(CURVES)] for place, name in enumerate(names)}


def _optimizer(run: Run) -> str:
    return str(run.recipe["optimizer"]["name"])


def _words(name: str) -> str:
    return plain(in_words(name))
