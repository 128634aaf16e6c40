"""Other tools' finders: their sweeps, their stops, and what they suggest on curves worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.curves import FINDERS

FASTAI = ["fastai minimum", "fastai steep", "fastai valley", "fastai slide"]
EVERY = [*FASTAI, "torch-lr-finder", "lightning", "lightning 2.5.2", "ignite"]


def index_of(name: str, kept_losses: list[float]) -> int:
    """Which step a rule names when the tool keeps these losses; ``minimum`` after its division by ten."""
    finder = FINDERS[name]
    suggestion = finder.rule(np.array(finder.rates[: len(kept_losses)]), np.array(kept_losses))
    assert suggestion is not None
    return int(np.argmin(np.abs(np.log(np.array(finder.rates) / suggestion))))


def test_every_finder_is_there() -> None:
    assert list(FINDERS) == EVERY
    assert all(finder.source.startswith(("github.com/", "the same file")) for finder in FINDERS.values())


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("fastai valley", (0.0, 0.01, 0.99)),
        ("torch-lr-finder", (0.0, 1 / 99, 1.0)),
        ("lightning", (0.0, 0.02, 1.0)),
        ("ignite", (0.01, 0.01, 0.99)),
    ],
)
def test_rates_of_the_first_two_steps_and_the_last(name: str, shares: tuple[float, ...]) -> None:
    finder = FINDERS[name]
    expected = [finder.lowest * (finder.highest / finder.lowest) ** share for share in shares]
    rates = finder.rates
    assert len(rates) == 100
    assert [rates[0], rates[1], rates[-1]] == pytest.approx(expected)


def test_smoothing_by_hand() -> None:
    losses = np.array([2.0, 4.0])
    assert FINDERS["fastai steep"].smooth(losses) == pytest.approx([2.0, (0.98 * 0.04 + 0.08) / 0.0396])
    assert FINDERS["lightning"].smooth(losses) == pytest.approx([0.04 / 0.0396, 0.1192 / (1 - 0.98**3)])
    for name in ("torch-lr-finder", "ignite"):
        assert FINDERS[name].smooth(losses) == pytest.approx([2.0, 2.1])


def test_a_sweep_is_over_where_the_average_leaves_its_best() -> None:
    """From twenty losses of 1 on: 0.95 + x / 20 > 5, and the same with a hundredth of 2 and the debiasing."""
    for name in ("torch-lr-finder", "ignite"):
        assert not FINDERS[name].is_over([1.0] * 20 + [80.9])
        assert FINDERS[name].is_over([1.0] * 20 + [81.1])
    edge = (4 * (1 - 0.98**21) - 0.98 * (1 - 0.98**20)) / 0.02
    for name in FASTAI:
        assert not FINDERS[name].is_over([1.0] * 20 + [0.999 * edge])
        assert FINDERS[name].is_over([1.0] * 20 + [1.001 * edge])


def test_lightning_ends_at_twice_the_first_loss() -> None:
    """Its first average is 0.505 of the loss, so four times the best is about two times the loss."""
    assert not FINDERS["lightning"].is_over([1.0] + [1.9] * 60)
    assert FINDERS["lightning"].is_over([1.0] + [2.1] * 60)


def test_negative_losses_end_the_others_at_once() -> None:
    for name in EVERY:
        assert FINDERS[name].is_over([-1.0]) == (not name.startswith("lightning"))


@pytest.mark.parametrize("name", EVERY)
def test_an_ended_sweep_stays_ended(name: str) -> None:
    finder = FINDERS[name]
    assert finder.is_over([1.0] * 20 + [1e6, 1.0])
    assert not finder.is_over([1.0] * 99)
    assert finder.is_over([1.0] * 100)
    assert not finder.is_over([1.0, math.nan, 1e9])  # nothing is above not-a-number


def test_fastai_minimum() -> None:
    kept = [5.0] * 50 + [1.0] + [5.0] * 30
    assert FINDERS["fastai minimum"].rule(np.array(FINDERS["fastai minimum"].rates[:81]), np.array(kept)) == (
        pytest.approx(FINDERS["fastai minimum"].rates[50] / 10)
    )
    assert index_of("fastai minimum", [5.0] * 50 + [1.0, math.nan, 0.0] + [5.0] * 30) == 50 - 12  # 12.5 steps a decade


def test_fastai_steep() -> None:
    kept = [*np.linspace(5, 4, 40), 3.0, *np.linspace(2.9, 2, 30)]
    assert index_of("fastai steep", kept) == 39


def test_fastai_valley_stands_half_way_down() -> None:
    """Thirty falling losses after the ten skipped: they start at −1, so −1 + 10 + 5 = 14."""
    assert index_of("fastai valley", [9.0] * 10 + list(np.linspace(5, 1, 30)) + [9.0] * 20) == 24
    rises = [9.0] * 10 + list(np.linspace(1, 5, 30)) + [9.0] * 5
    assert index_of("fastai valley", rises) == 10


def test_fastai_slide_stops_where_both_ends_slope_alike() -> None:
    """A V with its corner at 30: the window 15..30 is the last whose ends differ."""
    assert index_of("fastai slide", [9.0] * 10 + [0.1 * abs(step - 30) for step in range(40)] + [9.0] * 5) == 25


def test_torch_lr_finder_and_ignite_take_the_steepest_step() -> None:
    kept = [*np.linspace(5, 4, 40), 3.5, *np.linspace(2.9, 2, 30), *np.linspace(2.1, 9, 10)]
    assert index_of("torch-lr-finder", kept) == 40
    assert (
        FINDERS["ignite"].rule(np.array(FINDERS["ignite"].rates[: len(kept)]), np.array(kept))
        == (FINDERS["ignite"].rates[41])
    )


def test_lightning_follows_a_ripple_at_the_smallest_rates() -> None:
    """Issue 21141 of Lightning: a fall of 0.001 at a rate of 1e-7 is steeper in the rate than one of 2 at 0.1."""
    kept = [5.0] * 15 + [4.999] * 65 + [4.0, 3.0, 2.0] + [2.0] * 5
    assert index_of("lightning", kept) == 15
    assert index_of("lightning 2.5.2", kept) in (80, 81)


def test_lightning_until_2_5_2_is_shifted_by_losses_left_out() -> None:
    kept = [*np.linspace(5, 4, 50), 2.0, *np.linspace(1.9, 1, 20)]
    assert index_of("lightning 2.5.2", kept) == 50
    kept[20] = math.inf
    assert index_of("lightning 2.5.2", kept) == 49


def test_ignite_takes_not_a_number_for_the_minimum() -> None:
    kept = [*np.linspace(5, 4, 40).tolist(), math.nan, math.nan]
    assert FINDERS["ignite"].rule(np.array(FINDERS["ignite"].rates[:42]), np.array(kept)) == FINDERS["ignite"].rates[40]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 0.5]])
def test_too_few_losses_suggest_nothing(name: str, losses: list[float]) -> None:
    assert FINDERS[name].suggest(FINDERS[name].rates[: len(losses)], losses) is None


@pytest.mark.parametrize("name", EVERY)
def test_not_a_number_from_the_start(name: str) -> None:
    finder = FINDERS[name]
    expected = finder.rates[10] if name == "torch-lr-finder" else None  # NumPy's argmin picks the first of them
    assert finder.suggest(finder.rates, [math.nan] * 100) == expected


def test_rates_and_losses_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="not 2 and 1"):
        FINDERS["ignite"].suggest([0.1, 0.2], [1.0])


@given(st.sampled_from(EVERY), st.lists(st.floats(width=32) | st.floats(-10, 10), max_size=100))
def test_what_is_suggested_is_a_rate_of_the_sweep(name: str, losses: list[float]) -> None:
    finder = FINDERS[name]
    finder.is_over(losses)
    suggestion = finder.suggest(finder.rates[: len(losses)], losses)
    scale = 10.0 if name == "fastai minimum" else 1.0
    assert suggestion is None or np.isclose(np.array(finder.rates) / (scale * suggestion), 1.0).any()


def noisy_sweep(seed: int) -> np.ndarray:
    """A sweep as they look, 100 steps: flat, a slope, a cliff."""
    steps = np.arange(100)
    clean = 2.3 - 1.5 / (1 + np.exp(-(steps - 60) / 4)) + np.exp((steps - 85) / 4)
    return clean + 0.05 * np.random.default_rng(seed).normal(size=100)


@pytest.mark.parametrize("seed", range(5))
def test_lightning_takes_torch_gradient(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rates, losses = FINDERS["lightning"].rates, noisy_sweep(seed).tolist()
    kept, spacing = torch.tensor(losses[10:-1]), torch.tensor(rates[10:-1])
    by_rate, by_step = torch.gradient(kept, spacing=[spacing])[0], torch.gradient(kept)[0]
    assert index_of("lightning", losses) == 10 + int(by_rate.argmin())
    assert index_of("lightning 2.5.2", losses) == 10 + int(by_step.argmin())


@pytest.mark.parametrize("seed", range(3))
def test_against_lightning_itself(seed: int) -> None:
    module = pytest.importorskip("lightning.pytorch.tuner.lr_finder", reason="lightning is not installed")
    finder, losses = FINDERS["lightning"], noisy_sweep(seed)
    theirs = module._LRFinder("exponential", finder.lowest, finder.highest, finder.num_steps)
    theirs.results = {"lr": list(finder.rates), "loss": finder.smooth(losses).tolist()}
    assert finder.suggest(finder.rates, losses.tolist()) == pytest.approx(theirs.suggestion())


@pytest.mark.parametrize("seed", range(3))
def test_against_ignite_itself(seed: int) -> None:
    module = pytest.importorskip("ignite.handlers.lr_finder", reason="ignite is not installed")
    finder, losses = FINDERS["ignite"], noisy_sweep(seed)
    theirs = module.FastaiLRFinder()
    theirs._history = {"lr": [*finder.rates[1:], finder.highest], "loss": finder.smooth(losses).tolist()}
    assert finder.suggest(finder.rates, losses.tolist()) == pytest.approx(theirs.lr_suggestion())


@pytest.mark.parametrize("name", FASTAI)
def test_against_fastai_itself(name: str) -> None:
    module = pytest.importorskip("fastai.callback.schedule", reason="fastai is not installed")
    torch = pytest.importorskip("torch")
    finder, losses = FINDERS[name], noisy_sweep(0)
    kept = torch.tensor(finder.smooth(losses)[10:-5], dtype=torch.float32)
    theirs = getattr(module, name.removeprefix("fastai "))(torch.tensor(finder.rates[10:-5]), kept, 100)
    assert finder.suggest(finder.rates, losses.tolist()) == pytest.approx(theirs[0], rel=1e-5)
