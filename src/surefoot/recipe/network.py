"""The section of the network: which weights are used in the end, and which are taken out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surefoot.recipe.section import Section, Share

__all__ = ["Network"]

# Where equal averaging begins: Izmailov et al. 2018, arXiv:1803.05407, section 4.1, after about 75 % of the budget.
_SWA_START = 0.75
# Measured: see docs/log.md, 2026-11-21, averaging.
_HALF_LIFE = 0.05

# How much goes where nobody says: measured, see docs/log.md, 2026-11-21, pruning.
_SPARSITY = {"magnitude": 0.8, "structured": 0.5}
_PRUNING_BEGIN, _PRUNING_END = 0.1, 0.6

_Averaging = Literal["none", "ema", "swa"]
_Pruning = Literal["none", "magnitude", "structured"]
_Inside = Annotated[float, Field(gt=0, lt=1)]
# Which values of another key each key is for.
_BELONGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ema_half_life": ("averaging", ("ema",)),
    "averaging_start": ("averaging", ("ema", "swa")),
    "sparsity": ("pruning", ("magnitude", "structured")),
    "pruning_begin": ("pruning", ("magnitude", "structured")),
    "pruning_end": ("pruning", ("magnitude", "structured")),
}


class Network(Section):
    """Averages of the weights, and weights that go; every length is a share of the horizon.

    ``averaging``: what is evaluated, kept as best and saved is an average of the weights, while training goes on at the
    weights themselves. "ema" weighs a weight by half for every ``ema_half_life`` that has passed since (0.05 when left
    out); "swa" weighs all alike (Izmailov et al. 2018, arXiv:1803.05407). Both begin at ``averaging_start``: 0 for
    "ema" and 0.75 for "swa" when left out.

    ``pruning``: from ``pruning_begin`` to ``pruning_end`` (0.1 and 0.6) more and more weights are set to zero and stay
    so, up to the share ``sparsity``, along a cubic ramp (Zhu and Gupta 2017, arXiv:1710.01878). "magnitude" takes the
    smallest weights of all layers together (0.8 of them when left out), "structured" the smallest units of every layer
    (0.5), which are taken out of the model in the end. The weights that are kept as best come from after that.
    """

    averaging: _Averaging = "none"
    ema_half_life: _Inside | None = None
    averaging_start: Share | None = None
    pruning: _Pruning = "none"
    sparsity: _Inside | None = None
    pruning_begin: Share | None = None
    pruning_end: Annotated[float, Field(gt=0, le=1)] | None = None

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
        begin, end = self.complete().pruning_begin, self.complete().pruning_end
        if begin is not None and end is not None and begin >= end:
            raise ValueError(
                f"network.pruning_begin is {begin:g} and network.pruning_end is {end:g}; the begin must come first"
            )
        return self

    @property
    def is_on(self) -> str:
        """The key of a lever that is on, or ""."""
        return next((key for key in ("averaging", "pruning") if getattr(self, key) != "none"), "")

    def complete(self) -> Network:
        """The section with every default written out.

        >>> network = Network(averaging="ema", pruning="structured").complete()
        >>> network.ema_half_life, network.averaging_start, network.sparsity, network.pruning_begin, network.pruning_end
        (0.05, 0.0, 0.5, 0.1, 0.6)
        """
        defaults: dict[str, Any] = {}
        if self.averaging == "ema":
            defaults = {"ema_half_life": _HALF_LIFE, "averaging_start": 0.0}
        elif self.averaging == "swa":
            defaults = {"averaging_start": _SWA_START}
        if self.pruning != "none":
            shares = {"pruning_begin": _PRUNING_BEGIN, "pruning_end": _PRUNING_END}
            defaults |= {"sparsity": _SPARSITY[self.pruning], **shares}
        return self.model_construct(**{**defaults, **self.model_dump(exclude_none=True)})

    def require_fits(self, *, optimizer: str, l1_method: str) -> None:
        """Hold the section against what it does not go with.

        Raises:
            ValueError: two keys contradict each other.
        """
        if self.pruning != "none" and optimizer.startswith(("schedule_free", "prodigy")):
            why = "finds its rate from how far the weights went" if optimizer == "prodigy" else "averages its weights"
            raise ValueError(
                f'network.pruning "{self.pruning}" does not go with optimizer.name "{optimizer}", which {why}: weights '
                'that are set to zero would disturb it; use "none" or another optimizer'
            )
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
