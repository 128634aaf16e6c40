"""The faults that ``benchmarks.made_faults`` makes: for each, a training with it and the proof that it is one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import nn

from benchmarks.made_grounds import GROUNDS, Ground
from benchmarks.made_rows import imbalanced, rows_of
from benchmarks.made_settings import Rows, Setting
from benchmarks.made_trainings import Columns, Trained, train

__all__ = ["FAULTS", "Case", "Fault"]


@dataclass(frozen=True)
class Case:
    """A data set, its setting without a fault, and a seed."""

    data: str
    setting: Setting
    seed: int

    @property
    def ground(self) -> Ground:
        """What holds for its data set."""
        return GROUNDS[self.data]

    @property
    def rows(self) -> Rows:
        """Its rows as they are."""
        return rows_of(self.data, self.seed)

    def train(self, rows: Rows | None = None, **changes: object) -> Trained:
        """A training with changes."""
        setting = self.setting.but(**changes)
        return _on_its_rows(self.data, setting, self.seed) if rows is None else train(rows, setting, seed=self.seed)


@cache
def _on_its_rows(data: str, setting: Setting, seed: int) -> Trained:
    """Many faults have one cure."""
    return train(rows_of(data, seed), setting, seed=seed)


Made = tuple[Columns, bool]


@dataclass(frozen=True)
class Fault:
    """``make`` gives a log and whether the fault is real; ``verdicts`` are those that name it."""

    name: str
    verdicts: tuple[str, ...]
    make: Callable[[Case], Made]


def against_cure(case: Case, *, rows: Rows | None = None, **changes: object) -> Made:
    """A training with changes, and whether without them it ends clearly better."""
    made, cured = case.train(rows, **changes), case.train()
    return made.columns, not made.end < case.ground.worse * cured.end


def healthy(case: Case, **changes: object) -> Made:
    made = case.train(**changes)
    return made.columns, made.end <= 1.1 * made.best


def overfitting(case: Case) -> Made:
    few = rows_of(case.data, case.seed, num_train=case.ground.few_rows)
    made = case.train(
        few, hidden=case.ground.wide, epochs=3 * case.setting.epochs, dropout=0.0, weight_decay=0.0, decays=False
    )
    return made.columns, made.end > case.ground.worse * made.best


def too_small(case: Case) -> Made:
    return against_cure(case, hidden=case.ground.narrow, dropout=0.0)


def too_regularised(case: Case) -> Made:
    by = 30 if case.setting.optimizer == "adamw" else 100
    return against_cure(case, weight_decay=by * case.setting.weight_decay)


def stopped_early(case: Case) -> Made:
    rate = case.setting.learning_rate / 4
    return against_cure(case, epochs=max(7, case.setting.epochs // 5), learning_rate=rate, decays=False)


def noise_floor(case: Case) -> Made:
    """A high rate and a small batch that the decaying schedule would have put up with; leaky, so that no unit dies."""
    by = 8 if case.setting.optimizer == "adamw" else 1
    setting = case.setting.but(learning_rate=by * case.setting.learning_rate, batch=4, activation=nn.LeakyReLU)
    made = train(case.rows, setting.but(decays=False), seed=case.seed)
    cured = train(case.rows, setting, seed=case.seed)
    return made.columns, made.end > case.ground.worse * cured.end


def stuck(case: Case) -> Made:
    return against_cure(case, gain=0.0)


def too_high(case: Case) -> Made:
    return against_cure(
        case, learning_rate=(60 if case.setting.optimizer == "adamw" else 10) * case.setting.learning_rate
    )


def too_low(case: Case) -> Made:
    return against_cure(case, learning_rate=case.setting.learning_rate / 100)


def diverging(case: Case) -> Made:
    setting = case.setting.but(optimizer="sgd", learning_rate=case.ground.sgd_rate, activation=nn.LeakyReLU)
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
    deep = case.setting.but(
        hidden=case.ground.deep, optimizer="sgd", learning_rate=3 * case.ground.sgd_rate, weight_decay=1e-4
    )
    made = train(case.rows, deep.but(warmup=0.0), seed=case.seed)
    cured = train(case.rows, deep.but(warmup=0.2), seed=case.seed)
    return made.columns, not made.end < 1.3 * cured.end


def batch_too_small(case: Case) -> Made:
    """One row a step, where the usual batch takes a fraction of the steps and ends no worse."""
    changes = {"epochs": case.setting.epochs // 2, "activation": nn.LeakyReLU}
    made, cured = case.train(batch=1, **changes), case.train(**changes)
    return made.columns, not made.end < 0.95 * cured.end


def batch_too_large(case: Case) -> Made:
    return against_cure(case, batch=len(case.rows.train[0]) // 2)


def few_to_watch(case: Case) -> Made:
    made = case.train(rows_of(case.data, case.seed, num_validation=12))
    watched = made.columns["val_loss"][-1] or 0.0
    return made.columns, abs(watched - made.end) > 0.3 * made.end


def swapped(case: Case) -> Made:
    columns = dict(case.train(weight_decay=0.0, dropout=0.0).columns)
    for measure in ("loss", "accuracy") if case.rows.has_classes else ("loss",):
        columns[f"train_{measure}"], columns[f"val_{measure}"] = columns[f"val_{measure}"], columns[f"train_{measure}"]
    return columns, (columns["train_loss"][-1] or 0.0) > case.ground.worse * (columns["val_loss"][-1] or 0.0)


def leaking(case: Case) -> Made:
    """Validation rows that are training rows."""
    rows = rows_of(case.data, case.seed, num_train=case.ground.few_rows)
    half = len(rows.train[0]) // 2
    made = case.train(
        Rows(rows.train, (rows.train[0][:half], rows.train[1][:half]), rows.test), weight_decay=0.0, dropout=0.0
    )
    return made.columns, (made.columns["val_loss"][-1] or 0.0) < made.end / 1.3


def dead(case: Case) -> Made:
    return against_cure(case, bias=-4.0)


def exploding(case: Case) -> Made:
    return against_cure(case, hidden=case.ground.deep[1:], gain=5.0)


def vanishing(case: Case) -> Made:
    deep = {"hidden": case.ground.deep, "optimizer": "sgd", "learning_rate": case.ground.sgd_rate, "weight_decay": 1e-4}
    made, cured = case.train(activation=nn.Sigmoid, **deep), case.train(**deep)
    return made.columns, made.end > case.ground.worse * cured.end


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
    Fault("none at one rate", ("nothing wrong",), partial(healthy, decays=False, warmup=0.0)),
    Fault("none with dropout", ("nothing wrong",), partial(healthy, dropout=0.5)),
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
    Fault("inputs not scaled", ("outputs too large at first",), unscaled),
    Fault("rare class", ("imbalance hidden by accuracy",), rare_class),
)
