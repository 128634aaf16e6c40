"""What the columns of other tools' logs mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from surefoot.errors import RequestError, nearest

__all__ = ["ROLES", "meanings", "require_roles"]

# The words by which tools tell the parts of the data apart, and what they measure.
_PARTS = {
    "train": ("train", "training", "tr", "trn"),
    "validation": ("val", "valid", "validation", "eval", "evaluation", "dev", "test", "holdout"),
}
_MEASURES = {
    "loss": ("loss", "nll", "cross_entropy", "objective", "cost"),
    "accuracy": ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy", "top1"),
}
_ALONE = {
    "epoch": ("epoch", "epochs"),
    "step": ("step", "steps", "global_step", "iteration", "iterations", "iter", "batch_idx", "num_updates"),
    "learning_rate": ("lr", "learning_rate", "eta", "lr_0", "lr_pg0", "pg_0", "lr_pg_0", "event_lr"),
    "batch_size": ("batch_size", "batchsize", "bs", "train_batch_size"),
    "gradient_norm": ("grad_norm", "gradient_norm", "gnorm", "grad_2_norm_total"),
}
# Words that tools add and that change nothing; a value a step is as good as one an epoch.
_FILLERS = frozenset({"epoch", "step", "avg", "mean", "average", "total", "of", "metrics", "metric"})

ROLES = ("epoch", "step", *(f"{part}_{measure}" for part in _PARTS for measure in _MEASURES), *list(_ALONE)[2:])


def meanings(columns: Iterable[str], named: Mapping[str, str] | None = None) -> dict[str, str]:
    """The role of every column that has one: column -> role, each role once, the first and plainest column winning.

    >>> meanings(["epoch", "loss", "val_loss", "lr-Adam", "time"])
    {'epoch': 'epoch', 'loss': 'train_loss', 'val_loss': 'validation_loss', 'lr-Adam': 'learning_rate'}
    >>> meanings(["Step", "Loss/train", "Loss/test"])
    {'Step': 'step', 'Loss/train': 'train_loss', 'Loss/test': 'validation_loss'}

    Args:
        columns: as the log calls them.
        named: what the user says: role -> column.
    """
    columns, named = list(columns), dict(named or {})
    _require_named(columns, named)
    found = {column: role for role, column in named.items()}
    for column in sorted(columns, key=_plainness):
        role = _role(column)
        if role is not None and role not in found.values() and column not in found:
            found[column] = role
    return {column: found[column] for column in columns if column in found}


def require_roles(named: Mapping[str, str]) -> None:
    """Refuse a role that nobody knows.

    Raises:
        RequestError: with the roles there are.
    """
    for role in named:
        if role not in ROLES:
            raise RequestError(f"a column cannot be {role!r}: {nearest(role, ROLES)}")


def _require_named(columns: list[str], named: dict[str, str]) -> None:
    for role, column in named.items():
        if column not in columns:
            raise RequestError(f"there is no column {column!r} for {role}: {nearest(column, columns)}")


def _words(column: str) -> list[str]:
    apart = re.sub(r"([a-z])([A-Z])", r"\1_\2", column)
    return [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]


def _plainness(column: str) -> tuple[bool, bool, int]:
    """A test part stands behind a validation part, a running mean behind a mean over the epoch, a long name last."""
    words = _words(column)
    return ("test" in words, "step" in words or "batch" in words, len(words))


def _role(column: str) -> str | None:
    words = _words(column)
    name = "_".join(words)
    for role, names in _ALONE.items():
        if name in names:
            return role
    if words[:1] == ["lr"]:  # Lightning's monitor writes lr-Adam, lr-SGD/pg1
        return "learning_rate"
    parts = [part for part, names in _PARTS.items() if any(word in names for word in words)]
    rest = "_".join(word for word in words if word not in _FILLERS and not any(word in n for n in _PARTS.values()))
    for measure, names in _MEASURES.items():
        if rest in names:
            return f"{parts[-1] if parts else 'train'}_{measure}"
    return None
