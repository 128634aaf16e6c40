"""The pictures of the report, as Plotly figures made from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import plotly.graph_objects as go

from surefoot.records import Evaluation, Run, Study

__all__ = [
    "CURVES",
    "PALETTE",
    "log_if_positive",
    "losses_figure",
    "rates_figure",
    "styled",
    "thinned",
    "tried_figure",
]

# Okabe and Ito's palette, told apart by colour-blind readers too; jfly.uni-koeln.de/color.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
# Six more for whoever draws more curves; each can be read on white and on black.
CURVES = (*PALETTE[:6], "#7F5BD6", "#C2185B", "#6B9A00", "#00A3A3", "#A0703C", "#8C8C8C")
MOST_POINTS = 400


def losses_figure(runs: Sequence[Run], *, winner: int | None, labels: dict[int, str] | None = None) -> go.Figure:
    """Training (dotted) and validation loss (full) of every run against epochs; the kept run stands out."""
    figure = go.Figure()
    others = CURVES if winner is None else CURVES[1:]
    for place, run in enumerate(sorted(runs, key=lambda run: run.number == winner)):
        looks = thinned(run.evaluations)
        if not looks:
            continue
        name = (labels or {}).get(run.number) or f"{run.name} ({run.stage})"
        kept = run.number == winner or len(runs) == 1
        colour = PALETTE[0] if kept and winner is not None else others[place % len(others)]
        curves = [("training", [look.train_loss for look in looks], "dot")]
        if run.objective.chooses:
            curves.insert(0, ("validation", [look.metrics["validation_loss"] for look in looks], "solid"))
        for index, (kind, values, dash) in enumerate(curves):
            figure.add_scatter(
                x=[look.epoch for look in looks],
                y=values,
                name=name,
                legendgroup=name,
                showlegend=not index,
                mode="lines+markers" if len(looks) < 8 else "lines",
                line={"color": colour, "dash": dash, "width": 3 if kept else 1.5},
                opacity=1.0 if kept or winner is None else 0.65,
                hovertemplate=f"{name}, {kind}<br>epoch %{{x:.2f}}, loss %{{y:.4g}}<extra></extra>",
            )
    every = (look for run in runs for look in run.evaluations)
    log_if_positive(figure, (look.metrics.get("validation_loss", look.train_loss) for look in every))
    return styled(figure, x="epoch", y="loss")


def rates_figure(run: Run) -> go.Figure:
    """Learning rate and batch size of one run against samples."""
    looks = thinned(run.evaluations)
    figure = go.Figure()
    samples = [look.samples for look in looks]
    rates, sizes = [look.learning_rate for look in looks], [look.batch_size for look in looks]
    figure.add_scatter(x=samples, y=rates, name="learning rate", line={"color": PALETTE[0]})
    figure.add_scatter(x=samples, y=sizes, name="batch size", line={"color": PALETTE[1], "dash": "dash"}, yaxis="y2")
    axis = {
        "title": "batch size",
        "overlaying": "y",
        "side": "right",
        "range": [0, 1.1 * max(sizes)],
        "showgrid": False,
    }
    figure.update_layout(yaxis2={**axis, "tickmode": "auto", "nticks": 6, "showgrid": False})
    return styled(figure, x="samples seen", y="learning rate")


def tried_figure(study: Study) -> go.Figure:
    """Every run's best objective against the price at which it was known."""
    figure = go.Figure()
    training_samples = study.cost.samples / study.cost.trainings if study.cost.trainings else 1.0
    price = sum(test.samples for test in study.probes) / training_samples
    prices, values, texts, sizes = [], [], [], []
    for run in study.runs:
        price += run.samples / training_samples
        prices.append(price)
        values.append(run.value)
        settings = run.recipe["optimizer"]
        texts.append(
            f"{run.name}, share {run.stage}<br>{settings['name']}, rate {settings['learning_rate']:.3g}, "
            f"decay {settings['weight_decay']:.3g}<br>{run.status}"
        )
        sizes.append(9 + 14 * run.share)
    colours = [PALETTE[0] if run.number == study.winner else PALETTE[6] for run in study.runs]
    figure.add_scatter(
        x=prices,
        y=values,
        mode="markers",
        marker={"size": sizes, "color": colours, "line": {"width": 1, "color": "#fff"}},
        text=texts,
        hovertemplate="%{text}<br>price %{x:.2f}, value %{y:.4g}<extra></extra>",
        name="runs",
    )
    figure.update_layout(showlegend=False)
    log_if_positive(figure, values)
    return styled(figure, x="price so far, in trainings", y=study.objective.name.replace("_", " "))


def thinned(looks: Sequence[Evaluation]) -> list[Evaluation]:
    """At most a few hundred looks, evenly chosen, the last one among them."""
    step = max(1, len(looks) // MOST_POINTS)
    return [*looks[:-1:step], *looks[-1:]] if len(looks) > 1 else list(looks)


def log_if_positive(figure: go.Figure, values: Iterable[float], *, axis: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis for positive values that differ by more than a factor of five."""
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    if finite and min(finite) > 0 and max(finite) > 5 * min(finite):
        figure.update_layout({f"{axis}axis": {"type": "log"}})


def styled(figure: go.Figure, *, x: str, y: str) -> Any:
    """The look that all pictures share; the page puts in the colours of its own mode."""
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        margin={"l": 60, "r": 20, "t": 10, "b": 50},
        height=420,
        legend={"orientation": "h", "y": -0.2, "font": {"size": 11}},
    )
    figure.update_xaxes(title=x)
    figure.update_layout(yaxis_title=y)
    return figure
