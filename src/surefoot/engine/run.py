"""One recipe in progress on one task, in PyTorch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surefoot import seeds
from surefoot.batching.policies import BatchPolicy
from surefoot.engine import optimizers, snapshot
from surefoot.engine.data import Rows, step_size
from surefoot.engine.loading import EVALUATION_BATCH, Loader, in_order, open_loader
from surefoot.engine.metrics import Gathering
from surefoot.engine.objective import Objective, loss_name, weights_of
from surefoot.engine.penalties import penalised, penalty
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.threads import is_small, limited_threads
from surefoot.protocols import Advance, Problem, Split
from surefoot.recipe import Recipe

__all__ = ["TorchRun"]

# A batch loss this many times the first one (or 1, if that is more) is beyond return. Generous on purpose: a high
# rate may spike by a hundred in its warmup and still end as the best run of a study.
BLOW_UP = 1e3


class TorchRun:
    """A ``Trainable`` with ``RatePerStep``: a recipe trained on a PyTorch model.

    The clock is samples seen. A step's rate is the schedule's value at the middle of its batch, so that Σ η over a run
    hardly depends on the batch size and no step has a rate of zero.

    Args:
        problem: the task.
        recipe: complete, with nothing left to a default.
        parts: the task's rows by part; "test" may be absent.
        seed: of everything random in this run.
        horizon: samples the schedule spans.
    """

    def __init__(self, problem: Problem, recipe: Recipe, parts: dict[Split, Rows], *, seed: int, horizon: int) -> None:
        self.problem, self.recipe, self.seed, self.horizon = problem, recipe, seed, horizon
        self._parts = parts
        self._random = RandomState.seeded(seeds.derive(seed, "model"))
        with isolated(self._random):
            self._model: nn.Module = problem.model(**recipe.model)
        self._device = next(self._model.parameters()).device
        self._optimizer = optimizers.build(self._model, recipe.optimizer)
        self._penalised = penalised(self._model)
        self._objective = Objective.of(problem, recipe)
        self._schedule = recipe.schedule.build()
        self._policy = recipe.batch.build(len(parts["train"]))
        self._single_thread = is_small(self._model, parts["train"], self._policy(0.0, num_rows=len(parts["train"])))
        self._best: dict[str, Tensor] = {}
        self._samples = 0
        self._first_loss: float | None = None
        self._plan = _Plan(self._policy, num_rows=len(parts["train"]), horizon=horizon)
        self._loader = open_loader(
            parts["train"], seed=seed, plan=self._plan, workers=recipe.data.workers, device=self._device
        )
        self._looking: tuple[Split, int, Loader] | None = None  # the latest evaluation's loader
        self._is_training = False  # between the first stretch and the release, processes wait for the next

    @property
    def samples_seen(self) -> int:
        """The clock: samples that ran forward and backward so far."""
        return self._samples

    @property
    def model(self) -> nn.Module:
        """The PyTorch module."""
        return self._model

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so.

        A batch is never cut short for the caller's sake: the last one may pass ``num_samples``. It is cut at the end
        of an epoch and of the horizon.
        """
        start, goal = self._samples, min(self._samples + num_samples, self.horizon)
        weights = losses = rate = 0.0
        steps = wanted = 0
        failure, reason = "", ""
        self._model.train()
        self._is_training = True
        with isolated(self._random), limited_threads(to_one=self._single_thread):
            while self._samples < goal and not should_stop():
                wanted = self._policy(self._samples / self.horizon, num_rows=len(self._parts["train"]))
                size = step_size(wanted, self._samples, num_rows=self._plan.num_rows, horizon=self.horizon)
                rate = self._rate_at(self._samples + size / 2)
                try:
                    loss, weight = self._descend(size, rate)
                except (RuntimeError, MemoryError) as error:
                    if not _is_out_of_memory(error):
                        raise
                    failure, reason = "out_of_memory", f"a batch of {size} does not fit in memory"
                    break
                self._samples += size
                steps += 1
                losses, weights = losses + loss * weight, weights + weight
                reason = self._blown_up(loss, rate)
                if reason:
                    failure = "diverged"
                    break
        mean = losses / weights if weights else math.nan
        return Advance(self._samples - start, steps, mean, rate, wanted, failure, reason)  # type: ignore[arg-type] # "" widens

    def _rate_at(self, samples: float) -> float:
        base = self.recipe.optimizer.learning_rate
        assert base is not None, "a run takes a complete recipe"
        return base * float(self._schedule(samples / self.horizon))

    def _descend(self, size: int, learning_rate: float) -> tuple[float, float]:
        """One step on the next ``size`` rows; the mean loss before it, and what it is a mean over."""
        batch, count = self._loader.batch(self._samples, size)
        self._optimizer.zero_grad()
        found = self._objective(self._model, batch, count)
        settings = self.recipe.regularization
        total = found.training + penalty(self._penalised, l1=settings.l1, l2=settings.l2)
        total.backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
        optimizers.set_learning_rate(self._optimizer, learning_rate)
        self._optimizer.step()
        return float(found.plain.detach()), found.weight

    def _blown_up(self, loss: float, rate: float) -> str:
        """What is wrong with a batch loss, or ""."""
        if self._first_loss is None:
            self._first_loss = loss
        epoch = self._samples / len(self._parts["train"])
        if not math.isfinite(loss):
            return f"the loss became {loss} at epoch {epoch:.2f}, rate {rate:.3g}"
        if loss > BLOW_UP * max(1.0, abs(self._first_loss)):
            return f"the loss rose from {self._first_loss:.3g} to {loss:.3g} at epoch {epoch:.2f}, rate {rate:.3g}"
        return ""

    @torch.no_grad()
    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, without penalties and smoothing; {} when it has no rows."""
        rows = self._parts.get(split)
        if rows is None or not len(rows):
            return {}
        modes = snapshot.training_modes(self._model)
        self._model.eval()
        size = EVALUATION_BATCH
        try:
            while True:
                try:
                    return self._gathered(split, size)
                except (RuntimeError, MemoryError) as error:
                    if size == 1 or not _is_out_of_memory(error):
                        raise
                    size //= 2
        finally:
            for module, mode in modes:
                module.training = mode
            if not self._is_training:
                self._close_look()

    def _gathered(self, split: Split, size: int) -> dict[str, float]:
        """The metrics on a part, looked at in batches of ``size``."""
        rows = self._parts[split]
        score = self.problem.score
        gathering = Gathering(
            loss_name(self.problem, self.recipe),
            target_scale=self.problem.target_scale,
            score=(self.problem.objective.name.removeprefix("validation_"), score) if score else None,
        )
        streams = RandomState.seeded(seeds.derive(self.seed, "evaluate"))
        with isolated(streams), limited_threads(to_one=self._single_thread):
            for batch, count in in_order(self._loader_of(split, size), len(rows), size):
                found = self._objective(self._model, batch, count)
                gathering.add_loss(float(found.plain), found.weight)
                if found.output is not None and found.target is not None:
                    gathering.add_output(found.output, found.target, weights_of(batch))
        return gathering.metrics()

    def _loader_of(self, split: Split, size: int) -> Loader:
        """The loader of an evaluation; the latest is kept, for the validation after every epoch."""
        if self._looking is None or self._looking[:2] != (split, size):
            self._close_look()
            rows = self._parts[split]
            loader = open_loader(
                rows,
                seed=seeds.derive(self.seed, "evaluate"),
                plan=lambda position: min(size, len(rows) - position),
                workers=self.recipe.data.workers,
                device=self._device,
                is_shuffled=False,
            )
            self._looking = (split, size, loader)
        return self._looking[2]

    def release(self) -> None:
        """End the worker processes; they start again when they are needed again."""
        self._is_training = False
        self._loader.close()
        self._close_look()

    def _close_look(self) -> None:
        if self._looking is not None:
            self._looking[2].close()
            self._looking = None

    def step_at(self, learning_rate: float, *, batch_size: int) -> float:
        """Take one step at ``learning_rate`` and give back the loss before it; not-a-number when it failed."""
        rows = len(self._parts["train"])
        size = min(batch_size, rows)
        left = rows - self._samples % rows
        if left < size:
            self._samples += left  # every step of a sweep looks at as many rows
        self._model.train()
        with isolated(self._random), limited_threads(to_one=self._single_thread):
            try:
                loss, _ = self._descend(size, learning_rate)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                return math.nan
        self._samples += size
        return loss

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """A block after which weights, buffers, optimizer, gradients, modes, streams and clock are as before it."""
        before = self._snapshot({})
        modes, gradients = snapshot.training_modes(self._model), snapshot.gradients(self._model)
        first_loss = self._first_loss
        try:
            yield
        finally:
            before.put_back(self._model, self._optimizer)
            self._adopt(before)
            self._first_loss = first_loss
            self.release()
            for module, mode in modes:
                module.training = mode
            for parameter, gradient, wants_gradient in gradients:
                parameter.grad = gradient
                parameter.requires_grad_(wants_gradient)

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        self._best = snapshot.copy_state(self._model)

    def recall_best(self) -> None:
        """Put the best weights back into the model, ready for use: dropout off, batch statistics still."""
        if self._best:
            self._model.load_state_dict(self._best)
        self._model.eval()

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs, and the caller's own ``progress``."""
        self._snapshot(progress).write(directory)

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        found = snapshot.Snapshot.read(directory)
        if found is None:
            return None
        found.put_back(self._model, self._optimizer)
        self._adopt(found)
        self._first_loss = found.counters["first_loss"]
        progress: dict[str, Any] = found.counters["progress"]
        return progress

    def _snapshot(self, progress: dict[str, Any]) -> snapshot.Snapshot:
        counters = {"samples": self._samples, "first_loss": self._first_loss, "progress": progress}
        return snapshot.Snapshot.take(
            self._model, self._optimizer, best=self._best, random=self._random, counters=counters
        )

    def _adopt(self, found: snapshot.Snapshot) -> None:
        self._random, self._best, self._samples = found.random, found.best, found.counters["samples"]

    def save_weights(self, path: Path) -> None:
        """Write the model's weights as safetensors."""
        snapshot.save_weights(self._model, path)

    def load_weights(self, path: Path) -> None:
        """Read the model's weights from safetensors."""
        snapshot.load_weights(self._model, path)
        self._model.eval()


@dataclass(frozen=True)
class _Plan:
    """The size of the step at a position, as a function of the position alone: how workers read ahead."""

    policy: BatchPolicy
    num_rows: int
    horizon: int

    def __call__(self, position: int) -> int:
        wanted = self.policy(position / self.horizon, num_rows=self.num_rows)
        return step_size(wanted, position, num_rows=self.num_rows, horizon=self.horizon)


def _is_out_of_memory(error: Exception) -> bool:
    """CUDA and MPS raise a type of their own; the CPU's allocator only a message, which depends on the system."""
    texts = ("not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in texts)
