"""What an import costs and pulls in; each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "optuna", "plotly", "sklearn", "pydantic", "numpy")
TORCH_FREE = (
    "errors", "records", "recipe", "callbacks", "protocols", "seeds", "files", "schedules", "batching", "curves",
    "space", "training", "tuning", "probes", "diagnosis", "reports", "tasks", "workflows", "testing",
    "cli.commands", "cli.progress", "cli.rescale", "cli.show", "rescaling",
)  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a statement leaves in sys.modules."""
    script = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_surefoot_is_light() -> None:
    assert loaded_after("import surefoot").isdisjoint(HEAVY)


def test_listing_its_names_is_light() -> None:
    assert loaded_after("import surefoot; dir(surefoot)").isdisjoint(HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize("module", TORCH_FREE)
def test_rooms_without_torch(module: str) -> None:
    assert "torch" not in loaded_after(f"import surefoot.{module}")


def test_help_loads_nothing_heavy() -> None:
    statement = (
        "import surefoot.cli\nsys.argv = ['surefoot', '--help']\ntry: surefoot.cli.main()\nexcept SystemExit: print()"
    )
    assert loaded_after(statement).isdisjoint({"torch", "optuna", "plotly", "sklearn", "numpy"})


def test_public_names_exist() -> None:
    import surefoot

    for name in surefoot.__all__:
        assert getattr(surefoot, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tuna'"):
        _ = surefoot.tuna
