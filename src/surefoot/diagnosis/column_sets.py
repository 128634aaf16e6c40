"""Columns that say the same of several sets of rows, or of several groups of weights; one of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surefoot.diagnosis.column_names import role_in, words_in
from surefoot.diagnosis.column_words import FILLERS

__all__ = ["of_the_first_set", "passed_over"]


def of_the_first_set(columns: Iterable[str]) -> dict[str, str]:
    """How to read what was measured on one of several sets: column -> the same without the name of the first set.

    Hugging Face's Trainer measures the time of each set that it evaluates on. Of two sets of XGBoost's that are only
    counted, the first is by custom the one it learns from.

    >>> of_the_first_set(["loss", "eval_a_loss", "eval_a_runtime", "eval_b_loss", "eval_b_runtime"])
    {'eval_a_loss': 'eval_loss', 'eval_a_runtime': 'eval_runtime'}
    """
    columns = list(columns)
    if any(column.startswith("validation_1/") for column in columns):
        return {
            column: column.replace("validation_0/", "train/")
            for column in columns
            if column.startswith("validation_0/")
        }
    by_words = {column: words_in(column) for column in columns}
    names = [words[1:-1] for words in by_words.values() if words[:1] == ["eval"] and words[-1] == "runtime"]
    if not names or [] in names:
        return {}
    length = len(names[0])
    return {
        column: "_".join(["eval", *words[1 + length :]])
        for column, words in by_words.items()
        if words[:1] == ["eval"] and words[1 : 1 + length] == names[0]
    }


def passed_over(columns: Iterable[str], roles: Mapping[str, str]) -> dict[str, list[str]]:
    """Validation losses of other sets and rates of other groups than the one that is read: role -> columns.

    >>> passed_over(["lr-Adam", "lr-SGD", "time"], {"lr-Adam": "learning_rate"})
    {'learning_rate': ['lr-SGD']}
    """
    columns = list(columns)
    chosen = {role: column for column, role in roles.items()}
    found = {}
    if rate := chosen.get("learning_rate"):
        found["learning_rate"] = [column for column in columns if _is_another_rate(column, rate)]
    if loss := chosen.get("validation_loss"):
        first = of_the_first_set(columns).get(loss, loss)
        found["validation_loss"] = [
            column
            for column in columns
            if column != loss and (_uncounted(column) == _uncounted(loss) or _is_of_another_set(column, loss, first))
        ]
    return {role: others for role, others in found.items() if others}


def _is_another_rate(column: str, rate: str) -> bool:
    if role_in(column) != "learning_rate":
        return False
    return [word for word in words_in(column) if word not in FILLERS] != [w for w in words_in(rate) if w not in FILLERS]


def _uncounted(column: str) -> list[str]:
    return [word for word in words_in(column) if not word.isdecimal()]


def _is_of_another_set(column: str, loss: str, first: str) -> bool:
    """Whether a column is the same measure as the chosen one, which is read as ``first``, on another named set."""
    words, same = words_in(column), words_in(first)
    return loss != first and words[:1] == same[:1] and words[-1:] == same[-1:] and words != words_in(loss)
