"""The batches of a training: in the order that the recipe asks for, augmented, and of them this process's share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from surefoot.engine.objective import loss_name
from surefoot.engine.rows.augmentation import Augmentation
from surefoot.engine.rows.data import Rows, StreamRows, TensorRows
from surefoot.engine.rows.loading import Loader, Plan, Share, open_loader
from surefoot.engine.rows.ordering import arrangement
from surefoot.engine.slicing import part_of
from surefoot.protocols import Problem
from surefoot.recipe import Recipe

__all__ = ["open_batches"]

Augment = Callable[[Any, int], Any]

# More samples than any training sees.
BEYOND = 2**48


def open_batches(
    problem: Problem,
    recipe: Recipe,
    rows: Rows,
    *,
    seed: int,
    plan: Plan,
    device: torch.device,
    share: Share | None,
) -> tuple[Loader, Augment | None]:
    """Where a training gets its batches, and what is done to each at its position, None for nothing.

    An augmentation draws for a whole batch, and mixup pairs rows all over it. So where several processes share a batch,
    rows in memory are augmented as a whole in each, which then takes its share: the same as in one. Of a dataset a
    process reads and augments its own rows only; a stream is read as a whole by each.

    Args:
        problem: the task.
        recipe: complete.
        rows: of the training part.
        seed: of the run.
        plan: see ``open_loader``.
        device: where batches go.
        share: likewise.
    """
    augmentation: Augment | None = None
    if recipe.data.augments:
        augmentation = Augmentation(recipe.data, seed=seed, has_step=problem.step is not None)
    if share is not None and (isinstance(rows, StreamRows) or (augmentation and isinstance(rows, TensorRows))):
        augmentation, share = _cut(augmentation, share), None
    elif share is not None and augmentation is not None:
        augmentation = _of_its_own(augmentation, share)
    loader = open_loader(
        rows,
        seed=seed,
        plan=plan,
        workers=recipe.data.workers,
        device=device,
        arrange=arrangement(recipe, rows, loss_name(problem, recipe)),
        shuffle_buffer=recipe.data.shuffle_buffer,
        pin_memory=recipe.hardware.pin_memory,
        share=share,
    )
    return loader, augmentation


def _cut(augment: Augment | None, share: Share) -> Augment:
    """The augmentation of a whole batch, if there is one, then this process's share of it."""

    def cut(batch: Any, position: int) -> Any:
        count = _num_rows(batch)
        whole = batch if augment is None else augment(batch, position)
        return part_of(whole, *share(count), count=count)

    return cut


def _of_its_own(augment: Augment, share: Share) -> Augment:
    """The augmentation of a share that was read alone, with draws of its own, which no other share has."""
    place = share(BEYOND)[0]  # 0 in the first process, and another number in every other
    return lambda batch, position: None if batch is None else augment(batch, place + position)


def _num_rows(batch: Any) -> int:
    """Rows of a batch: of the first tensor in it."""
    if isinstance(batch, Tensor):
        return len(batch)
    values = batch.values() if isinstance(batch, Mapping) else batch
    return _num_rows(next(iter(values)))
