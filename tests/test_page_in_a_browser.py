"""The pages in headless Chromium: drawn, silent, alone, and usable by eye, keyboard, screen reader and printer."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from surefoot import reports, tasks
from surefoot.diagnosis import Diagnosed, Parameter, Trials, diagnosed
from surefoot.language import language
from surefoot.records import Change, Finding, Study
from surefoot.workflows.rebuild import read_records

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
if CHROMIUM is None:
    pytest.skip("there is no Chromium; make test installs it where it may", allow_module_level=True)

pytestmark = pytest.mark.slow
SILENT = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
LOGS = Path(__file__).parent / "logs"
HOSTILE = '</script><img src=x onerror="window.hurt=1"><a href="https://example.org/x">b</a>%{x} $x$ "\'\u202eoof&amp;'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return sf.tune(tasks.builtin("iris"), budget=0.4, directory=tmp_path_factory.mktemp("tuned") / "iris").study


@pytest.fixture(scope="module")
def pages(study: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of page, by a short name."""
    place = tmp_path_factory.mktemp("pages")
    logs = [one for name in ("keras_csvlogger.csv", "lightning_metrics.csv") for one in diagnosed(LOGS / name)]
    task = tasks.builtin("iris")
    task.epochs = 1.0
    rates = {"optimizer.learning_rate": [0.01, 1e9], "batch.size": [8, 16]}
    sf.compare(task, grid=rates, recipe=sf.Recipe(optimizer={"name": "sgd"}), directory=place / "grid")
    probe = sf.probe(task)
    trials = Trials("min", {0: 3.0, 2: 1.0, 3: 2.0}, {"lr": Parameter({0: 1e-4, 2: 1e-2, 3: 1e-3}, is_log=True)})
    verdict = Finding(verdict="nothing wrong", run="mine", evidence="three trials", advice="use it")
    made = {
        "grid": read_records(place / "grid").page(),
        "probe": reports.probe_page(probe.record),
        "trials": reports.diagnosis_page([Diagnosed("mine", [verdict], trials=trials)]),
        "hostile": reports.page(hostile(study)),
        "lost": reports.page(lost(study)),
        "empty": reports.page(lost(study).model_copy(update={"runs": (), "probes": ()})),
    }
    for spoken in ("en", "zh"):
        with language(spoken):
            made |= {f"study-{spoken}": reports.page(study), f"logs-{spoken}": reports.diagnosis_page(logs)}
    for name, page in made.items():
        (place / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: place / f"{name}.html" for name in made}


def hostile(study: Study) -> Study:
    """The study with a name that wants to be markup wherever a name, a message or a value can stand."""
    runs = []
    for run in study.runs:
        change = Change(samples=10, name=HOSTILE, before=1.0, after=2.0, reason=HOSTILE)
        new = {
            "name": f"{HOSTILE} {run.number}", "stage": HOSTILE, "reason": HOSTILE, "remark": HOSTILE,
            "coordinates": {**run.coordinates, "why": HOSTILE}, "recipe": {**run.recipe, "model": {"kind": HOSTILE}},
            "changes": (change,),
        }  # fmt: skip
        runs.append(run.model_copy(update=new))
    probes = tuple(test.model_copy(update={"optimizer": HOSTILE, "reason": HOSTILE}) for test in study.probes)
    new = {
        "task": HOSTILE, "reason": HOSTILE, "notes": (HOSTILE,), "budget": HOSTILE, "probes": probes,
        "metrics": {**study.metrics, f"test_{HOSTILE}": 1.0}, "versions": {HOSTILE: HOSTILE}, "runs": tuple(runs),
    }  # fmt: skip
    return study.model_copy(update={**new, "recipe": {**study.recipe, "model": {"kind": HOSTILE}}})


def lost(study: Study) -> Study:
    """The study with every run diverged."""
    new = {"status": "diverged", "best": None, "reason": "the loss became nan at epoch 0.50, rate 3"}
    runs = tuple(run.model_copy(update=new) for run in study.runs)
    changes = {"runs": runs, "winner": None, "recipe": {}, "metrics": {}, "status": "diverged", "forecast": None}
    return study.model_copy(update=changes)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SILENT))
        yield opened
        opened.close()


class Visit:
    """A page that was opened, and what it did while it was open."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1100, "height": 800}, **options})
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "document.querySelectorAll('.plot').length === document.querySelectorAll('.plot .draglayer').length"
        )

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Visit]:
    """The page of a study, for the tests that leave it as they found it."""
    with Visit(browser, pages["study-en"], reduced_motion="reduce") as visit:
        yield visit


NAMES = ("study-zh", "logs-en", "logs-zh", "grid", "probe", "trials", "lost", "empty")
DRAWN = """[...document.querySelectorAll('.plot')].map(plot => ({
  name: plot.id,
  marks: plot.querySelectorAll('.scatterlayer .js-line, .scatterlayer .point, .heatmaplayer image').length,
  words: plot.querySelectorAll('text').length,
}))"""
HOVERED = """[...document.querySelectorAll('.plot')].flatMap(plot => plot.data.map((_, curve) => {
  Plotly.Fx.hover(plot, [{ curveNumber: curve, pointNumber: 0 }]);
  return plot.querySelector('.hoverlayer').textContent;
}))"""
LEVELS = "[...document.querySelectorAll('h1, h2, h3, h4')].map(heading => Number(heading.tagName[1]))"


def is_sound(visit: Visit) -> None:
    """Drawn, silent and alone; with one outline, landmarks, and no line too wide for its window."""
    assert visit.said == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [visit.page.url]
    for drawn in visit.ask(DRAWN):
        assert drawn["marks"] > 0, drawn
        assert drawn["words"] > 3, drawn
    levels = visit.ask(LEVELS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert visit.ask("document.querySelectorAll('main, header, footer').length") == 3
    names = visit.ask("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(set(names)) == len(names)
    for width in (390, 320, 1100):
        visit.page.set_viewport_size({"width": width, "height": 800})
        assert visit.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_drawn_silently_and_alone(browser: Any, pages: dict[str, Path], name: str) -> None:
    with Visit(browser, pages[name]) as visit:
        is_sound(visit)


def test_the_page_of_a_study_is_drawn_silently_and_alone(opened: Visit) -> None:
    is_sound(opened)


def test_hostile_text_stays_text(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["hostile"]) as visit:
        is_sound(visit)
        hovered = visit.ask(HOVERED)
        assert any("onerror" in text and "%{x}" in text for text in hovered), hovered
        assert visit.ask("window.hurt") is None
        assert visit.ask("document.querySelectorAll('img').length") == 0
        assert visit.ask(
            "[...document.querySelectorAll('a')].every(a => (a.getAttribute('href') || '').startsWith('#'))"
        )
        assert "onerror" in visit.ask("document.title")
        assert "\u202e" not in visit.ask("document.body.innerText")
        assert visit.said == []
        assert len(visit.requests) == 1


CELLS = "[...document.querySelectorAll('.heatmap-label text')].map(t => [getComputedStyle(t).fill, t.style.fill])"
CONTRAST = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const part = v => v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ['SCRIPT', 'STYLE'].includes(element.tagName) || element.closest('.heatmaplayer')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(element.closest('svg') ? style.fill : style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.push([element.tagName, element.className.baseVal ?? element.className, ratio]);
  }
  return found;
}"""


def test_the_numbers_of_a_grid_have_the_colour_that_stands_out_in_their_cell(
    browser: Any, pages: dict[str, Path]
) -> None:
    with Visit(browser, pages["grid"]) as visit:
        for mode in ("light", "dark"):
            visit.page.emulate_media(color_scheme=mode)
            shown, meant = zip(*visit.ask(CELLS), strict=True)
            assert shown == meant
            assert len(set(shown)) > 1


@pytest.mark.parametrize(("mode", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(13, 17, 23)")])
def test_every_text_stands_out_from_its_ground(opened: Visit, mode: str, ground: str) -> None:
    opened.page.emulate_media(color_scheme=mode)
    assert opened.ask("getComputedStyle(document.body).backgroundColor") == ground
    assert opened.ask(CONTRAST) == []
    opened.page.emulate_media(color_scheme="light")


def test_the_keyboard_reaches_everything(opened: Visit) -> None:
    page, focused = opened.page, "document.activeElement"
    page.keyboard.press("Tab")
    assert opened.ask(f"{focused}.className") == "skip"
    assert opened.ask(f"{focused}.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert opened.ask(f"{focused}.id") == "main"
    button = page.query_selector("#losses-plot ~ .legend button")
    button.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert opened.ask(f"getComputedStyle({focused}).outlineStyle") == "solid"
    curves = "document.querySelectorAll('#losses-plot .scatterlayer .js-line').length"
    before = opened.ask(curves)
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    assert opened.ask(curves) < before
    page.keyboard.press("Space")
    assert opened.ask(curves) == before
    page.query_selector("#losses-plot ~ details summary").focus()
    page.keyboard.press("Enter")
    assert len(page.query_selector_all("#losses-plot ~ details[open] tbody tr")) > 5
    page.keyboard.press("Enter")
    assert opened.ask("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_a_page_prints_on_paper_without_being_cut(opened: Visit) -> None:
    page, folded = opened.page, "document.querySelector('details.printed').open"
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 690, "height": 1000})  # A4 less its margins
    opened.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.ask("document.documentElement.scrollWidth") <= 690
    assert opened.ask("Math.max(...[...document.querySelectorAll('.plot svg')].map(e => e.clientWidth))") <= 690
    assert opened.ask("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert opened.ask(folded)
    opened.ask("window.dispatchEvent(new Event('afterprint'))")
    assert not opened.ask(folded)
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
