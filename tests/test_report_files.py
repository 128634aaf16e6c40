"""``surefoot report`` and the files it writes: the same page again, pictures, and pages of foreign logs."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from surefoot import reports, tasks
from surefoot.diagnosis import diagnosed
from surefoot.errors import MissingExtraError, OutputError
from surefoot.language import language
from surefoot.workflows.rebuild import read_records

Call = Callable[..., tuple[int, str, str]]
LOGS = Path(__file__).parent / "logs"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tuned") / "iris"
    sf.tune(tasks.builtin("iris"), budget=0.5, directory=place)
    return place


# What a Chinese page says in English: names of settings and files, of tools, and of what a user named.
KEPT = re.compile(
    r"[\w/]*[a-z_]+\.[a-z_]+(=\S+)?|adamw|sgd|cosine|noise_scale|PyTorch|surefoot probe|dropout|warmup|cpu|1 thread|"
    r"iris|task|fp16|bf16|NaN|Adam|AdaScale|[MG]iB"
)


def texts_of(part: Any, key: str = "") -> Iterator[str]:
    """What a picture says: its titles, names, labels and hover texts."""
    if isinstance(part, str):
        yield from [part] if key in ("text", "name", "hovertemplate", "ticktext") else []
    elif isinstance(part, dict | list):
        for name, value in part.items() if isinstance(part, dict) else ((key, value) for value in part):
            yield from texts_of(value, name)


def left_in_english(page: str) -> list[str]:
    """The lines of a page and of its pictures that hold English words."""
    figures = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.DOTALL)
    shown = re.sub(r"<(script|style|pre|code|footer)\b.*?</\1>", " ", page.split("<body>")[1], flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|title)="([^"]*)"', shown)
    texts = [*re.sub(r"<[^>]+>", "\n", shown).splitlines(), *labels]
    texts += [text for figure in figures for text in texts_of(json.loads(figure))]
    plain = (re.sub(r"%\{[^}]*\}|<.*?>|#[0-9a-fA-F]{6}", " ", html.unescape(text)) for text in texts)
    return [text for text in dict.fromkeys(plain) if re.search(r"[A-Za-z]{2,}", KEPT.sub("", text))]


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n")


def test_a_page_made_again_is_the_page_that_was_written(tuned: Path, call: Call, tmp_path: Path) -> None:
    code, text, _ = call("report", str(tuned), "--out", str(tmp_path / "again.html"))
    assert code == 0
    assert text.startswith("Report    ")
    assert (tmp_path / "again.html").read_bytes() == (tuned / "report.html").read_bytes()
    code, _, _ = call("report", str(tuned), "--lang", "zh", "--out", str(tmp_path / "zh.html"))
    chinese = (tmp_path / "zh.html").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in chinese
    assert left_in_english(chinese) == []
    assert left_in_english((tuned / "report.html").read_text(encoding="utf-8"))


def test_every_chinese_page_is_chinese(make_task: Callable[..., Any], tmp_path: Path) -> None:
    lesson, place = tasks.builtin("iris"), tmp_path / "lesson"
    lesson.epochs = 1.0
    sf.compare(lesson, directory=place)
    batch = {"policy": "noise_scale", "size": 4, "reference_size": 4, "look_every": 1, "min_looks": 2}
    sf.fit(make_task(epochs=6), sf.Recipe(batch=batch), directory=tmp_path / "moved")
    lost = sf.fit(make_task(), sf.Recipe(optimizer={"name": "sgd", "learning_rate": 1e9}), directory=tmp_path / "lost")
    assert lost.status == "diverged"
    logs = [LOGS / name for name in ("keras_csvlogger.csv", "lightning_metrics.csv", "trainer_state.json")]
    with language("zh"):
        pages = {name: read_records(tmp_path / name).page() for name in ("lesson", "moved", "lost")}
        pages["logs"] = reports.diagnosis_page([one for log in logs for one in diagnosed(log)])
        pages["probe"] = reports.probe_page(sf.probe(lesson).record)
    assert {name: left_in_english(page) for name, page in pages.items() if left_in_english(page)} == {}


def test_a_comparison_and_a_grid_are_made_again(make_task: Callable[..., Any], call: Call, tmp_path: Path) -> None:
    recipes = {"a b": sf.Recipe(), "c": sf.Recipe(optimizer={"name": "sgd"})}
    sf.compare(make_task(), recipes, directory=tmp_path / "named")
    sf.compare(make_task(), grid={"batch.size": [8, 16]}, directory=tmp_path / "grid")
    lesson = tasks.builtin("iris")
    lesson.epochs = 1.0
    sf.compare(lesson, directory=tmp_path / "lesson")
    for name in ("named", "grid", "lesson"):
        first = (tmp_path / name / "report.html").read_bytes()
        code, _, error = call("report", str(tmp_path / name))
        assert code == 0, error
        assert (tmp_path / name / "report.html").read_bytes() == first


def test_a_study_without_its_end_is_shown_as_far_as_it_came(tuned: Path, call: Call, tmp_path: Path) -> None:
    shutil.copytree(tuned / "runs", tmp_path / "killed" / "runs")
    code, _, error = call("report", str(tmp_path / "killed"))
    assert code == 0, error
    page = (tmp_path / "killed" / "report.html").read_text(encoding="utf-8")
    assert "interrupted: it was stopped before its end" in page
    assert page.count('<th scope="row">run ') == len(list((tmp_path / "killed/runs").iterdir()))


def test_what_cannot_be_shown_is_one_line(tuned: Path, call: Call, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "records.json").write_text('{"kind": "tune"')
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        (["nowhere"], "nowhere is no folder"),
        (["empty"], "surefoot diagnose LOG --report page.html"),
        (["broken"], "is no record that this version reads"),
        ([str(tuned), "--out", "page.pdf"], 'a report ends in .html or .png, not "page.pdf"'),
        ([str(tuned), "--out", "broken/records.json/page.html"], "cannot write"),
        ([str(tuned), "--png", "broken/records.json"], "cannot write"),
        ([str(tuned), "--lang", "fr"], "'en', 'zh'"),
    ):
        code, _, error = call("report", *arguments)
        assert code == 2, arguments
        assert said in error
        assert "Traceback" not in error


def test_every_picture_of_a_study_becomes_a_png(tuned: Path, call: Call, tmp_path: Path) -> None:
    code, text, error = call("report", str(tuned), "--png", str(tmp_path / "pictures"), "--lang", "zh")
    assert code == 0, error
    names = [Path(line.split()[-1]).stem for line in text.splitlines() if line.startswith("Picture")]
    assert names == list(read_records(tuned).pictures())
    assert all(is_png(tmp_path / "pictures" / f"{name}.png") for name in names)


@pytest.mark.parametrize("spoken", ["en", "zh"])
def test_a_result_writes_its_report_as_its_ending_says(
    make_task: Callable[..., Any], tmp_path: Path, spoken: str
) -> None:
    recipe = sf.Recipe(batch={"policy": "noise_scale", "size": 4, "reference_size": 4})
    result = sf.fit(make_task(name="$x$ <b> \u5b57 \ufdd0"), recipe)
    assert is_png(result.report(tmp_path / "report.PNG", language=spoken))
    assert "<html lang=" in result.report(tmp_path / "report.html", language=spoken).read_text(encoding="utf-8")
    with pytest.raises(OutputError, match=r'ends in .html or .png, not "report"'):
        result.report(tmp_path / "report")


def test_a_grid_becomes_a_png_with_its_cells(make_task: Callable[..., Any], tmp_path: Path) -> None:
    grid = {"batch.size": [8, 16], "optimizer.learning_rate": [1e-3, 1e9]}
    sf.compare(make_task(), grid=grid, recipe=sf.Recipe(optimizer={"name": "sgd"}), directory=tmp_path / "grid")
    records = read_records(tmp_path / "grid")
    assert all(map(is_png, reports.write_pictures(records.pictures, tmp_path / "pictures")))


def test_pictures_without_matplotlib_name_what_to_install(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"surefoot\[torch\]"):
        reports.write_pictures(read_records(tuned).pictures, tuned / "pictures")
    assert not (tuned / "pictures").exists()


def test_foreign_logs_get_a_page_with_their_curves(tuned: Path, call: Call, tmp_path: Path) -> None:
    files = [LOGS / name for name in ("keras_csvlogger.csv", "lightning_metrics.csv", "trainer_state.json")]
    code, text, error = call("diagnose", *map(str, files), str(tuned), "--report", "page.html")
    assert code == 0, error
    assert text.splitlines()[-1] == "Report    page.html"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for name in ("keras_csvlogger.csv", "lightning_metrics.csv", "trainer_state.json"):
        assert name in page
    assert page.count('class="plot"') > 6
    code, text, _ = call("diagnose", str(files[0]), "--report", "one.png", "--json")
    assert code == 0
    assert json.loads(text)[0]["findings"]
    assert is_png(tmp_path / "one.png")
    code, _, error = call("diagnose", str(files[0]), "--report", "page.txt")
    assert code == 2
    assert "ends in .html or .png" in error


def test_a_study_of_optuna_is_drawn_with_its_parameters() -> None:
    (one,) = diagnosed(optuna_study())
    found = reports.diagnosis_pictures([one])
    assert [picture.title for picture in found.values()] == [
        "Trials", "Value over depth", "Value over <b>", "Value over lr",
    ]  # fmt: skip
    assert "depth = 4, at the upper end" in one.findings[0].evidence  # so it comes first
    course, best = found["trials"].figure.data
    assert list(course.y) == [min(best.y[: place + 1]) for place in range(len(best.y))]
    assert len(best.x) == 10  # the failed one has no value
    rate = found["parameter-3"].figure
    assert rate.layout.xaxis.type == "log"
    star = list(rate.data[0].marker.symbol).index("star")
    assert rate.data[0].y[star] == min(rate.data[0].y)
    assert found["parameter-2"].figure.layout.xaxis.type == "category"
    assert len(found["parameter-1"].figure.data[0].x) == 5  # in every second trial
    with language("zh"):
        page = reports.diagnosis_page([one])
    assert page.count('class="plot"') == 4
    assert "各次试验" in page
    assert "<b>a" not in page.split("</script>", 1)[1]


def optuna_study() -> Any:
    """Ten trials whose value falls with the rate, one that failed, a choice, and a parameter that some have."""
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(study_name="mine")
    rate = optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)
    choice = optuna.distributions.CategoricalDistribution(["<b>a", None, 3])
    depth = optuna.distributions.IntDistribution(1, 4)
    for number in range(10):
        params = {"<b>": ["<b>a", None, 3][number % 3], "lr": 10 ** (-5 + 4 * number / 9)}
        ranges = {"<b>": choice, "lr": rate}
        if number % 2:
            params, ranges = {**params, "depth": 1 + number % 4}, {**ranges, "depth": depth}
        trial = optuna.trial.create_trial(params=params, distributions=ranges, value=5.0 - number % 4 - number / 10)
        study.add_trial(trial)
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    return study


def test_the_epoch_of_a_verdict_is_marked(tmp_path: Path) -> None:
    losses = {
        "epoch": [*range(1, 8)],
        "loss": [1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1],
        "val_loss": [1.0, 0.7, 0.6, 0.65, 0.8, 0.95, 1.1],
    }
    (one,) = diagnosed(losses)
    figure = reports.diagnosis_pictures([one])["losses"].figure
    assert [shape.x0 for shape in figure.layout.shapes] == [one.findings[0].epoch]
    assert figure.layout.annotations[0].text == "overfitting"
