"""Batch policies measured: the price of an update, how long a memory, and the published tables.

Run with ``python -m benchmarks.batching``.
"""

from __future__ import annotations

import math
import time

from benchmarks import batching_tables as tables
from surefoot.batching import (
    CABS,
    Goodput,
    GradientDiversity,
    HalfCosine,
    InnerProductTest,
    Measured,
    NoiseSample,
    NoiseScale,
    NormTest,
    Observation,
    PlateauGrowth,
    StepTime,
)
from surefoot.testing import simulated_noise

POLICIES = {
    "noise_scale": Measured(NoiseScale()),
    "norm_test": Measured(NormTest()),
    "inner_product_test": Measured(InnerProductTest()),
    "cabs": Measured(CABS()),
    "gradient_diversity": Measured(GradientDiversity()),
    "half_cosine": Measured(HalfCosine()),
    "goodput": Measured(Goodput(StepTime(0.01, 0.001))),
    "plateau_growth": PlateauGrowth(patience=10**9),
}


def microseconds_an_update(policy: object, *, repeats: int = 5, updates: int = 2_000) -> float:
    """The best of several timings of one update, with a look at every step and no change of the batch."""
    sample = NoiseSample(400.0, 1.0, 399, along=40.0)
    observed = Observation(399, 3_990, sample, loss=1.0, learning_rate=1.0, metric=1.0)
    best = math.inf
    for _ in range(repeats):
        state = policy.init()  # type: ignore[attr-defined]
        begun = time.perf_counter()
        for _ in range(updates):
            state, _ = policy.update(state, observed)  # type: ignore[attr-defined]
        best = min(best, (time.perf_counter() - begun) / updates)
    return best * 1e6


def memory_table(num_looks: int, directions: int) -> tuple[int, float, float]:
    """Changes after 1,000 of 10,000 steps at rest; error of log B_s at rest; and where it grows 20-fold in 4,000."""
    policy = Measured(NoiseScale(share=1.0), least_looks=num_looks)
    changes, errors = 0, {}
    for name, steps, start, rate in (("rest", 10_000, 400.0, 0.0), ("rising", 4_000, 50.0, math.log(20) / 4_000)):
        squares = []
        for seed in range(3):
            looks = simulated_noise(
                lambda step, start=start, rate=rate: start * math.exp(rate * step), seed=seed, directions=directions
            )
            state, size = policy.init(), 32
            for step in range(steps):
                state, decision = policy.update(state, Observation(size, 50_000, next(looks)(size)))
                if decision.batch_size is not None:
                    size = decision.batch_size
                    changes += name == "rest" and step > 1_000
                estimate = policy.stream.estimate(state.noise)
                if step > 500 and estimate is not None and estimate.signal > 0:
                    squares.append(math.log(estimate.noise_scale / (start * math.exp(rate * step))) ** 2)
        errors[name] = math.sqrt(sum(squares) / len(squares))
    return changes, errors["rest"], errors["rising"]


def main() -> None:
    """Print everything."""
    print("One update, microseconds (target: under 20)")
    for name, policy in POLICIES.items():
        print(f"  {name:<20} {microseconds_an_update(policy):6.1f}")
    print("\nMemory in looks: changes after settling (3 seeds of 10,000 steps), error at rest, error while rising")
    for directions in (10, 30, 100):
        for num_looks in (10, 30, 100, 300):
            changes, rest, rising = memory_table(num_looks, directions)
            print(f"  {directions:>3} directions, {num_looks:>3} looks: {changes:>3}  {rest:.3f}  {rising:.3f}")
    if not tables.available():
        print("\nThe published tables are not here: set SUREFOOT_DATA")
        return
    print("\nPollux: hours to the target under goodput's batch, the best fixed batch, the default one")
    for application in tables.POLLUX:
        for ranks in (1, 4):
            found = tables.replay(application, num_ranks=ranks)
            best, default = found.fixed[found.best], found.fixed[found.default]
            print(
                f"  {application:<8} {ranks} GPU  goodput {found.policy / 3600:.3f} (batches {_runs(found.chosen)})  "
                f"best {best / 3600:.3f} (batch {found.best})  default {default / 3600:.3f}  "
                f"ratio to best {found.policy / best:.3f}  step-time error {found.fit.error:.3f}"
            )
    print("\nZeus: median |log error| of held-out epochs, the law's and a constant's")
    for dataset in tables.ZEUS:
        prediction = tables.predict(dataset)
        print(f"  {dataset:<14} law {prediction.median('law'):.3f}  constant {prediction.median('constant'):.3f}")


def _runs(sizes: tuple[int, ...]) -> str:
    """Batch sizes with repeats folded: 128 x3, 256 x5."""
    folded: list[list[int]] = []
    for size in sizes:
        if folded and folded[-1][0] == size:
            folded[-1][1] += 1
        else:
            folded.append([size, 1])
    return ", ".join(f"{size} x{count}" for size, count in folded)


if __name__ == "__main__":
    main()
