"""A loop of somebody's own on the sample clock: where it stands, and what its next step uses; for any framework."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from surefoot.batching import NoiseSample
from surefoot.errors import RecipeError, RequestError
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.row_order import step_size
from surefoot.steering import Settings, Steering

__all__ = ["Course", "Piloted", "require_epochs", "steered_recipe"]


def steered_recipe(
    optimizer: Mapping[str, Any],
    *,
    num_rows: int,
    recipe: Recipe | None,
    schedule: str | Mapping[str, Any] | None,
    batch: int | str | Mapping[str, Any] | None,
    coupling: str | None,
) -> Recipe:
    """The complete recipe that steers an optimizer of the user's own.

    Args:
        optimizer: the optimizer section that stands for it.
        num_rows: of the training data, at least 1.
        recipe: supplies the schedule and the batch where they are not given.
        schedule: a name, or a table as in a recipe.
        batch: a policy's name, a size, or a table.
        coupling: of the batch section.

    Raises:
        RequestError: an argument is not what it should be, in one line.
    """
    if recipe is not None and not isinstance(recipe, Recipe):
        raise RecipeError(f"recipe must be a surefoot.Recipe, not {type(recipe).__name__}")
    sections = {} if recipe is None else recipe.to_dict()
    steered: dict[str, Any] = {
        "optimizer": dict(optimizer),
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
    if steered["batch"].get("size", 1) > num_rows:
        raise RecipeError(f"batch.size is {steered['batch']['size']}, but there are {num_rows} training rows")
    return Recipe(**steered).complete(num_rows)


class Course:
    """The clock of a loop, and what its next step uses.

    Args:
        recipe: made by ``steered_recipe``.
        num_rows: of the training data.
        epochs: passes over them until the schedule ends, above 0.
        seed: of the order of the rows.

    Attributes:
        samples: rows handed out so far; the clock.
        horizon: rows until the schedule ends.
        batch_size: what the policy asked for at the last step; the end of an epoch may have cut it.
        steering: what decides.
        seed: as given.
    """

    def __init__(self, recipe: Recipe, *, num_rows: int, epochs: float, seed: int) -> None:
        self._recipe, self._num_rows, self.seed = recipe, num_rows, seed
        self.samples, self.horizon = 0, max(1, round(epochs * num_rows))
        self.steering = Steering(recipe, num_rows=num_rows, horizon=self.horizon)
        self.batch_size = self.steering.batch_size(0)
        self._rate, self._steps, self._looks = math.nan, 0, 0

    @property
    def epoch(self) -> float:
        """Passes over the rows so far."""
        return self.samples / self._num_rows

    @property
    def epoch_end(self) -> int:
        """The clock where the epoch that is in progress, or the horizon, ends."""
        return min((self.samples // self._num_rows + 1) * self._num_rows, self.horizon)

    @property
    def changes(self) -> list[Change]:
        """Every setting that moved with the batch or on a plateau, when, and why."""
        return list(self.steering.changes)

    @property
    def wants_noise(self) -> bool:
        """Whether the policy would like to hear the noise of the step in hand."""
        every = self.steering.looks_every
        return every is not None and self._steps % every == 0

    @property
    def watches(self) -> bool:
        """Whether a schedule or a policy wants to hear the validation loss."""
        is_plateau = self._recipe.batch.is_observing and self.steering.looks_every is None
        return is_plateau or self._recipe.schedule.reactive() is not None

    def size_at(self, samples: int) -> tuple[int, int]:
        """Rows that the policy asks for at a place of the clock, and rows that the step there takes."""
        wanted = self.steering.batch_size(samples)
        return wanted, step_size(wanted, samples, num_rows=self._num_rows, horizon=self.horizon)

    def settings(self) -> tuple[int, Settings]:
        """Rows of the next step, and what its optimizer is set to."""
        self.batch_size, size = self.size_at(self.samples)
        return size, self.steering.settings(self.samples + size / 2, self.batch_size)

    def passed(self, size: int, learning_rate: float) -> None:
        """Move the clock over a step."""
        self.samples, self._steps, self._rate = self.samples + size, self._steps + 1, learning_rate

    def observe(self, *, loss: float = math.nan, noise: NoiseSample | None = None) -> None:
        """Hear what the last step showed."""
        self._looks += noise is not None
        self.steering.stepped(self.samples, loss=float(loss), learning_rate=self._rate, noise=noise)

    def report(self, validation_loss: float) -> None:
        """Hear the validation loss; less is better."""
        self.steering.looked(self.samples, float(validation_loss))

    def remind(self, *, stacklevel: int) -> None:
        """Say, where the second epoch begins, that a policy which looks at the noise was never told of it."""
        epoch, offset = divmod(self.samples, self._num_rows)
        if epoch == 1 and not offset and self.steering.looks_every is not None and not self._looks:
            policy = self._recipe.batch.policy
            warnings.warn(
                f'batch policy "{policy}" never heard of noise: call pilot.observe(noise=...)', stacklevel=stacklevel
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything that going on needs, as plain values."""
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "rate": self._rate,
            "steps": self._steps,
            "looks": self._looks,
            "steering": self.steering.to_json(),
            "made_for": self._made_for(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called.

        Raises:
            RequestError: the state is of another dataset, horizon, seed or recipe.
        """
        for what, now in self._made_for().items():
            was = state["made_for"].get(what)
            if was != now:
                raise RequestError(f"the state was saved with {what} {was!r}, not {now!r}: attach with the same {what}")
        self.samples, self.batch_size = state["samples"], state["batch_size"]
        self._rate, self._steps, self._looks = state["rate"], state["steps"], state["looks"]
        self.steering.load_json(state["steering"])

    def _made_for(self) -> dict[str, Any]:
        sections = {name: self._recipe.to_dict().get(name) for name in ("schedule", "batch")}
        return {"rows": self._num_rows, "horizon": self.horizon, "seed": self.seed, **sections}


class Piloted:
    """What the pilots of all frameworks offer to a loop; each adds how it makes a batch and sets its optimizer."""

    _course: Course

    @property
    def samples(self) -> int:
        """Rows handed out so far; the clock."""
        return self._course.samples

    @property
    def horizon(self) -> int:
        """Rows until the schedule ends."""
        return self._course.horizon

    @property
    def epoch(self) -> float:
        """Passes over the rows so far."""
        return self._course.epoch

    @property
    def batch_size(self) -> int:
        """What the policy asked for at the last batch; the end of an epoch may have cut it."""
        return self._course.batch_size

    @property
    def changes(self) -> list[Change]:
        """Every setting that moved with the batch or on a plateau, when, and why."""
        return self._course.changes

    @property
    def wants_noise(self) -> bool:
        """Whether the batch in hand is one whose gradient noise the policy would like to hear; see ``observe``."""
        return self._course.wants_noise

    def observe(self, *, loss: float = math.nan, noise: NoiseSample | None = None) -> None:
        """Tell a measured policy, in a loop of your own, what the optimizer's step on the batch in hand showed.

        Args:
            loss: of the batch.
            noise: a look at the noise in its gradients, from ``surefoot.batching.from_micro_gradients`` or
                ``from_examples``; where ``wants_noise`` says so is enough.
        """
        self._course.observe(loss=loss, noise=noise)

    def report(self, validation_loss: float) -> None:
        """Tell a plateau schedule or policy, in a loop of your own, the validation loss; less is better."""
        self._course.report(validation_loss)

    def state_dict(self) -> dict[str, Any]:
        """Everything that going on needs beside the optimizer's own state: plain numbers and texts, fit for JSON."""
        return self._course.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called; the optimizer's own state may be loaded before or after.

        Raises:
            RequestError: the state is of other rows, another horizon, seed or recipe.
        """
        self._course.load_state_dict(state)


def require_epochs(epochs: Any) -> None:
    """Raise unless ``epochs`` is a finite number above 0."""
    if isinstance(epochs, bool) or not (isinstance(epochs, int | float) and math.isfinite(epochs) and epochs > 0):
        raise RequestError(f"epochs must be a number above 0, not {epochs!r}")


def _section(name: str, key: str, given: Any) -> dict[str, Any]:
    """A recipe's section from a name, a number or a table."""
    if isinstance(given, str):
        return {key: given}
    if name == "batch" and isinstance(given, int) and not isinstance(given, bool):
        return {"size": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise RecipeError(f"{name} must be a name or a table as in a recipe, not {given!r}")
