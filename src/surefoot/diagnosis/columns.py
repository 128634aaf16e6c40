"""What the columns of other tools' logs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surefoot.diagnosis.column_names import is_error, parts_in, plainness, role_in, words_in
from surefoot.diagnosis.column_sets import of_the_first_set
from surefoot.diagnosis.column_words import ALONE, MEASURED, MEASURES, PARTS, PLAYERS, RISING
from surefoot.diagnosis.table import plain
from surefoot.errors import RequestError, nearest

__all__ = [
    "ROLES",
    "called",
    "has_rewards",
    "hint",
    "is_place",
    "meanings",
    "overlooked",
    "part_of",
    "require_roles",
    "role_of",
    "sums",
]

ROLES = ("epoch", "step", *(f"{part}_{measure}" for part in PARTS for measure in MEASURES), *list(ALONE)[2:])


def meanings(columns: Iterable[str], named: Mapping[str, str] | None = None) -> dict[str, str]:
    """The role of every column that has one: column -> role, each role once, the first and plainest column winning.

    >>> meanings(["epoch", "loss", "val_loss", "lr-Adam", "time"])
    {'epoch': 'epoch', 'loss': 'train_loss', 'val_loss': 'validation_loss', 'lr-Adam': 'learning_rate'}
    >>> meanings(["Step", "Loss/train", "Loss/test"])
    {'Step': 'step', 'Loss/train': 'train_loss', 'Loss/test': 'validation_loss'}
    >>> meanings(["train_loss", "valid_loss", "accuracy"])["accuracy"]  # fastai: no training loss is a bare "loss"
    'validation_accuracy'

    Args:
        columns: as the log calls them.
        named: what the user says: role -> column.
    """
    columns, named = list(columns), dict(named or {})
    _require_named(columns, named)
    read_as = of_the_first_set(columns)
    roles = {column: role_in(read_as.get(column, column)) for column in columns}
    # a share of wrong answers is taken for a loss only where no loss is
    has_loss = any((role or "").endswith("_loss") and not is_error(column) for column, role in roles.items())
    found = {column: role for role, column in named.items()}
    taken = set(named)
    for column in sorted(columns, key=plainness):
        role = roles[column]
        if role is not None and role not in taken and column not in found and not (has_loss and is_error(column)):
            found[column] = role
            taken.add(role)
    _give_to_validation(found)
    return {column: found[column] for column in columns if column in found}


def called(column: str, roles: Mapping[str, str]) -> str:
    """What the series of a column is called in a log: its role, or its own name, which no role may have.

    >>> called("loss", {"loss": "train_loss"}), called("train_loss", {"loss": "train_loss"}), called("time", {})
    ('train_loss', 'train_loss (not read)', 'time')
    """
    return roles.get(column) or (f"{column} (not read)" if column in ROLES else column)


def sums(columns: Iterable[str], roles: Mapping[str, str]) -> dict[str, list[str]]:
    """Losses of several terms, where no column is the whole: role -> the terms, the same ones for both parts.

    >>> sums(["epoch", "train/box_loss", "train/cls_loss", "val/box_loss", "val/cls_loss"], {"epoch": "epoch"})
    {'train_loss': ['train/box_loss', 'train/cls_loss'], 'validation_loss': ['val/box_loss', 'val/cls_loss']}
    """
    if {"train_loss", "validation_loss"} & set(roles.values()):
        return {}
    terms: dict[str, dict[str, str]] = {"train": {}, "validation": {}}
    for column in sorted(columns, key=plainness):
        words = words_in(column)
        part = next((part for part, names in PARTS.items() if any(word in names for word in words)), None)
        if part is not None and words[-1] == "loss" and "test" not in words:
            terms[part].setdefault("_".join(word for word in words if word not in PARTS[part]), column)
    both = terms["train"].keys() & terms["validation"].keys()
    found = {}
    for part, by_term in terms.items():
        other = terms["validation" if part == "train" else "train"]
        chosen = [column for term, column in by_term.items() if term in both or not other]
        if chosen:
            found[f"{part}_loss"] = chosen
    return found


def overlooked(columns: Iterable[str]) -> list[str]:
    """Columns that nobody knows, and that may be what validation was logged as.

    >>> overlooked(["epoch", "train_loss", "loss_b", "seconds"])
    ['loss_b']
    """
    found = []
    for column in columns:
        words = words_in(column)
        if role_in(column) is None and MEASURED & set(words) and "train" not in parts_in(words):
            found.append(column)
    return found


def has_rewards(columns: Iterable[str]) -> bool:
    """Whether an agent's rewards were logged."""
    return any({"reward", "rewards"} & set(words_in(column)) for column in columns)


def hint(columns: Iterable[str]) -> str:
    """What to say of columns of which none is a loss.

    >>> hint(["epoch", "G_loss", "D_loss"])
    'losses of two networks that play against each other say nothing that a verdict could be read off'
    """
    columns = list(columns)
    if any(column.startswith("params_") for column in columns) and "value" in columns:
        return "a table of Optuna's trials has no ranges and no order: give the study, or the file that holds it"
    words = {word for column in columns for word in words_in(column)}
    if "loss" in words and len(PLAYERS & words) > 1:
        return "losses of two networks that play against each other say nothing that a verdict could be read off"
    if rising := sorted(RISING & words):
        return f"a loss falls as a training gets better, and {rising[0]} rises: log its negative as train_loss"
    return "say which is which: columns={'train_loss': NAME}, or --column train_loss=NAME"


def require_roles(named: Mapping[str, str]) -> None:
    """Refuse a role that nobody knows.

    Raises:
        RequestError: with the roles there are.
    """
    for role in named:
        if role not in ROLES:
            raise RequestError(f"a column cannot be {role!r}: {nearest(role, ROLES)}")


def part_of(text: str) -> str | None:
    """The part of the data that a word stands for: "train", "validation" or None."""
    word = text.strip().lower()
    return next((part for part, names in PARTS.items() if word in names), None)


def is_place(column: str) -> bool:
    """Whether a column says where a row stands, whatever part of the data it is about."""
    return role_in(column) in ALONE


def role_of(name: str, part: str = "") -> str | None:
    """The role of a name, which may leave its part of the data to what was said before.

    >>> role_of("Loss", "Test"), role_of("val_loss", "train"), role_of("time")
    ('validation_loss', 'validation_loss', None)
    """
    role = role_in(name)
    known = part_of(part)
    if role is None or role in ALONE or known is None or parts_in(words_in(name)):
        return role
    return f"{known}_{role.removeprefix('train_')}"


def _require_named(columns: list[str], named: dict[str, str]) -> None:
    for role, column in named.items():
        if column not in columns:
            near = nearest(column, [plain(name) for name in columns])
            raise RequestError(f"there is no column {column!r} for {role}: {near}")
        if role.endswith("_loss") and RISING & set(words_in(column)):
            raise RequestError(f"{column!r} is best where it is highest and so is no {role}: log its negative instead")


def _give_to_validation(found: dict[str, str]) -> None:
    """An accuracy of no part is the validation's where the training loss says its part, as fastai writes them."""
    by_role = {role: column for column, role in found.items()}
    accuracy, loss = by_role.get("train_accuracy"), by_role.get("train_loss")
    if accuracy is None or loss is None or "validation_loss" not in by_role or "validation_accuracy" in by_role:
        return
    if not parts_in(words_in(accuracy)) and parts_in(words_in(loss)):
        found[accuracy] = "validation_accuracy"
