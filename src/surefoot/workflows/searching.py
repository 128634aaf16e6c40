"""From what a person types as searcher to a Searcher."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

from surefoot.callbacks import Callback
from surefoot.errors import RequestError, nearest
from surefoot.protocols import Searcher
from surefoot.tuning.setting import Setting

__all__ = ["ENTRY_POINTS", "Maker", "callbacks_of", "require_searcher", "searcher_name"]

ENTRY_POINTS = "surefoot.searchers"
"""The entry-point group under which a package announces searchers: a name, and what makes one of a setting."""
_OPTUNA = "optuna:"

Maker = Callable[[Setting], Searcher]


def require_searcher(searcher: str | Maker) -> Maker:
    """What makes the searcher of a setting.

    Args:
        searcher: ``optuna:`` and a sampler of Optuna's, the name that an installed package announces, or a function of
            a ``surefoot.tuning.Setting``.

    Raises:
        RequestError: there is none of that name.
    """
    if callable(searcher):
        return searcher
    if not isinstance(searcher, str):
        raise RequestError(f"searcher must be a name such as optuna:TPESampler, not {type(searcher).__name__}")
    if searcher.startswith(_OPTUNA):
        from surefoot.tuning.foreign import Foreign
        from surefoot.tuning.optuna_names import parse

        text = searcher.removeprefix(_OPTUNA)
        parse(text).try_out()
        return lambda setting: Foreign(text, setting)
    announced = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    if searcher not in announced:
        known = [*announced, "optuna:TPESampler", "optuna:TPESampler,pruner=HyperbandPruner", "optuna:GPSampler"]
        raise RequestError(f'there is no searcher "{searcher}"; {nearest(searcher, known)}')
    found: Maker = announced[searcher].load()
    return found


def searcher_name(searcher: str | Maker) -> str:
    """What the study's request remembers it by."""
    return searcher if isinstance(searcher, str) else getattr(searcher, "__qualname__", type(searcher).__name__)


def callbacks_of(searcher: Searcher) -> tuple[Callback, ...]:
    """What a searcher wants to have asked after every look: ``searcher.callbacks``, where it has any."""
    found: tuple[Callback, ...] = tuple(getattr(searcher, "callbacks", ()))
    return found
