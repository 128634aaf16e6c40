"""The pages that teach say what happens: their lines run, and print what stands beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.slow
def test_the_page_of_corrections_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in _blocks("docs/corrections.md"):
        exec(compile(code, "docs/corrections.md", "exec"), namespace)
    printed = capsys.readouterr().out.splitlines()
    steps, complex_rate, nan, floor, past, pytorch, keras_penalty, layer, warned, refusal, sizes = printed
    assert (steps, nan, layer, warned) == ("34", "nan", "False", "True")
    assert isinstance(complex(complex_rate), complex)
    assert floor == "0.01"
    negative, held = past.split()
    assert float(negative) < 0
    assert float(held) == 0
    assert float(pytorch) == pytest.approx(0.3)
    assert float(keras_penalty) == pytest.approx(0.9)
    assert "batch_size" in refusal
    first, *_, last = json.loads(sizes)
    assert (first, last > 48) == (16, True)
