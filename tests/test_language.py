"""Sentences in two languages: every one has its other, and a Chinese diagnosis leaves no English behind."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest

import surefoot as sf
from surefoot.language import language, say
from surefoot.language.chinese import CHINESE, RECORDED
from surefoot.reports.verdicts import verdicts_text
from surefoot.workflows.lesson import lesson

SOURCE = Path(sf.__file__).parent
CATALOGUE = SOURCE / "language" / "chinese"


def trees() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SOURCE.rglob("*.py")):
        if CATALOGUE not in file.parents:
            yield str(file.relative_to(SOURCE)), ast.parse(file.read_text())


def is_say(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and bool(node.args)


def said() -> dict[str, str]:
    """Every sentence that is given to ``say`` as it stands, and where."""
    found = {}
    for name, tree in trees():
        for node in ast.walk(tree):
            if is_say(node) and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                found[node.args[0].value] = f"{name}:{node.lineno}"  # type: ignore[attr-defined]
    templates = jinja2.Environment(loader=jinja2.PackageLoader("surefoot.reports"), autoescape=True)
    for template in templates.list_templates(["jinja"]):
        source, *_ = templates.loader.get_source(templates, template)  # type: ignore[union-attr]
        for call in templates.parse(source).find_all(jinja2.nodes.Call):
            first = call.args[0] if call.args else None
            if getattr(call.node, "name", "") == "say" and isinstance(first, jinja2.nodes.Const):
                found[first.value] = f"{template}:{call.lineno}"
    return found


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_sentence_has_its_chinese() -> None:
    missing = {sentence: place for sentence, place in said().items() if sentence not in CHINESE}
    assert not missing
    verdicts = {
        keyword.value.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
        for keyword in node.keywords
        if keyword.arg == "verdict" and isinstance(keyword.value, ast.Constant)
    }
    assert len(verdicts) > 15
    assert not {verdict for verdict in verdicts if verdict not in CHINESE}


def test_the_catalogue_holds_nothing_that_is_never_said() -> None:
    texts = {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } | set(said())
    texts |= set(lesson().see.values())
    built = {"learning rate too high", "learning rate too low"}  # of a judgement
    assert not set(CHINESE) - texts - built - set(RECORDED)


def test_the_lesson_is_known() -> None:
    assert not [sentence for sentence in lesson().see.values() if sentence not in CHINESE]


def skeleton(sentence: str) -> str:
    """A sentence with empty fields."""
    return "".join(
        words + ("{}" if name is not None else "") for words, name, _, _ in string.Formatter().parse(sentence)
    )


def test_what_is_told_again_from_records_is_what_the_engine_writes() -> None:
    written = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
                written.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                written.add(node.value)
    everything = "\n".join(sorted(written))
    # what stands before or behind a field at an end may come from elsewhere
    cores = {template: skeleton(template).removeprefix("{}").removesuffix(" {}") for template in RECORDED}
    assert not [template for template, core in cores.items() if core not in everything]


@pytest.mark.parametrize("sentence", sorted(CHINESE))
def test_both_languages_have_the_same_fields(sentence: str) -> None:
    assert fields(CHINESE[sentence]) == fields(sentence)


def curves() -> dict[str, dict[str, list[float]]]:
    """Logs of which each gets another verdict."""
    at, rng = np.arange(1, 41), np.random.default_rng(0)
    falls = np.exp(-at / 6.0) + 0.1
    return {
        "overfitting": {"loss": [*falls], "val_loss": [*(falls + np.maximum(at - 12, 0) / 30)]},
        "getting worse": {"val_loss": [*(falls + np.maximum(at - 12, 0) / 100)]},
        "diverged": {"loss": [*falls[:20], np.nan], "lr": [0.1] * 21},
        "above its start": {"loss": [*falls[:20], 2.0, 3.0, 4.0]},
        "never finite": {"loss": [np.nan] * 8},
        "not converged": {"loss": [*(2.0 - 0.04 * at)]},
        "learned nothing": {"loss": [*(1.0 + 0.001 * rng.normal(size=40))]},
        "noise": {"loss": [*(falls + 0.1 * rng.normal(size=40))]},
        "spikes": {"loss": [*np.where(at == 25, 2.0, falls)]},
        "swapped": {"loss": [*(falls + 0.2)], "val_loss": [*falls]},
        "few rows": {"loss": [*falls], "val_loss": [*(falls + 0.3 * rng.normal(size=40))]},
        "accuracy": {"loss": [*falls], "accuracy": [0.9] * 40},
        "vanished": {"loss": [*falls], "grad_norm": [*(10.0 ** -(at / 4.0))]},
        "explode": {"loss": [*falls], "grad_norm": [*(10.0 ** (at / 4.0))]},
        "nothing": {"loss": [*falls], "val_loss": [*(falls + 0.05)]},
        "short": {"loss": [1.0, 0.5]},
        "short, falling": {"loss": [1.0, 0.8, 0.6, 0.4]},
        "rate": {"loss": [1.0, 1.5, *falls], "val_loss": [*falls, 0.5, 0.6], "lr": [0.1] * 42},
    }


# What stays in English: names of programs, keys and terms that Chinese texts use as they are.
KEPT = re.compile(r"surefoot probe|dropout|warmup|AUC|NaN|optimizer\.weight_decay|batch\.size|inf|nan|e[+-]\d+")


def english(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]{2,}", KEPT.sub("", text))


@pytest.mark.parametrize("name", curves())
def test_a_chinese_diagnosis_leaves_no_english(name: str) -> None:
    log = curves()[name]
    ours = sf.diagnose(log)
    theirs = sf.diagnose(log, language="zh")
    assert [one.verdict for one in ours] == [one.verdict for one in theirs]
    for finding in theirs:
        assert not english(finding.evidence), finding.evidence
        assert not english(finding.advice), finding.advice
    with language("zh"):
        assert not english(verdicts_text("1", theirs))


def test_a_chinese_study_leaves_no_english(make_task: Callable[..., Any]) -> None:
    from surefoot.diagnosis import findings

    study = sf.tune(make_task(), budget=1.0).study
    with language("zh"):
        for finding in findings(study):
            assert not english(finding.evidence), finding.evidence
    assert [finding.evidence for finding in findings(study)] == [finding.evidence for finding in study.findings]


def test_a_language_that_is_not_there_is_one_line(call: Callable[..., Any]) -> None:
    with pytest.raises(sf.errors.RequestError, match='no language "fr"; there are en and zh'):
        sf.diagnose({"loss": [1.0, 0.5, 0.3, 0.2]}, language="fr")
    with language("zh"):
        assert say("overfitting") == "过拟合"
        with pytest.raises(ValueError, match="stop"), language("en"):
            raise ValueError("stop")
        assert say("overfitting") == "过拟合"
    assert say("overfitting") == "overfitting"


def test_the_terminal_speaks_chinese_and_the_records_do_not(tmp_path: Path, call: Callable[..., Any]) -> None:
    place = tmp_path / "iris"
    code, text, progress = call("tune", "iris", "--budget", "0.3", "--lang", "zh", "--out", str(place))
    assert code == 0
    named = re.compile(rf"{re.escape(str(place))}\S*|Python|sf\.load\(.*?\)|full_recipe\.toml|adamw|sgd|cosine|iris")
    assert not english(named.sub("", text + progress)), text + progress
    assert {"配方", "代价", "模型", "报告"} <= {line.split(" ")[0] for line in text.splitlines()}
    assert "调参：iris" in progress
    records = (place / "result.json").read_text(encoding="utf-8")
    assert not re.search(r"[\u4e00-\u9fff]", records)
    assert re.search(r"[\u4e00-\u9fff]", (place / "report.html").read_text(encoding="utf-8"))


def test_a_share_is_set_as_each_language_sets_it() -> None:
    sentence = "the {loss} ends {share} of its gain above its lowest"
    assert say(sentence, loss="loss", share="27 %") == "the loss ends 27 % of its gain above its lowest"
    with language("zh"):
        assert "27%" in say(sentence, loss="损失", share="27 %")
        assert say(sentence, loss="a 5 % b", share="1 %").startswith("a 5 % b")


def test_the_command_speaks_chinese(tmp_path: Path, call: Callable[..., Any]) -> None:
    file = tmp_path / "log.csv"
    losses = curves()["overfitting"]
    file.write_text("loss,val_loss\n" + "\n".join(f"{a},{b}" for a, b in zip(*losses.values(), strict=True)))
    code, text, _ = call("diagnose", str(file), "--lang", "zh")
    assert code == 0
    assert "过拟合（确定）" in text
    code, _, error = call("diagnose", str(file), "--lang", "fr")
    assert code == 2
    assert "'en', 'zh'" in error
