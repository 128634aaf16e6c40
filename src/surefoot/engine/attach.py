"""A user's own loop on the sample clock: schedule, batch policy and coupling for an optimizer and a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import optim
from torch.utils.data import DataLoader, default_collate

from surefoot.engine.param_groups import Bases, optimizer_section
from surefoot.engine.rows.data import DatasetRows, Rows, TensorRows, as_rows
from surefoot.engine.rows.loading import open_loader
from surefoot.errors import RequestError
from surefoot.piloting import Course, Piloted, require_epochs, steered_recipe
from surefoot.recipe import Recipe

__all__ = ["Pilot", "attach"]


def attach(
    optimizer: optim.Optimizer,
    dataset: Any,
    recipe: Recipe | None = None,
    *,
    epochs: float,
    schedule: str | Mapping[str, Any] | None = None,
    batch: int | str | Mapping[str, Any] | None = None,
    coupling: str | None = None,
    seed: int = 0,
    collate: Callable[[list[Any]], Any] = default_collate,
) -> Pilot:
    """A pilot that hands out batches of the size a policy asks for and sets the optimizer for each of them.

    The model, the loss, the step and everything else stay yours::

        pilot = sf.attach(optimizer, dataset, epochs=20, schedule="cosine", batch="linear_ramp")
        for inputs, targets in pilot:
            loss_function(model(inputs), targets).backward()
            optimizer.step()
            optimizer.zero_grad()

    Args:
        optimizer: of PyTorch, with the rates, decays and betas that belong to the first batch size; every group keeps
            its own proportion to the others.
        dataset: map-style, or a pair of arrays or tensors of equal length.
        recipe: supplies the schedule and the batch; its optimizer section is not used, because the optimizer is yours.
        epochs: passes over the rows until the schedule ends, above 0.
        schedule: instead of the recipe's: a name, or a table as in a recipe; as there, ``warmup`` is 0.05 if left out.
        batch: likewise; a number is a fixed batch size.
        coupling: how rate, betas and decay follow a batch that moves: "none", "linear", "sqrt" or "adascale"; left out,
            the policy's and the optimizer's usual rule, as in a recipe.
        seed: of the order of the rows.
        collate: makes a batch of a list of the dataset's items; for arrays and tensors it is not needed.

    Raises:
        RequestError: an argument is not what it should be, in one line.
    """
    if not isinstance(optimizer, optim.Optimizer):
        raise RequestError(f"optimizer must be a torch.optim.Optimizer, not {type(optimizer).__name__}")
    require_epochs(epochs)
    rows = _rows(dataset, collate)
    section = optimizer_section(optimizer)
    complete = steered_recipe(
        section, num_rows=len(rows), recipe=recipe, schedule=schedule, batch=batch, coupling=coupling
    )
    return Pilot(optimizer, rows, complete, course=Course(complete, num_rows=len(rows), epochs=epochs, seed=seed))


class Pilot(Piloted):
    """Hands out batches and keeps the optimizer's settings; made by ``surefoot.attach``.

    Iterate over it for all batches to the end of the horizon, or over ``epochs()`` for something to do between epochs.
    A batch counts as seen when it is handed out: save the state after ``optimizer.step()``, and a loop that is resumed
    goes on with the next batch. A loop that is left can be entered again.
    """

    def __init__(self, optimizer: optim.Optimizer, rows: Rows, recipe: Recipe, *, course: Course) -> None:
        self._optimizer, self._course = optimizer, course
        self._bases = Bases(optimizer, recipe.optimizer)
        self._loader = open_loader(rows, seed=course.seed, plan=course.steering.batch_size)

    @property
    def learning_rate(self) -> float:
        """The rate of the optimizer's first group, as it is now."""
        return float(self._optimizer.param_groups[0]["lr"])

    def __iter__(self) -> Iterator[Any]:
        while self.samples < self.horizon:
            yield self._next()

    def epochs(self) -> Iterator[Iterator[Any]]:
        """The batches of one epoch after the other; after a resume, first what is left of the one that was stopped."""
        while self.samples < self.horizon:
            before = self.samples
            yield self._epoch()
            if self.samples == before:
                raise RequestError("no batch was taken from this epoch: iterate over what epochs() hands out")

    def _epoch(self) -> Iterator[Any]:
        end = self._course.epoch_end
        while self.samples < end:
            yield self._next()

    def _next(self) -> Any:
        """The next batch, with the optimizer set for it."""
        self._course.remind(stacklevel=5)
        size, settings = self._course.settings()
        self._bases.apply(settings)
        batch, _ = self._loader.batch(self.samples, size)
        self._course.passed(size, settings.learning_rate)
        return batch


def _rows(dataset: Any, collate: Callable[[list[Any]], Any]) -> Rows:
    if isinstance(dataset, DataLoader):
        raise RequestError("give the dataset, not a DataLoader: the pilot makes the batches")
    is_pair = (
        isinstance(dataset, tuple | list) and len(dataset) == 2 and all(hasattr(part, "shape") for part in dataset)
    )
    dataset = tuple(dataset) if is_pair else dataset
    if not is_pair and not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise RequestError(f"dataset must be map-style or a pair of arrays, not {type(dataset).__name__}")
    rows = as_rows(dataset) if is_pair or collate is default_collate else DatasetRows(_Collated(dataset, collate))
    if not len(rows):
        raise RequestError("dataset has no rows")
    if isinstance(rows, TensorRows) and len(rows.targets) != len(rows.inputs):
        raise RequestError(f"dataset has {len(rows.inputs)} inputs and {len(rows.targets)} targets; they must pair up")
    return rows


class _Collated:
    """A dataset whose items the user's own function makes into a batch."""

    def __init__(self, dataset: Any, collate: Callable[[list[Any]], Any]) -> None:
        self._dataset, self.collate_fn = dataset, collate

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[index]
