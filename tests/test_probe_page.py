"""A probe shown to a person: as text, as a page, as a picture; from its record alone."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot import cli, files, reports
from surefoot.errors import MissingExtraError, OutputError
from surefoot.records import (
    Capacity,
    CapacityPoint,
    FrontierPoint,
    NoiseReading,
    ProbeReport,
    RangeTest,
    Sharpness,
    Suggestion,
)
from surefoot.reports.probe_figures import frontier_figure, noise_figure, range_test_figure, speed_figure
from surefoot.reports.probe_numbers import Axis, axis_over, fitted_speed, open_interval, size_ticks
from surefoot.reports.probe_text import moment

WHY = "the loss never fell by more than its own noise"
HOSTILE = '</script><script>alert("$x$")</script>'
SIZES = (16, 32, 64, 128)


def full(**changes: Any) -> ProbeReport:
    """A report in which everything was measured."""
    rates = tuple(10.0 ** (-5 + 0.1 * index) for index in range(50))
    mean = tuple(2.3 - 1.5 / (1 + (0.01 / rate) ** 2) + rate**2 for rate in rates)
    curves = tuple(tuple(value + shift for value in mean[: 48 + seed]) for seed, shift in enumerate((0.1, -0.1)))
    test = RangeTest(
        optimizer="adamw", batch_size=16, rates=rates, losses=(*mean[:-1], math.nan), smoothed=mean[:48], curves=curves,
        low=0.0041, value=0.0131, high=0.0415, diverged_above=rates[-1], samples=1600, seconds=0.4,
    )  # fmt: skip
    points = tuple(CapacityPoint(batch_size=size, seconds=1e-3 + 1e-5 * size, steps=9, peak_bytes=size * 2**20)
                   for size in SIZES)  # fmt: skip
    capacity = Capacity(
        points=points, overhead=1e-3, per_row=1e-5, error=0.01, fixed_bytes=0.0, bytes_per_row=2.0**20, knee=64,
        largest=128, limited_by="rows", device="cpu", samples=2160, seconds=0.2,
    )  # fmt: skip
    frontier = tuple(
        FrontierPoint(
            batch_size=size, learning_rate=0.001 * size**0.5, steps=3200 / size + 100, samples=3200.0 + 100 * size,
            seconds=7200.0 / size, is_suggested=size == 64, was_run=size > 16,
        )
        for size in SIZES
    )  # fmt: skip
    values: dict[str, Any] = {
        "task": "digits",
        "seed": 3,
        "recipe": {"optimizer": {"name": "adamw"}},
        "range_test": test,
        "noise": (
            NoiseReading(samples_seen=0, value=23.4, low=14.0, high=37.0, looks=20, samples=640),
            NoiseReading(samples_seen=1280, value=181.0, low=90.0, high=420.0, looks=20, samples=640),
        ),
        "capacity": capacity,
        "sharpness": Sharpness(
            optimizer="adamw", value=31.7, limit=0.0387, is_preconditioned=True, products=20, rows=256, samples=10240,
            seconds=0.3,
        ),
        "learning_rate": Suggestion(low=0.0041, value=0.0131, high=0.0415),
        "weight_decay": Suggestion(low=0.003, value=0.011, high=0.03),
        "batch_size": Suggestion(low=32, value=64, high=128, reason="as fast as the knee"),
        "frontier": frontier,
        "notes": ("curvature was read from 256 rows",),
        "trainings": 0.123,
        "samples": 15280,
        "seconds": 1.25,
        "versions": {"surefoot": "0.1.0"},
    }  # fmt: skip
    return ProbeReport(**{**values, **changes})


def unknown(**changes: Any) -> ProbeReport:
    """A report in which every part was measured and says nothing, with its reason."""
    values: dict[str, Any] = {
        "range_test": RangeTest(
            optimizer="sgd", batch_size=8, rates=(), losses=(), smoothed=(), reason="no step could be taken", samples=0,
            seconds=0.0,
        ),
        "noise": (NoiseReading(samples_seen=0, looks=2, reason="two looks are too few", samples=16),),
        "capacity": Capacity(points=(), reason="not even one row fits", samples=0, seconds=0.0),
        "sharpness": Sharpness(
            optimizer="sgd", products=0, rows=0, reason="no second derivative", samples=0, seconds=0
        ),
        "learning_rate": Suggestion(reason=WHY),
        "weight_decay": Suggestion(reason="there is no rate to build on"),
        "batch_size": Suggestion(reason="the noise is not known"),
        "frontier": (),
    }  # fmt: skip
    return full(**{**values, **changes})


def absent() -> ProbeReport:
    """A report in which nothing was measured."""
    return unknown(range_test=None, noise=(), capacity=None, sharpness=None, learning_rate=Suggestion(), recipe={})


def diverged() -> ProbeReport:
    """A report whose first step was one too many."""
    test = RangeTest(
        optimizer="sgd", batch_size=8, rates=(1e-5,), losses=(math.inf,), smoothed=(), curves=((math.nan,),),
        diverged_above=1e-5, reason="the loss left at once", samples=8, seconds=0.0,
    )  # fmt: skip
    return full(range_test=test, learning_rate=Suggestion(reason="the loss left at once"))


def one_point() -> ProbeReport:
    """A report in which one batch size was run, and its clock stood still."""
    point = CapacityPoint(batch_size=16, seconds=0.0, steps=1)
    capacity = Capacity(points=(point,), largest=16, limited_by="price", reason="one size", samples=16, seconds=0.0)
    timeless = tuple(point.model_copy(update={"seconds": None, "learning_rate": None}) for point in full().frontier)
    open_reading = NoiseReading(samples_seen=0, low=90.0, looks=9, samples=72, reason="mostly noise")
    return full(capacity=capacity, frontier=timeless, noise=(open_reading,))


ALL = [full(), unknown(), absent(), diverged(), one_point()]


def words(page: str) -> str:
    """A page without its scripts and marks."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL))


def test_the_text_says_the_answer() -> None:
    lines = reports.probe_text(full()).splitlines()
    assert lines[0] == "Learning rate   0.0131 (0.0041 to 0.0415)"
    assert lines[1] == "Weight decay    0.011 (0.003 to 0.03)"
    assert lines[2] == "Batch size      64 (32 to 128): as fast as the knee"
    assert lines[3] == "Short runs      not measured"
    assert lines[4] == "Noise scale     now 23.4 rows (14 to 37); after 1,280 samples 181 rows (90 to 420)"
    assert lines[5] == ("Speed           up to 56,140 rows/s, knee at batch 64, largest run 128 (no more rows); on cpu")
    assert lines[6] == "Sharpness       31.7 (preconditioned); adamw is unstable above a rate of 0.0387"
    assert lines[7] == "Divergence      the loss diverged at a rate of 0.794"
    assert lines[8] == "Price           0.123 trainings, 15,280 samples, 1.25 s"
    assert lines[9] == "Note            curvature was read from 256 rows"
    assert re.split(r"  +", lines[-2].strip()) == ["64", "0.008", "150", "9,600", "112 s", "yes", "suggested"]
    assert re.split(r"  +", lines[-4].strip()) == ["16", "0.004", "300", "4,800", "7.5 min", "no"]


def test_the_text_says_why_there_is_no_answer() -> None:
    text = reports.probe_text(unknown())
    for line in (
        f"Learning rate   no suggestion: {WHY}",
        "Weight decay    no suggestion: there is no rate to build on",
        "Batch size      no suggestion: the noise is not known",
        "Noise scale     two looks are too few",
        "Speed           not even one row fits",
        "Sharpness       no second derivative",
        "Divergence      no step could be taken",
    ):
        assert line in text.splitlines()
    assert "predicted time" not in text
    assert reports.probe_text(absent()).count("not measured") == 6
    assert "now at least 90 rows (mostly noise)" in reports.probe_text(one_point())
    assert "none up to a rate of" in reports.probe_text(full(range_test=full_test(diverged_above=None)))


def full_test(**changes: Any) -> RangeTest:
    test = full().range_test
    assert test is not None
    return test.model_copy(update=changes)


@given(
    st.text(max_size=400), st.floats(min_value=0), st.integers(min_value=1, max_value=10**15), st.floats(min_value=0)
)
def test_no_line_of_the_text_is_wide(reason: str, value: float, size: int, seconds: float) -> None:
    point = FrontierPoint(
        batch_size=size, learning_rate=value, steps=value, samples=value, seconds=seconds, is_suggested=True
    )
    suggestion = Suggestion(low=value, value=value, high=value, reason=reason)
    report = full(batch_size=suggestion, learning_rate=Suggestion(reason=reason), notes=(reason,), frontier=(point,))
    assert max(len(line) for line in reports.probe_text(report).splitlines()) < 100


@pytest.mark.parametrize("report", ALL, ids=["full", "unknown", "absent", "diverged", "one point"])
def test_every_report_becomes_text_page_and_picture(report: ProbeReport, tmp_path: Path) -> None:
    page = reports.probe_page(report)
    shown = words(page)
    for suggestion in (report.learning_rate, report.weight_decay, report.batch_size):
        assert (f"{suggestion.value:.3g}" if suggestion.value is not None else "no suggestion") in shown
        assert suggestion.reason in shown
    assert page.count('class="plot"') + page.count("Nothing to show") == 4
    reports.write_probe(report, tmp_path / "new" / "probe.PNG")
    assert (tmp_path / "new" / "probe.PNG").read_bytes().startswith(b"\x89PNG\r\n")
    assert reports.write_probe(report, tmp_path / "probe.html").read_text(encoding="utf-8") == page


def test_the_page_holds_the_numbers_and_loads_nothing() -> None:
    page = reports.probe_page(full())
    shown = " ".join(words(page).split())
    assert shown.startswith("digits: learning rate 0.0131, batch size 64")
    for said in (
        "0.0041 to 0.0415", "0.003 to 0.03", "32 to 128", "as fast as the knee", "0.123 trainings", "15,280 samples",
        "--set optimizer.name=adamw --set optimizer.learning_rate=0.0131 --set optimizer.weight_decay=0.011",
        "64 0.008 150 9,600 112 s yes suggested", "after 1,280 samples 181 rows (90 to 420)", "31.7 (preconditioned)",
        "at a rate of 0.794", "curvature was read from 256 rows", "surefoot 0.1.0",
    ):  # fmt: skip
        assert said in shown, said
    outside = page.replace(page[page.index("<script>") : page.index("</script>")], "")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", outside)
    assert page.count('class="plot"') == 4


def test_a_page_without_a_suggestion_says_so_first() -> None:
    shown = " ".join(words(reports.probe_page(unknown())).split())
    assert shown.startswith("digits: no suggestion")
    assert "Nothing to show : not even one row fits" in shown
    assert "surefoot fit" not in shown
    assert "Every batch size" not in shown
    half = unknown(batch_size=Suggestion(value=64))
    assert words(reports.probe_page(half)).strip().startswith("digits: no learning rate, batch size 64")


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    suggestion = Suggestion(reason=HOSTILE)
    for report in (
        full(task=HOSTILE, batch_size=suggestion, notes=(HOSTILE,), range_test=full_test(optimizer=HOSTILE)),
        absent().model_copy(update={"task": HOSTILE, "batch_size": suggestion}),
    ):
        page = reports.probe_page(report)
        assert HOSTILE not in page
        assert "&lt;/script&gt;" in page
    reports.write_probe(full(task=HOSTILE), tmp_path / "probe.png")


def test_the_range_test_is_drawn_with_every_seed_and_its_marks() -> None:
    figure = range_test_figure([full_test()])
    *seeds, mean = figure.data
    assert [len(trace.y) for trace in seeds] == [48, 49]
    assert [trace.showlegend for trace in seeds] == [True, False]
    assert mean.y == full_test().smoothed
    assert len(mean.x) == len(mean.y)
    band, value, edge = figure.layout.shapes
    assert (band.x0, band.x1) == (0.0041, 0.0415)
    assert value.x0 == value.x1 == 0.0131
    assert edge.x0 == full_test().diverged_above
    notes = {note.text: note.x for note in figure.layout.annotations}
    assert notes["0.0131"] == pytest.approx(math.log10(0.0131))
    assert notes["diverged at 0.794"] == pytest.approx(math.log10(edge.x0))


def test_a_record_without_curves_draws_the_mean_of_two_optimizers_and_names_their_rates() -> None:
    tests = [full_test(curves=()), full_test(curves=(), optimizer="sgd")]
    figure = range_test_figure(tests)
    assert [trace.name for trace in figure.data] == [
        "adamw, each step", "adamw, smoothed", "sgd, each step", "sgd, smoothed",
    ]  # fmt: skip
    assert [note.text.split()[0] for note in figure.layout.annotations] == ["adamw", "sgd"]


def test_the_losses_beyond_the_start_do_not_flatten_the_rest() -> None:
    low, high = range_test_figure([full_test(smoothed=(2.0, 1.0, 1e6))]).layout.yaxis.range
    assert low < 1.0
    assert 2.0 < high < 5.0


def test_the_noise_scale_is_drawn_with_its_intervals_beside_the_batch() -> None:
    figure = noise_figure(full())
    assert [tuple(trace.x) for trace in figure.data] == [(14.0, 37.0), (23.4,), (90.0, 420.0), (181.0,)]
    assert figure.layout.yaxis.ticktext == ("now", "after 1,280 samples")
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].x0 == 64
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < 14.0
    assert high > 420.0


def test_an_interval_with_one_known_end_is_open() -> None:
    figure = noise_figure(one_point())
    (trace,) = figure.data
    assert tuple(trace.x) == pytest.approx((90.0, 10 ** figure.layout.xaxis.range[1]))
    report = full(noise=(*full().noise, *unknown().noise))
    assert moment(report, report.noise[2]) == "after 0 samples: not known"
    assert open_interval(unknown().noise[0], Axis(1.0, 10.0)) is None


def test_the_speed_is_drawn_with_its_law_its_marks_and_its_memory() -> None:
    capacity = full().capacity
    assert capacity is not None
    traces = {trace.name: trace for trace in speed_figure(capacity).data}
    assert set(traces) == {
        "speed, fitted",
        "speed, as run",
        "knee 64",
        "largest 128",
        "memory, fitted",
        "memory, as run",
    }
    assert list(traces["speed, as run"].y) == pytest.approx([size / (1e-3 + 1e-5 * size) for size in SIZES])
    assert list(traces["memory, as run"].y) == list(SIZES)
    assert traces["memory, as run"].yaxis == "y2"
    for size, speed in fitted_speed(capacity):
        assert speed == pytest.approx(size / (1e-3 + 1e-5 * size))
    bare = capacity.model_copy(update={"overhead": None, "fixed_bytes": None, "knee": None, "largest": None})
    assert [trace.name for trace in speed_figure(bare).data] == ["speed, as run", "memory, as run"]


def test_batch_sizes_that_lie_side_by_side_are_labelled_once() -> None:
    capacity = full().capacity
    assert capacity is not None
    points = tuple(capacity.points[0].model_copy(update={"batch_size": size}) for size in (1024, 8, 512, 1078))
    assert size_ticks(capacity.model_copy(update={"points": points})) == [8, 512, 1024]


def test_the_frontier_marks_what_is_suggested_and_what_was_run() -> None:
    (trace,) = frontier_figure(full()).data
    assert trace.marker.symbol == ("circle-open", "circle", "star", "circle")
    assert trace.text[2] == "64<br>0.008"
    assert trace.textposition == ("bottom right", "bottom right", "bottom right", "bottom center")
    assert list(trace.x) == [point.steps for point in full().frontier]
    assert list(trace.y) == [point.seconds for point in full().frontier]
    figure = frontier_figure(one_point())
    assert figure.layout.yaxis.title.text == "samples"
    assert list(figure.data[0].y) == [point.samples for point in full().frontier]


@given(st.lists(st.floats(min_value=1e-12, max_value=1e12), min_size=1))
def test_an_axis_holds_its_values_and_has_labels(values: list[float]) -> None:
    axis = axis_over(values)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert axis.low < axis.high
    assert axis.is_log == (max(values) > 5 * min(values))
    assert list(axis.ticks) == sorted({tick for tick in axis.ticks if axis.low <= tick <= axis.high})
    assert (2 if axis.is_log else 0) <= len(axis.ticks) <= 9
    assert len(set(axis.labels())) == len(axis.ticks)


def numbers(value: Any) -> Iterator[float]:
    """Every float of a dumped record."""
    if isinstance(value, float):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from numbers(item)


@pytest.mark.parametrize("report", ALL, ids=["full", "unknown", "absent", "diverged", "one point"])
def test_a_report_survives_json(report: ProbeReport) -> None:
    back = ProbeReport.model_validate_json(report.model_dump_json())
    assert back.model_dump_json() == report.model_dump_json()
    assert ProbeReport.model_validate(files.finite_or_null(report.model_dump())).model_dump_json() == (
        report.model_dump_json()
    )
    before, after = list(numbers(report.model_dump())), list(numbers(back.model_dump()))
    assert [value if math.isfinite(value) else None for value in before] == [
        None if math.isnan(value) else value for value in after
    ]
    assert reports.probe_text(back) == reports.probe_text(report)


@pytest.mark.parametrize("name", ["probe.svg", "probe", "probe.html.txt"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=rf'--plot takes a file that ends in \.html or \.png, not "{name}"'):
        reports.write_probe(full(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("mine")
    for path, said in (("folder.html", "it is a folder"), ("file/probe.html", "nothing can be written into")):
        with pytest.raises(OutputError, match=said):
            reports.require_probe_file(tmp_path / path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="matplotlib"):
        reports.require_probe_file(tmp_path / "probe.png")
    reports.require_probe_file(tmp_path / "probe.html")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["surefoot", "probe", "iris", *arguments])
    try:
        cli.main()
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


def test_the_command_writes_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("surefoot.workflows.probe", lambda *_, **__: SimpleNamespace(record=full()))
    assert run(monkeypatch, "--plot", str(tmp_path / "probe.html")) == 0
    out = capsys.readouterr().out
    assert out.startswith(reports.probe_text(full()))
    assert out.endswith(f"Wrote {tmp_path / 'probe.html'}\n")
    assert (tmp_path / "probe.html").read_text(encoding="utf-8") == reports.probe_page(full())
    assert run(monkeypatch, "--json", "--plot", str(tmp_path / "again.html")) == 0
    said = capsys.readouterr()
    assert ProbeReport.model_validate_json(said.out).batch_size == full().batch_size
    assert "Wrote" in said.err
    assert (tmp_path / "again.html").exists()


def test_the_command_refuses_before_it_measures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def measured(*_: object, **__: object) -> None:
        raise AssertionError("it measured first")

    monkeypatch.setattr("surefoot.workflows.probe", measured)
    assert run(monkeypatch, "--plot", str(tmp_path / "probe.pdf")) == 2
    assert capsys.readouterr().err == 'Error: --plot takes a file that ends in .html or .png, not "probe.pdf"\n'
