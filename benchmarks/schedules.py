"""How fast schedules are: a million positions at once, and one at a time as a training reads them.

Run with: python -m benchmarks.schedules
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from surefoot import schedules

NUM_POSITIONS = 1_000_000
LIMIT_MILLISECONDS = 50.0


def cases() -> dict[str, Any]:
    """Every schedule a recipe can name, the dearer modes, one behind a warmup and a sequence."""
    plain = {name: schedules.from_recipe(name) for name in schedules.SCHEDULES if name != "sequence"}
    parts = [{"name": "linear", "length": 0.4, "floor": 0.5}, {"name": "step", "length": 0.3}, {"name": "cosine"}]
    return {
        **plain,
        "triangular exp_range": schedules.from_recipe("triangular", arguments={"mode": "exp_range"}),
        "polynomial power 0.9": schedules.from_recipe("polynomial", arguments={"power": 0.9}),
        "power p 1.5": schedules.from_recipe("power", arguments={"power": 1.5}),
        "warmup + cosine": schedules.from_recipe("cosine", warmup=0.05),
        "warmup + sequence of 3": schedules.from_recipe("sequence", warmup=0.05, arguments={"parts": parts}),
    }


def best_seconds(work: Callable[[], object], *, repeats: int = 7) -> float:
    """The fastest of several tries: the one that nothing else disturbed."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> int:
    """Print the table; 1 when a schedule is slower than promised."""
    positions = np.random.default_rng(0).uniform(0.0, 1.0, NUM_POSITIONS)
    singles = positions[:10_000].tolist()
    slow = []
    print(f"{'schedule':<24}{'1,000,000 positions':>22}{'one position':>16}")
    for name, schedule in cases().items():
        many = 1e3 * best_seconds(lambda schedule=schedule: schedule(positions))
        one = 1e6 * best_seconds(lambda schedule=schedule: [schedule(p) for p in singles], repeats=3) / len(singles)
        print(f"{name:<24}{many:>19.1f} ms{one:>13.2f} µs")
        if many >= LIMIT_MILLISECONDS:
            slow.append(name)
    if slow:
        print(f"slower than {LIMIT_MILLISECONDS:g} ms: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
