"""Schedules that react to what is measured: ``init() -> state``, ``update(state, value) -> (state, decision)``.

The state is frozen and made of plain numbers, so it goes into a checkpoint as JSON and a resumed training decides as
an uninterrupted one would. The multiplier stands beside any other schedule: use the product.

One meaning of patience, whatever the framework: **the rate is cut at the first look that lies ``patience`` or more
after the last improvement.** Positions are in any unit; with one look an epoch and positions in epochs, on a value
that never improves after look 0 (patience 2, no cooldown):

- here and in Keras the cuts come at looks 2, 4, 6: Keras counts ``wait >= patience``;
- in PyTorch they come at 3, 6, 9: it counts ``bad > patience``, so patience p there is p + 1 here.

An improvement is relative to the best value's size, best − threshold·|best| when less is better. PyTorch multiplies by
(1 − threshold), which for a negative best takes a worse value for a better one; Keras subtracts an absolute amount.
After a cut the wait begins anew at ``cooldown`` past it: with a cooldown of 2, here at looks 2, 6, 10, in PyTorch
(patience 1) at the same ones, in Keras at 2, 5, 8, because it counts the last look of a cooldown. Not-a-number is
never an improvement. Nothing here resets when a training is called again: only ``init`` does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self

from surefoot.errors import nearest
from surefoot.schedules.door import require_choice, require_count, require_floor, require_inside, require_positive

__all__ = ["Decision", "Plateau", "PlateauState", "ReduceThenRaise"]

# The start of a wait is a sum of shares; a relative 1e-9 keeps 0.1 + 0.2 from missing 0.3.
_SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class PlateauState:
    """What a reactive schedule remembers.

    Attributes:
        multiplier: of the base learning rate, from now on.
        best: the best value since the start, or since the last raise; None before the first.
        waiting_since: the position from which patience counts; None before the first look.
        raising_since: the position at which a raise began; None when there is none in progress.
        num_cuts: cuts so far.
        num_raises: raises begun so far.
    """

    multiplier: float = 1.0
    best: float | None = None
    waiting_since: float | None = None
    raising_since: float | None = None
    num_cuts: int = 0
    num_raises: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The state that ``to_dict`` described."""
        known = {field.name for field in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ValueError(f'a state has no "{key}"; {nearest(key, known)}')
        return cls(**values)


@dataclass(frozen=True)
class Decision:
    """What to do from now on, and why.

    Attributes:
        multiplier: of the base learning rate.
        action: ``keep``, ``cut`` or ``raise``.
        reason: one line, for a log.
    """

    multiplier: float
    action: Literal["keep", "cut", "raise"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Cut the rate when the watched value has stopped improving.

    When the length of a training is not known in advance. Where it is known, a cosine needs no watching and does as
    well or better. The module's first lines define patience against PyTorch's and Keras's.

    Args:
        factor: what a cut leaves of the rate, between 0 and 1.
        patience: how far back the last improvement may lie, in the unit of the positions, above 0.
        threshold: how much better a value must be to count, relative to the best one, at least 0.
        cooldown: how long after a cut the wait does not begin, in the unit of the positions, at least 0.
        floor: no cut goes below it, in [0, 1].
        mode: ``min`` when less of the value is better, ``max`` when more is.

    >>> plateau = Plateau(factor=0.5, patience=2)
    >>> state = plateau.init()
    >>> for epoch, loss in enumerate([1.0, 0.9, 0.9, 0.9]):
    ...     state, decision = plateau.update(state, loss, position=epoch)
    >>> decision.action, decision.multiplier
    ('cut', 0.5)
    """

    factor: float = 0.1
    patience: float = 0.1
    threshold: float = 1e-4
    cooldown: float = 0.0
    floor: float = 0.0
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        require_inside("factor", self.factor, meaning="it is what a cut leaves of the rate")
        require_positive("patience", self.patience)
        for name, value in (("threshold", self.threshold), ("cooldown", self.cooldown)):
            if value != 0:
                require_positive(name, value)
        require_floor(self.floor)
        require_choice("mode", self.mode, ("min", "max"))

    def init(self) -> PlateauState:
        """The state before the first look."""
        return PlateauState()

    def update(self, state: PlateauState, value: float, *, position: float) -> tuple[PlateauState, Decision]:
        """What a look at the watched value changes.

        Args:
            state: from ``init`` or from the update before.
            value: what was measured, a validation loss for instance; not-a-number counts as no improvement.
            position: where the training stands, not before the look before.
        """
        state = self.looked(state, value, position)
        if not self.has_stalled(state, position):
            return state, Decision(state.multiplier, "keep", f"{value:.4g}; the best is {_text(state.best)}")
        lower = state.multiplier * self.factor
        if lower <= self.floor * (1.0 + _SLACK):  # 0.1 · 0.1 is a little above 0.01
            lower = self.floor
        if lower >= state.multiplier:
            return state, Decision(state.multiplier, "keep", f"stalled at the floor of {self.floor:g}")
        reason = f"no better than {_text(state.best)} for {position - (state.waiting_since or 0.0):.3g}"
        state = dataclasses.replace(
            state, multiplier=lower, waiting_since=position + self.cooldown, num_cuts=state.num_cuts + 1
        )
        return state, Decision(lower, "cut", reason)

    def looked(self, state: PlateauState, value: float, position: float) -> PlateauState:
        """The state with the best value and the start of the wait brought up to date."""
        since = position if state.waiting_since is None else state.waiting_since
        if self._improves(value, state.best):
            return dataclasses.replace(state, best=float(value), waiting_since=max(since, position))
        return dataclasses.replace(state, waiting_since=since)

    def has_stalled(self, state: PlateauState, position: float) -> bool:
        """Whether the last improvement lies ``patience`` back."""
        since = position if state.waiting_since is None else state.waiting_since
        return position - since >= self.patience * (1.0 - _SLACK)

    def _improves(self, value: float, best: float | None) -> bool:
        if not math.isfinite(value):
            return False
        if best is None:
            return True
        enough = self.threshold * abs(best)
        return value < best - enough if self.mode == "min" else value > best + enough


@dataclass(frozen=True)
class ReduceThenRaise:
    """Cut on a plateau down to a floor; once converged there, raise the rate gently, then cut again.

    To leave a poor basin: the raise is a warm restart (Loshchilov and Hutter 2017, arXiv:1608.03983) that waits for
    convergence instead of a date, and climbs instead of jumping. From the floor m₀ the multiplier goes
    m₀ (peak/m₀)^(t/length). While it climbs, nothing is cut; at the top the best value is forgotten, so that progress
    in the new basin counts as progress. Keep the best weights: the new basin may be worse. The defaults are chosen,
    not measured.

    Args:
        plateau: how the rate is cut; its floor must be above 0.
        peak: the multiplier a raise climbs to, above the plateau's floor and at most 1.
        raise_length: how long a raise takes, in the unit of the positions, above 0.
        num_raises: how many raises at most, at least 1; after the last one the floor is the end.

    >>> schedule = ReduceThenRaise(Plateau(factor=0.1, patience=1, floor=0.1), peak=0.4, raise_length=2)
    >>> state, multipliers = schedule.init(), []
    >>> for epoch in range(7):
    ...     state, decision = schedule.update(state, 1.0, position=epoch)
    ...     multipliers.append(round(decision.multiplier, 3))
    >>> multipliers
    [1.0, 0.1, 0.1, 0.2, 0.4, 0.4, 0.1]
    """

    plateau: Plateau = dataclasses.field(default_factory=lambda: Plateau(floor=0.01))
    _: KW_ONLY
    peak: float = 0.3
    raise_length: float = 0.1
    num_raises: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.plateau, Plateau):
            raise ValueError(f"plateau must be a surefoot.schedules.plateau, not {self.plateau!r}")
        if not self.plateau.floor > 0:
            raise ValueError("plateau must have a floor above 0, such as 0.01: that is where a raise begins")
        require_positive("peak", self.peak)
        if not self.plateau.floor < self.peak <= 1.0:
            raise ValueError(f"peak must be above the floor {self.plateau.floor!r} and at most 1, not {self.peak!r}")
        require_positive("raise_length", self.raise_length)
        require_count("num_raises", self.num_raises)

    def init(self) -> PlateauState:
        """The state before the first look."""
        return self.plateau.init()

    def update(self, state: PlateauState, value: float, *, position: float) -> tuple[PlateauState, Decision]:
        """What a look at the watched value changes; the arguments are those of ``Plateau.update``."""
        if state.raising_since is not None:
            return self._climbed(state, position)
        stalled_before = state.multiplier <= self.plateau.floor and state.num_raises < self.num_raises
        state, decision = self.plateau.update(state, value, position=position)
        if not (stalled_before and self.plateau.has_stalled(state, position)):
            return state, decision
        state = dataclasses.replace(state, raising_since=position, num_raises=state.num_raises + 1)
        return state, Decision(state.multiplier, "raise", f"converged at {_text(state.best)}; a raise begins")

    def _climbed(self, state: PlateauState, position: float) -> tuple[PlateauState, Decision]:
        """The multiplier part of the way up, or at the top, where the search for a plateau begins anew."""
        assert state.raising_since is not None
        passed = (position - state.raising_since) / self.raise_length
        if passed >= 1.0 - _SLACK:
            state = dataclasses.replace(state, multiplier=self.peak, best=None, waiting_since=None, raising_since=None)
            return state, Decision(self.peak, "raise", "the raise is complete")
        floor = self.plateau.floor
        state = dataclasses.replace(state, multiplier=floor * (self.peak / floor) ** max(passed, 0.0))
        return state, Decision(state.multiplier, "raise", f"{100 * max(passed, 0.0):.0f} % of the raise")


def _text(best: float | None) -> str:
    return "unknown" if best is None else f"{best:.4g}"
