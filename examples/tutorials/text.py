"""Which of 150 requests is meant: sentences through a bag of words, or through a GRU.

    python examples/tutorials/text.py              # one tuned model, which then reads sentences of yours
    python examples/tutorials/text.py --kind gru   # the same with a GRU: some ten times as slow
    python examples/tutorials/text.py --seeds 3    # and what tuning bought, over three seeds

docs/tutorials/text.md walks through it.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter

import numpy as np
import torch
from side_by_side import side_by_side
from torch import nn
from where import data_file

import surefoot as sf

LONGEST = 20
PADDING, UNKNOWN = 0, 1
OWN = ("how much money do i have", "wake me up at seven", "is there a place to eat nearby", "sing me the alphabet")


class Words:
    """The words of the training sentences as numbers; those met once only are unknown."""

    def __init__(self, sentences: list[str]) -> None:
        counts = Counter(word for sentence in sentences for word in sentence.split())
        known = sorted(word for word, count in counts.items() if count > 1)
        self.numbers = {word: number for number, word in enumerate(known, start=2)}

    def encode(self, sentences: list[str]) -> np.ndarray:
        """A row of numbers a sentence, padded to one length."""
        rows = np.full((len(sentences), LONGEST), PADDING)
        for row, sentence in zip(rows, sentences, strict=True):
            found = [self.numbers.get(word, UNKNOWN) for word in sentence.lower().split()[:LONGEST]]
            row[: len(found)] = found
        return rows


class Reader(nn.Module):
    """Embeds words, makes one vector of a sentence, and gives a score an intent."""

    def __init__(self, words: int, intents: int, kind: str, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=PADDING)
        self.gru = nn.GRU(width, width, batch_first=True) if kind == "gru" else None
        self.head = nn.Linear(width, intents)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """A score for each intent."""
        found = self.embedding(rows)
        if self.gru is not None:
            found = self.gru(found)[0]
        real = (rows != PADDING).unsqueeze(2)
        return self.head((found * real).sum(1) / real.sum(1).clamp(min=1))


def make_task(*, kind: str, rows: int, epochs: float) -> tuple[sf.Task, Words, list[str]]:
    """The task, its words, and the names of the intents."""
    file = data_file("clinc150", "data_full.json.gz")
    parts = json.loads(gzip.decompress(file.read_bytes()))  # of each part a list of [sentence, intent]
    order = np.random.default_rng(0).permutation(len(parts["train"]))[:rows]
    parts["train"] = [parts["train"][place] for place in order]
    names = sorted({intent for _, intent in parts["test"]})
    words = Words([sentence for sentence, _ in parts["train"]])

    def encoded(part: str) -> tuple[np.ndarray, np.ndarray]:
        return words.encode([text for text, _ in parts[part]]), np.array([names.index(name) for _, name in parts[part]])

    def build(width: int = 64) -> nn.Module:
        return Reader(len(words.numbers) + 2, len(names), kind, width)

    task = sf.Task(
        build, encoded("train"), validation=encoded("val"), test=encoded("test"), epochs=epochs, name=f"intents, {kind}"
    )
    return task, words, names


def main(*, kind: str = "bag", rows: int = 15_000, epochs: float = 6, budget: float = 2.0, seeds: int = 1) -> sf.Result:
    task, words, names = make_task(kind=kind, rows=rows, epochs=epochs)
    print(f"{len(task.train[0]):,} sentences, {len(words.numbers):,} words, {len(names)} intents\n")
    print(sf.probe(task), "\n")

    watcher = sf.Printer(every_look=False, allowed=budget)
    result = sf.tune(task, budget=budget, observer=watcher)
    print(f"\n{result}")
    for finding in result.findings:
        print(f"{finding.verdict}: {finding.evidence}\n  -> {finding.advice}")

    result.model.eval()
    with torch.no_grad():
        chances = result.model(torch.as_tensor(words.encode(list(OWN)))).softmax(1)
    print()
    for sentence, row in zip(OWN, chances, strict=True):
        print(f"  {sentence:<34}{names[int(row.argmax())]:<26}{row.max():.0%}")
    if seeds > 1:
        side_by_side(task, seeds=seeds, budget=budget, metric="test_accuracy")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("bag", "gru"), default="bag")
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
