"""Which films to recommend: ratings as the product of two embeddings, with a step of one's own.

    python examples/tutorials/recommendation.py              # one tuned model and five films for a user
    python examples/tutorials/recommendation.py --seeds 3    # and what tuning bought, over three seeds

docs/tutorials/recommendation.md walks through it.
"""

from __future__ import annotations

import argparse
import gzip
from typing import Any

import numpy as np
import torch
from side_by_side import side_by_side
from torch import nn
from where import data_file

import surefoot as sf

OFTEN = 5  # ratings that a user and a film must have


class Ratings:
    """A data set whose rows are mappings: a batch is one look-up, as PyTorch's own ``__getitems__`` allows."""

    def __init__(self, users: np.ndarray, films: np.ndarray, ratings: np.ndarray) -> None:
        columns = {"user": users, "film": films, "rating": ratings.astype(np.float32)}
        self.columns = {name: torch.as_tensor(values) for name, values in columns.items()}

    def __len__(self) -> int:
        return len(self.columns["user"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: values[row] for name, values in self.columns.items()}

    def __getitems__(self, rows: list[int]) -> dict[str, Any]:
        return {name: values[rows] for name, values in self.columns.items()}

    @staticmethod
    def collate_fn(batch: dict[str, Any]) -> dict[str, Any]:
        """The batch, which ``__getitems__`` has put together."""
        return batch


class Factors(nn.Module):
    """A mean, an offset of the user and of the film, and how far the two suit each other."""

    def __init__(self, users: int, films: int, width: int) -> None:
        super().__init__()
        self.users, self.films = nn.Embedding(users, width + 1), nn.Embedding(films, width + 1)
        self.mean = nn.Parameter(torch.tensor(7.0))
        for table in (self.users, self.films):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, users: torch.Tensor, films: torch.Tensor) -> torch.Tensor:
        """The rating that each of the users would give to the film beside."""
        user, film = self.users(users), self.films(films)
        return self.mean + user[:, 0] + film[:, 0] + (user[:, 1:] * film[:, 1:]).sum(1)


def step(model: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
    """The loss of a batch; Surefoot calls ``backward`` and steps."""
    return nn.functional.mse_loss(model(batch["user"], batch["film"]), batch["rating"])


def read(limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (user, film, rating), users and films counted from 0, and the numbers that IMDb gives to the films."""
    text = gzip.decompress(data_file("movietweetings100k", "ratings.dat.gz").read_bytes()).decode()
    rows = np.array([[int(cell) for cell in line.split("::")] for line in text.split()])[:limit]
    while True:  # one who is left out takes ratings of films along
        counts = [np.unique(rows[:, column], return_inverse=True, return_counts=True)[1:] for column in (0, 1)]
        kept = np.logical_and(*(number[places] >= OFTEN for places, number in counts))
        if kept.all():
            break
        rows = rows[kept]
    users, (known, films) = np.unique(rows[:, 0], return_inverse=True)[1], np.unique(rows[:, 1], return_inverse=True)
    return np.column_stack([users, films, rows[:, 2]]), known


def make_task(*, limit: int | None, epochs: float) -> tuple[sf.Task, np.ndarray, np.ndarray]:
    """The task, all rows, and IMDb's numbers: a tenth of the ratings to choose by and a tenth to test on."""
    rows, known = read(limit)
    order = np.random.default_rng(0).permutation(len(rows))
    train, held, test = np.split(rows[order], [len(rows) * 8 // 10, len(rows) * 9 // 10])
    users, films = int(rows[:, 0].max()) + 1, int(rows[:, 1].max()) + 1

    def build(width: int = 16) -> nn.Module:
        return Factors(users, films, width)

    parts = [Ratings(*part.T) for part in (train, held, test)]
    task = sf.Task(build, parts[0], validation=parts[1], test=parts[2], step=step, epochs=epochs, name="ratings")
    return task, rows, known


def titles() -> dict[int, str]:
    text = gzip.decompress(data_file("movietweetings100k", "movies.dat.gz").read_bytes()).decode()
    return {int(line.split("::")[0]): line.split("::")[1] for line in text.splitlines()}


def main(*, limit: int | None = None, epochs: float = 4, budget: float = 2.0, seeds: int = 1) -> sf.Result:
    task, rows, known = make_task(limit=limit, epochs=epochs)
    print(f"{len(rows):,} ratings of {rows[:, 1].max() + 1:,} films by {rows[:, 0].max() + 1:,} users\n")
    print(sf.probe(task), "\n")

    watcher = sf.Printer(every_look=False, allowed=budget)
    result = sf.tune(task, budget=budget, observer=watcher)
    print(f"\n{result}")
    for finding in result.findings:
        print(f"{finding.verdict}: {finding.evidence}\n  -> {finding.advice}")
    print(f"\nAlways the mean: {rows[:, 2].var():.3f}; the model: {result.metrics['test_loss']:.3f}")

    user = int(np.bincount(rows[:, 0]).argmax())
    seen = rows[rows[:, 0] == user, 1]
    names, films = titles(), torch.arange(len(known))
    with torch.no_grad():
        scores = result.model(torch.full((len(known),), user), films)
    scores[torch.as_tensor(seen)] = -torch.inf
    print(f"For user {user}, who has rated {len(seen)} films:")
    for film in scores.argsort(descending=True)[:5].tolist():
        print(f"  {scores[film]:.1f}  {names.get(int(known[film]), known[film])}")
    if seeds > 1:
        side_by_side(task, seeds=seeds, budget=budget, metric="test_loss")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
