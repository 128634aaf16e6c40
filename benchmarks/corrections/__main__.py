"""Print the tables of docs/corrections.md.

``python -m benchmarks.corrections [NAME ...]``: all of them, or those named. Seeds and sizes stand in the modules.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

from benchmarks.corrections import batches, choosing, decay, penalties, rare, rates, starts
from benchmarks.named import asked

TABLES: dict[str, Callable[[], str]] = {
    "past_the_end": decay.past_the_end,
    "noise_floor": decay.noise_floor,
    "alpha": penalties.alpha_by_batch,
    "l1": penalties.zeros,
    "adam_decay": penalties.decay_under_adam,
    "sizes": batches.sizes,
    "steps_to": batches.steps_to_accuracy,
    "variance": batches.sampling_variance,
    "width": batches.noise_by_width,
    "rates": rates.grid,
    "blow_up": rates.two_ways_to_blow_up,
    "starts": starts.by_scale,
    "relu": starts.relu_on_the_output,
    "rare": rare.by_batch,
    "chosen": choosing.by_test_rows,
}


def main() -> None:
    names = asked("table", TABLES)
    warnings.simplefilter("ignore")  # some of these trainings are meant to fail, and their libraries say so
    for name in names:
        begin = time.perf_counter()
        print(f"\n## {name}\n\n{TABLES[name]()}\n\n({time.perf_counter() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
