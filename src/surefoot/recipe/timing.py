"""The sections that run along the training: the schedule of the rate, the batches, and when to stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from surefoot import batching, schedules
from surefoot.errors import RecipeError
from surefoot.recipe.section import Section, Share

__all__ = ["Batch", "Schedule", "Stopping"]


class Schedule(Section):
    """How the learning rate moves: a name, a warmup as a share of the horizon, the schedule's own arguments.

    Left out, ``warmup`` is 0.05, and 0 in front of a schedule that begins low itself. The name is one of
    ``surefoot.schedules`` or ``package.module:Class``, which is imported: read a stranger's recipe before you run it.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "cosine"
    warmup: Share = Field(default_factory=lambda given: schedules.default_warmup(given.get("name", "")))
    warmup_shape: Literal["linear", "exponential"] = "linear"
    warmup_start: float | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        self.build()
        return self

    def build(self) -> Any:
        """The schedule itself, over positions in [0, 1]."""
        return schedules.from_recipe(
            self.name,
            warmup=self.warmup,
            warmup_shape=self.warmup_shape,
            warmup_start=self.warmup_start,
            arguments=self.model_extra,
        )


class Batch(Section):
    """How many samples a step looks at: a policy, the size it has or begins with, the policy's own arguments."""

    model_config = ConfigDict(frozen=True, extra="allow")

    policy: str = "fixed"
    size: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        batching.from_recipe(self.policy, size=self.size or self._usual_size(), arguments=self.model_extra)
        return self

    def complete(self, num_rows: int) -> Batch:
        """The same with the size written out; one that was left out comes from the number of rows.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        self.build(num_rows)
        size = {"single": 1, "full": num_rows}.get(self.policy) or self.size or self._usual_size(num_rows)
        return Batch(policy=self.policy, size=size, **(self.model_extra or {}))

    def build(self, num_rows: int) -> Any:
        """The policy itself, over positions in [0, 1].

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        size = self.size or self._usual_size(num_rows)
        try:
            return batching.from_recipe(self.policy, size=size, arguments=self.model_extra, num_rows=num_rows)
        except ValueError as error:
            raise RecipeError(str(error)) from None

    def _usual_size(self, num_rows: int | None = None) -> int:
        """The default size, held inside what the other arguments allow; without rows, any that they allow."""
        usual = 32 if num_rows is None else batching.default_batch_size(num_rows)
        return batching.within(usual, self.model_extra or {})


class Stopping(Section):
    """Stop when the validation objective has not improved for ``patience``, a share of the horizon; 0 never stops."""

    patience: Share = 0.0
