"""The lowest floors: errors, seeds, files."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot import errors, files, seeds
from surefoot.records import Evaluation, Objective, Run


def test_every_error_is_a_surefoot_error() -> None:
    for name in errors.__all__:
        found = getattr(errors, name)
        if isinstance(found, type):
            assert issubclass(found, errors.SurefootError)
    assert issubclass(errors.RequestError, ValueError)


def test_raised_at_names_file_and_line(tmp_path: Path) -> None:
    script = tmp_path / "theirs.py"
    script.write_text("def f():\n    raise KeyError('x\\ny')\n")
    namespace: dict[str, object] = {}
    exec(compile(script.read_text(), str(script), "exec"), namespace)
    with pytest.raises(KeyError) as caught:
        namespace["f"]()  # type: ignore[operator]
    assert errors.raised_at(caught.value).startswith("theirs.py:2: KeyError: ")
    assert "\n" not in errors.raised_at(caught.value)


@given(st.integers(0, 2**31), st.text(max_size=5), st.text(max_size=5))
def test_streams_depend_on_their_names_alone(seed: int, one: str, other: str) -> None:
    assert seeds.stream(seed, one).integers(2**60) == seeds.stream(seed, one).integers(2**60)
    if one != other:
        assert seeds.derive(seed, one) != seeds.derive(seed, other)
    assert 0 <= seeds.derive(seed, one) < 2**63


def test_seeds_do_not_depend_on_the_interpreter() -> None:
    script = "from surefoot import seeds; print(seeds.derive(3, 'order', 1))"
    environment = {"PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) == seeds.derive(3, "order", 1)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"loss": math.nan, "curve": [1.0, math.inf]})
    assert files.read_json(tmp_path / "a.json") == {"loss": None, "curve": [1.0, None]}


def test_a_record_survives_json_with_its_gaps() -> None:
    look = Evaluation(
        samples=3,
        epoch=0.5,
        train_loss=math.nan,
        metrics={"validation_loss": 1.0},
        learning_rate=0.1,
        batch_size=2,
        seconds=1,
    )
    run = Run(
        name="run 1", recipe={}, seed=0, horizon=3, status="diverged", samples=3, steps=2, seconds=1.0,
        evaluations=(look,), best=0,
    )  # fmt: skip
    again = Run.model_validate(json.loads(json.dumps(files.finite_or_null(run.model_dump()))))
    assert math.isnan(again.evaluations[0].train_loss)
    assert again.value == 1.0


@pytest.mark.parametrize(("direction", "better"), [("min", 1.0), ("max", 2.0)])
def test_objective_prefers_numbers(direction: str, better: float) -> None:
    objective = Objective(name="x", direction=direction)  # type: ignore[arg-type]
    worse = 3.0 - better
    assert objective.is_better(better, worse)
    assert not objective.is_better(worse, better)
    assert objective.is_better(worse, math.nan)
    assert not objective.is_better(math.nan, worse)
