"""The stored studies of "price of two": they come back as they were, and say who holds what at a price."""

import math

import pytest
from benchmarks import price_store
from benchmarks.price_store import Finished, Record, Store, incumbent

STUDY = Record(
    3.0,
    900,
    (
        Finished(0.1, 1.0, math.inf, math.inf, "diverged", "sgd 10 b16 d0"),
        Finished(1.1, 2.0, 0.5, 0.6, "complete", "adamw 0.001 b16 d0"),
        Finished(1.5, 3.0, 0.1, 0.9, "diverged", "sgd 1 b16 d0"),
        Finished(2.0, 4.0, 0.4, 0.7, "pruned", "adamw 0.01 b16 d0"),
        Finished(3.1, 5.0, 0.2, 0.3, "complete", "adamw 0.003 b16 d0"),
    ),
)
# What a file keeps of it: every trial that was the best so far, and the last.
KEPT = Record(3.0, 900, tuple(STUDY.trials[place] for place in (1, 3, 4)))


def test_the_best_by_validation_among_the_trials_that_are_paid() -> None:
    assert incumbent(STUDY, 0.05) == (math.inf, math.inf, 0.0)
    assert incumbent(STUDY, 1.0) == (math.inf, math.inf, 1.0)
    assert incumbent(STUDY, 1.5) == (0.5, 0.6, 3.0)
    assert incumbent(STUDY, 2.0) == (0.4, 0.7, 4.0)
    assert incumbent(STUDY, 3.0) == (0.4, 0.7, 4.0)


def test_a_study_comes_back_with_the_trials_that_tell_something(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_store, "FOLDER", tmp_path)
    store = Store("digits", "random")
    assert store.studies() == {}
    store.add("tool 1.0/0", STUDY)
    store.add("tool 1.0/1", Record(1.0, 900, ()))
    assert Store("digits", "random").studies() == {"tool 1.0/0": KEPT, "tool 1.0/1": Record(1.0, 900, ())}


def test_a_study_is_found_only_on_the_same_task_and_as_far_as_asked(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_store, "FOLDER", tmp_path)
    store = Store("digits", "random")
    store.add("tool 1.0/0", STUDY)
    assert store.find("tool 1.0/0", most_price=2.0, training_samples=900) == KEPT


@pytest.mark.parametrize("price", [1.0, 1.1, 2.0, 3.1])
def test_what_is_left_out_changes_no_incumbent(price: float) -> None:
    assert incumbent(KEPT, price)[:2] == incumbent(STUDY, price)[:2]


def test_other_tasks_prices_and_versions_are_not_found(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_store, "FOLDER", tmp_path)
    store = Store("digits", "random")
    store.add("tool 1.0/0", STUDY)
    assert store.find("tool 1.0/0", most_price=10.0, training_samples=900) is None
    assert store.find("tool 1.0/0", most_price=2.0, training_samples=901) is None
    assert store.find("tool 2.0/0", most_price=2.0, training_samples=900) is None
