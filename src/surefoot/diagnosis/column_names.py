"""What one name of a column says: its words, the part of the data, and its role."""

from __future__ import annotations

import re

from surefoot.diagnosis.column_words import (
    ALONE,
    ERRORS,
    FILLERS,
    MEASURES,
    NOT_RATES,
    NUMBERS,
    PARTS,
    TWO_WORDS,
)

__all__ = ["is_error", "parts_in", "plainness", "role_in", "words_in"]

_COUNTED = ("idx", *(word for names in PARTS.values() for word in names))


def words_in(column: str) -> list[str]:
    """The words of a name, in small letters.

    >>> words_in("proud-sun-1 - train/boxLoss")
    ['train', 'box', 'loss']
    """
    # Weights & Biases exports "run - train/loss", and the least and most of it beside
    column = column.rpartition(" - ")[2]
    apart = re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower().replace("held_out", "heldout").replace("'s ", " ")
    words = [word for word in re.split(r"[^a-z0-9]+", apart) if word]
    return [part for word in words for part in TWO_WORDS.get(word, [word])]


def parts_in(words: list[str]) -> list[str]:
    """The parts of the data that words name: "train", "validation"."""
    return [part for part, names in PARTS.items() if any(word in names for word in words)]


def role_in(column: str) -> str | None:
    """The role of a name, None where nobody knows it; a loss or an accuracy of no part is the training's.

    >>> role_in("valid_2's l2"), role_in("train/epoch_learning_rate"), role_in("seconds")
    ('validation_loss', 'learning_rate', None)
    """
    words = words_in(column)
    name = "_".join(words)
    without_part = [word for word in words if word not in PARTS["train"]]
    without_fillers = "_".join(word for word in without_part if word not in FILLERS)
    for role, names in ALONE.items():
        if name in names or "_".join(without_part) in names:
            return role
        if without_fillers in names and role not in ("epoch", "step"):
            return role
    if words[:1] == ["lr"] and not NOT_RATES & set(words):  # Lightning's monitor writes lr-Adam, lr-SGD/pg1
        return "learning_rate"
    parts, rest = parts_in(words), _measured(words)
    for measure, names in MEASURES.items():
        if rest in names or (measure == "loss" and rest in ERRORS):
            return f"{parts[-1] if parts else 'train'}_{measure}"
    return None


def is_error(column: str) -> bool:
    """Whether a name says a share of wrong answers."""
    return _measured(words_in(column)) in ERRORS


def plainness(column: str) -> tuple[bool, bool, int, int, int]:
    """A test part stands behind a validation part, a running mean behind a mean over the epoch, a long name last.

    Of several sets that are counted, the first comes first.
    """
    words = words_in(column)
    rest = _measured(words)
    rank = next((names.index(rest) for names in MEASURES.values() if rest in names), 0)
    number = next((int(word) for word in words if word.isdecimal() and len(word) < 4), 0)
    return ("test" in words, "step" in words or "batch" in words, rank, len(words), number)


def _measured(words: list[str]) -> str:
    """What a name says beside the part of the data and what changes nothing."""
    fillers = FILLERS | NUMBERS if parts_in(words) else FILLERS
    found = []
    for before, word in zip(["", *words], words, strict=False):
        is_count = word.isdecimal() and before in _COUNTED  # "valid_2" of LightGBM, "dataloader_idx_2" of Lightning
        if not is_count and word not in fillers and not any(word in names for names in PARTS.values()):
            found.append(word)
    return "_".join(found)
