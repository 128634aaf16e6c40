"""The same tests with Keras on PyTorch and on JAX, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = ("test_keras_optimizers.py", "test_keras_schedules.py", "test_keras_pilot.py", "test_keras_parts.py")
# one or two of every kind of object: what a backend could do differently, not what is checked before it is asked
CHOSEN = (
    "adamw or nesterov or compiled_fit or cosine] or sequence or second_fit or plateau_grows or step_in_parts "
    "or leaves_everything or (pytorchs_value and (focal or hinge)) or in_our_convention"
)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_core_with_another_backend(backend: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    files = [str(HERE / name) for name in CORE]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", CHOSEN, *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
