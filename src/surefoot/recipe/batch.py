"""The section of the batches: how many samples a step looks at, and what else moves with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from surefoot import batching
from surefoot.errors import RecipeError
from surefoot.recipe.section import Rate, Section

__all__ = ["Batch"]

# Policies beside which the rate stays: they stand in for a decay, or draw at random.
_UNCOUPLED = frozenset({"ada_batch", "plateau_growth", "random", "fixed", "full", "single"})


class Batch(Section):
    """How many samples a step looks at, and what else moves with them.

    A policy, the size it has or begins with, and the policy's own arguments. ``coupling`` says how the rate and the
    optimizer's memories follow a batch that moves ("none", "linear", "sqrt", "adascale"); left out, it is the
    optimizer's usual rule where the policy grows the batch, and "none" where the policy is there instead of a decay or
    draws at random. ``reference_size`` is the batch that the recipe's rate, betas and decay belong to, when that is
    not the one it begins with: the coupling brings them over. ``max_learning_rate`` bounds what a coupling may do.
    ``look_every`` counts the steps between two looks at the noise in the gradients; left out, the training chooses by
    what a look costs it. ``micro_batch`` is how many rows go
    through the model at once: the gradients of a larger batch are added up.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    policy: str = "fixed"
    size: Annotated[int, Field(ge=1)] | None = None
    coupling: Literal["none", "linear", "sqrt", "adascale"] | None = None
    reference_size: Annotated[int, Field(ge=1)] | None = None
    max_learning_rate: Rate | None = None
    look_every: Annotated[int, Field(ge=1)] | None = None
    micro_batch: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.is_observing:
            self.observing()
        else:
            batching.from_recipe(self.policy, size=self.size or self._usual_size(), arguments=self.model_extra)
        if self.look_every is not None and not batching.is_measured(self.policy):
            raise ValueError(f'batch.look_every is for policies that look at the noise; "{self.policy}" does not')
        if batching.is_constant(self.policy) and self.reference_size is None:
            for key in ("coupling", "max_learning_rate"):
                if getattr(self, key) not in (None, "none"):
                    raise ValueError(
                        f'batch.{key} is for a batch that moves; batch.policy "{self.policy}" keeps it, and there is '
                        "no batch.reference_size"
                    )
        return self

    @property
    def is_observing(self) -> bool:
        """Whether the policy follows what the training shows."""
        return self.policy in batching.OBSERVING

    def rule(self, optimizer: str) -> str:
        """The coupling, with what was left out filled in."""
        if self.coupling is not None:
            return self.coupling
        return "none" if self.policy in _UNCOUPLED else batching.default_coupling(optimizer)

    def complete(self, num_rows: int) -> Batch:
        """The same with the size written out; one that was left out comes from the number of rows.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        return Batch(**{**self.model_dump(exclude_none=True), "size": self.first_size(num_rows)})

    def first_size(self, num_rows: int) -> int:
        """The batch size that the training begins with.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        if self.is_observing:
            self.observing(num_rows=num_rows)
        else:
            self.build(num_rows)
        return {"single": 1, "full": num_rows}.get(self.policy) or self.size or self._usual_size(num_rows)

    def build(self, num_rows: int, *, schedule: Any = None) -> Any:
        """The policy over positions in [0, 1]; one that observes stands at its first size.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        size = self.size or self._usual_size(num_rows)
        if self.is_observing:
            return batching.Fixed(size)
        try:
            return batching.from_recipe(
                self.policy, size=size, arguments=self.model_extra, num_rows=num_rows, schedule=schedule
            )
        except ValueError as error:
            raise RecipeError(str(error)) from None

    def observing(self, *, num_rows: int | None = None, horizon: int = 64_000, step_time: Any = None) -> Any:
        """The policy that follows what the training shows.

        Raises:
            RecipeError: a size is larger than the number of rows.
        """
        try:
            size = self.size or self._usual_size(num_rows)
            return batching.observing_from_recipe(
                self.policy,
                size=size,
                arguments=self.model_extra,
                num_rows=num_rows,
                horizon=horizon,
                step_time=step_time,
            )
        except ValueError as error:
            raise (RecipeError(str(error)) if num_rows is not None else error) from None

    def _usual_size(self, num_rows: int | None = None) -> int:
        """The default size, held inside what the other arguments allow; without rows, any that they allow."""
        usual = 32 if num_rows is None else batching.default_batch_size(num_rows)
        return batching.within(usual, self.model_extra or {})
