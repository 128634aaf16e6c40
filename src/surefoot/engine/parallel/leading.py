"""A training by several processes: process 0 leads, and the others do the same with the same run.

Everything above a run (the ledger, looks, stopping, checkpoints, reports, the terminal) happens in process 0 alone. It
calls its run through ``LedRun``, which tells the others first; they follow in a loop. What only writes a file is not
told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from surefoot.engine.factory import TorchFactory
from surefoot.engine.parallel.processes import Joined, join
from surefoot.engine.probed_run import TorchRun
from surefoot.errors import ProcessLostError, SurefootError, TaskError
from surefoot.protocols import Advance, Certainty, Split
from surefoot.protocols.search import never
from surefoot.recipe import Recipe
from surefoot.records import Change, Objective

__all__ = ["LedFactory", "LedRun", "follow", "join", "lead"]

_CREATE, _CALL, _END = "create", "call", "end"


class LedFactory:
    """A ``TrainableFactory`` in process 0 whose runs are made in all processes.

    Attributes:
        num_processes: how many train together.
    """

    def __init__(self, factory: TorchFactory, processes: Joined) -> None:
        self._factory, self._processes = factory, processes
        self.num_processes = processes.size
        self._latest: TorchRun | None = None

    @property
    def num_rows(self) -> int:
        """Rows of the training part."""
        return self._factory.num_rows

    @property
    def training_samples(self) -> int:
        """Samples of one training: epochs × rows."""
        return self._factory.training_samples

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        return self._factory.objective

    @property
    def fingerprint(self) -> str:
        """Something that differs for other training data."""
        return self._factory.fingerprint

    @property
    def epoch(self) -> float:
        """Where the latest run is, in epochs."""
        return 0.0 if self._latest is None else self._latest.samples_seen / self.num_rows

    def check(self, recipe: Recipe) -> None:
        """Try the task once, in this process.

        Raises:
            TaskError: it cannot be trained with this recipe.
        """
        self._factory.check(recipe)

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> LedRun:
        """A fresh run of a complete recipe over ``share`` of the task's horizon, in every process."""
        self._processes.told((_CREATE, recipe.to_dict(), seed, share))
        self._latest = self._factory.create(recipe, seed=seed, share=share)
        return LedRun(self._latest, self._processes)


class LedRun:
    """A ``Trainable`` that is ``Steered``, ``HoldsWorkers``, ``Finishes``, ``TellsCertainty``: all processes train it.

    Args:
        run: this process's.
        processes: all of them.
    """

    def __init__(self, run: TorchRun, processes: Joined) -> None:
        self._run, self._processes = run, processes

    def _everywhere(self, name: str, *arguments: Any) -> Any:
        """Call a method of the run in every process; what it gives here."""
        self._processes.told((_CALL, name, arguments))
        return getattr(self._run, name)(*arguments)

    @property
    def samples_seen(self) -> int:
        """The clock: samples that ran forward and backward so far, in all processes together."""
        return self._run.samples_seen

    @property
    def horizon(self) -> int:
        """How many samples the whole schedule spans."""
        return self._run.horizon

    @property
    def model(self) -> Any:
        """The PyTorch module of this process; the others' hold the same weights."""
        return self._run.model

    def advance(self, num_samples: int, *, should_stop: Callable[[], bool]) -> Advance:
        """Train until ``num_samples`` more are seen, the horizon ends, the run fails or ``should_stop`` says so."""
        self._processes.told((_CALL, "advance", (num_samples,)))
        return self._run.advance(num_samples, should_stop=should_stop)

    def evaluate(self, split: Split) -> dict[str, float]:
        """Metrics on a part of the data, of which every process looks at a share; {} when it has no rows."""
        found: dict[str, float] = self._everywhere("evaluate", split)
        return found

    @property
    def certainty(self) -> Certainty | None:
        """How far the latest look at the validation part can be trusted."""
        return self._run.certainty

    def release(self) -> None:
        """End the processes that read data."""
        self._everywhere("release")

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best ones."""
        self._everywhere("keep_best")

    def recall_best(self) -> None:
        """Put the best weights back into the model."""
        self._everywhere("recall_best")

    @property
    def changes(self) -> tuple[Change, ...]:
        """The settings that moved so far, and why."""
        return self._run.changes

    @property
    def remark(self) -> str:
        """What a moving batch bought on this device, or ""."""
        return self._run.remark

    @property
    def noise_scale(self) -> float | None:
        """The noise scale in samples, where it is measured and finite."""
        return self._run.noise_scale

    def looked(self, value: float) -> None:
        """Hear the validation objective, for schedules and policies that react to it."""
        self._everywhere("looked", value)

    def mark(self, progress: dict[str, Any]) -> None:
        """Remember this moment as one to go back to."""
        self._everywhere("mark", progress)

    def retry(self, factor: float, reason: str) -> dict[str, Any] | None:
        """Go back to the mark and on at ``factor`` times the rate; its ``progress``, None when there is no mark."""
        found: dict[str, Any] | None = self._everywhere("retry", factor, reason)
        return found

    def save_checkpoint(self, directory: Path, progress: dict[str, Any]) -> None:
        """Write everything that going on needs; it does not matter how many processes do."""
        self._run.save_checkpoint(directory, progress)

    def load_checkpoint(self, directory: Path) -> dict[str, Any] | None:
        """Go on from a checkpoint, which this process reads for all; its ``progress``, None when there is none."""
        found: dict[str, Any] | None = self._everywhere("load_checkpoint", directory)
        return found

    def finish(self) -> tuple[str, ...]:
        """Make a trained model ready for use, in every process; what there is to say about it."""
        found: tuple[str, ...] = self._everywhere("finish")
        return found

    def save_weights(self, path: Path) -> None:
        """Write the model's weights as safetensors."""
        self._run.save_weights(path)

    def load_weights(self, path: Path) -> None:
        """Read the model's weights from safetensors, for all processes."""
        self._everywhere("load_weights", path)


def lead(
    factory: TorchFactory, processes: Joined, work: Callable[[LedFactory], Any], tell: Callable[[Any], Any]
) -> Any:
    """What ``work`` gives in process 0; afterwards the others are told how it ended, and go on.

    Args:
        factory: of the task.
        processes: all of them.
        work: everything above the run.
        tell: what the others are told of its answer.

    Raises:
        TaskError: the processes have different training rows.
    """
    _require_same_rows(factory, processes)
    led = LedFactory(factory, processes)
    try:
        answer = work(led)
    except ProcessLostError:
        raise
    except SurefootError as error:
        processes.told((_END, None, str(error)))
        raise
    processes.told((_END, tell(answer), ""))
    return answer


def follow(factory: TorchFactory, processes: Joined) -> tuple[Any, Any]:
    """Do what process 0 says until its work ends; what it tells at the end, and the model it was about.

    Raises:
        TaskError: the work ended with an error, which process 0 reports, or the training rows differ.
        ProcessLostError: another process is gone.
    """
    _require_same_rows(factory, processes)
    runs: list[TorchRun] = []
    try:
        answer = _followed(factory, processes, runs)
    except ProcessLostError as error:
        epoch = runs[-1].samples_seen / factory.num_rows if runs else 0.0
        advice = f" at epoch {epoch:.2f}; --resume goes on from the last checkpoint, with any number of processes"
        raise ProcessLostError(rank=error.rank, size=error.size, missing=error.missing, advice=advice) from None
    return answer, runs[-1].model if runs else None


def _followed(factory: TorchFactory, processes: Joined, runs: list[TorchRun]) -> Any:
    """Do what process 0 says, with the latest of the runs; what it tells at the end."""
    while True:
        nothing: tuple[Any, ...] = ("",)
        kind, *message = processes.told(nothing)
        if kind == _END:
            answer, failure = message
            if failure:
                raise TaskError(failure)
            return answer
        try:
            if kind == _CREATE:
                recipe, seed, share = message
                runs[:] = [factory.create(Recipe(**recipe), seed=seed, share=share)]
            else:
                name, arguments = message
                more = {"should_stop": never} if name == "advance" else {}
                getattr(runs[-1], name)(*arguments, **more)
        except ProcessLostError:
            raise
        except SurefootError:
            continue  # it is process 0's as well, which ends the work


def _require_same_rows(factory: TorchFactory, processes: Joined) -> None:
    found = processes.gathered(factory.fingerprint)
    if len(set(found)) > 1:
        raise TaskError(
            f"the {processes.size} processes have different training rows ({', '.join(found)}); all of them must build "
            "the same task: give whatever draws rows at random a seed"
        )
