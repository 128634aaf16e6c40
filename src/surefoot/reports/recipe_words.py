"""A recipe as a person says it: in one line, and as the cards at the top of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surefoot.language import say
from surefoot.records import Run, Study

__all__ = ["Card", "recipe_cards", "recipe_in_words"]


@dataclass(frozen=True)
class Card:
    """A number of a page with its name.

    Attributes:
        label: what it is.
        value: the number or the word.
        note: what belongs to it; may be empty.
    """

    label: str
    value: str
    note: str = ""


def recipe_in_words(study: Study) -> str:
    """Optimizer, rate, decay, batch, schedule and length in a line."""
    optimizer, winner = study.recipe["optimizer"], study.winning_run
    parts = [
        str(optimizer["name"]),
        say("learning rate {rate:.3g}", rate=optimizer["learning_rate"]),
        say("weight decay {decay:.3g}", decay=optimizer["weight_decay"]),
        _batch(study.recipe["batch"], winner),
        _schedule(study.recipe["schedule"]),
    ]
    if winner is not None and winner.share != 1.0:
        epochs, share = study.epochs * winner.share, winner.share
        sentence = "over {epochs:.3g} epochs ({share:.2g} times the task's {asked:g})"
        parts.append(say(sentence, epochs=epochs, share=share, asked=study.epochs))
    return say(", ").join(parts)


def recipe_cards(study: Study) -> list[Card]:
    """The same, a card a choice."""
    optimizer, batch, winner = study.recipe["optimizer"], study.recipe["batch"], study.winning_run
    size, last = batch["size"], _last_size(batch, winner)
    note = say("by {policy}", policy=batch["policy"]) if last is not None else ""
    share = 1.0 if winner is None else winner.share
    length = say("{share:.2g} times the task's {asked:g}", share=share, asked=study.epochs) if share != 1.0 else ""
    return [
        Card(say("optimizer"), str(optimizer["name"])),
        Card(say("learning rate"), f"{optimizer['learning_rate']:.3g}", _unbroken(_schedule(study.recipe["schedule"]))),
        Card(say("weight decay"), f"{optimizer['weight_decay']:.3g}"),
        Card(say("batch size"), f"{size}" if last in (None, size) else f"{size} → {last}", note + _reference(batch)),
        Card(say("length"), say("{epochs:.3g} epochs", epochs=study.epochs * share), length),
    ]


def _unbroken(text: str) -> str:
    """A text whose shares stay in one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _schedule(schedule: dict[str, Any]) -> str:
    warmup = say(" after a warmup of {share:g} %", share=100 * schedule["warmup"]) if schedule["warmup"] else ""
    return say("{name} schedule", name=schedule["name"]) + warmup


def _batch(batch: dict[str, Any], winner: Run | None) -> str:
    """The batch size, and where it went under a policy that moves it."""
    size, last = batch["size"], _last_size(batch, winner)
    if last is None:
        return say("batch size {size}", size=size) + _reference(batch)
    if last == size:
        return say("batch size {size} by {policy}", size=size, policy=batch["policy"]) + _reference(batch)
    moved = say("batch size {size} to {last} by {policy}", size=size, last=last, policy=batch["policy"])
    return moved + _reference(batch)


def _reference(batch: dict[str, Any]) -> str:
    """To which batch size the rate belongs, where the recipe says so."""
    reference = batch.get("reference_size")
    return say(" (its settings belong to {size})", size=reference) if reference else ""


def _last_size(batch: dict[str, Any], winner: Run | None) -> int | None:
    """The batch size at the end, under a policy that may move it."""
    if winner is None or not winner.evaluations or batch["policy"] in {"fixed", "full", "single"}:
        return None
    return winner.evaluations[-1].batch_size
