"""Every schedule does what every schedule must do, and the suite catches one that does not."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from schedule_members import Member, members

from surefoot import schedules
from surefoot.testing import check_reactive, check_schedule

CONTRACT = {
    "constant", "linear", "polynomial", "exponential", "step", "multistep", "inverse_time", "inverse_sqrt", "power",
    "cosine", "cosine_restarts", "triangular", "one_cycle", "warmup_stable_decay", "warmup", "sequence", "plateau",
    "reduce_then_raise",
}  # fmt: skip


@pytest.mark.parametrize("member", members(), ids=lambda member: member.name)
def test_every_schedule_conforms(member: Member) -> None:
    check_schedule(member.schedule, horizon=member.horizon, highest=1.0, continuous=member.continuous)


@pytest.mark.parametrize("member", [m for m in members() if not m.continuous], ids=lambda member: member.name)
def test_the_suite_finds_the_jumps_of_those_that_do_not_claim_continuity(member: Member) -> None:
    with pytest.raises(AssertionError, match="must not jump"):
        check_schedule(member.schedule, horizon=member.horizon, continuous=True)


@pytest.mark.parametrize("reactive", [
    schedules.plateau(patience=3, cooldown=1),
    schedules.plateau(patience=2, floor=0.01, mode="max", factor=0.5),
    schedules.reduce_then_raise(schedules.plateau(patience=2, floor=0.05), raise_length=3, num_raises=2),
])  # fmt: skip
def test_every_reactive_schedule_conforms(reactive: object) -> None:
    wave = np.round(np.sin(np.arange(60)) + 1.5, 3).tolist()
    check_reactive(reactive, [*wave, float("nan"), 0.1, float("inf"), *wave])


def test_the_names_are_those_of_the_contract() -> None:
    assert set(schedules.__all__) >= CONTRACT
    assert set(schedules.SCHEDULES) | set(schedules.REACTIVE) | {"warmup"} == CONTRACT
    for name in CONTRACT:
        assert getattr(schedules, name).__name__.lower() == name.replace("_", "")
    assert {member.name for member in members()} >= CONTRACT - {"plateau", "reduce_then_raise", "warmup_stable_decay"}


class _Negative:
    def __call__(self, position):
        return 0.5 - position


class _ForgetsArrays:
    def __call__(self, position):
        return float(np.size(position) > 0)


class _Counts:
    def __init__(self):
        self.calls = 0

    def __call__(self, position):
        self.calls += 1
        return 0.0 * position + 1.0 / self.calls


@dataclass
class _Soft:
    value: float = 1.0

    def __call__(self, position):
        return position * 0.0 + self.value


@pytest.mark.parametrize(("schedule", "complaint"), [
    (_Negative(), "negative"),
    (_ForgetsArrays(), "array of multipliers"),
    (_Counts(), "differ at"),
    (_Soft(), "frozen"),
])  # fmt: skip
def test_the_suite_catches_a_schedule_that_breaks_a_rule(schedule: object, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_schedule(schedule)


@pytest.mark.parametrize("module", [module.name for module in pkgutil.iter_modules(schedules.__path__)])
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(f"surefoot.schedules.{module}"))
    assert not failed


def test_importing_schedules_brings_no_framework() -> None:
    code = (
        "import sys, surefoot.schedules; print(sorted({'torch', 'keras', 'matplotlib', 'pydantic'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_docs_have_every_schedule_with_a_picture() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "schedules.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| [`")}
    page = re.split(r"^###? ", (docs / "every-schedule.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = {part.split("`")[1]: part for part in page if part.startswith("`")}
    assert set(rows) == set(parts) == CONTRACT
    for name in CONTRACT:
        assert f"(every-schedule.md#{name})" in rows[name]
        pictures = re.findall(r'src="([^"]+)"', rows[name]) + re.findall(r"!\[.+?\]\((.+?)\)", parts[name])
        assert len(pictures) > 1, name
        assert all((docs / picture).is_file() for picture in pictures), name
        assert "$$" in parts[name] or name == "sequence"
