"""The 10-50-10 network with a batch size that really changes while it trains.

What to see: the batch grows with the noise in the gradients, the rate follows it, and at the end the loss is that of a
fixed batch of 64 in a third of its steps. The rate belongs to 64 in both trainings. Add ``"coupling": "none"`` to see
what the larger batch does when the rate does not follow: fewer steps that are no longer.

    python examples/classic/adaptive_batch.py --epochs 100
"""

from __future__ import annotations

import argparse

from ten_fifty_ten import RECIPE, task

import surefoot as sf

# The one thing to change for another policy: docs/batching.md has them all.
BATCH = {"policy": "noise_scale", "size": 32, "reference_size": 64}

FIXED = RECIPE.with_changes({"optimizer.learning_rate": 0.01})
ADAPTIVE = sf.Recipe(**{**FIXED.to_dict(), "batch": BATCH})


def main(epochs: int = 100) -> dict[str, sf.Result]:
    """Train with a fixed and with a moving batch and give back the results."""
    sizes: list[int] = []

    def on_epoch(event: sf.Event) -> None:
        sizes.append(event.batch_size)
        where = f"epoch {event.epoch:5.1f}  batch {event.batch_size:3d}  rate {event.learning_rate:.3g}"
        print(f"{where}  validation loss {event.validation_loss:.4f}")

    results = {
        "batch 64": sf.fit(task(epochs), FIXED),
        "adaptive": sf.fit(task(epochs), ADAPTIVE, callbacks=[on_epoch]),
    }
    print(f"The batch went from {sizes[0]} to {sizes[-1]}.")
    for name, result in results.items():
        run = result.study.runs[0]
        print(f"{name:<10} {run.steps:5d} steps  {run.seconds:5.1f} s  test loss {result.metrics['test_loss']:.4f}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    main(parser.parse_args().epochs)
