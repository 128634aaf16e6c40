"""Trainings with one known fault each, and what is said of their logs: a confusion matrix.

    python -m benchmarks.made_faults [--only FAULT ...] [--each] [--write tests/logs/made]

Every fault is made in real trainings of small networks (digits, breast_cancer, wine, Fashion-MNIST at half its
resolution, incomes of adults), and the same training without it tells whether the fault is one: a curve whose cure
ends no better is left out and counted. Rules were chosen on digits and breast_cancer with seeds 0 and 1; the other data
sets and seeds are held out and printed apart. Every log is judged twice: with all that the loop wrote, and with losses,
validation accuracy and rate alone, as most loops write. ``--each`` prints a line a curve; ``--write`` keeps a log of
each fault, the first that is named if one is.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import surefoot as sf
from benchmarks.made_kinds import FAULTS, HEALTHY, SGD_DECAY, SGD_RATE, Case, Fault
from benchmarks.made_rows import CHOSEN_ON, HELD_OUT
from benchmarks.made_trainings import Columns

SEEDS = {"chosen on": (0, 1), "held out": (2, 3)}
MORE_HEALTHY = 3  # times as many seeds where nothing is wrong
PLAIN = ("epoch", "step", "train_loss", "val_loss", "val_accuracy", "learning_rate")


def cases(fault: Fault, part: str) -> Iterator[Case]:
    """Every data set of a part of the proof, with the optimizers and ways of logging in turn."""
    for place, data in enumerate(CHOSEN_ON if part == "chosen on" else HELD_OUT):
        seeds = SEEDS[part]
        for seed in seeds if fault.verdicts != ("nothing wrong",) else range(seeds[0], MORE_HEALTHY * 2 + seeds[0]):
            setting = HEALTHY[data]
            if (place + seed) % 2:
                setting = setting.but(optimizer="sgd", learning_rate=SGD_RATE[data], weight_decay=SGD_DECAY[data])
            if data in fault.data:
                yield Case(data, setting.but(by_steps=bool(seed % 2)), seed)


def judge(columns: Columns, *, is_plain: bool) -> list[str]:
    known = {name: values for name, values in columns.items() if not is_plain or name in PLAIN}
    return list(dict.fromkeys(finding.verdict for finding in sf.diagnose(known)))


def write(columns: Columns, path: Path) -> None:
    """A log as CSV, as a training loop writes it."""
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            rows.writerow("" if cell is None else f"{cell:.6g}" for cell in row)


@dataclass
class Tally:
    """What was said of the logs of one fault."""

    first: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)
    named: int = 0
    named_plain: int = 0
    left_out: int = 0

    def row(self, name: str) -> str:
        """As a row of the table."""
        without = f" ({self.left_out} left out)" if self.left_out else ""
        firsts, besides = (
            ", ".join(f"{verdict} {times}" for verdict, times in said.most_common())
            for said in (self.first, self.beside)
        )
        return f"| {name} | {self.first.total()}{without} | {self.named} | {self.named_plain} | {firsts} | {besides} |"


def tally(fault: Fault, part: str, *, each: bool, folder: Path | None) -> Tally:
    """Make the fault on every data set of a part and judge the logs."""
    found = Tally()
    for case in cases(fault, part):
        columns, is_real = fault.make(case)
        if not is_real:
            found.left_out += 1
            continue
        said = judge(columns, is_plain=False)
        is_named = bool(set(said) & set(fault.verdicts))
        if folder is not None and (not found.first or (is_named and not found.named)):
            write(columns, folder / f"{fault.name.replace(' ', '_')}.csv")
        found.first[said[0]] += 1
        found.beside.update(said[1:])
        found.named += is_named
        found.named_plain += bool(set(judge(columns, is_plain=True)) & set(fault.verdicts))
        if each:
            print(f"  {fault.name}, {case.data} {case.seed} {case.setting.optimizer}: {', '.join(said)}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=None, help="faults")
    parser.add_argument("--each", action="store_true", help="a line a curve")
    parser.add_argument("--write", type=Path, default=None, help="a folder for a log of each fault")
    parser.add_argument("--part", default=None, choices=list(SEEDS))
    given = parser.parse_args()
    started = time.perf_counter()
    faults = [fault for fault in FAULTS if given.only is None or fault.name in given.only]
    for part in SEEDS if given.part is None else [given.part]:
        found = {fault.name: tally(fault, part, each=given.each, folder=given.write) for fault in faults}
        count, named, plain = (
            sum(numbers)
            for numbers in zip(
                *((one.first.total(), one.named, one.named_plain) for one in found.values()), strict=True
            )
        )
        print(f"\n{part}: {count} curves, {named} named, {plain} named by losses, validation accuracy and rate alone\n")
        print("| made | curves | named | … alone | said first | said beside |")
        print("|---|---|---|---|---|---|")
        print("\n".join(one.row(name) for name, one in found.items()))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
