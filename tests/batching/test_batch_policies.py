"""Policies over positions: conformance, properties, and what a recipe may say of them."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot import batching, schedules
from surefoot.batching import (
    OBSERVING,
    POLICIES,
    AdaBatch,
    Fixed,
    Full,
    GeometricRamp,
    GrowthReplacesDecay,
    LinearRamp,
    Random,
    Single,
    StepRamp,
    default_batch_size,
)
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe
from surefoot.testing import check_batch_policy

MEMBERS = [
    Fixed(32),
    Single(),
    Full(),
    Random(32),
    Random(32, sizes=[16, 32, 64], seed=3),
    Random(2, smallest=1, largest=3),
    StepRamp(32),
    StepRamp(1, factor=1.5, every=0.1, last=9),
    LinearRamp(32),
    LinearRamp(8, last=512, length=0.5),
    GeometricRamp(32),
    GeometricRamp(8, last=512, length=0.5),
    AdaBatch(16),
    GrowthReplacesDecay(16, schedule=schedules.cosine()),
    GrowthReplacesDecay(16, schedule=schedules.warmup(schedules.linear(horizon=0.9), length=0.1), last=200),
]
sizes = st.integers(1, 300)
positions = st.floats(-0.5, 2.0)
num_rows = st.integers(1, 10_000)


@pytest.mark.parametrize("policy", MEMBERS, ids=repr)
def test_conformance(policy):
    check_batch_policy(policy)


def too_small(position, *, num_rows):
    del position
    return 0 * num_rows


def fractional(position, *, num_rows):
    del position
    return num_rows / 1


def counting(position, *, num_rows, calls=itertools.count()):  # noqa: B008 # the counter is the mistake
    del position
    return min(num_rows, 1 + next(calls) % 2)


@pytest.mark.parametrize(
    ("policy", "broken"),
    [(too_small, "1 to 1 rows"), (fractional, "must be an int"), (counting, "position alone")],
)
def test_the_conformance_check_finds_what_is_wrong(policy, broken):
    with pytest.raises(AssertionError, match=broken):
        check_batch_policy(policy)


@given(sizes, sizes, st.floats(0.05, 1.0), positions, positions, num_rows)
def test_ramps_grow_from_the_first_size_to_the_last(size, more, length, one, other, rows):
    last = size + more
    for ramp in (LinearRamp(size, last=last, length=length), GeometricRamp(size, last=last, length=length)):
        assert ramp(0.0, num_rows=rows) == min(size, rows)
        assert ramp(length, num_rows=rows) == ramp(9.0, num_rows=rows) == min(last, rows)
        early, late = sorted((one, other))
        assert ramp(early, num_rows=rows) <= ramp(late, num_rows=rows)


@given(sizes, st.floats(1.1, 4.0), st.sampled_from([0.05, 0.1, 0.2, 0.25, 1 / 3]), st.integers(0, 3))
def test_steps_stand_where_they_say(size, factor, every, number):
    """k · every is a boundary also where k · every is a hair below it in floating point."""
    ramp = StepRamp(size, factor=factor, every=every, last=10**6)
    wanted = min(round(size * factor**number), 10**6)
    assert ramp(number * every, num_rows=10**7) == wanted
    assert ramp((number + 0.5) * every, num_rows=10**7) == wanted


@given(sizes, st.floats(0.0, 0.999), num_rows)
def test_growth_replaces_decay_keeps_rate_over_batch(size, position, rows):
    """Smith et al. 2018: what matters is rate/batch; it must follow the schedule exactly, also at the cap."""
    schedule = schedules.cosine()
    policy = GrowthReplacesDecay(size, schedule=schedule)
    batch, rate = policy(position, num_rows=rows), policy.rate(position, num_rows=rows)
    assert rate / batch == pytest.approx(schedule(position) / min(size, rows))
    assert batch <= max(min(size, rows), rows // 10)


def test_growth_replaces_decay_leaves_a_warmup_to_the_rate():
    schedule = schedules.warmup(schedules.linear(horizon=0.9), length=0.1)
    policy = GrowthReplacesDecay(32, schedule=schedule)
    assert policy(0.01, num_rows=10_000) == 32
    assert policy.rate(0.05, num_rows=10_000) == pytest.approx(0.5)
    assert policy(0.55, num_rows=10_000) == 64
    assert policy.rate(0.55, num_rows=10_000) == pytest.approx(1.0)


def test_ada_batch_has_the_numbers_of_its_paper():
    """Devarakonda et al. 2017: decay 0.375 at a fixed batch becomes 0.75 where the batch doubles every 20 of 100."""
    policy = AdaBatch(128)
    assert [policy(epoch / 100, num_rows=50_000) for epoch in (0, 20, 40, 60, 80)] == [128, 256, 512, 1024, 2048]
    assert policy.soft_decay == 0.75
    fixed = [0.375**number for number in range(5)]
    over_batch = [
        policy.rate(epoch / 100, num_rows=50_000) * 128 / policy(epoch / 100, num_rows=50_000)
        for epoch in (0, 20, 40, 60, 80)
    ]
    assert over_batch == pytest.approx(fixed)


@given(sizes, st.integers(0, 5), positions)
def test_random_stays_in_its_range_and_depends_on_the_seed_and_the_position_alone(size, seed, position):
    policy = Random(size, seed=seed)
    drawn = policy(position, num_rows=10_000)
    assert max(1, size // 2) <= drawn <= 2 * size
    assert drawn == Random(size, seed=seed)(position, num_rows=10_000)


def test_random_draws_all_of_a_set_alike_and_all_of_a_range():
    steps = [step / 3000 for step in range(3000)]
    drawn = [Random(32, sizes=(16, 32, 64))(position, num_rows=1000) for position in steps]
    assert all(900 < drawn.count(size) < 1100 for size in (16, 32, 64))
    ranged = [Random(4)(position, num_rows=1000) for position in steps]
    assert set(ranged) == set(range(2, 9))
    assert ranged != [Random(4, seed=1)(position, num_rows=1000) for position in steps]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"policy": "linaer_ramp"}, 'batch.policy is "linaer_ramp", .* did you mean "linear_ramp"'),
        (
            {"policy": "linear_ramp", "lats": 3},
            'batch.lats is not an argument of the batch policy "linear_ramp"; did you mean "last"',
        ),
        ({"policy": "fixed", "last": 3}, 'batch.last is not an argument of the batch policy "fixed"'),
        ({"sise": 64}, 'batch.sise is not an argument of the batch policy "fixed"; did you mean "size"'),
        ({"policy": "linear_ramp", "size": 64, "last": 32}, "batch.last is 32, below size, which is 64"),
        ({"policy": "geometric_ramp", "length": 0}, "batch.length must be a finite number above 0, not 0"),
        ({"policy": "step_ramp", "factor": 1}, "batch.factor must be a finite number above 1, not 1: .* not grow"),
        ({"policy": "step_ramp", "every": "often"}, "batch.every must be a finite number above 0, not 'often'"),
        ({"policy": "ada_batch", "decay": 2.0}, "batch.decay must lie strictly between 0 and 1, not 2.0"),
        ({"policy": "random", "sizes": [8, 0]}, "batch.sizes must be a whole number of at least 1, not 0"),
        ({"policy": "random", "sizes": 8}, "batch.sizes must be a list of batch sizes"),
        ({"policy": "random", "sizes": [8, 9], "smallest": 4}, "batch.sizes is a set .* give one of the two"),
        ({"policy": "random", "size": 4, "sizes": [8, 9]}, "batch.size is 4, .* between 8 and 9"),
        ({"policy": "noise_scale", "share": 0}, "batch.share must be"),
        ({"policy": "plateau_growth", "factor": 1}, "batch.factor must be"),
    ],
)
def test_a_recipe_refuses_what_makes_no_sense_in_one_line(section, message):
    with pytest.raises(RecipeError, match=message) as caught:
        Recipe(batch=section)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"policy": "linear_ramp", "last": 500}, "last"),
        ({"policy": "random", "sizes": [16, 500]}, "sizes"),
        ({"policy": "random", "largest": 500}, "largest"),
    ],
)
def test_a_size_above_the_rows_is_refused_when_the_rows_are_known(section, key):
    recipe = Recipe(batch=section)
    with pytest.raises(RecipeError, match=f"batch.{key} is .*, but there are 100 training rows; ask for at most 100"):
        recipe.complete(100)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_every_policy_goes_to_toml_and_comes_back(policy):
    recipe = Recipe(batch={"policy": policy}).complete(1_078)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.complete(1_078) == recipe
    assert recipe.batch.build(1_078) == Recipe.from_toml(recipe.to_toml()).batch.build(1_078)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({"sizes": [4, 9]}, 6), ({"smallest": 100, "largest": 400}, 200), ({"largest": 20}, 20), ({"smallest": 50}, 50)],
)
def test_a_size_that_was_left_out_lies_within_what_was_given(arguments, size):
    assert Recipe(batch={"policy": "random", **arguments}).complete(1_078).batch.size == size


def test_the_documentation_lists_every_policy():
    text = (Path(__file__).parents[2] / "docs" / "batching.md").read_text(encoding="utf-8")
    measured = [
        "Measured",
        "PlateauGrowth",
        "GrowthReplacesDecay",
        "NoiseScale",
        "NormTest",
        "InnerProductTest",
        "CABS",
    ]
    measured += ["GradientDiversity", "HalfCosine", "Goodput"]
    missing = [name for name in (*POLICIES, *measured) if f"`{name}`" not in text]
    assert not missing
    page = (Path(__file__).parents[2] / "docs" / "every-batch-policy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### `(\w+)`\n\n\$\$", page, flags=re.MULTILINE)) == {*POLICIES, *OBSERVING}


def test_the_documentation_shows_small_pictures_that_are_there():
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "every-batch-policy.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", text)
    with_a_shape = set(POLICIES) - {"single", "full"}  # 1, and all rows: nothing to see
    assert {f"pictures/batching/{name}.svg" for name in (*with_a_shape, "readings")} == set(pictures)
    assert all((docs / picture).stat().st_size < 10_000 for picture in pictures)


def test_every_public_name_is_there():
    assert sorted(set(batching.__all__)) == sorted(batching.__all__)
    assert all(hasattr(batching, name) for name in batching.__all__)


@given(st.integers(1, 10**7))
def test_the_default_is_a_power_of_two_or_all_rows(rows):
    size = default_batch_size(rows)
    assert size == rows or math.log2(size).is_integer()
    assert min(16, rows) <= size <= min(256, rows)


def test_the_default_makes_room_for_rare_classes_and_for_memory():
    assert default_batch_size(1_000, rarest_class_rows=500) == default_batch_size(1_000)
    assert default_batch_size(1_000, rarest_class_rows=10) == 128
    assert default_batch_size(1_000, rarest_class_rows=1) == 256
    assert default_batch_size(10**6, bytes_per_row=10**9, memory_bytes=8 * 10**9) == 4
    with pytest.raises(ValueError, match="not one row fits beside a model of 1000000000 parameters"):
        default_batch_size(10**6, num_parameters=10**9, bytes_per_row=10**9, memory_bytes=8 * 10**9)
