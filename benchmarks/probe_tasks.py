"""The nine tasks of the learning-rate comparison, each a training of seconds, and their small models."""

from __future__ import annotations

import gzip
import io
import wave
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.adaptive_tasks import shakespeare_gru
from benchmarks.tasks import adult, clinc150, data_folder, fashion_mnist_10k
from surefoot import seeds, tasks

__all__ = ["HEAVY", "TASKS"]


def fashion_batch_norm() -> tasks.Task | None:
    """Fashion-MNIST 10k through two convolutions with batch normalisation; 4 epochs."""
    flat = fashion_mnist_10k()
    if flat is None:
        return None
    (train, train_labels), (held, held_labels) = flat.train, flat.validation
    return tasks.Task(
        _batch_norm_network,
        (train.reshape(-1, 1, 28, 28), train_labels),
        validation=(held.reshape(-1, 1, 28, 28), held_labels),
        epochs=4,
        name="fashion_batch_norm",
    )


def _batch_norm_network() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 49, 10),
    )


def shakespeare_transformer() -> tasks.Task | None:
    """The next character from a transformer of two layers, width 64; windows of 32 characters, 4 epochs."""
    recurrent = shakespeare_gru()
    if recurrent is None:
        return None
    symbols = 1 + int(max(part.max() for part in recurrent.train))
    return tasks.Task(
        partial(_transformer, symbols=symbols),
        recurrent.train,
        validation=recurrent.validation,
        loss=recurrent.loss,
        epochs=4,
        name="shakespeare_transformer",
    )


def _transformer(*, symbols: int, width: int = 64, length: int = 32) -> Any:
    import torch
    from torch import nn

    class Transformer(nn.Module):
        """Embeddings of symbol and place, two causal layers that normalise first, a line to the next symbol."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.places = nn.Embedding(symbols, width), nn.Embedding(length, width)
            layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols)
            mask = torch.triu(torch.full((length, length), float("-inf")), diagonal=1)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, codes: Any) -> Any:
            """Scores of the next symbol at every place."""
            places = torch.arange(codes.shape[1], device=codes.device)
            hidden = self.layers(self.embedding(codes) + self.places(places), mask=self.mask)
            return self.head(self.norm(hidden))

    return Transformer()


def spoken_digits() -> tasks.Task | None:
    """Spoken digits from their spectrograms through two convolutions; 12 epochs; takes below 5 are the test part."""
    folder = data_folder("fsdd")
    if folder is None:
        return None
    pictures: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
    labels: dict[str, list[int]] = {part: [] for part in pictures}
    with zipfile.ZipFile(folder / "recordings.zip") as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".wav"):
                continue
            digit, _, take = name.rsplit("/", 1)[-1].removesuffix(".wav").split("_")
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16) / 32768.0
            part = "test" if int(take) < 5 else "validation" if int(take) < 10 else "train"
            pictures[part].append(_spectrogram(samples))
            labels[part].append(int(digit))
    inputs = {part: np.stack(values)[:, None].astype(np.float32) for part, values in pictures.items()}
    mean, deviation = inputs["train"].mean(), inputs["train"].std()
    parts = {part: ((values - mean) / deviation, np.array(labels[part])) for part, values in inputs.items()}
    return tasks.Task(
        _sound_network,
        parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        epochs=12,
        name="spoken_digits",
    )


def _spectrogram(samples: Any, *, window: int = 256, hop: int = 128, frames: int = 40, bands: int = 32) -> Any:
    """Log power by time and frequency: (bands, frames), short sounds padded with silence."""
    wanted = window + hop * (frames - 1)
    padded = np.zeros(wanted)
    padded[: min(wanted, len(samples))] = samples[:wanted]
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    return np.log(power[:, 1:].reshape(frames, bands, -1).mean(axis=2) + 1e-6).T


def _sound_network() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 8 * 10, 10),
    )


def movie_ratings(*, num_test: int = 0) -> tasks.Task | None:
    """A user's rating of a movie, from embeddings of both; users and movies with five ratings or more; 3 epochs.

    Args:
        num_test: rows taken from the training part to test on.
    """
    found = rated_movies()
    if found is None:
        return None
    codes, ratings, _ = found
    order = seeds.stream(0, "movies").permutation(len(ratings))
    held, test, train = np.split(order, [6000, 6000 + num_test])
    return tasks.Task(
        factors_of(codes),
        (codes[train], ratings[train]),
        validation=(codes[held], ratings[held]),
        test=(codes[test], ratings[test]) if num_test else None,
        loss="mean_squared_error",
        epochs=3,
        name="movie_ratings",
    )


def rated_movies() -> tuple[Any, Any, Any] | None:
    """Codes of user and movie, ratings around 0, and when; of users and movies with five ratings or more."""
    folder = data_folder("movietweetings100k")
    if folder is None:
        return None
    lines = gzip.decompress((folder / "ratings.dat.gz").read_bytes()).decode().split()
    rows = np.array([[int(cell) for cell in line.split("::")] for line in lines])
    while True:
        users, movies = (np.unique(rows[:, column], return_inverse=True, return_counts=True) for column in (0, 1))
        often = (users[2][users[1]] >= 5) & (movies[2][movies[1]] >= 5)
        if often.all():
            break
        rows = rows[often]
    ratings = ((rows[:, 2] - 7.0) / 2.0).astype(np.float32)[:, None]
    return np.stack([users[1], movies[1]], axis=1), ratings, rows[:, 3]


def factors_of(codes: Any) -> Callable[[], Any]:
    """The builder of a model for these codes of user and movie."""
    users, movies = (int(highest) + 1 for highest in codes.max(axis=0))
    return partial(_factors, users=users, movies=movies)


def _factors(*, users: int, movies: int, width: int = 16) -> Any:
    import torch
    from torch import nn

    class Factors(nn.Module):
        """A product of two embeddings plus a bias of each."""

        def __init__(self) -> None:
            super().__init__()
            self.users, self.movies = nn.Embedding(users, width + 1), nn.Embedding(movies, width + 1)
            for table in (self.users, self.movies):
                nn.init.normal_(table.weight, std=0.1)

        def forward(self, codes: Any) -> Any:
            """(rows, 2) codes to (rows, 1) ratings."""
            user, movie = self.users(codes[:, 0]), self.movies(codes[:, 1])
            product = (user[:, :-1] * movie[:, :-1]).sum(1)
            return (product + user[:, -1] + movie[:, -1] + torch.zeros(())).unsqueeze(1)

    return Factors()


def _shortened(make: Callable[[], tasks.Task | None], epochs: float) -> tasks.Task | None:
    task = make()
    if task is not None:
        task.epochs = epochs
    return task


TASKS: dict[str, Callable[[], tasks.Task | None]] = {
    "digits": partial(tasks.builtin, "digits"),
    "breast_cancer": partial(tasks.builtin, "breast_cancer"),
    "fashion_batch_norm": fashion_batch_norm,
    "shakespeare_gru": partial(_shortened, shakespeare_gru, 4),
    "shakespeare_transformer": shakespeare_transformer,
    "clinc150": partial(_shortened, clinc150, 6),
    "spoken_digits": spoken_digits,
    "adult": partial(_shortened, adult, 3),
    "movie_ratings": movie_ratings,
}
# One seed on these in the grid, three on the others.
HEAVY = frozenset(
    {"fashion_batch_norm", "movie_ratings", "shakespeare_gru", "shakespeare_transformer", "spoken_digits"}
)
