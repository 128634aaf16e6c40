"""What the ledger and the decisions cost: beside a study of some fifteen runs, and with 10,000 recorded ones.

Run with: python -m benchmarks.ledger [recorded runs]

The first table drives a study whose runs train nothing, so everything it takes is overhead: opening, proposing,
beginning, twenty looks a run, records, the price of two trainings as the ladder plans it. The second one records
thousands of runs and times what a resumed study does then. The third has another process read the study all the time,
as optuna-dashboard does, and times the longest write.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Evaluation, Objective, Run
from surefoot.tuning import Ladder, Ledger, plan_rungs
from surefoot.tuning.start import Start

ROWS, EPOCHS, LOOKS = 10_000, 20, 20
TRAINING_SECONDS = 15.0  # of one training on Fashion-MNIST with 10,000 rows, two cores
TRAININGS = 2.0


def ladder(trainings: float = TRAININGS) -> Ladder:
    return Ladder(
        rungs=plan_rungs(trainings),
        starts=(Start("adamw", 0.05, 0.5), Start("sgd", 0.3)),
        base=Recipe().complete(ROWS),
        num_rows=ROWS,
        training_samples=ROWS * EPOCHS,
        allowed_samples=int(trainings * ROWS * EPOCHS),
        seed=0,
    )


def looks(candidate: Candidate, horizon: int) -> tuple[Evaluation, ...]:
    rate = candidate.recipe.optimizer.learning_rate or 0.1
    return tuple(
        Evaluation(
            samples=horizon * (step + 1) // LOOKS, epoch=EPOCHS * candidate.share * (step + 1) / LOOKS, train_loss=0.5,
            metrics={"validation_loss": 1.0 + rate - step / 40, "validation_accuracy": 0.8}, learning_rate=rate,
            batch_size=64, seconds=0.1,
        )
        for step in range(LOOKS)
    )  # fmt: skip


def record(candidate: Candidate, horizon: int, seen: tuple[Evaluation, ...]) -> Run:
    return Run(
        name=candidate.name, number=candidate.number, stage=candidate.stage, share=candidate.share,
        recipe=candidate.recipe.to_dict(), coordinates=candidate.coordinates, seed=candidate.seed, horizon=horizon,
        status="completed", samples=horizon, steps=100, seconds=1.0, evaluations=seen, best=len(seen) - 1,
    )  # fmt: skip


def whole_study(directory: Path | None) -> tuple[dict[str, float], int]:
    """Seconds of each part of a study, and how many runs it had."""
    took: dict[str, float] = dict.fromkeys(("open", "propose", "begin", "report", "finish", "close"), 0.0)

    def timed(part: str, function: Any, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = function(*arguments, **named)
        took[part] += time.perf_counter() - began
        return found

    ledger, searcher = timed("open", Ledger, directory, Objective()), ladder()
    while wave := timed("propose", searcher.propose, ledger.runs):
        for candidate in wave:
            timed("begin", ledger.begin, candidate)
            horizon = int(candidate.share * ROWS * EPOCHS)
            seen = looks(candidate, horizon)
            for look in seen:
                ledger._last_report = 0.0  # a look a second, as in a real training, and not a look at once
                timed("report", ledger.report, candidate, look, horizon=horizon)
            timed("finish", ledger.finish, record(candidate, horizon, seen))
    timed("close", ledger.close)
    return took, len(ledger.runs)


def overhead() -> None:
    began = time.perf_counter()
    import optuna.storages
    import sqlalchemy.orm
    from alembic import command

    del optuna, sqlalchemy, command
    print(f"imports of Optuna and its database tools: {time.perf_counter() - began:.2f} s, once a process")
    for name, in_memory in (("in memory", True), ("in a folder", False), ("in a folder", False)):
        with tempfile.TemporaryDirectory() as folder:
            cpu = time.process_time()
            took, count = whole_study(None if in_memory else Path(folder))
            cpu = time.process_time() - cpu
        total = sum(took.values())
        allowed = 0.5 + 0.02 * TRAININGS * TRAINING_SECONDS
        parts = ", ".join(f"{part} {1e3 * seconds:.0f}" for part, seconds in took.items())
        print(f"{name}, {count} runs: {total:.3f} s ({cpu:.3f} s of CPU) of {allowed:.2f} s allowed; ms: {parts}")


def with_many(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        ledger = Ledger(directory, Objective())
        template = ladder().propose([])[0]
        horizon = int(template.share * ROWS * EPOCHS)
        marks = {100, count // 10, count // 2, count - 1}
        took: list[float] = []
        for number in range(count):
            candidate = Candidate(
                number, f"run {number + 1}", "1/16", template.share, template.recipe, number, template.coordinates
            )
            seen = looks(candidate, horizon)
            began = time.perf_counter()
            ledger.begin(candidate)
            ledger.report(candidate, seen[-1], horizon=horizon)
            ledger.finish(record(candidate, horizon, seen))
            took.append(time.perf_counter() - began)
            if number in marks:
                print(f"a run beside {number} others: {1e3 * statistics.median(took[-50:]):.1f} ms", flush=True)
        began = time.perf_counter()
        ledger.close()
        print(f"close: {time.perf_counter() - began:.3f} s")
        began, cpu = time.perf_counter(), time.process_time()
        again = Ledger(directory, Objective())
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"open {len(again.runs)} recorded runs: {wall:.2f} s ({cpu:.2f} s of CPU)")
        began = time.perf_counter()
        ladder().propose(again.runs)
        print(f"propose after them: {1e3 * (time.perf_counter() - began):.1f} ms")
        again.close()


def look_on(path: str, until: Any, found: Any) -> None:
    """What optuna-dashboard does, without a pause: read every trial again and again."""
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    slowest = 0.0
    while not until.is_set():
        began = time.perf_counter()
        for study in storage.get_all_studies():
            storage.get_all_trials(study._study_id)
        slowest = max(slowest, time.perf_counter() - began)
    found.value = slowest


def beside_a_reader() -> None:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        until, found = context.Event(), context.Value("d", 0.0)
        Ledger(Path(folder), Objective()).close()
        reader = context.Process(target=look_on, args=(str(Path(folder) / "study.db"), until, found))
        reader.start()
        time.sleep(4.0)  # until it reads
        took, count = whole_study(Path(folder))
        until.set()
        reader.join()
        writes = sum(took[part] for part in ("begin", "report", "finish"))
        slowest = f"its slowest reading {found.value:.3f} s"
        print(f"beside a reader that never pauses: {1e3 * writes / count:.0f} ms a run; {slowest}")


def main() -> int:
    overhead()
    beside_a_reader()
    with_many(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
