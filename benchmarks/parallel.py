"""What do two processes bring? Samples a second of a Fashion-MNIST CNN, against one process with one thread.

Run with: python -m benchmarks.parallel [rounds] [processes]

A round trains a fixed number of steps at batch 512 in one process, then in several, each with one thread and each
started anew; rounds alternate which comes first. What is timed is ``Training.advance`` after a first stretch that warms
up: loading, forward, backward, adding up, the optimizer. The evaluation of 2,000 rows is timed beside it. A round's
ratio is that of its two rates, so that what else runs on the machine meets both; the load is printed with it. The
ratio of processor seconds, one process's against those of process 0, is what idle cores would give but for waiting.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.adaptive_tasks import fashion_cnn
from surefoot.recipe import Recipe

BATCH, STEPS, WARM_UP = 512, 40, 5
MODELS = ("small", "usual")


def usual_cnn() -> Any:
    """Two convolutions of 32 and 64 channels, as in most introductions: 421,642 parameters."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 49, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def measured(model: str) -> dict[str, float]:
    """Samples a second, of training and of evaluation, in this process and those beside it."""
    import torch

    from surefoot.engine import TorchFactory, join
    from surefoot.engine.parallel.processes import ALONE, Processes
    from surefoot.training import never

    torch.set_num_threads(1)
    processes: Processes = join() if "WORLD_SIZE" in os.environ else ALONE
    task = fashion_cnn()
    assert task is not None, "Fashion-MNIST is not there: set SUREFOOT_DATA"
    if model == "usual":
        task.model = usual_cnn
    task.epochs = 1000
    factory = TorchFactory(task, processes)
    recipe = Recipe(optimizer={"learning_rate": 1e-3}, batch={"size": BATCH}).complete(factory.num_rows)
    run = factory.create(recipe, seed=0)

    def rates(rows: int, action: Callable[[], Any]) -> tuple[float, float]:
        processes.add(torch.zeros(1))
        began, worked = time.perf_counter(), time.process_time()
        action()
        return rows / (time.perf_counter() - began), rows / (time.process_time() - worked)

    run.advance(WARM_UP * BATCH, should_stop=never)
    trained = rates(STEPS * BATCH, lambda: run.advance(STEPS * BATCH, should_stop=never))
    run.evaluate("validation")
    looked = rates(2000, lambda: run.evaluate("validation"))
    kinds = ("training", "training, processor", "evaluation", "evaluation, processor")
    return dict(zip(kinds, (*trained, *looked), strict=True))


def together(number: int, model: str) -> dict[str, float]:
    """What process 0 of so many measured."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    joined = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.parallel", "measure", model],
            env={**os.environ, "OMP_NUM_THREADS": "1", **({**joined, "RANK": str(rank)} if number > 1 else {})},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(number)
    ]
    said = [process.communicate()[0] for process in started]
    found_rates: dict[str, float] = json.loads(said[0])
    return found_rates


def main(rounds: int, number: int) -> None:
    for model in MODELS:
        ratios: dict[str, list[float]] = {}
        for turn in range(rounds):
            order = (1, number) if turn % 2 else (number, 1)
            rates = {count: together(count, model) for count in order}
            for kind, alone in rates[1].items():
                ratios.setdefault(kind, []).append(rates[number][kind] / alone)
            load = os.getloadavg()[0]
            shown = ", ".join(f"{count}: {rates[count]['training']:,.0f}" for count in (1, number))
            last = ratios["training"][-1]
            print(f"{model}, round {turn + 1}: samples a second in {shown}; ratio {last:.2f}; load {load:.1f}")
        for kind, found in ratios.items():
            print(
                f"{model}, {kind}: {number} processes are {statistics.median(found):.2f} times as fast as one "
                f"({min(found):.2f} to {max(found):.2f}, {rounds} rounds)"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measured(sys.argv[2])))
    else:
        given = [int(value) for value in sys.argv[1:]]
        main(*(given + [5, 2][len(given) :]))
