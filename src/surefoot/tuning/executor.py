"""Makes the runs of a wave in this process: stacked as one model where they can be, else one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from surefoot.errors import UnsupportedError
from surefoot.protocols import Candidate, KeepsRuns, StacksRuns, Supervision, Trainable, TrainableFactory, Trained
from surefoot.training import Conditions, train_together

__all__ = ["CHECKPOINT", "WEIGHTS", "InProcess", "conditions_of"]

CHECKPOINT, WEIGHTS = "checkpoint", "model.safetensors"


class InProcess:
    """The executor of a study on one machine without worker processes.

    Args:
        notes: what a person may not expect of that.
    """

    def __init__(self, *, notes: tuple[str, ...] = ()) -> None:
        self.notes = notes

    def execute(
        self, wave: Sequence[Candidate], factory: TrainableFactory, *, ledger: KeepsRuns, supervision: Supervision
    ) -> Iterator[Trained]:
        """Each run as it ends; those that can be stacked end together."""
        for candidate in wave:  # all at once: groups may leave the order of the numbers, in which runs must begin
            ledger.begin(candidate)
        for group in _alike(wave):
            if group[0] is not wave[0] and supervision.should_stop():
                return
            stacked = self._stacked(group, factory)
            parts = [group] if stacked else [[candidate] for candidate in group]
            for part in parts:
                if part[0] is not wave[0] and supervision.should_stop():
                    return
                trainables = stacked or [factory.create(one.recipe, seed=one.seed, share=one.share) for one in part]
                conditions = [
                    conditions_of(one, factory, ledger=ledger, supervision=supervision, horizon=trainable.horizon)
                    for one, trainable in zip(part, trainables, strict=True)
                ]
                if stacked:  # a killed stack is trained anew: its members would not meet again at one sample
                    conditions = [replace(one, directory=None) for one in conditions]
                runs = train_together(trainables, part, conditions)
                yield from map(Trained, runs, trainables)
                if any(run.status == "interrupted" for run in runs):
                    return
                supervision = replace(supervision, spent=supervision.spent + sum(run.samples for run in runs))

    def _stacked(self, group: Sequence[Candidate], factory: TrainableFactory) -> Sequence[Trainable]:
        """The group's runs as one stacked model; none where that cannot be, and a note that says why."""
        if len(group) == 1 or not isinstance(factory, StacksRuns):
            return ()
        try:
            return factory.stack([(one.recipe, one.seed) for one in group], share=group[0].share)
        except UnsupportedError as error:
            note = f"runs were made one by one: {error}"
            self.notes = self.notes if note in self.notes else (*self.notes, note)
            return ()


def _alike(wave: Sequence[Candidate]) -> list[list[Candidate]]:
    """The wave in groups that may train as one model: the same in everything but rate, decay and seed."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in wave:
        sections = candidate.recipe.to_dict()
        sections["optimizer"] = sections["optimizer"]["name"]
        groups.setdefault(json.dumps([candidate.share, sections], sort_keys=True, default=str), []).append(candidate)
    return list(groups.values())


def conditions_of(
    candidate: Candidate,
    factory: TrainableFactory,
    *,
    ledger: KeepsRuns,
    supervision: Supervision,
    horizon: int,
) -> Conditions:
    """What surrounds one run of a study."""
    folder = ledger.folder(candidate.number)
    return Conditions(
        rows=factory.num_rows,
        training_samples=factory.training_samples,
        objective=factory.objective,
        spent=supervision.spent,
        observer=supervision.observer,
        report=partial(ledger.report, candidate, horizon=horizon),
        should_stop=supervision.should_stop,
        looks_at=supervision.looks_at,
        callbacks=supervision.callbacks,
        directory=None if folder is None else folder / CHECKPOINT,
        checkpoint_seconds=supervision.checkpoint_seconds,
        is_cautious=supervision.is_cautious,
    )
