"""Trainings with one known fault each, and what is said of their logs: a confusion matrix.

    python -m benchmarks.made_faults [--only FAULT ...] [--part PART ...] [--each] [--logs FOLDER] [--write FOLDER]

Every fault is made in real trainings of small networks, and the same training without it tells whether the fault is
one: a curve whose cure ends no better is left out and counted. ``benchmarks.made_grounds`` has the data sets in four
parts: of tables and digits two on which the rules were chosen and three held out; of pictures, words, characters,
sounds and numbers to say (convolutions, an embedding bag, a GRU, attention, factors, regressions) four that were looked
at and four that were not. Every log is judged three times: with all that the loop wrote; with losses, validation
accuracy and rate, as most loops write; and by its two losses alone. ``--each`` prints a line a curve; ``--logs`` keeps
the logs and judges those that are there; ``--write`` keeps one of each fault, the first that is named if one is.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import surefoot as sf
from benchmarks.made_grounds import GROUNDS, PARTS
from benchmarks.made_kinds import FAULTS, Case, Fault
from benchmarks.made_trainings import Columns

MORE_HEALTHY = 3  # times as many seeds where nothing is wrong
LOSSES = ("epoch", "step", "train_loss", "val_loss")
PLAIN = (*LOSSES, "val_accuracy", "learning_rate")
VIEWS = {"all": None, "alone": PLAIN, "losses": LOSSES}


def cases(fault: Fault, part: str) -> Iterator[Case]:
    """Every data set of a part of the proof, with the optimizers and ways of logging in turn."""
    names, seeds = PARTS[part]
    for place, data in enumerate(names):
        ground = GROUNDS[data]
        for seed in seeds if fault.name != "none" else range(seeds[0], MORE_HEALTHY * 2 + seeds[0]):
            setting = ground.setting
            if (place + seed) % 2:
                setting = setting.but(optimizer="sgd", learning_rate=ground.sgd_rate, weight_decay=ground.sgd_decay)
            if fault.name not in ground.leaves_out:
                yield Case(data, setting.but(by_steps=bool(seed % 2)), seed)


def made(fault: Fault, case: Case, folder: Path | None) -> tuple[Columns, bool]:
    """The log and whether the fault is real, from the folder if they lie there."""
    if folder is None:
        return fault.make(case)
    path = folder / f"{fault.name} {case.data} {case.seed}.json".replace(" ", "_")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        columns, is_real = fault.make(case)
        path.write_text(json.dumps([columns, bool(is_real)]))
    columns, is_real = json.loads(path.read_text())
    return columns, is_real


def judge(columns: Columns, *, view: str) -> list[str]:
    seen = VIEWS[view]
    known = {name: values for name, values in columns.items() if seen is None or name in seen}
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
    named: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def row(self, name: str) -> str:
        """As a row of the table."""
        without = f" ({self.left_out} left out)" if self.left_out else ""
        firsts, besides = (
            ", ".join(f"{verdict} {times}" for verdict, times in said.most_common())
            for said in (self.first, self.beside)
        )
        named = " | ".join(str(self.named[view]) for view in VIEWS)
        return f"| {name} | {self.first.total()}{without} | {named} | {firsts} | {besides} |"


def tally(fault: Fault, part: str, given: argparse.Namespace) -> Tally:
    """Make the fault on every data set of a part and judge the logs."""
    found = Tally()
    for case in cases(fault, part):
        columns, is_real = made(fault, case, given.logs)
        if not is_real:
            found.left_out += 1
            continue
        said = {view: judge(columns, view=view) for view in VIEWS}
        is_named = {view: bool(set(verdicts) & set(fault.verdicts)) for view, verdicts in said.items()}
        if given.write is not None and not found.named["all"] and (is_named["all"] or not found.first):
            write(columns, given.write / f"{fault.name.replace(' ', '_')}.csv")
        found.first[said["all"][0]] += 1
        found.beside.update(said["all"][1:])
        found.named.update(view for view in VIEWS if is_named[view])
        if given.each:
            of_view = "; ".join(f"{view}: {', '.join(verdicts)}" for view, verdicts in said.items())
            print(f"  {fault.name}, {case.data} {case.seed} {case.setting.optimizer}: {of_view}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=None, help="faults")
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--each", action="store_true", help="a line a curve")
    parser.add_argument("--logs", type=Path, default=None, help="a folder that keeps every log")
    parser.add_argument("--write", type=Path, default=None, help="a folder for a log of each fault")
    given = parser.parse_args()
    started = time.perf_counter()
    faults = [fault for fault in FAULTS if given.only is None or fault.name in given.only]
    for part in given.part:
        found = {fault.name: tally(fault, part, given) for fault in faults}
        count = sum(one.first.total() for one in found.values())
        named = [sum(one.named[view] for one in found.values()) for view in VIEWS]
        print(
            f"\n{part}: {count} curves, {named[0]} named, {named[1]} by losses, validation accuracy and rate, "
            f"{named[2]} by losses alone\n"
        )
        print("| made | curves | named | … alone | … losses | said first | said beside |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(one.row(name) for name, one in found.items() if one.first or one.left_out))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
