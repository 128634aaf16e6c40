"""The section of the network: which weights are used in the end."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surefoot.recipe.section import Section, Share

__all__ = ["Network"]

# Where equal averaging begins: Izmailov et al. 2018, arXiv:1803.05407, section 4.1, after about 75 % of the budget.
_SWA_START = 0.75
# Measured: see docs/log.md, 2026-11-21, averaging.
_HALF_LIFE = 0.02

_Averaging = Literal["none", "ema", "swa"]
# Which values of another key each key is for.
_BELONGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ema_half_life": ("averaging", ("ema",)),
    "averaging_start": ("averaging", ("ema", "swa")),
}


class Network(Section):
    """Averages of the weights; every length is a share of the horizon.

    ``averaging``: what is evaluated, kept as best and saved is an average of the weights, while training goes on at the
    weights themselves. "ema" weighs a weight by half for every ``ema_half_life`` that has passed since (0.02 when left
    out); "swa" weighs all alike (Izmailov et al. 2018, arXiv:1803.05407). Both begin at ``averaging_start``: 0 for
    "ema" and 0.75 for "swa" when left out.
    """

    averaging: _Averaging = "none"
    ema_half_life: Annotated[float, Field(gt=0, lt=1)] | None = None
    averaging_start: Share | None = None

    @model_validator(mode="after")
    def _nothing_is_idle(self) -> Self:
        for key, (owner, values) in _BELONGS.items():
            chosen = getattr(self, owner)
            if getattr(self, key) is not None and chosen not in values:
                allowed = " or ".join(f'"{value}"' for value in values)
                raise ValueError(
                    f'network.{key} is for network.{owner} = {allowed}; it would do nothing beside "{chosen}": '
                    "leave it out"
                )
        return self

    @property
    def is_on(self) -> str:
        """The key of a lever that is on, or ""."""
        return "averaging" if self.averaging != "none" else ""

    def complete(self) -> Network:
        """The section with every default written out."""
        defaults: dict[str, Any] = {}
        if self.averaging == "ema":
            defaults = {"ema_half_life": _HALF_LIFE, "averaging_start": 0.0}
        elif self.averaging == "swa":
            defaults = {"averaging_start": _SWA_START}
        return Network(**{**defaults, **self.model_dump(exclude_none=True)})

    def require_fits(self, *, optimizer: str, l1_method: str) -> None:
        """Hold the section against what it does not go with.

        Raises:
            ValueError: two keys contradict each other.
        """
        if self.averaging == "none":
            return
        if optimizer.startswith("schedule_free"):
            raise ValueError(
                f'network.averaging "{self.averaging}" does not go with optimizer.name "{optimizer}", which averages '
                'its weights already; use "none" or another optimizer'
            )
        if l1_method == "proximal":
            raise ValueError(
                f'network.averaging "{self.averaging}" does not go with regularization.l1_method "proximal": a mean of '
                'zeros and others is not zero; use "none" or l1_method "gradient"'
            )
