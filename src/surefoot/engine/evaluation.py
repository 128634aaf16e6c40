"""Looks at a part of the data: the weights to use, every row once, the metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn, optim

from surefoot import seeds
from surefoot.engine import snapshot
from surefoot.engine.certainty import Doubts
from surefoot.engine.losses import NamedLoss
from surefoot.engine.memory import is_out_of_memory, make_room
from surefoot.engine.metrics import Gathering
from surefoot.engine.network import averaging
from surefoot.engine.network.weight_average import WeightAverage
from surefoot.engine.objective import Objective, loss_name, weights_of
from surefoot.engine.parallel.processes import ALONE, Processes
from surefoot.engine.parallel.shares import share_of
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import Rows, first, next_batch_size
from surefoot.engine.rows.loading import EVALUATION_BATCH, Loader, in_order, open_loader
from surefoot.engine.threads import limited_threads
from surefoot.protocols import Certainty, Problem, Split
from surefoot.recipe import Recipe

__all__ = ["Evaluator"]

# Rows that two models are compared on.
OUTPUT_ROWS = 64


class Evaluator:
    """Measures a model on the parts of a task, with the weights that are to be used.

    Args:
        problem: the task.
        recipe: complete.
        parts: the task's rows by part.
        model: that is trained.
        optimizer: whose average the weights to use may be.
        average: which they may be otherwise.
        objective: the loss of a batch.
        seed: of the run.
        is_single_threaded: whether the model runs on one CPU thread.
        processes: those that share every look; each gets the metrics of all rows.

    Attributes:
        certainty: how far the latest look at the validation part can be trusted.
    """

    def __init__(
        self,
        problem: Problem,
        recipe: Recipe,
        parts: dict[Split, Rows],
        *,
        model: nn.Module,
        optimizer: optim.Optimizer,
        average: WeightAverage | None,
        objective: Objective,
        seed: int,
        is_single_threaded: bool,
        processes: Processes = ALONE,
    ) -> None:
        self._processes = processes
        self._problem, self._recipe, self._parts, self._seed = problem, recipe, parts, seed
        self._model, self._optimizer, self._objective = model, optimizer, objective
        self._average = average
        self._single_thread = is_single_threaded
        self._device = next(model.parameters()).device
        self._open: tuple[Split, int, Loader] | None = None  # the latest look's loader
        self.certainty: Certainty | None = None

    @torch.no_grad()
    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part, without penalties and smoothing; {} when it has no rows."""
        rows = self._parts.get(split)
        if rows is None or not len(rows):
            return {}
        modes = snapshot.training_modes(self._model)
        try:
            with self.weights_to_use():
                self._model.eval()
                return self._measured(split)
        finally:
            for module, mode in modes:
                module.training = mode

    @torch.no_grad()
    def outputs(self, model: nn.Module) -> Tensor:
        """What a model gives for a few training rows: its outputs where the task shows them, else the loss."""
        rows = first(self._parts["train"], min(len(self._parts["train"]), OUTPUT_ROWS))
        loader = open_loader(rows, seed=0, plan=lambda _: 0, device=self._device, is_shuffled=False)
        with isolated(RandomState.seeded(0)), limited_threads(to_one=self._single_thread):
            found = self._objective(model, *loader.batch(0, len(rows)))
        return found.output if isinstance(found.output, Tensor) else found.plain

    def weights_to_use(self) -> contextlib.AbstractContextManager[None]:
        """A block in which the model holds the weights to evaluate and save, not those that are trained on."""

        def forward(batch_and_count: tuple[Any, int]) -> None:
            with limited_threads(to_one=self._single_thread):
                self._objective(self._model, *batch_and_count)

        seed = seeds.derive(self._seed, "calibration")
        return averaging.evaluation_weights(
            self._model,
            self._optimizer,
            self._calibration_batches(seed),
            average=self._average,
            forward=forward,
            seed=seed,
        )

    def close(self) -> None:
        """End the worker processes; another look starts them again."""
        if self._open is not None:
            self._open[2].close()
            self._open = None

    def _measured(self, split: Split) -> dict[str, float]:
        """The metrics on a part."""
        gathering, doubts = self._processes.together(lambda: self._looked(split))
        if self._processes.size > 1:
            shares = self._processes.gathered((gathering.share(), doubts.share()))
            gathering.take([share for share, _ in shares])
            doubts.take([share for _, share in shares])
        measured = gathering.metrics()
        if split == "validation":
            self.certainty = doubts.certainty(measured.get("accuracy"))
        return measured

    def _looked(self, split: Split) -> tuple[Gathering, Doubts]:
        """This process's rows of a part, in batches that fit in memory."""
        size = EVALUATION_BATCH
        while True:
            try:
                return self._gathered(split, size)
            except (RuntimeError, MemoryError) as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            make_room()
            size //= 2

    def _gathered(self, split: Split, size: int) -> tuple[Gathering, Doubts]:
        """What this process's rows of a part come to, looked at in batches of ``size``."""
        gathering, doubts = self.gathering(), self.doubts()
        streams = RandomState.seeded(seeds.derive(self._seed, "evaluate"))
        first, end = share_of(len(self._parts[split]), self._processes.rank, self._processes.size)
        with isolated(streams), limited_threads(to_one=self._single_thread):
            for batch, count in in_order(self._loader(split, size, end), end, size, first=first):
                found = self._objective(self._model, batch, count)
                gathering.add_loss(float(found.plain), found.plain_weight)
                if found.output is not None and found.target is not None:
                    gathering.add_output(found.output, found.target, weights_of(batch))
                    if split == "validation" and isinstance(found.output, Tensor):
                        doubts.add(found.output, found.target)
        return gathering, doubts

    def doubts(self) -> Doubts:
        """What collects how far a look can be trusted."""
        loss = self._objective.loss
        return Doubts(loss.reported if isinstance(loss, NamedLoss) else None)

    def gathering(self) -> Gathering:
        """What collects this task's metrics."""
        score = self._problem.score
        return Gathering(
            loss_name(self._problem, self._recipe),
            target_scale=self._problem.target_scale,
            score=(self._problem.score_name, score) if score else None,
        )

    def _loader(self, split: Split, size: int, end: int) -> Loader:
        """The loader of a look; the latest is kept, for the validation after every epoch."""
        if self._open is None or self._open[:2] != (split, size):
            self.close()
            rows = self._parts[split]
            loader = open_loader(
                rows,
                seed=seeds.derive(self._seed, "evaluate"),
                plan=lambda position: min(size, end - position),
                workers=self._recipe.data.workers,
                device=self._device,
                is_shuffled=False,
            )
            self._open = (split, size, loader)
        return self._open[2]

    def _calibration_batches(self, seed: int) -> Iterator[tuple[Any, int]]:
        """Training batches to measure batch statistics on, in one order for the whole run; each with its rows."""
        rows, size = self._parts["train"], self._recipe.batch.size or 1
        left = min(len(rows), averaging.CALIBRATION_BATCHES * size)
        loader = open_loader(
            rows, seed=seed, plan=lambda _: 0, device=self._device, shuffle_buffer=self._recipe.data.shuffle_buffer
        )
        position = 0
        while position < left:
            taken = next_batch_size(size, left=left - position)
            yield loader.batch(position, taken)
            position += taken
