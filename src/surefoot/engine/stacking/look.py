"""A look at all members of a pack at once: the metrics that each one's own evaluation measures."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import TensorRows, first
from surefoot.engine.rows.loading import EVALUATION_BATCH
from surefoot.engine.snapshot import training_modes
from surefoot.engine.stacking.member import Member
from surefoot.engine.stacking.pack import Pack
from surefoot.engine.threads import limited_threads
from surefoot.protocols import Certainty

__all__ = ["can_look", "look"]

# Rows on which a look at all is compared with one at each, and how far their losses may be apart.
FEW, TOLERANCE = 8, 1e-2


def look(pack: Pack, rows: TensorRows) -> list[tuple[dict[str, float], Certainty | None]]:
    """The members' metrics over rows, and how far each can be trusted.

    As many rows go through the stack at once as have the memory of one model's evaluation.
    """
    collecting = [(member.evaluator.gathering(), member.evaluator.doubts()) for member in pack.members]
    with limited_threads(to_one=pack.is_single_threaded), torch.no_grad():
        for inputs, target, *given in _blocks(rows, pack.model.weights.device):
            size = max(1, EVALUATION_BATCH // len(pack.members))
            outputs = [pack.model.outputs(part) for part in torch.split(inputs, size)]
            output = tree_map(lambda *parts: torch.cat(parts, dim=1), *outputs)
            weights = given[0] if given else None
            for index, (member, (gathering, doubts)) in enumerate(zip(pack.members, collecting, strict=True)):
                mine = tree_map(lambda value, at=index: value[at], output)
                found = member.objective.of_output(mine, target, weights)
                gathering.add_loss(float(found.plain), found.plain_weight)
                gathering.add_output(mine, target, weights)
                doubts.add(mine, target)
    measured = [(gathering.metrics(), doubts) for gathering, doubts in collecting]
    return [(metrics, doubts.certainty(metrics.get("accuracy"))) for metrics, doubts in measured]


def can_look(pack: Pack, rows: TensorRows) -> bool:
    """Whether a look at all members together says what one at each does, tried on a few rows."""
    few = first(rows, FEW)
    assert isinstance(few, TensorRows), "the first of such rows are such rows"
    with contextlib.suppress(Exception), isolated(RandomState.capture()):
        together = [found["loss"] for found, _ in look(pack, few)]
        alone = [_loss(member, few) for member in pack.members]
        return all(
            math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or not math.isfinite(other)
            for one, other in zip(together, alone, strict=True)
        )
    return False


@torch.no_grad()
def _loss(member: Member, rows: TensorRows) -> float:
    model, modes = member.model, training_modes(member.model)
    try:
        model.eval()
        (batch,) = _blocks(rows, next(model.parameters()).device)
        return float(member.objective(model, batch, len(rows)).plain)
    finally:
        for module, mode in modes:
            module.training = mode


def _blocks(rows: TensorRows, device: torch.device) -> Iterator[tuple[Tensor, ...]]:
    for start in range(0, len(rows), EVALUATION_BATCH):
        yield tuple(values[start : start + EVALUATION_BATCH].to(device) for values in rows.tensors)
