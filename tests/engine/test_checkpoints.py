"""Checkpoints: to the last bit, whole or not at all, and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import surefoot as sf
from surefoot.engine import TorchFactory, checkpoint
from surefoot.engine.probed_run import TorchRun
from surefoot.recipe import OptimizerName
from surefoot.training import never

Make = Callable[..., Any]


class Counting(nn.Module):
    """A network whose output depends on a buffer that a state_dict leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        found: Tensor = self.layer(inputs) * (1.0 + 0.1 * torch.sin(self.calls))
        return found


def run_of(task: Any, **sections: Any) -> TorchRun:
    factory = TorchFactory(task)
    return factory.create(sf.Recipe(**sections).complete(factory.num_rows), seed=0)


@pytest.mark.parametrize("name", get_args(OptimizerName))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_resume_is_exact_to_the_bit(make_task: Make, tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    task = make_task(model=lambda: Counting().to(dtype))
    task.train = (torch.as_tensor(task.train[0], dtype=dtype), task.train[1])
    task.validation = (torch.as_tensor(task.validation[0], dtype=dtype), task.validation[1])
    sections = {"optimizer": {"name": name}, "batch": {"size": 7}, "schedule": {"name": "one_cycle"}}
    whole, first = run_of(task, **sections), run_of(task, **sections)
    first.advance(whole.horizon // 3, should_stop=never)
    first.save_checkpoint(tmp_path, {"looks": 3})
    resumed = run_of(task, **sections)
    assert resumed.load_checkpoint(tmp_path) == {"looks": 3}
    for run in (whole, resumed):
        run.advance(run.horizon, should_stop=never)
    for left, right in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(left, right)
    assert torch.equal(whole.model.calls, resumed.model.calls)
    for left, right in zip(whole._optimizer.state.values(), resumed._optimizer.state.values(), strict=True):
        assert {key: value.dtype for key, value in left.items() if isinstance(value, Tensor)} == {
            key: value.dtype for key, value in right.items() if isinstance(value, Tensor)
        }


def saved(task: Any, directory: Path, *samples: int) -> None:
    """A run with a checkpoint after each of these stretches."""
    run = run_of(task)
    for count in samples:
        run.advance(count, should_stop=never)
        run.save_checkpoint(directory, {"samples": run.samples_seen})


@pytest.mark.parametrize("damage", ["cut", "bits", "gone", "header"])
def test_a_damaged_checkpoint_falls_back_on_the_one_before(make_task: Make, tmp_path: Path, damage: str) -> None:
    saved(make_task(), tmp_path, 16, 16)
    path = tmp_path / checkpoint.CURRENT
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-10])
    elif damage == "header":
        tensors = load_file(path)
        save_file(tensors, path)
    else:
        content[-20] ^= 4  # one bit of a weight: safetensors itself would not notice
        path.write_bytes(content)
    assert run_of(make_task()).load_checkpoint(tmp_path) == {"samples": 16}


def test_when_all_are_damaged_it_says_so_and_begins_anew(make_task: Make, tmp_path: Path) -> None:
    saved(make_task(), tmp_path, 16, 16)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.warns(RuntimeWarning, match="is damaged; this run begins anew"):
        assert run_of(make_task()).load_checkpoint(tmp_path) is None
    assert run_of(make_task()).load_checkpoint(tmp_path / "empty") is None


def test_what_a_killed_process_left_half_written_is_removed(make_task: Make, tmp_path: Path) -> None:
    saved(make_task(), tmp_path, 16)
    abandoned = tmp_path / f".{checkpoint.CURRENT}.x1y2"
    abandoned.write_bytes(b"half")
    assert run_of(make_task()).load_checkpoint(tmp_path) == {"samples": 16}
    assert not abandoned.exists()


def test_a_kill_between_the_two_renames_loses_one_checkpoint_at_most(
    make_task: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(make_task(), tmp_path, 16)
    run = run_of(make_task())
    run.advance(32, should_stop=never)
    replace = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if Path(target).name == checkpoint.CURRENT:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", killed)
        run.save_checkpoint(tmp_path, {"samples": 32})
    assert run_of(make_task()).load_checkpoint(tmp_path) == {"samples": 16}


def test_another_memory_layout_is_no_obstacle(make_task: Make, tmp_path: Path) -> None:
    def build() -> nn.Module:
        layers = nn.Sequential(nn.Unflatten(1, (4, 1, 1)), nn.Conv2d(4, 6, 3, padding=1), nn.Flatten(), nn.Linear(6, 3))
        return layers.to(memory_format=torch.channels_last)

    whole, first = run_of(make_task(model=build)), run_of(make_task(model=build))
    first.advance(whole.horizon // 2, should_stop=never)
    first.save_checkpoint(tmp_path, {})
    resumed = run_of(make_task(model=build))
    resumed.load_checkpoint(tmp_path)
    for run in (whole, resumed):
        run.advance(run.horizon, should_stop=never)
    for left, right in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(left, right)
        assert left.stride() == right.stride()
    assert (
        next(iter(resumed._optimizer.state.values()))["exp_avg"].stride() == next(resumed.model.parameters()).stride()
    )
