"""Makes the runs of a wave in this process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from surefoot.protocols import Candidate, KeepsRuns, Supervision, TrainableFactory, Trained
from surefoot.training import Conditions, train

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
        """Each run as it ends, in the order of the wave."""
        for candidate in wave:  # where runs of a wave can be stacked, this is the place
            if candidate is not wave[0] and supervision.should_stop():
                return
            ledger.begin(candidate)
            trainable = factory.create(candidate.recipe, seed=candidate.seed, share=candidate.share)
            conditions = conditions_of(
                candidate, factory, ledger=ledger, supervision=supervision, horizon=trainable.horizon
            )
            run = train(trainable, candidate, conditions)
            yield Trained(run, trainable)
            if run.status == "interrupted":
                return
            supervision = replace(supervision, spent=supervision.spent + run.samples)


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
