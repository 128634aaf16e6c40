"""A user's own loop on the sample clock: schedule, batch policy and coupling for an optimizer and a dataset."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import optim
from torch.utils.data import DataLoader, default_collate

from surefoot.batching import NoiseSample
from surefoot.engine.param_groups import Bases, optimizer_section
from surefoot.engine.rows.data import DatasetRows, Rows, TensorRows, as_rows, step_size
from surefoot.engine.rows.loading import open_loader
from surefoot.errors import RecipeError, RequestError
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.steering import Steering

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
    if isinstance(epochs, bool) or not (isinstance(epochs, int | float) and math.isfinite(epochs) and epochs > 0):
        raise RequestError(f"epochs must be a number above 0, not {epochs!r}")
    if recipe is not None and not isinstance(recipe, Recipe):
        raise RecipeError(f"recipe must be a surefoot.Recipe, not {type(recipe).__name__}")
    rows = _rows(dataset, collate)
    sections = {} if recipe is None else recipe.to_dict()
    steered = {
        "optimizer": optimizer_section(optimizer),
        "schedule": sections.get("schedule", {}) if schedule is None else _section("schedule", "name", schedule),
        "batch": sections.get("batch", {}) if batch is None else _section("batch", "policy", batch),
    }
    if coupling is not None:
        steered["batch"] = {**steered["batch"], "coupling": coupling}
    if steered["batch"].get("micro_batch") is not None:
        raise RecipeError("batch.micro_batch is for surefoot.fit; in a loop of your own, split the batch yourself")
    if steered["batch"].get("policy") == "goodput":
        raise RecipeError(
            'batch.policy "goodput" needs the time of steps at two batch sizes, which surefoot.fit measures'
        )
    if steered["batch"].get("size", 1) > len(rows):
        raise RecipeError(f"batch.size is {steered['batch']['size']}, but there are {len(rows)} training rows")
    return Pilot(optimizer, rows, Recipe(**steered).complete(len(rows)), epochs=float(epochs), seed=seed)


class Pilot:
    """Hands out batches and keeps the optimizer's settings; made by ``surefoot.attach``.

    Iterate over it for all batches to the end of the horizon, or over ``epochs()`` for something to do between epochs.
    A batch counts as seen when it is handed out: save the state after ``optimizer.step()``, and a loop that is resumed
    goes on with the next batch. A loop that is left can be entered again.

    Attributes:
        samples: rows handed out so far; the clock.
        horizon: rows until the schedule ends.
        batch_size: what the policy asked for at the last batch; the end of an epoch may have cut it.
    """

    def __init__(self, optimizer: optim.Optimizer, rows: Rows, recipe: Recipe, *, epochs: float, seed: int) -> None:
        self._optimizer, self._rows, self._recipe, self._seed = optimizer, rows, recipe, seed
        self.samples, self.horizon = 0, max(1, round(epochs * len(rows)))
        self._steering = Steering(recipe, num_rows=len(rows), horizon=self.horizon)
        self.batch_size = self._steering.batch_size(0)
        self._bases = Bases(optimizer, recipe.optimizer)
        self._rate, self._steps, self._looks = math.nan, 0, 0
        self._loader = open_loader(rows, seed=seed, plan=self._steering.batch_size)

    @property
    def epoch(self) -> float:
        """Passes over the rows so far."""
        return self.samples / len(self._rows)

    @property
    def learning_rate(self) -> float:
        """The rate of the optimizer's first group, as it is now."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def changes(self) -> list[Change]:
        """Every setting that moved with the batch or on a plateau, when, and why."""
        return list(self._steering.changes)

    @property
    def wants_noise(self) -> bool:
        """Whether the batch in hand is one whose gradient noise the policy would like to hear; see ``observe``."""
        every = self._steering.looks_every
        return every is not None and self._steps % every == 0

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

    def observe(self, *, loss: float = math.nan, noise: NoiseSample | None = None) -> None:
        """Tell a measured policy what the step on the batch in hand showed; call it after ``optimizer.step()``.

        Args:
            loss: of the batch.
            noise: a look at the noise in its gradients, from ``surefoot.batching.from_micro_gradients`` or
                ``from_examples``; where ``wants_noise`` says so is enough.
        """
        self._looks += noise is not None
        self._steering.stepped(self.samples, loss=float(loss), learning_rate=self._rate, noise=noise)

    def report(self, validation_loss: float) -> None:
        """Tell a plateau schedule or policy the validation loss; less is better."""
        self._steering.looked(self.samples, float(validation_loss))

    def state_dict(self) -> dict[str, Any]:
        """Everything that going on needs beside the optimizer's own state: plain numbers and texts, fit for JSON."""
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "rate": self._rate,
            "steps": self._steps,
            "looks": self._looks,
            "steering": self._steering.to_json(),
            "made_for": self._made_for(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called; the optimizer's own state may be loaded before or after.

        Raises:
            RequestError: the state is of another dataset, horizon, seed or recipe.
        """
        for what, now in self._made_for().items():
            was = state["made_for"].get(what)
            if was != now:
                raise RequestError(f"the state was saved with {what} {was!r}, not {now!r}: attach with the same {what}")
        self.samples, self.batch_size = state["samples"], state["batch_size"]
        self._rate, self._steps, self._looks = state["rate"], state["steps"], state["looks"]
        self._steering.load_json(state["steering"])

    def _made_for(self) -> dict[str, Any]:
        sections = {name: self._recipe.to_dict().get(name) for name in ("schedule", "batch")}
        return {"rows": len(self._rows), "horizon": self.horizon, "seed": self._seed, **sections}

    def _epoch(self) -> Iterator[Any]:
        end = min((self.samples // len(self._rows) + 1) * len(self._rows), self.horizon)
        while self.samples < end:
            yield self._next()

    def _next(self) -> Any:
        """The next batch, with the optimizer set for it."""
        epoch, offset = divmod(self.samples, len(self._rows))
        self._remind(epoch, offset)
        self.batch_size = self._steering.batch_size(self.samples)
        size = step_size(self.batch_size, self.samples, num_rows=len(self._rows), horizon=self.horizon)
        settings = self._steering.settings(self.samples + size / 2, self.batch_size)
        self._bases.apply(settings)
        batch, _ = self._loader.batch(self.samples, size)
        self.samples, self._steps, self._rate = self.samples + size, self._steps + 1, settings.learning_rate
        return batch

    def _remind(self, epoch: int, offset: int) -> None:
        """Say once that a policy which looks at the noise was never told of it."""
        if epoch == 1 and not offset and self._steering.looks_every is not None and not self._looks:
            policy = self._recipe.batch.policy
            warnings.warn(f'batch policy "{policy}" never heard of noise: call pilot.observe(noise=...)', stacklevel=4)


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


def _section(name: str, key: str, given: Any) -> dict[str, Any]:
    """A recipe's section from a name, a number or a table."""
    if isinstance(given, str):
        return {key: given}
    if name == "batch" and isinstance(given, int) and not isinstance(given, bool):
        return {"size": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise RecipeError(f"{name} must be a name or a table as in a recipe, not {given!r}")
