"""The gradient of one batch whose rows are spread over several processes.

The batch is cut as one process would cut it, and every process computes what it has of each part: its own whole parts,
and pieces of parts that it shares with others. One message a step: all gradients in a flat piece of memory, and behind
them sums of losses and weights, whether anything failed, and whether process 0 wants to stop. A look at the noise adds
a second. So the loss, the gradient and the noise are those of one process, up to the order of sums, however many
processes there are.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from surefoot import seeds
from surefoot.batching import NoiseSample, from_examples
from surefoot.engine.adding import Sums
from surefoot.engine.dropout import MaskStream, set_stream, stream_of
from surefoot.engine.loss_scale import LossScale, backward, factor_of
from surefoot.engine.memory import is_out_of_memory
from surefoot.engine.noise import RowNorms, sample_of_parts, squared_norm
from surefoot.engine.objective import Objective
from surefoot.engine.parallel.flat import Flat, Gradients
from surefoot.engine.parallel.processes import Joined, attempt
from surefoot.engine.parallel.shares import Piece, pieces_of, share_of, spread_parts
from surefoot.engine.randomness import drawing_from
from surefoot.engine.slicing import part_of, part_sizes

__all__ = ["Added", "SharedGradient"]

# What is exchanged beside the gradients, in this order; which parameters have one follows.
_NO_ROOM, _FAILED, _WEIGHT, _PLAIN_WEIGHT, _PLAIN, _IS_SUM, _NOT_BY_ROWS, _ROWS, _SECONDS, _WISH, _COUNT = range(11)


@dataclass
class Added:
    """What the whole batch came to; its gradient, without penalties, lies in ``.grad``.

    Attributes:
        sums: its losses and weights.
        noise: a look at the noise, when one was taken.
        timing: (rows, seconds) of the first part of a look.
    """

    sums: Sums
    noise: NoiseSample | None = None
    timing: tuple[int, float] | None = None


class SharedGradient:
    """Computes gradients together with other processes.

    Args:
        processes: all of them.
        model: the same in all.
        objective: likewise.
        num_rows: of the training data.
        least: rows that a process must get, if it gets any.
        by_rows: looks at single rows, where the model allows it.
        wants_dots: looks also measure the noise along the gradient.
        loss_scale: keeps gradients within the range of fp16; None elsewhere.
    """

    def __init__(
        self,
        processes: Joined,
        model: nn.Module,
        objective: Objective,
        *,
        num_rows: int,
        least: int,
        by_rows: RowNorms | None,
        wants_dots: bool,
        loss_scale: LossScale | None,
    ) -> None:
        self._scale = loss_scale
        self._processes, self._model, self._objective = processes, model, objective
        self._num_rows, self._least, self._by_rows, self._wants_dots = num_rows, least, by_rows, wants_dots
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._flat = Flat(self._parameters)
        self._device = self._parameters[0].device

    def most_at_once(self, count: int, micro_batch: int | None) -> int:
        """The most rows that go through the model at once in any process."""
        start, stop = share_of(count, 0, self._processes.size, least=self._least)
        return min(micro_batch or count, stop - start)

    def add(self, batch: Any, count: int, *, micro_batch: int | None, position: int, look: bool) -> Added | None:
        """Leave the mean gradient of all ``count`` rows in ``.grad``; None where it does not fit in memory somewhere.

        Args:
            batch: this process's rows of it; anything where it has none.
            count: rows of the whole batch.
            micro_batch: rows that go through the model at once, at most.
            position: the clock where the batch begins: it decides what each process draws at random.
            look: also look at the noise.
        """
        by_rows = self._by_rows if look and (micro_batch or count) >= count else None
        work = _Work(count, self._shares(count), self._processes.rank)
        if look and by_rows is None:
            work.cut(self._parts_of_look(count, work.shares, micro_batch))
        seed = seeds.derive(zlib.crc32(b"process"), self._processes.rank, position)
        masks = MaskStream(count, self._device)
        watching = by_rows.watching() if by_rows is not None else contextlib.nullcontext()
        with watching, _own_draws(seed, self._device):
            _, error = attempt(lambda: self._compute(work, batch, masks, micro_batch, look=look))
        has_passed = error is None and work.sums.weight > 0.0  # rows without weight have no gradient to look at
        norms = by_rows.squared_norms(work.rows) if by_rows is not None and has_passed else None
        is_by_rows = by_rows is None or norms is not None or not has_passed
        exchanged = self._exchanged(work, error, is_by_rows=is_by_rows)
        self._leave_stream(masks, work)
        if exchanged is None:
            return None
        said, flats = exchanged
        if said[_NOT_BY_ROWS]:
            self._by_rows = None
            set_stream(self._device, masks.begin)
            for parameter in self._parameters:
                parameter.grad = None
            return self.add(batch, count, micro_batch=micro_batch, position=position, look=look)
        sums = _sums(said)
        weight = float(count) if sums.is_sum else sums.weight / self._unit(count, is_sum=False)
        noise = None
        if work.norms is not None and weight:
            noise = self._noise_of_parts(work, flats, weight)
        # a batch without weight has a gradient of zero in one process, so that momentum goes on
        has_gradient = said[_COUNT:] if weight else [1.0] * len(self._flat)
        self._put_back(flats, has_gradient, 1.0 if sums.is_sum or not weight else weight)
        if by_rows is not None and weight and count > 1:
            noise = self._noise_of_rows(by_rows, work, norms, sums)
        timing = (round(said[_ROWS]), said[_SECONDS]) if look and work.norms is not None else None
        return Added(sums, noise, timing)

    def share(self, count: int) -> tuple[int, int]:
        """The first row of a batch that this process takes, and the one after its last."""
        return share_of(count, self._processes.rank, self._processes.size, least=self._least)

    def _parts_of_look(self, count: int, shares: list[tuple[int, int]], micro_batch: int | None) -> list[int]:
        """As one process would cut the batch; by shares where batch normalisation sees them anyway."""
        sizes = [stop - start for start, stop in shares if stop > start]
        if self._least > 1 and len(sizes) > 1:
            return [rows for size in sizes for rows in part_sizes(size, min(micro_batch or size, size))]
        return part_sizes(count, min(micro_batch or count, (count + 1) // 2))

    def _shares(self, count: int) -> list[tuple[int, int]]:
        size = self._processes.size
        return [share_of(count, rank, size, least=self._least) for rank in range(size)]

    def _compute(self, work: _Work, batch: Any, masks: MaskStream, micro_batch: int | None, *, look: bool) -> None:
        """Forward and backward over this process's rows; the gradients of its parts into ``work``."""
        first, objective = work.share[0], self._objective.watched if look else self._objective
        for piece in work.pieces(micro_batch):
            started, rows = time.perf_counter(), piece.stop - piece.start
            part = part_of(batch, piece.start - first, piece.stop - first, count=work.rows)
            with contextlib.nullcontext() if objective.is_compiled else masks.part(piece.start, piece.stop):
                found = objective(self._model, part, rows)
                factor = work.sums.add(found) / self._unit(work.count, is_sum=found.is_sum)
                if factor:  # a part without weight has no gradient, and its mean is not a number
                    backward(found.training * factor, self._scale)
            work.timing = work.timing or (rows, time.perf_counter() - started)
            if work.norms is not None:
                work.take(piece.part, self._taken(), wants_dots=self._wants_dots)
        if work.norms is None:
            work.total = self._taken()

    def _unit(self, count: int, *, is_sum: bool) -> float:
        """What gradients are divided by while they are added up: a loss scale suits a mean, not a sum."""
        return 1.0 if self._scale is None or is_sum else float(count)

    def _taken(self) -> Gradients:
        found = [parameter.grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        return found

    def _exchanged(
        self, work: _Work, error: Exception | None, *, is_by_rows: bool
    ) -> tuple[list[float], list[Tensor]] | None:
        """What is summed over all processes: what they say, and the gradients; None where memory ran out in one.

        One message, since each costs more than what is in it. The gradients are those of the total and of each part
        that several processes have a piece of: a matrix a type of numbers.

        Raises:
            Exception: what this process's rows raised, or that another's did.
        """
        no_room = error is not None and is_out_of_memory(error)
        has_gradient = [float(any(one[at] is not None for one in work.gradients())) for at in range(len(self._flat))]
        rows, seconds = work.timing or (0, 0.0)
        sums, processes = work.sums, self._processes
        mine = [no_room, error is not None and not no_room, sums.weight, sums.plain_weight, sums.plain, sums.is_sum]
        mine += [not is_by_rows, rows, seconds / processes.size, processes.wish()]
        flats = self._flat.of([work.total, *(work.spread.get(part) for part in work.shared_parts)])
        work.forget()
        said, flats = _summed(processes, torch.tensor([*map(float, mine), *has_gradient], dtype=torch.float64), flats)
        processes.grant(said[_WISH] > 0.0)
        if said[_FAILED]:
            processes.fail(None if no_room else error)
        return None if said[_NO_ROOM] else (said, flats)

    def _leave_stream(self, masks: MaskStream, work: _Work) -> None:
        """Leave the ordinary stream where one process would have, also in a process that had no rows."""
        masks.finish()
        if any(start == stop for start, stop in work.shares):
            set_stream(self._device, self._processes.told(stream_of(self._device)))

    def _put_back(self, flats: Sequence[Tensor], has_gradient: Sequence[float], weight: float) -> None:
        """The mean gradient into ``.grad``, None where no process has one."""
        totals = [flat.sum(dim=0) if len(flat) > 1 else flat[0] for flat in flats]
        for total in totals:
            total.div_(weight)
        for parameter, gradient, is_there in zip(self._parameters, self._flat.apart(totals), has_gradient, strict=True):
            parameter.grad = gradient if is_there else None

    def _noise_of_parts(self, work: _Work, flats: Sequence[Tensor], weight: float) -> NoiseSample:
        """The look in parts: each is told by the process that has it, those that are shared by process 0."""
        totals = [flat.sum(dim=0) for flat in flats]
        number, is_first = len(work.parts), self._processes.rank == 0
        told = torch.zeros(2 * number + 1, dtype=torch.float64)
        assert work.norms is not None
        for part, norm in work.norms.items():
            told[part] = float(norm)
        for part, gradient in work.kept.items():
            told[number + part] = float(
                sum(_dot(*pair) for pair in zip(self._flat.of([gradient]), totals, strict=True))
            )
        if is_first:
            told[-1] = float(sum(_dot(total, total) for total in totals))
            for row, part in enumerate(work.shared_parts, start=1):
                told[part] = float(sum(_dot(flat[row], flat[row]) for flat in flats))
                told[number + part] = float(
                    sum(_dot(flat[row], total) for flat, total in zip(flats, totals, strict=True))
                )
        *values, whole = self._processes.add(told).tolist()
        products = values[number:] if self._wants_dots else None
        return sample_of_parts(
            values[:number],
            work.parts,
            whole=whole,
            products=products,
            num_rows=self._num_rows,
            weight=weight,
            loss_scale=factor_of(self._scale),
        )

    def _noise_of_rows(self, by_rows: RowNorms, work: _Work, norms: Tensor | None, sums: Sums) -> NoiseSample:
        """The look at single rows, each told by the process that has it; see ``RowNorms.sample``."""
        count, (start, stop) = work.count, work.share
        told = torch.zeros(2 * count + 1, dtype=torch.float64)
        if norms is not None:
            told[start:stop] = norms
            if self._wants_dots:
                told[count + start : count + stop] = by_rows.dots()
        if self._processes.rank == 0:
            told[-1] = by_rows.whole()
        told = self._processes.add(told)
        # a row's own gradient is as many times what it put into the mean as there are rows
        unit = self._unit(count, is_sum=sums.is_sum)
        own, whole = (1.0, 1.0 / count) if sums.is_sum else (count * unit / sums.weight, 1.0)
        return from_examples(
            (told[:count] * own**2).tolist(),
            mean_squared_norm=float(told[-1]) * whole**2,
            dots=(told[count:-1] * (own * whole)).tolist() if self._wants_dots else None,
            num_rows=self._num_rows,
            loss_scale=factor_of(self._scale),
        )


@dataclass
class _Work:
    """What one process does for a batch: its rows, in parts, and what comes of them."""

    count: int
    shares: list[tuple[int, int]]
    rank: int
    parts: list[int] = field(default_factory=list)
    shared_parts: list[int] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    timing: tuple[int, float] | None = None
    total: Gradients | None = None
    spread: dict[int, Gradients] = field(default_factory=dict)
    norms: dict[int, Tensor] | None = None
    kept: dict[int, Gradients] = field(default_factory=dict)

    @property
    def share(self) -> tuple[int, int]:
        return self.shares[self.rank]

    @property
    def rows(self) -> int:
        return self.share[1] - self.share[0]

    def cut(self, parts: list[int]) -> None:
        """Cut the batch for a look."""
        self.parts, self.norms = parts, {}
        self.shared_parts = spread_parts(parts, self.shares)

    def pieces(self, micro_batch: int | None) -> Iterator[Piece]:
        """What goes through the model at once, one after the other."""
        if self.norms is not None:
            yield from pieces_of(self.parts, self.share)
        elif self.rows:
            start = self.share[0]
            for rows in part_sizes(self.rows, min(micro_batch or self.rows, self.rows)):
                yield Piece(0, start, start + rows)
                start += rows

    def take(self, part: int, found: Gradients, *, wants_dots: bool) -> None:
        """Take a piece's gradient: a part of its own goes into the total, a piece of another's waits for the rest."""
        if part in self.shared_parts:
            self.spread[part] = found
            return
        assert self.norms is not None
        self.norms[part] = squared_norm([value for value in found if value is not None])
        if wants_dots:
            self.kept[part] = [None if value is None else value.clone() for value in found]
        self.total = found if self.total is None else _added(self.total, found)

    def gradients(self) -> Iterator[Gradients]:
        """Everything that will be added up."""
        if self.total is not None:
            yield self.total
        yield from self.spread.values()

    def forget(self) -> None:
        """Let go of the gradients."""
        self.total, self.spread = None, {}


def _added(left: Gradients, right: Gradients) -> Gradients:
    return [two if one is None else one if two is None else one.add_(two) for one, two in zip(left, right, strict=True)]


def _summed(processes: Joined, mine: Tensor, flats: list[Tensor]) -> tuple[list[float], list[Tensor]]:
    """Numbers and matrices summed over all processes, the numbers behind a matrix whose type can hold them."""
    found = list(flats)
    at = next((place for place, flat in enumerate(flats) if flat.dtype in {torch.float32, torch.float64}), None)
    if at is None:
        said: list[float] = processes.add(mine).tolist()
    else:
        found[at] = torch.cat([flats[at].reshape(-1), mine.to(flats[at])])
    found = [processes.add(flat) for flat in found]
    if at is not None:
        size = flats[at].numel()
        said, found[at] = found[at][size:].tolist(), found[at][:size].view_as(flats[at])
    return said, found


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return left.flatten() @ right.flatten()


def _sums(said: Sequence[float]) -> Sums:
    sums = Sums()
    sums.weight, sums.plain_weight, sums.plain = said[_WEIGHT], said[_PLAIN_WEIGHT], said[_PLAIN]
    sums.is_sum = said[_IS_SUM] > 0.0
    return sums


@contextlib.contextmanager
def _own_draws(seed: int, device: torch.device) -> Iterator[None]:
    """A block whose ordinary draws are this process's own; the streams around it, alike in all, do not move."""
    stream = stream_of(device)
    try:
        with drawing_from(seed):
            if device.type == "cuda":
                torch.cuda.manual_seed(seed)
            yield
    finally:
        set_stream(device, stream)
