"""What several tests of schedules need."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def torch_optimizers() -> None:
    """The first optimizer of a process imports for seconds; it does so here, outside the tests' own time."""
    import torch

    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()
