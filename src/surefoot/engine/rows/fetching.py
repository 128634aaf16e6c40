"""One batch from a dataset, the same in this process and in a worker: its rows, its random draws, its errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import default_collate, get_worker_info

from surefoot import seeds
from surefoot.engine.randomness import drawing_from
from surefoot.errors import raised_at

__all__ = ["Failure", "Fetching", "Request"]

SHOWN_ROWS = 3


@dataclass(frozen=True)
class Request:
    """The rows of one batch.

    Attributes:
        position: the clock in samples where the batch begins; it decides what the rows draw at random.
        indices: which rows.
    """

    position: int
    indices: Sequence[int]


@dataclass(frozen=True)
class Failure:
    """Why a batch could not be had, in one line; as a value, because exceptions do not travel well."""

    text: str


class Fetching:
    """A dataset seen batch by batch: what PyTorch's DataLoader takes for a dataset with ``__getitems__``.

    The global streams of Python, NumPy and PyTorch are seeded anew for every batch, from the seed and the position, so
    an augmentation draws the same whichever process runs it, and after a resume. A dataset's own ``__getitems__`` and
    its own ``collate_fn`` are used where it has them.

    Args:
        dataset: map-style.
        seed: of what its rows draw.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self._dataset, self._seed = dataset, seed
        self._collate = _collate_of(dataset)
        self._is_checked = False

    def __getitems__(self, request: Request) -> Any:
        """The collated batch, or why there is none."""
        with drawing_from(seeds.derive(self._seed, "rows", request.position)):
            items = self._items(request.indices)
            if isinstance(items, Failure):
                return items
            batch = _attempt(lambda: self._collate(items), f"{_named(request.indices)} cannot become a batch")
        return batch if isinstance(batch, Failure) else self._portable(batch)

    def _items(self, indices: Sequence[int]) -> Any:
        at_once = getattr(self._dataset, "__getitems__", None)
        if at_once:
            return _attempt(lambda: at_once(list(indices)), f"reading {_named(self._origins(indices))} failed")
        items = []
        for index in indices:
            try:
                items.append(self._dataset[index])
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - the user's own code
                return Failure(f"reading {_named(self._origins([index]))} failed at {raised_at(error)}")
        return items

    def _origins(self, indices: Sequence[int]) -> list[int]:
        """The rows' numbers in the dataset that the user gave, before any was held out."""
        dataset, numbers = self._dataset, list(indices)
        while hasattr(dataset, "dataset") and hasattr(dataset, "indices"):
            dataset, numbers = dataset.dataset, [int(dataset.indices[number]) for number in numbers]
        return numbers

    def _portable(self, batch: Any) -> Any:
        """The batch; a worker tries to send its first one, because what cannot be sent would be waited for forever."""
        if self._is_checked or get_worker_info() is None:
            return batch
        self._is_checked = True
        tried = _attempt(lambda: pickle.dumps(batch), "a batch cannot be sent by a worker, set data.workers = 0")
        return tried if isinstance(tried, Failure) else batch


def _attempt(action: Callable[[], Any], what: str) -> Any:
    """What the user's own code gives, or one line about why it does not; memory is somebody else's concern."""
    try:
        return action()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the user's own code
        return Failure(f"{what}: {raised_at(error)}")


def _collate_of(dataset: Any) -> Callable[[list[Any]], Any]:
    """The dataset's ``collate_fn``, also where only some of its rows were taken, or PyTorch's usual one."""
    while dataset is not None:
        own = getattr(dataset, "collate_fn", None)
        if callable(own):
            return own  # type: ignore[no-any-return] # the user's
        dataset = getattr(dataset, "dataset", None) if hasattr(dataset, "indices") else None
    return default_collate


def _named(indices: Sequence[int]) -> str:
    """Rows by their numbers, the first few of many.

    >>> _named([7]), _named([1, 2, 3, 4, 5])
    ('row 7', 'rows 1, 2, 3 and 2 more')
    """
    shown = ", ".join(str(index) for index in indices[:SHOWN_ROWS])
    more = f" and {len(indices) - SHOWN_ROWS} more" if len(indices) > SHOWN_ROWS else ""
    return f"row{'s' if len(indices) > 1 else ''} {shown}{more}"
