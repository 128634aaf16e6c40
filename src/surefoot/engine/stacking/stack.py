"""Fused runs: several trainings of one architecture advance together, as one stacked model.

Every member is a whole ``Training`` whose weights, and what its optimizer remembers of them, are rows of the stack. So
it is evaluated, saved, resumed and retried like any, and goes on by itself where nobody stands beside it. Stacked or
alone a member has the same first weights, rows, masks and rates; only last digits of its sums differ. They may also
differ after a resume, where checkpoints were written at different samples and the members meet again only later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import Rows, TensorRows
from surefoot.engine.stacking.look import can_look, look
from surefoot.engine.stacking.member import Member
from surefoot.engine.stacking.pack import Pack
from surefoot.engine.stacking.rehearsal import rehearse
from surefoot.engine.stacking.rows import near
from surefoot.engine.stacking.stackable import require_alike, require_stackable
from surefoot.engine.threads import limited_threads
from surefoot.errors import UnsupportedError
from surefoot.protocols import Problem, Split
from surefoot.recipe import Recipe
from surefoot.training import never

__all__ = ["Stack"]


class Stack:
    """Runs that advance together.

    Where one is asked to advance, all that stand at its sample do, in packs that fit in memory: one that does not is
    halved, and its step repeated. A run that failed or was released is out, and the rest are stacked anew.

    Args:
        problem: the task.
        wanted: a complete recipe and a seed for every run.
        parts: the task's rows by part.
        horizon: samples the schedules span.

    Attributes:
        members: the runs, in the order they were wanted.

    Raises:
        UnsupportedError: they cannot be stacked; the message says why in one line.
    """

    def __init__(
        self, problem: Problem, wanted: Sequence[tuple[Recipe, int]], parts: dict[Split, Rows], *, horizon: int
    ) -> None:
        require_stackable(problem, parts["train"], [recipe for recipe, _ in wanted])
        self.members = tuple(
            Member(problem, recipe, parts, seed=seed, horizon=horizon, convoy=self) for recipe, seed in wanted
        )
        require_alike([member.model for member in self.members])
        rows = parts["train"]
        assert isinstance(rows, TensorRows), "require_stackable looked at them"
        self._rows = near(rows, next(self.members[0].model.parameters()).device)
        self._most = len(self.members)
        self._can_look: bool | None = None
        self._rehearse()

    def train(self, leader: Member, num_samples: int, *, should_stop: Callable[[], bool]) -> None:
        """Train a member and all that wait where it stands; what each did is in its tally.

        Args:
            leader: whose ``should_stop`` counts for all beside it.
            num_samples: to train, or less at the horizon, or where the leader should stop.
            should_stop: asked before every step.
        """
        together = [
            member
            for member in self.members
            if member is leader or (leader.joins and member.is_waiting and member.clock == leader.clock)
        ]
        self._train(together, min(leader.clock + num_samples, leader.horizon), should_stop)

    def look(self, member: Member, split: Split) -> bool:
        """Look at all that are in one pack with a member; False where that cannot be."""
        pack, rows = member.pack, member.parts.get(split)
        if not isinstance(pack, Pack) or not pack.is_whole or not isinstance(rows, TensorRows) or not len(rows):
            return False
        if self._can_look is None:
            self._can_look = can_look(pack, rows)
        if self._can_look:
            for each, (metrics, certainty) in zip(pack.members, look(pack, rows), strict=True):
                each.seen(split, metrics)
                if split == "validation":
                    each.evaluator.certainty = certainty
        return self._can_look

    def _train(self, members: list[Member], goal: int, should_stop: Callable[[], bool]) -> None:
        """Train members at one sample up to the goal, or to where they should stop."""
        while members and members[0].clock < goal:
            if len(members) == 1:
                members[0].train_alone(goal, should_stop=should_stop)
                return
            if len(members) > self._most:
                first, rest = members[: self._most], members[self._most :]
                self._train(first, goal, should_stop)
                # the others go as far, whenever they should have stopped
                self._train(rest, max((member.clock for member in first if member.joins), default=goal), never)
                return
            members = self._stretch(members, goal, should_stop)

    def _stretch(self, members: list[Member], goal: int, should_stop: Callable[[], bool]) -> list[Member]:
        """Train members in one pack as long as they stay together; those that should go on in another."""
        try:
            pack = _packed(members, self._rows)
            with isolated(RandomState.capture()), limited_threads(to_one=pack.is_single_threaded):
                all_go_on = pack.train(goal, should_stop=should_stop)
            return [] if all_go_on else [member for member in members if member.joins]
        except OutOfRoom:
            pass  # make_room was called
        self._most = (len(members) + 1) // 2
        return members

    def _rehearse(self) -> None:
        """Try the first step, in packs as large as memory has room for."""
        start = 0
        while start < len(self.members):
            members = self.members[start : start + self._most]
            try:
                if len(members) > 1:
                    rehearse(Pack(members, self._rows))
                start += len(members)
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            make_room()
            self._most = (len(members) + 1) // 2
            if self._most == 1:
                raise UnsupportedError("these runs cannot be stacked: not even two fit in memory beside each other")


def _packed(members: list[Member], rows: TensorRows) -> Pack:
    """The members in one pack: the one that they are in, where nobody else is.

    Raises:
        OutOfRoom: there is no room for another.
    """
    pack = members[0].pack
    if isinstance(pack, Pack) and pack.is_whole and pack.members == members:
        return pack
    try:
        return Pack(members, rows)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    make_room()
    raise OutOfRoom("the runs do not fit in memory beside each other")
