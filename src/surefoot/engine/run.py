"""One recipe in progress on one task, in PyTorch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from surefoot import seeds
from surefoot.engine import checkpoint, hardware, optimizers, snapshot
from surefoot.engine.descent import Descent, Stepped
from surefoot.engine.evaluation import Evaluator
from surefoot.engine.forward import Forward
from surefoot.engine.initialization import initialize
from surefoot.engine.loss_scale import LossScale
from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.network import averaging
from surefoot.engine.network.levers import NetworkLevers
from surefoot.engine.noise import RowNorms, has_batch_statistics, has_dense_gradients
from surefoot.engine.objective import Objective
from surefoot.engine.parallel.processes import ALONE, Processes
from surefoot.engine.parallel.sharing import note_parts, require_shareable
from surefoot.engine.penalties import Penalties
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.batches import open_batches
from surefoot.engine.rows.data import Rows, TensorRows, step_size
from surefoot.engine.threads import is_small, limited_threads
from surefoot.errors import TaskError
from surefoot.protocols import Advance, Certainty, Problem, Split
from surefoot.recipe import Recipe
from surefoot.records import Change
from surefoot.steering import LOOK_OFTEN, LOOK_SELDOM, Steering

__all__ = ["Training"]

# A batch loss this many times the first one (or 1, if that is more) is beyond return. Generous on purpose: a high
# rate may spike by a hundred in its warmup and still end as the best run of a study.
BLOW_UP = 1e3
# Under a batch that moves, one step of so many is timed.
TIMED_EVERY = 4


class Training:
    """A ``Trainable`` that is ``Steered``, ``HoldsWorkers``, ``TellsCertainty``: a recipe trained on a PyTorch model.

    The clock is samples seen. A step's rate is the schedule's value at the middle of its batch, so that Σ η over a run
    hardly depends on the batch size and no step has a rate of zero.

    Args:
        problem: the task.
        recipe: complete, with nothing left to a default.
        parts: the task's rows by part; "test" may be absent.
        seed: of everything random in this run.
        horizon: samples the schedule spans.
        processes: those that train this run together; every method is called in all of them, in the same order.
    """

    def __init__(
        self,
        problem: Problem,
        recipe: Recipe,
        parts: dict[Split, Rows],
        *,
        seed: int,
        horizon: int,
        processes: Processes = ALONE,
    ) -> None:
        self.problem, self.recipe, self.seed, self.horizon = problem, recipe, seed, horizon
        self._processes, self._parts, self._num_rows = processes, parts, len(parts["train"])
        hardware.ready(recipe.hardware)
        self._random = RandomState.seeded(seeds.derive(seed, "model"))
        self._model = self._built()
        self._device = next(self._model.parameters()).device
        self._optimizer = optimizers.build(self._model, recipe)
        self._network = NetworkLevers(self._model, recipe.network, horizon=horizon)
        self._objective = Objective.of(problem, recipe, parts["train"])
        first = min(recipe.batch.first_size(self._num_rows), self._num_rows)
        self._single_thread = is_small(self._model, parts["train"], first)
        self._steering = self._steered()
        self._descent = self._descending()
        note_parts(self._steering, self._model, micro_batch=recipe.batch.micro_batch, processes=processes)
        self._best: dict[str, Tensor] = {}
        self._resized: tuple[str, ...] = ()  # layers that pruning made smaller
        self._samples = self._steps = 0
        self._first_loss: float | None = None
        plan = partial(self._planned, num_rows=self._num_rows)
        share = self._descent.share if processes.size > 1 else None
        self._loader, self._augmentation = open_batches(
            problem, recipe, parts["train"], seed=seed, plan=plan, device=self._device, share=share
        )
        # what only lies in memory is there in every process, or in none
        self._is_safe = isinstance(parts["train"], TensorRows) and self._device.type == "cpu"
        self._evaluator = Evaluator(
            problem,
            recipe,
            parts,
            model=self._model,
            optimizer=self._optimizer,
            average=self._network.average,
            objective=self._objective,
            seed=seed,
            is_single_threaded=self._single_thread,
            processes=processes,
        )
        self._is_training = False  # between the first stretch and the release, processes wait for the next
        self._mark: snapshot.Snapshot | None = None

    def _built(self) -> nn.Module:
        """The model with its initial weights, on its device, the same in all processes."""
        with isolated(self._random):
            model: nn.Module = self.problem.model(**self.recipe.model)
            initialize(model, self.recipe.initialization)
        hardware.place(model, self.recipe)
        require_shareable(model, self.recipe, self._processes)
        self._processes.take_first(model.state_dict().values())
        return model

    def _steered(self) -> Steering:
        """What decides rate and batch.

        Raises:
            TaskError: it would look at gradients that this model does not have.
        """
        steering = Steering(
            self.recipe,
            num_rows=self._num_rows,
            horizon=self.horizon,
            direction=self.problem.objective.direction,
            look_every=_look_every(self._model, is_small=self._single_thread),
        )
        if steering.looks_every and not has_dense_gradients(self._model):
            raise TaskError(
                f'batch.policy "{self.recipe.batch.policy}" looks at the gradients, and an embedding of this model '
                "makes sparse ones: build it with sparse=False"
            )
        return steering

    def _descending(self) -> Descent:
        """What takes the steps."""
        recipe = self.recipe
        return Descent(
            self._model,
            self._optimizer,
            replace(self._objective, forward=Forward.of(self._model, recipe)),
            penalties=Penalties.of(self._model, recipe),
            max_gradient_norm=recipe.optimizer.max_gradient_norm,
            num_rows=self._num_rows,
            micro_batch=recipe.batch.micro_batch,
            wants_dots=self._steering.wants_dots,
            wants_timing=recipe.batch.policy == "goodput",
            loss_scale=LossScale.of(recipe, self._device),
            processes=self._processes,
        )

    @property
    def samples_seen(self) -> int:
        """The clock: samples that ran forward and backward so far."""
        return self._samples

    @property
    def model(self) -> nn.Module:
        """The PyTorch module."""
        return self._model

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so.

        A batch is never cut short for the caller's sake: the last one may pass ``num_samples``. It is cut at the end
        of an epoch and of the horizon.
        """
        start, goal = self._samples, min(self._samples + num_samples, self.horizon)
        weights = losses = rate = 0.0
        steps = wanted = 0
        failure, reason = "", ""
        self._model.train()
        averaging.averaging_mode(self._optimizer, training=True)
        self._network.given_weights(to_use=False)
        self._is_training = True
        is_stopped = self._processes.question(should_stop)
        with isolated(self._random), limited_threads(to_one=self._single_thread):
            while self._samples < goal and not is_stopped():
                wanted = self._steering.batch_size(self._samples)
                try:
                    stepped, rate = self._step(wanted)
                except OutOfRoom as limit:
                    failure, reason = "out_of_memory", str(limit)
                    break
                steps += 1
                losses, weights = losses + stepped.loss * stepped.weight, weights + stepped.weight
                reason = stepped.trouble or self._blown_up(stepped.loss, rate)
                if reason:
                    failure = "diverged"
                    break
        self._processes.average(self._model.buffers())
        mean = losses / weights if weights else math.nan
        samples = self._samples - start
        return Advance(samples, steps, mean, rate, wanted, failure, reason, weights)  # type: ignore[arg-type] # "" widens

    def _planned(self, position: int, *, num_rows: int) -> int:
        """How many rows the step at a position takes, as far as can be known: how workers read ahead."""
        return step_size(self._steering.batch_size(position), position, num_rows=num_rows, horizon=self.horizon)

    def _batch(self, size: int) -> Any:
        """The next ``size`` rows, or this process's share of them, on the device, augmented.

        Raises:
            OutOfRoom: they do not fit in memory.
        """
        return self._fetched(size) if self._is_safe else self._processes.together(lambda: self._fetched(size))

    def _fetched(self, size: int) -> Any:
        try:
            batch = self._loader.batch(self._samples, size)[0]
            return batch if self._augmentation is None else self._augmentation(batch, self._samples)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        make_room()
        raise OutOfRoom(f"a batch of {size} does not fit in memory even before it reaches the model")

    def _step(self, wanted: int) -> tuple[Stepped, float]:
        """One step over as many rows as wanted, or as there are left; what it showed, and its rate."""
        steering = self._steering
        is_timed = steering.is_timed and self._steps % TIMED_EVERY == 1
        started = time.perf_counter() if is_timed else 0.0
        size = step_size(wanted, self._samples, num_rows=self._num_rows, horizon=self.horizon)
        settings = steering.settings(self._samples + size / 2, wanted)
        every = steering.looks_every
        look = every is not None and self._steps % every == 0
        batch = self._batch(size)
        try:
            stepped = self._descent.step(batch, size, settings, look=look, position=self._samples)
        finally:
            while self._descent.changes:
                steering.note(self._samples, *self._descent.changes.pop(0))
        self._samples += size
        self._steps += 1
        self._network.stepped(self._samples, size)
        if is_timed and not look and size == wanted:
            steering.timed(size, self._processes.told(time.perf_counter() - started))
        if look:
            if stepped.timing is not None and self.recipe.batch.policy == "goodput":
                steering.timed(*self._processes.told(stepped.timing))
            rate = settings.learning_rate
            steering.stepped(self._samples, loss=stepped.loss, learning_rate=rate, noise=stepped.noise)
        return stepped, settings.learning_rate

    def _blown_up(self, loss: float, rate: float) -> str:
        """What is wrong with a batch loss, or ""."""
        if self._first_loss is None:
            self._first_loss = loss
        epoch = self._samples / len(self._parts["train"])
        if not math.isfinite(loss):
            hint = "; fp16 ends at 65,504, bf16 does not" if self.recipe.precision.name == "fp16" else ""
            return f"the loss became {loss} at epoch {epoch:.2f}, rate {rate:.3g}{hint}"
        if loss > BLOW_UP * max(1.0, abs(self._first_loss)):
            return f"the loss rose from {self._first_loss:.3g} to {loss:.3g} at epoch {epoch:.2f}, rate {rate:.3g}"
        return ""

    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, without penalties and smoothing; {} when it has no rows."""
        try:
            return self._evaluator.evaluate(split)
        finally:
            if not self._is_training:
                self._evaluator.close()

    @property
    def certainty(self) -> Certainty | None:
        """How far the latest look at the validation part can be trusted."""
        return self._evaluator.certainty

    def release(self) -> None:
        """End the worker processes; they start again when they are needed again."""
        self._is_training = False
        self._loader.close()
        self._evaluator.close()

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        with self._evaluator.weights_to_use():
            self._best = snapshot.copy_state(self._model)

    def recall_best(self) -> None:
        """Put the best weights back into the model, ready for use: dropout off, batch statistics still."""
        if self._best:
            self._model.load_state_dict(self._best)
            averaging.mark_evaluation_weights(self._optimizer)
            self._network.given_weights(to_use=True)
        self._model.eval()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved so far, and why."""
        return tuple(self._steering.changes)

    @property
    def remark(self) -> str:
        """What a moving batch bought on this device, or ""."""
        seen = ", and batch normalisation saw a half of the batch at every look"
        has_halves = bool(self._steering.looks_every) and has_batch_statistics(self._model)
        return self._steering.remark + (seen if has_halves and self._steering.remark else "")

    @property
    def noise_scale(self) -> float | None:
        """The noise scale in samples, where it is measured and finite."""
        return self._steering.noise_scale

    def looked(self, value: float) -> None:
        """Hear the validation objective, for schedules and policies that react to it."""
        self._steering.looked(self._samples, value)

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment as one to go back to."""
        self._mark = self._snapshot(progress)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; its ``progress``, None when there is no mark."""
        if self._mark is None:
            return None
        changes = self._steering.changes
        self._mark.put_back(self._model, self._optimizer)
        progress = self._adopt(self._mark)
        self._steering.changes = changes
        self._steering.retry(self._samples, factor, reason)
        self._mark = self._snapshot(progress)
        return progress

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs, and the caller's own ``progress``."""
        marked = {} if self._mark is None else {"mark": self._mark}
        checkpoint.write(directory, {"now": self._snapshot(progress), **marked})

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint and give back ``progress``; None when there is none."""
        found = self._processes.told(checkpoint.read(directory) if self._processes.rank == 0 else None)
        if found is None:
            return None
        found["now"].put_back(self._model, self._optimizer)
        self._mark = found.get("mark")
        return self._adopt(found["now"])

    def _snapshot(self, progress: dict[str, Any]) -> snapshot.Snapshot:
        beside, kept = self._network.to_parts()
        counters = {
            "network": kept,
            "samples": self._samples,
            "steps": self._steps,
            "first_loss": self._first_loss,
            **self._descent.counters(),
            "steering": self._steering.to_json(),
            "progress": progress,
        }
        return snapshot.Snapshot.take(
            self._model, self._optimizer, best=self._best, random=self._random, counters=counters, beside=beside
        )

    def _adopt(self, found: snapshot.Snapshot) -> dict[str, Any]:
        """Take over a snapshot's counters and streams; its ``progress``."""
        counters = found.counters
        self._random, self._best = found.random.copy(), found.best
        self._samples, self._steps = counters["samples"], counters["steps"]
        self._first_loss = counters["first_loss"]
        self._network.load_parts(found.beside, counters.get("network", {}))
        self._steering.load_json(counters["steering"])
        self._descent.load_counters(counters)
        progress: dict[str, Any] = counters["progress"]
        return progress

    def finish(self) -> tuple[str, ...]:
        """Make a trained model ready for use: what pruning left empty is taken out of it. What there is to say."""
        removal = self._network.finish(self._model, self._evaluator.outputs)
        if removal is None:
            return ()
        self._best, self._resized = {}, removal.resized
        return (removal.note,)

    def save_weights(self, path: Path) -> None:
        """Write the model's weights as safetensors."""
        with self._evaluator.weights_to_use():
            snapshot.save_weights(self._model, path, resized=self._resized)

    def load_weights(self, path: Path) -> None:
        """Read the model's weights from safetensors."""
        snapshot.load_weights(self._model, path)
        self._network.given_weights(to_use=True)
        self._model.eval()


def _look_every(model: nn.Module, *, is_small: bool) -> int:
    """Steps between two looks at the noise, by what a look costs beside a step."""
    return LOOK_OFTEN if RowNorms.suits(model) and not is_small else LOOK_SELDOM
