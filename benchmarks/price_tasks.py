"""The eleven tasks of "price of two": each a training of at most about three seconds, with a part to test on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.adaptive_tasks import fashion_cnn, shakespeare_gru
from benchmarks.probe_tasks import movie_ratings, spoken_digits
from benchmarks.tasks import adult, clinc150, fashion_mnist_10k
from surefoot import tasks

__all__ = ["NUM_SPLITS", "SMALL", "TASKS"]

NUM_SPLITS = 5


def _builtin(name: str, seed: int) -> tasks.Task | None:
    """A built-in task, split anew for each of five seeds."""
    return tasks.builtin(name, split=seed % NUM_SPLITS)


def _fixed(make: Callable[[], tasks.Task | None], epochs: float, seed: int) -> tasks.Task | None:
    """A task whose parts are the same whatever the seed, over so many epochs."""
    del seed
    task = make()
    if task is not None:
        task.epochs = epochs
    return task


SMALL = ("digits", "breast_cancer", "diabetes", "wine")
TASKS: dict[str, Callable[[int], tasks.Task | None]] = {
    **{name: partial(_builtin, name) for name in SMALL},
    "fashion_mlp": partial(_fixed, fashion_mnist_10k, 10),
    "fashion_cnn": partial(_fixed, fashion_cnn, 5),
    "shakespeare_gru": partial(_fixed, shakespeare_gru, 3),
    "clinc150": partial(_fixed, clinc150, 8),
    "spoken_digits": partial(_fixed, spoken_digits, 12),
    "adult": partial(_fixed, adult, 10),
    "movie_ratings": partial(_fixed, partial(movie_ratings, num_test=6000), 3),
}
