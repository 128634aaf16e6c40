"""Tell the intent of short texts from their words: sparse rows of 50,000 columns, never with their zeros.

    python examples/bag_of_words.py

The texts are made up as requests to an assistant are: 20 intents, each with words of its own among many that say
nothing. A text becomes a row of counts, a column a word, by scikit-learn's CountVectorizer; the first layer reads only
the words that are there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from torch import nn

import surefoot as sf

WORDS, INTENTS, OWN_WORDS = 50_000, 20, 40


def build(hidden: int = 64) -> nn.Module:
    return nn.Sequential(sf.SparseLinear(WORDS, hidden), nn.ReLU(), nn.Linear(hidden, INTENTS))


def made_up(count: int, *, seed: int) -> tuple[list[str], Any]:
    """Texts of six to twelve words, one to three of which belong to their intent."""
    generator = np.random.default_rng(seed)
    intents = generator.integers(INTENTS, size=count)
    texts = []
    for intent in intents:
        told = intent * OWN_WORDS + generator.integers(OWN_WORDS, size=generator.integers(1, 4))
        filler = generator.integers(INTENTS * OWN_WORDS, WORDS, size=generator.integers(5, 10))
        texts.append(" ".join(f"word{number}" for number in generator.permutation([*told, *filler])))
    return texts, intents


def main(*, count: int = 6_000, epochs: int = 6) -> sf.Result:
    vectorizer = CountVectorizer(vocabulary=[f"word{number}" for number in range(WORDS)])
    texts, intents = made_up(count, seed=0)
    rows = vectorizer.transform(texts)
    print(f"{rows.shape[0]:,} texts x {rows.shape[1]:,} words, {rows.nnz:,} of them not zero")
    task = sf.Task(build, (rows, intents), epochs=epochs)
    result = sf.fit(task, sf.Recipe(optimizer={"learning_rate": 0.01}, batch={"size": 64}))
    print(f"{result.metrics['validation_accuracy']:.1%} of the held-out texts are understood")
    return result


if __name__ == "__main__":
    main()
