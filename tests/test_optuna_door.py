"""Optuna's door: our search as a sampler and a pruner, held against Optuna's own conformance suites."""

from __future__ import annotations

import contextlib
import logging
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner, MedianPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.trial import TrialState, create_trial

from surefoot.errors import RequestError
from surefoot.integrations.optuna import SurefootPruner, SurefootSampler
from surefoot.integrations.optuna.coordinates import Axis, Coordinates
from surefoot.integrations.optuna.curves import Clock, Curve, clock_of, curves_of
from surefoot.integrations.optuna.model import fit_model
from surefoot.integrations.optuna.roles import Roles, recognised

RATE, BATCH = FloatDistribution(1e-5, 1.0, log=True), CategoricalDistribution([16, 32, 64, 128, 256])
DISTRIBUTIONS: list[BaseDistribution] = [
    RATE,
    BATCH,
    FloatDistribution(-1.0, 2.0),
    FloatDistribution(0.0, 1.0, step=0.25),
    IntDistribution(1, 200, log=True),
    IntDistribution(-3, 12, step=3),
    CategoricalDistribution(["adam", "sgd"]),
    CategoricalDistribution([256, 16, 64]),
    CategoricalDistribution([True, False]),
]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _told() -> Iterator[list[str]]:
    """A block, and what the door tells in it."""
    lines = list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign] # all it has to do
    optuna.logging.set_verbosity(optuna.logging.INFO)
    logging.getLogger("optuna.surefoot").addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger("optuna.surefoot").removeHandler(handler)


# Optuna's own suites


class TestConformance(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SurefootSampler(seed=0)


# What is recognised


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("lr", "rate"), ("learning_rate", "rate"), ("learning_rate_init", "rate"), ("eta0", "rate"), ("baseLR", "rate"),
        ("optimizer.lr", "rate"), ("learningRate", "rate"), ("LR", "rate"),
        ("lr_decay", ""), ("beta", ""), ("eta_min", ""), ("dropout", ""), ("lr_scheduler_factor", ""),
        ("batch", "batch"), ("batch_size", "batch"), ("batchSize", "batch"), ("train_batch", "batch"), ("bs", "batch"),
        ("num_batches", ""), ("batch_norm", ""), ("eval_batch_size", ""), ("absolute", ""),
    ],
)  # fmt: skip
def test_names_are_recognised(name: str, role: str) -> None:
    found = recognised({name: RATE if role != "batch" else BATCH}, Roles())
    assert found == Roles(name if role == "rate" else None, name if role == "batch" else None)


def test_a_name_is_not_enough() -> None:
    space: dict[str, BaseDistribution] = {
        "lr": FloatDistribution(0.0, 1.0),  # has a zero, of which there is no logarithm
        "batch": CategoricalDistribution(["small", "large"]),
    }
    assert recognised(space, Roles()) == Roles()


def test_what_is_ambiguous_is_asked_for_in_the_first_trial() -> None:
    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("lr_head", 1e-5, 1.0, log=True)
        trial.suggest_float("lr_body", 1e-5, 1.0, log=True)
        raise AssertionError("trained")

    study = optuna.create_study(sampler=SurefootSampler(seed=0))
    with pytest.raises(RequestError, match=r'any of lr_body, lr_head: tell .* learning_rate="lr_body"'):
        study.optimize(objective, n_trials=1)
    named = optuna.create_study(sampler=SurefootSampler(learning_rate="lr_head", seed=0))
    with pytest.raises(AssertionError, match="trained"):
        named.optimize(objective, n_trials=1)


def test_wrong_requests_are_one_line() -> None:
    for sampler, pruner in (
        (SurefootSampler(learning_rate="lrr", seed=0), optuna.pruners.NopPruner()),
        (SurefootSampler(learning_rate="lrr", seed=0), SurefootPruner(num_steps=27)),
        (RandomSampler(seed=0), SurefootPruner(learning_rate="lrr")),
    ):
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        with pytest.raises(RequestError, match='learning_rate="lrr" is no parameter of this study; did you mean "lr"'):
            study.optimize(partial(_valley, lost=9.0), n_trials=1)
        assert len(study.trials) == 1
    study = optuna.create_study(sampler=SurefootSampler(batch_size="lr", seed=0))
    with pytest.raises(RequestError, match='batch_size="lr" must be'):
        study.optimize(_valley, n_trials=1)
    with pytest.raises(RequestError, match="num_steps must be a whole number of at least 1"):
        SurefootPruner(num_steps=2.5)  # type: ignore[arg-type] # the mistake
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=SurefootSampler(seed=0))
    with pytest.raises(RequestError, match="one objective, and this study has 2"):
        study.ask({"lr": RATE})


def test_what_was_recognised_is_said_once() -> None:
    with _told() as lines:
        _study().optimize(_valley, n_trials=4)
    assert len(lines) == 1
    assert lines[0].startswith('SurefootSampler: learning rate: "lr", batch size: "batch"; if that is wrong')


# Coordinates


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@given(fraction=st.floats(0.0, 1.0, exclude_max=True))
def test_a_value_and_its_fraction_agree(distribution: BaseDistribution, fraction: float) -> None:
    axis = Axis.of(distribution)
    value = axis.value(fraction)
    assert distribution._contains(distribution.to_internal_repr(value))
    again = axis.value(axis.fraction(value))
    assert again == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_rate_coordinate_stays_along_its_valley(exponent: float) -> None:
    coordinates = Coordinates({"batch": BATCH, "lr": RATE}, Roles("lr", "batch"))
    pairs = [coordinates.fractions({"lr": 1e-4 * batch**exponent, "batch": batch}) for batch in (16, 64, 256)]
    found = coordinates.encode(np.stack(pairs), exponent=exponent)[:, 1]
    assert found == pytest.approx(found[0])


def test_a_short_look_counts_at_a_lower_rate() -> None:
    coordinates = Coordinates({"lr": RATE}, Roles("lr"))
    rows = np.stack([coordinates.fractions({"lr": rate}) for rate in (1e-2, 1e-2 * 9**0.22)])
    found = coordinates.encode(rows, exponent=0.0, shares=np.array([1.0, 1 / 9]))
    assert found[0, 0] == pytest.approx(found[1, 0])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_trials_tell_how_the_rate_follows_the_batch(exponent: float) -> None:
    random, curves = np.random.default_rng(0), []
    for number in range(40):
        rate, batch = float(10 ** random.uniform(-5, 0)), int(random.choice(BATCH.choices))
        loss = math.log10(rate / 1e-3 / (batch / 64) ** exponent) ** 2 + 0.01 * random.normal()
        curves.append(Curve(number, {"lr": rate, "batch": batch}, (1.0,), (loss,), TrialState.COMPLETE))
    assert fit_model(curves, Coordinates({"batch": BATCH, "lr": RATE}, Roles("lr", "batch"))).exponent == exponent


# Curves


def test_steps_from_0_from_1_and_in_samples() -> None:
    def trial(steps: list[int], state: TrialState = TrialState.COMPLETE) -> optuna.trial.FrozenTrial:
        value = 0.5 if state is TrialState.COMPLETE else None
        return create_trial(state=state, value=value, intermediate_values=dict.fromkeys(steps, 0.5))

    assert clock_of([trial([0, 1, 2, 3])], None) == Clock(1, 4.0)
    assert clock_of([trial([1, 2, 3, 4])], None) == Clock(0, 4.0)
    assert clock_of([trial([500, 1000])], None) == Clock(0, 1000.0)
    assert clock_of([trial([0, 1], TrialState.PRUNED)], None).length is None
    assert clock_of([], 20).share(5) == 0.25


def test_what_counts_as_lost() -> None:
    trials = [
        create_trial(state=TrialState.COMPLETE, value=0.3, intermediate_values={1: 0.5, 2: 0.4}),
        create_trial(state=TrialState.PRUNED, value=0.5, intermediate_values={1: 0.5}),
        create_trial(state=TrialState.PRUNED, intermediate_values={1: math.nan}),
        create_trial(state=TrialState.FAIL),
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    minimised = curves_of(trials, optuna.study.StudyDirection.MINIMIZE, Clock(0, 2.0))
    assert [curve.is_lost for curve in minimised] == [False, False, True, True]
    assert minimised[0].shares == (0.5, 1.0)
    assert minimised[0].losses == (0.5, 0.3)  # what the objective returned stands for the end
    assert curves_of(trials, optuna.study.StudyDirection.MAXIMIZE, Clock(0, 2.0))[1].losses == (-0.5,)


# The search


def _valley(trial: optuna.Trial, *, sign: float = 1.0, num_steps: int = 27, lost: float = math.nan) -> float:
    """A loss with a valley of rates, wide in the batch, which falls step by step; it diverges at ten times its best."""
    rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    batch = trial.suggest_categorical("batch", [16, 32, 64, 128, 256])
    width = trial.suggest_int("width", 8, 256, log=True)
    away = math.log10(rate / (2e-3 * math.sqrt(batch / 32)))
    end = away**2 + 0.1 * math.log2(width / 64) ** 2
    for step in range(num_steps):
        value = lost if away > 1 else end + 2.0 / (step + 1)
        trial.report(sign * value, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return sign * (lost if away > 1 else end + 2.0 / num_steps)


def _study(sampler: BaseSampler | None = None, *, prunes: bool = True, direction: str = "minimize") -> optuna.Study:
    pruner = SurefootPruner(num_steps=27) if prunes else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=sampler or SurefootSampler(seed=0), pruner=pruner, direction=direction)


def _epochs(study: optuna.Study) -> int:
    return sum((trial.last_step or 0) + 1 for trial in study.trials)


def test_the_same_seed_gives_the_same_study() -> None:
    first, second, other = _study(), _study(), _study(SurefootSampler(seed=1))
    for study in (first, second, other):
        study.optimize(_valley, n_trials=15)
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]
    assert [trial.params for trial in first.trials] != [trial.params for trial in other.trials]


def test_more_is_better_is_less_is_better_turned_round() -> None:
    low, high = _study(), _study(direction="maximize")
    low.optimize(_valley, n_trials=15)
    high.optimize(lambda trial: _valley(trial, sign=-1.0), n_trials=15)
    assert [trial.params for trial in low.trials] == [trial.params for trial in high.trials]
    assert [trial.state for trial in low.trials] == [trial.state for trial in high.trials]


@pytest.mark.slow
def test_better_for_the_same_epochs_than_what_the_field_takes() -> None:
    """The median of five seeds after four and after eight trainings' epochs."""
    found = dict[str, list[list[float]]]()
    contenders: dict[str, Callable[[int], tuple[BaseSampler, optuna.pruners.BasePruner]]] = {
        "ours": lambda seed: (SurefootSampler(seed=seed), SurefootPruner(num_steps=27)),
        "median": lambda seed: (TPESampler(seed=seed), MedianPruner()),
        "hyperband": lambda seed: (TPESampler(seed=seed), HyperbandPruner(max_resource=27)),
    }
    for name, make in contenders.items():
        for seed in range(5):
            sampler, pruner = make(seed)
            study = optuna.create_study(sampler=sampler, pruner=pruner)
            values = []
            for trainings in (4, 8):
                while _epochs(study) < trainings * 27:
                    study.optimize(partial(_valley, lost=9.0), n_trials=1)  # Optuna's pruners warn of not-a-number
                values.append(study.best_value)
            found.setdefault(name, []).append(values)
    medians = {name: np.median(values, axis=0) for name, values in found.items()}
    assert (medians["ours"] < medians["median"]).all(), medians
    assert (medians["ours"] < medians["hyperband"]).all(), medians


def test_the_first_looks_are_short_and_a_loss_that_is_none_stops_at_once() -> None:
    study = _study()
    study.optimize(_valley, n_trials=30)
    assert {trial.state for trial in study.trials[:3]} == {TrialState.PRUNED}
    assert all(trial.last_step == 0 for trial in study.trials[:3])
    diverged = [trial for trial in study.trials if math.isnan(trial.intermediate_values[0])]
    assert diverged
    assert all(trial.last_step == 0 for trial in diverged)


@pytest.mark.parametrize("num_steps", [2, 3, 5, 6, 9])
def test_a_training_of_few_reports_has_its_first_looks_too(num_steps: int) -> None:
    study = optuna.create_study(sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=num_steps))
    study.optimize(partial(_valley, lost=9.0, num_steps=num_steps), n_trials=20)
    assert all(trial.last_step == 0 for trial in study.trials[:3])
    assert any(trial.state is TrialState.COMPLETE for trial in study.trials)


@pytest.mark.parametrize(("num_steps", "num_lines"), [(500, 1), (9, 0), (None, 0)])
def test_a_length_that_no_trial_comes_near_is_warned_of_once(num_steps: int | None, num_lines: int) -> None:
    with _told() as lines:
        study = optuna.create_study(sampler=RandomSampler(seed=0), pruner=SurefootPruner(num_steps=num_steps))
        study.optimize(partial(_valley, lost=9.0, num_steps=5), n_trials=8)
    assert len(lines) == num_lines
    assert all("num_steps is 500, and 2 complete trials ended at 5 at the latest" in line for line in lines)


def test_nothing_is_pruned_before_a_length_is_known() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=1), pruner=SurefootPruner())
    study.optimize(lambda trial: _valley(trial, num_steps=9), n_trials=12)
    first = next(trial for trial in study.trials if trial.state is TrialState.COMPLETE)
    before = [trial for trial in study.trials if trial.number < first.number]
    assert all(math.isnan(trial.intermediate_values[0]) for trial in before)
    assert any(trial.last_step == 0 for trial in study.trials[first.number + 1 :])


def test_sampler_and_pruner_tell_each_other_the_length() -> None:
    one = optuna.create_study(sampler=SurefootSampler(num_steps=27, seed=0), pruner=SurefootPruner())
    two = optuna.create_study(sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=27))
    for study in (one, two):
        study.optimize(_valley, n_trials=12)
    assert [trial.params for trial in one.trials] == [trial.params for trial in two.trials]


def test_failed_trials_keep_the_search_away() -> None:
    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
        if rate > 1e-2:
            raise MemoryError("does not fit")
        return -math.log10(rate)

    study = optuna.create_study(sampler=SurefootSampler(seed=0))
    study.optimize(objective, n_trials=30, catch=(MemoryError,))
    chosen = [trial for trial in study.trials[6:] if trial.number % 3]
    assert sum(trial.state is TrialState.FAIL for trial in chosen) < len(chosen) / 3
    assert study.best_params["lr"] > 5e-3


def test_enqueued_points_are_taken_and_asked_ones_told() -> None:
    study = _study()
    study.enqueue_trial({"lr": 2e-3, "batch": 32, "width": 64})
    study.optimize(_valley, n_trials=1)
    assert study.trials[0].params == {"lr": 2e-3, "batch": 32, "width": 64}
    assert study.trials[0].state is TrialState.COMPLETE  # somebody wants to know where it ends
    space = dict(study.trials[0].distributions)
    for _ in range(8):
        trial = study.ask(space)
        study.tell(trial, abs(math.log10(trial.params["lr"]) + 3))
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) >= 8


@pytest.mark.parametrize("num_before", [0, 12])
def test_workers_that_ask_together_get_different_points(num_before: int) -> None:
    study = _study(prunes=False)
    study.optimize(_valley, n_trials=num_before)
    space: dict[str, BaseDistribution] = {"lr": RATE, "batch": BATCH, "width": IntDistribution(8, 256, log=True)}
    trials = [study.ask(space) for _ in range(6)]
    rates = np.log10(sorted(trial.params["lr"] for trial in trials))
    points = {tuple(trial.params.values()) for trial in trials}
    assert len(points) == 6
    assert rates[-1] - rates[0] > 0.1


def test_threads_and_a_storage(tmp_path: Path) -> None:
    study = optuna.create_study(
        storage=f"sqlite:///{tmp_path / 'study.db'}",
        sampler=SurefootSampler(seed=0),
        pruner=SurefootPruner(num_steps=3),
    )
    study.optimize(partial(_valley, num_steps=3), n_trials=10, n_jobs=2)
    assert len(study.trials) == 10
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 10


def test_in_and_out_of_a_study_that_exists() -> None:
    study = _study(TPESampler(seed=0), prunes=False)
    study.optimize(partial(_valley, lost=9.0), n_trials=20)
    before = study.best_value
    study.sampler, study.pruner = SurefootSampler(seed=0), SurefootPruner()
    study.optimize(partial(_valley, lost=9.0), n_trials=10)
    after = study.best_value
    assert after < before  # known trials count: no new ones are spread evenly before
    assert not any(trial.system_attrs or trial.user_attrs for trial in study.trials[20:])
    study.sampler, study.pruner = TPESampler(seed=0), MedianPruner()
    study.optimize(partial(_valley, lost=9.0), n_trials=5)
    assert len(study.trials) == 35


def test_a_conditional_parameter_and_a_range_that_moves() -> None:
    def objective(trial: optuna.Trial) -> float:
        name = trial.suggest_categorical("optimizer", ["adam", "sgd"])
        rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
        momentum = trial.suggest_float("momentum", 0.0, 0.99) if name == "sgd" else 0.9
        depth = trial.suggest_int("depth", 1, 2 + trial.number % 3)
        return abs(math.log10(rate) + 2) + abs(momentum - 0.9) + depth + (name == "adam")

    study = optuna.create_study(sampler=SurefootSampler(seed=0))
    study.optimize(objective, n_trials=40)
    assert study.best_params["optimizer"] == "sgd"
    assert 3e-3 < study.best_params["lr"] < 3e-2


def test_a_pruner_beside_any_sampler_and_without_common_parameters() -> None:
    def objective(trial: optuna.Trial) -> float:
        quality = trial.suggest_float(f"quality {trial.number}", 0.0, 1.0)
        for step in range(9):
            trial.report(quality + 1 / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return quality

    study = optuna.create_study(sampler=RandomSampler(seed=0), pruner=SurefootPruner(num_steps=9))
    study.optimize(objective, n_trials=20)
    assert _epochs(study) < 20 * 9 / 2
    qualities = sorted(next(iter(trial.params.values())) for trial in study.trials[3:])
    assert study.best_value <= qualities[2]


def test_importing_the_door_loads_optuna_alone() -> None:
    script = "import sys, surefoot.integrations.optuna; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "optuna" in done.stdout.split()
    assert not {"torch", "sklearn", "keras", "tensorflow", "matplotlib"} & set(done.stdout.split())
