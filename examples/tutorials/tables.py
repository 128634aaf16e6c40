"""Incomes from a table with words, numbers and gaps, by the command line and from Python; then Iris.

    python examples/tutorials/tables.py              # two tuned models
    python examples/tutorials/tables.py --seeds 3    # and what tuning bought, over three seeds

docs/tutorials/tables.md walks through it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from pathlib import Path

from side_by_side import side_by_side
from where import data_file

import surefoot as sf
from surefoot import cli, tasks

COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip


def read(part: str, limit: int) -> list[list[str]]:
    """The first rows of a part; its files have no line with names, and a dot behind the labels of the test part."""
    text = gzip.decompress(data_file("adult", f"adult-{part}.csv.gz").read_bytes()).decode()
    rows = [[cell.strip().rstrip(".") for cell in row] for row in csv.reader(text.splitlines())]
    return [row for row in rows if len(row) == len(COLUMNS)][:limit]


def write(path: str, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def surefoot(*words: str) -> None:
    """What a person types and what comes back, in this process rather than in one of its own."""
    print(f"$ surefoot {' '.join(words)}", flush=True)
    sys.argv = ["surefoot", *words]
    try:
        cli.main()
    except SystemExit as ending:
        if ending.code:
            raise
    print(flush=True)


def main(*, limit: int = 12_000, epochs: float = 5, budget: float = 2.0, seeds: int = 1) -> sf.Result:
    rows, new = read("train", limit), read("test", 200)
    write("incomes.csv", COLUMNS, rows)
    write("new.csv", COLUMNS[:-1], [row[:-1] for row in new])
    told = ("--target", "income", "--epochs", f"{epochs:g}")
    surefoot("probe", "incomes.csv", *told)
    surefoot("tune", "incomes.csv", *told, "--budget", f"{budget:g}", "--out", "runs/incomes", "--overwrite")
    surefoot("predict", "runs/incomes", "new.csv", "--out", "answers.csv", "--overwrite")

    model = sf.load("runs/incomes")
    people = [dict(zip(COLUMNS, row, strict=True)) for row in new]
    said = model.predict([{name: cell for name, cell in each.items() if name != "income"} for each in people])
    right = sum(answer == each["income"] for answer, each in zip(said, people, strict=True))
    print(f"{right} of {len(people)} new people right; the first: {said[0]}, truly {people[0]['income']}")

    iris = tasks.builtin("iris")
    flowers = sf.tune(iris, budget=budget)
    print(f"Iris: {flowers}")
    if seeds > 1:
        incomes = tasks.resolve("incomes.csv", column="income")
        incomes.epochs = epochs
        side_by_side(incomes, seeds=seeds, budget=budget, metric="test_loss")
        side_by_side(iris, seeds=seeds, budget=budget, metric="test_loss")
    return flowers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
