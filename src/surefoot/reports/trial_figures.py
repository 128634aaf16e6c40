"""The pictures of a study of Optuna's: how its trials went, and each parameter against what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go

from surefoot.diagnosis import Parameter, Trials
from surefoot.language import say
from surefoot.records import Finding
from surefoot.reports.appearance import GREY, PALETTE, log_if_positive, styled
from surefoot.reports.chart import Chart, chart
from surefoot.reports.escaping import plain
from surefoot.reports.thinning import kept_places

__all__ = ["pictures_of_trials"]

# Of many parameters those that a verdict names, then those that come first.
MOST_PARAMETERS = 6
MOST_TRIALS = 2000


def pictures_of_trials(trials: Trials, findings: Sequence[Finding]) -> dict[str, Chart]:
    """Every picture of a study's trials by a short name; none where no trial came to an end."""
    if not trials.values:
        return {}
    trials = _thinned(trials)
    caption = say("A dot a trial, the star the best one; the dotted line is the best so far.")
    found = {"trials": chart(say("Trials"), caption, _course(trials))}
    told = " ".join(["", *(finding.evidence for finding in findings)])
    places = {name: told.find(f" {name} ") for name in trials.parameters}
    order = sorted(places, key=lambda name: places[name] if places[name] >= 0 else len(told))
    for place, name in enumerate(order[:MOST_PARAMETERS]):
        figure = _against(trials, name, trials.parameters[name])
        title = say("Value over {name}", name=name)
        found[f"parameter-{place + 1}"] = chart(title, say("A dot a trial, the star the best one."), figure)
    return found


def _thinned(trials: Trials) -> Trials:
    """Of very many trials the lowest and the highest of each stretch."""
    numbers, values = list(trials.values), list(trials.values.values())
    return replace(trials, values={numbers[place]: values[place] for place in kept_places(values, MOST_TRIALS)})


def _course(trials: Trials) -> go.Figure:
    figure = go.Figure()
    numbers, values = list(trials.values), list(trials.values.values())
    best: list[float] = []
    for value in values:
        better = min if trials.direction == "min" else max
        best.append(value if not best else better(best[-1], value))
    line = {"color": GREY, "width": 1.5, "dash": "dot", "shape": "hv"}
    figure.add_scatter(x=numbers, y=best, mode="lines", name=say("best so far"), line=line, hoverinfo="skip")
    _add_marks(figure, trials, dict(trials.values), numbers, say("trial"))
    log_if_positive(figure, values)
    return styled(figure, x=say("trial"), y=say("value"))


def _against(trials: Trials, name: str, parameter: Parameter) -> go.Figure:
    figure = go.Figure()
    known = {number: value for number, value in trials.values.items() if number in parameter.values}
    at = [plain(value) if isinstance(value, str) else value for value in map(parameter.values.__getitem__, known)]
    _add_marks(figure, trials, known, at, plain(name))
    log_if_positive(figure, list(known.values()))
    styled(figure, x=plain(name), y=say("value"))
    numbers = [value for value in at if isinstance(value, float)]
    if len(numbers) < len(at):
        figure.update_xaxes(type="category")
    elif parameter.is_log:
        log_if_positive(figure, numbers, axis="x")
    return figure


def _add_marks(
    figure: go.Figure, trials: Trials, values: dict[int, float], at: Sequence[float | str], axis: str
) -> None:
    """A dot a trial, and the best of all trials as a star."""
    winner = (min if trials.direction == "min" else max)(trials.values, key=lambda number: trials.values[number])
    kept = [number == winner for number in values]
    figure.add_scatter(
        x=list(at),
        y=list(values.values()),
        mode="markers",
        name=say("trials"),
        marker={
            "color": PALETTE[0],
            "opacity": [1.0 if is_kept else 0.6 for is_kept in kept],
            "size": [17 if is_kept else 8 for is_kept in kept],
            "symbol": ["star" if is_kept else "circle" for is_kept in kept],
        },
        text=[say("trial {number}", number=number) for number in values],
        hovertemplate=f"%{{text}}<br>{axis} %{{x}}, {say('value')} %{{y:.5g}}<extra></extra>",
    )
