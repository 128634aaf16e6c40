"""Trainings with one known fault each, and what is said of their logs: a confusion matrix.

    python -m benchmarks.made_faults [--only FAULT ...] [--plain] [--each] [--write tests/logs/made]

Every fault is made in real trainings of small networks (digits, breast_cancer, wine, Fashion-MNIST at half its
resolution, incomes of adults), and the same training without it tells whether the fault is one: a curve whose cure
ends no better is left out and counted. Rules were chosen on digits and breast_cancer with seeds 0 and 1; the other data
sets and seeds are held out and printed apart. ``--plain`` shows only losses, the validation accuracy and the rate of
each log, as most loops write; ``--each`` prints a line a curve; ``--write`` keeps a log of
each fault, the first that is named if one is.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import surefoot as sf
from benchmarks.made_rows import CHOSEN_ON, HELD_OUT, imbalanced, rows_of
from benchmarks.made_trainings import Columns, Rows, Setting, Trained, train

# Without a fault; shallow networks need no warmup. Each data set with both optimizers, in turn with the seed.
HEALTHY = {
    "digits": Setting(weight_decay=0.1),
    "breast_cancer": Setting(hidden=(16,), weight_decay=0.3, batch=16, warmup=0.0),
    "wine": Setting(hidden=(16,), weight_decay=0.3, batch=8, warmup=0.0),
    "fashion": Setting(epochs=16, dropout=0.3, weight_decay=0.1),
    "adult": Setting(epochs=12, hidden=(32,), dropout=0.2, learning_rate=1e-3, weight_decay=0.3),
}
SGD_DECAY = {"digits": 3e-3, "breast_cancer": 1e-2, "wine": 1e-2, "fashion": 3e-3, "adult": 1e-2}
SGD_RATE = {"digits": 0.05, "breast_cancer": 0.02, "wine": 0.02, "fashion": 0.05, "adult": 0.02}
FEW_ROWS = {"digits": 150, "breast_cancer": 60, "wine": 30, "fashion": 300, "adult": 300}
SEEDS = {"chosen on": (0, 1), "held out": (2, 3)}
MORE_HEALTHY = 3  # times as many seeds where nothing is wrong
# A fault is one where the loss on test rows is this much above that of the training without it.
CLEARLY_WORSE = 1.15
PLAIN = ("epoch", "step", "train_loss", "val_loss", "val_accuracy", "learning_rate")


@dataclass(frozen=True)
class Case:
    """A data set, its setting without a fault, and a seed."""

    data: str
    setting: Setting
    seed: int

    @property
    def rows(self) -> Rows:
        """Its rows as they are."""
        return rows_of(self.data, self.seed)

    def train(self, rows: Rows | None = None, **changes: object) -> Trained:
        """A training with changes."""
        return train(rows or self.rows, self.setting.but(**changes), seed=self.seed)


Made = tuple[Columns, bool]


@dataclass(frozen=True)
class Fault:
    """``make`` gives a log and whether the fault is real; ``verdicts`` are those that name it."""

    name: str
    verdicts: tuple[str, ...]
    make: Callable[[Case], Made]
    data: tuple[str, ...] = (*CHOSEN_ON, *HELD_OUT)


def against_cure(case: Case, *, worse: float = CLEARLY_WORSE, rows: Rows | None = None, **changes: object) -> Made:
    """A training with changes, and whether without them it ends clearly better."""
    made, cured = case.train(rows, **changes), case.train()
    return made.columns, not made.end < worse * cured.end


def healthy(case: Case) -> Made:
    made = case.train()
    return made.columns, made.end <= 1.1 * made.best


def overfitting(case: Case) -> Made:
    few = rows_of(case.data, case.seed, num_train=FEW_ROWS[case.data])
    made = case.train(
        few, hidden=(256, 256), epochs=3 * case.setting.epochs, dropout=0.0, weight_decay=0.0, decays=False
    )
    return made.columns, made.end > CLEARLY_WORSE * made.best


def too_small(case: Case) -> Made:
    return against_cure(case, hidden=(1,) if case.rows.classes <= 3 else (2,), dropout=0.0)


def too_regularised(case: Case) -> Made:
    by = 30 if case.setting.optimizer == "adamw" else 100
    return against_cure(case, weight_decay=by * case.setting.weight_decay)


def stopped_early(case: Case) -> Made:
    rate = case.setting.learning_rate / 4
    return against_cure(case, epochs=max(7, case.setting.epochs // 5), learning_rate=rate, decays=False)


def noise_floor(case: Case) -> Made:
    setting = case.setting.but(learning_rate=4 * case.setting.learning_rate, batch=8)
    made = train(case.rows, setting.but(decays=False), seed=case.seed)
    cured = train(case.rows, setting, seed=case.seed)
    return made.columns, made.end > CLEARLY_WORSE * cured.end


def stuck(case: Case) -> Made:
    return against_cure(case, gain=0.0)


def too_high(case: Case) -> Made:
    return against_cure(
        case, learning_rate=(60 if case.setting.optimizer == "adamw" else 10) * case.setting.learning_rate
    )


def too_low(case: Case) -> Made:
    return against_cure(case, learning_rate=case.setting.learning_rate / 100)


def diverging(case: Case) -> Made:
    setting = case.setting.but(optimizer="sgd", learning_rate=SGD_RATE[case.data], activation=nn.LeakyReLU)
    made = train(case.rows, setting.but(learning_rate=100 * setting.learning_rate, warmup=0.3), seed=case.seed)
    losses = [loss for loss in made.columns["train_loss"] if loss is not None]
    return made.columns, not math.isfinite(losses[-1]) or losses[-1] > losses[0]


def spiking(case: Case) -> Made:
    """A few rows were recorded a thousand times too large."""
    rows = case.rows
    inputs = rows.train[0].clone()
    inputs[:3] *= 1000.0
    made = case.train(Rows((inputs, rows.train[1]), rows.validation, rows.test), by_steps=True, decays=False)
    return made.columns, made.end > 1.05 * case.train(decays=False).end


def no_warmup(case: Case) -> Made:
    deep = case.setting.but(hidden=(64,) * 6, optimizer="sgd", learning_rate=3 * SGD_RATE[case.data], weight_decay=1e-4)
    made = train(case.rows, deep.but(warmup=0.0), seed=case.seed)
    cured = train(case.rows, deep.but(warmup=0.2), seed=case.seed)
    return made.columns, not made.end < 1.3 * cured.end


def batch_too_small(case: Case) -> Made:
    return against_cure(case, batch=1, epochs=case.setting.epochs // 2)


def batch_too_large(case: Case) -> Made:
    return against_cure(case, batch=len(case.rows.train[0]) // 2)


def few_to_watch(case: Case) -> Made:
    made = case.train(rows_of(case.data, case.seed, num_validation=12))
    watched = made.columns["val_loss"][-1] or 0.0
    return made.columns, abs(watched - made.end) > 0.3 * made.end


def swapped(case: Case) -> Made:
    columns = dict(case.train(weight_decay=0.0, dropout=0.0).columns)
    for measure in ("loss", "accuracy"):
        columns[f"train_{measure}"], columns[f"val_{measure}"] = columns[f"val_{measure}"], columns[f"train_{measure}"]
    return columns, (columns["train_loss"][-1] or 0.0) > CLEARLY_WORSE * (columns["val_loss"][-1] or 0.0)


def leaking(case: Case) -> Made:
    """Validation rows that are training rows."""
    rows = rows_of(case.data, case.seed, num_train=FEW_ROWS[case.data])
    half = len(rows.train[0]) // 2
    made = case.train(
        Rows(rows.train, (rows.train[0][:half], rows.train[1][:half]), rows.test), weight_decay=0.0, dropout=0.0
    )
    return made.columns, (made.columns["val_loss"][-1] or 0.0) < made.end / 1.3


def dead(case: Case) -> Made:
    return against_cure(case, bias=-4.0)


def exploding(case: Case) -> Made:
    return against_cure(case, hidden=(64,) * 5, gain=5.0)


def vanishing(case: Case) -> Made:
    deep = {"hidden": (64,) * 6, "optimizer": "sgd", "learning_rate": SGD_RATE[case.data], "weight_decay": 1e-4}
    made, cured = case.train(activation=nn.Sigmoid, **deep), case.train(**deep)
    return made.columns, made.end > CLEARLY_WORSE * cured.end


def unscaled(case: Case) -> Made:
    return against_cure(case, rows=rows_of(case.data, case.seed, is_scaled=False))


def rare_class(case: Case) -> Made:
    rows = imbalanced(case.data, case.seed)
    setting = case.setting.but(learning_rate=case.setting.learning_rate / 10, dropout=0.0)
    rare = rows.train[1] == 1
    again = torch.cat([torch.arange(len(rare)), torch.nonzero(rare).flatten().repeat(10)])
    even = Rows((rows.train[0][again], rows.train[1][again]), rows.validation, rows.test)
    made = train(rows, setting, seed=case.seed)
    return made.columns, made.balanced + 0.1 < train(even, setting, seed=case.seed).balanced


FAULTS = (
    Fault("none", ("nothing wrong",), healthy),
    Fault("overfitting", ("overfitting",), overfitting),
    Fault("model too small", ("underfitting",), too_small),
    Fault("too much decay", ("underfitting",), too_regularised),
    Fault("stopped early", ("not converged",), stopped_early),
    Fault("rate never decays", ("held up by noise",), noise_floor),
    Fault("zero weights", ("learned nothing", "dead units"), stuck),
    Fault("rate too high", ("learning rate too high",), too_high),
    Fault("rate too low", ("learning rate too low",), too_low),
    Fault("diverging", ("diverged",), diverging),
    Fault("broken rows", ("spikes",), spiking),
    Fault("no warmup", ("warmup missing",), no_warmup),
    Fault("batch far too small", ("batch far below the noise",), batch_too_small),
    Fault("batch far too large", ("batch far above the noise",), batch_too_large),
    Fault("12 validation rows", ("validation too small to tell",), few_to_watch),
    Fault("parts swapped", ("train and validation swapped", "validation better than training"), swapped),
    Fault("rows leak", ("validation follows training", "validation better than training"), leaking),
    Fault("dead units", ("dead units",), dead),
    Fault("exploding gradients", ("outputs too large at first", "gradients explode"), exploding),
    Fault("vanishing gradients", ("gradients vanished",), vanishing),
    Fault(
        "inputs not scaled", ("outputs too large at first",), unscaled, ("digits", "breast_cancer", "wine", "fashion")
    ),
    Fault("rare class", ("imbalance hidden by accuracy",), rare_class, tuple(set(HEALTHY) - {"wine"})),
)


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


def measure(part: str, faults: list[Fault], *, is_plain: bool, each: bool, folder: Path | None) -> None:
    first: dict[str, Counter[str]] = {}
    named: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for fault in faults:
        first[fault.name] = Counter()
        for case in cases(fault, part):
            columns, is_real = fault.make(case)
            if not is_real:
                left_out[fault.name] += 1
                continue
            said = judge(columns, is_plain=is_plain)
            is_named = bool(set(said) & set(fault.verdicts))
            if folder is not None and (not first[fault.name] or (is_named and not named[fault.name])):
                write(columns, folder / f"{fault.name.replace(' ', '_')}.csv")
            first[fault.name][said[0]] += 1
            named[fault.name] += is_named
            if each:
                print(f"  {fault.name}, {case.data} {case.seed} {case.setting.optimizer}: {', '.join(said)}")
    print(f"\n{part}: {sum(sum(said.values()) for said in first.values())} curves\n")
    print("| made | curves | named | said first |")
    print("|---|---|---|---|")
    for fault in faults:
        said, count = first[fault.name], sum(first[fault.name].values())
        firsts = ", ".join(f"{verdict} {times}" for verdict, times in said.most_common())
        without = f" ({left_out[fault.name]} left out)" if left_out[fault.name] else ""
        print(f"| {fault.name} | {count}{without} | {named[fault.name]} | {firsts} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=None, help="faults")
    parser.add_argument("--plain", action="store_true", help="judge only what most loops log")
    parser.add_argument("--each", action="store_true", help="a line a curve")
    parser.add_argument("--write", type=Path, default=None, help="a folder for the first log of each fault")
    parser.add_argument("--part", default=None, choices=list(SEEDS))
    given = parser.parse_args()
    started = time.perf_counter()
    faults = [fault for fault in FAULTS if given.only is None or fault.name in given.only]
    for part in SEEDS if given.part is None else [given.part]:
        measure(part, faults, is_plain=given.plain, each=given.each, folder=given.write)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
