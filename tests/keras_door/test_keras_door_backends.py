"""The heart of these tests with Keras on PyTorch and on JAX, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = (
    "test_keras_agreement.py::test_losses_agree[nesterov]",
    "test_keras_agreement.py::test_losses_agree[adamw, decoupled decay]",
    "test_keras_run.py::test_the_core_of_the_suite",
)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_core_with_another_backend(backend: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(str(HERE / name) for name in CORE),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(CORE)} passed" in done.stdout
