"""The examples in the docstrings of this room run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from surefoot import batching

MODULES = ["surefoot.rescaling", "surefoot.testing.batching"]
MODULES += [module.name for module in pkgutil.iter_modules(batching.__path__, "surefoot.batching.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
