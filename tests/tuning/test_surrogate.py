"""The surrogate: agrees with its formulas written out, repels, survives little and odd data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.tuning.improvement import log_expected_improvement
from surefoot.tuning.points import encode, points_to_try
from surefoot.tuning.scores import WORST, Scale
from surefoot.tuning.surrogate import Looks, Settings, _log_evidence, fit_surrogate


def looks_of(count: int, *, seed: int = 0) -> Looks:
    stream = np.random.default_rng(seed)
    runs = np.sort(stream.integers(count, size=count))
    points = stream.random((count, 3))[runs]
    shares = stream.choice([0.04, 0.2, 0.6, 1.0], size=count)
    return Looks(
        points, runs, shares, (points[:, 0] - 0.3) ** 2 - 0.1 * np.log(shares) + 0.05 * stream.normal(size=count)
    )


def covariance(looks: Looks, chosen: Settings, first: int, second: int) -> float:
    """The formula at the top of the module, one pair at a time."""
    gaps = (looks.points[first] - looks.points[second]) / chosen.scales
    distance = math.sqrt(5.0 * sum(float(gap) ** 2 for gap in gaps))
    matern = (1.0 + distance + distance**2 / 3.0) * math.exp(-distance)
    same = chosen.own * (looks.runs[first] == looks.runs[second])
    times = [min(1.0, -math.log(looks.shares[index]) / math.log(100.0)) for index in (first, second)]
    return (1.0 + matern + same) * (1.0 + chosen.slope * min(times)) + chosen.noise * (first == second)


def matrix(looks: Looks, chosen: Settings) -> np.ndarray:
    count = len(looks.scores)
    return np.array([[covariance(looks, chosen, i, j) for j in range(count)] for i in range(count)])


def test_prediction_agrees_with_the_dense_formula() -> None:
    looks = looks_of(12)
    chosen = Settings(np.array([0.4, 1.6, 0.8]), own=0.3, slope=0.7, noise=0.02)
    model = fit_surrogate(looks, settings=chosen)
    asked = Looks(
        np.vstack([looks.points, looks.points[:1], [[0.1, 0.9, 0.4]]]),
        np.append(looks.runs, [looks.runs[0], -1]),
        np.append(looks.shares, [0.5, 0.5]),
        np.append(looks.scores, [0.0, 0.0]),
    )
    whole = matrix(asked, chosen)
    known, inverse = np.arange(12), np.linalg.inv(whole[:12, :12])
    centred = looks.scores - looks.scores.mean()
    size = (2.0 * 0.1 + centred @ inverse @ centred) / (2.0 + 12)
    for row, run in ((12, int(looks.runs[0])), (13, -1)):
        mean, deviation = model.predict(asked.points[row : row + 1], runs=np.array([run]), share=0.5)
        cross = whole[row, known]
        variance = whole[row, row] - chosen.noise - cross @ inverse @ cross
        assert mean[0] == pytest.approx(looks.scores.mean() + cross @ inverse @ centred)
        assert deviation[0] == pytest.approx(math.sqrt(size * variance))


def test_evidence_agrees_with_the_determinant() -> None:
    looks = looks_of(10, seed=1)
    tried = [Settings(np.full(3, scale), own=0.4, slope=0.2, noise=0.05) for scale in (0.3, 0.8, 2.0)]
    slow = []
    for chosen in tried:
        dense = matrix(looks, chosen)
        centred = looks.scores - looks.scores.mean()
        misfit = 2.0 * 0.1 + centred @ np.linalg.solve(dense, centred)
        slow.append(chosen.log_prior() - 0.5 * np.linalg.slogdet(dense)[1] - 0.5 * 12 * math.log(misfit))
    assert _log_evidence(looks, tried) == pytest.approx(slow, abs=1e-6)


def test_the_setting_that_matters_is_found() -> None:
    points = np.random.default_rng(0).random((40, 3))
    looks = Looks(points, np.arange(40), np.ones(40), np.sin(9.0 * points[:, 1]))
    scales = fit_surrogate(looks).settings.scales
    assert scales[1] < 1.0 < min(scales[0], scales[2])


def test_a_run_is_known_better_the_further_it_came() -> None:
    points = np.random.default_rng(0).random((8, 2))
    looks = Looks(points, np.arange(8), np.array([0.04, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0]), np.linspace(1.0, 0.0, 8))
    alone = Settings(np.full(2, 0.01), noise=1e-3)
    _, deviations = fit_surrogate(looks, settings=alone).predict(points, runs=np.arange(8))
    assert (np.diff(deviations) < 0).all()


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_it_is_finite_and_the_same_twice(count: int, seed: int) -> None:
    looks = looks_of(count, seed=seed)
    asked = np.random.default_rng(seed).random((5, 3))
    first, second = (fit_surrogate(looks).predict(asked) for _ in range(2))
    assert np.isfinite(first).all()
    assert (first[1] > 0).all()
    assert np.array_equal(first, second)


def test_one_look_and_equal_scores_are_enough() -> None:
    one = Looks(np.array([[0.5]]), np.array([0]), np.array([0.1]), np.array([0.0]))
    equal = Looks(np.full((6, 1), 0.5), np.arange(6), np.ones(6), np.ones(6))
    for looks in (one, equal):
        mean, deviation = fit_surrogate(looks).predict(np.array([[0.5], [0.9]]))
        assert mean == pytest.approx(looks.scores[0])
        assert (deviation > 0).all()


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_scores_do_not_know_the_unit(values: list[float], factor: float, shift: float) -> None:
    plain = np.array([*values, math.inf, math.nan]).round(3)
    moved = plain * factor + shift
    scores = Scale.of(plain).score(plain)
    assert Scale.of(moved).score(moved) == pytest.approx(scores, abs=1e-4)
    assert scores.max() == WORST
    assert scores.min() == pytest.approx(0.0)


def test_a_score_goes_back_to_its_value() -> None:
    values = np.array([0.4, 0.5, 0.7, 1e16])
    scale = Scale.of(values)
    assert [scale.value(float(score)) for score in scale.score(values[:2])] == pytest.approx([0.4, 0.5])
    assert Scale.of(np.array([math.nan])).score(np.array([math.nan, 0.5])).tolist() == [WORST, 0.5]


@pytest.mark.parametrize("deviate", [-30.0, -8.0, -1.01, -0.99, 0.0, 0.5, 1.2, 6.0])
def test_improvement_agrees_with_the_integral(deviate: float) -> None:
    """Also where the plain formula is 0 in floating point."""
    depths = np.linspace(0.0, 12.0 / max(1.0, -deviate) + max(0.0, deviate), 200_001)
    heights = np.exp(-0.5 * (depths - deviate) ** 2 + 0.5 * min(deviate, 0.0) ** 2) * depths
    integral = np.sum((heights[1:] + heights[:-1]) * np.diff(depths)) / 2.0 / math.sqrt(2.0 * math.pi)
    expected = math.log(integral) - 0.5 * min(deviate, 0.0) ** 2
    found = log_expected_improvement(np.array([-3.0 * deviate]), np.array([3.0]), target=0.0)
    assert found[0] == pytest.approx(math.log(3.0) + expected, abs=1e-4)


def test_points_begin_evenly_and_then_gather() -> None:
    """Halton 1960: the first six in base 2 are 1/2, 1/4, 3/4, 1/8, 5/8, 3/8; here they are turned by one shift."""
    fractions, values = np.empty((0, 2)), np.empty(0)
    for _ in range(6):
        fresh = points_to_try(fractions, values, num_dimensions=2, seed=3)
        assert fresh.shape == (1, 2)
        fractions, values = np.vstack([fractions, fresh]), np.append(values, len(values))
    gaps = np.diff(np.sort(fractions[:, 0]))
    assert gaps.min() == pytest.approx(1 / 8)
    assert points_to_try(fractions, values, num_dimensions=2, seed=3).shape == (1, 2)  # every third goes on like this
    fractions, values = np.vstack([fractions, [[0.2, 0.2]]]), np.append(values, 0.5)
    fresh = points_to_try(fractions, values, num_dimensions=2, seed=3)
    assert len(fresh) == 200
    assert ((fresh >= 0) & (fresh < 1)).all()
    shuffled = points_to_try(fractions[::-1], values[::-1], num_dimensions=2, seed=3)
    assert np.array_equal(fresh, shuffled)
    only_lost = points_to_try(fractions, np.full(7, np.inf), num_dimensions=2, seed=3)
    assert np.array_equal(only_lost, fresh[: len(only_lost)])


def test_two_options_are_one_apart() -> None:
    coordinates = encode(np.array([[0.0, 0.5], [0.4, 0.5], [0.9, 0.5]]), num_options=[3, 0])
    gaps = np.linalg.norm(coordinates[:, None] - coordinates, axis=2)
    assert gaps == pytest.approx(1.0 - np.eye(3))
