"""Every schedule there is, with what it claims, and strategies that draw one at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from surefoot import schedules as s


@dataclass(frozen=True)
class Member:
    """A schedule over a horizon and what it claims about itself."""

    name: str
    schedule: Any
    horizon: float
    continuous: bool = True
    falls: bool = True  # never rises


def members() -> list[Member]:
    """One or more of every kind, in several units."""
    return [
        Member("constant", s.constant(), 1.0),
        Member("constant_low", s.constant(0.25), 1.0),
        Member("linear", s.linear(horizon=60_000, floor=0.1), 60_000),
        Member("polynomial", s.polynomial(horizon=10, power=0.9, floor=0.05), 10),
        Member("exponential", s.exponential(horizon=3, last=1e-3), 3),
        Member("cosine", s.cosine(horizon=1000), 1000),
        Member("step", s.step(every=0.3), 1.0, continuous=False),
        Member("multistep", s.multistep(milestones=(30, 60, 80), floor=1e-3), 90, continuous=False),
        Member("inverse_time", s.inverse_time(delta=0.1, floor=0.2), 100),
        Member("inverse_sqrt", s.inverse_sqrt(timescale=4000), 100_000),
        Member("power", s.power(delta=0.01, power=1.5), 5000),
        Member("cosine_restarts", s.cosine_restarts(horizon=7, peak_factor=0.8), 7, continuous=False, falls=False),
        Member("triangular", s.triangular(horizon=40), 40, falls=False),
        Member("triangular2", s.triangular(horizon=40, mode="triangular2", floor=0.0), 40, falls=False),
        Member("exp_range", s.triangular(horizon=40, mode="exp_range", rise_share=0.2), 40, falls=False),
        Member("one_cycle", s.one_cycle(horizon=200), 200, falls=False),
        Member("one_cycle_linear", s.one_cycle(horizon=200, shape="linear", rise_share=0.25), 200, falls=False),
        *(
            Member(f"stable_{shape}", s.warmup_stable_decay(horizon=500, cooldown=shape, floor=0.02), 500, falls=False)
            for shape in ("linear", "cosine", "one_minus_sqrt")
        ),
        Member("warmup", s.warmup(s.cosine(horizon=0.9), length=0.1), 1.0, falls=False),
        Member("warmup_exponential", s.warmup(s.linear(), length=0.2, shape="exponential"), 1.0, falls=False),
        Member("warmup_from", s.warmup(s.inverse_sqrt(timescale=5), length=5, start=0.3), 100, falls=False),
        Member(
            "sequence",
            s.sequence((s.constant(), s.linear(horizon=30, floor=0.1), s.constant(0.1)), boundaries=(50, 80)),
            100,
        ),
        Member(
            "nested",
            s.warmup(s.sequence((s.warmup(s.cosine(), length=1), s.step(every=1)), boundaries=(4,)), length=2),
            10,
            continuous=False,
            falls=False,
        ),
    ]


_SHARES = st.floats(0.0, 1.0)
_INNER = st.floats(0.05, 0.95)
_HORIZONS = st.floats(1e-3, 1e9)


@st.composite
def falling(draw: st.DrawFn) -> Member:
    """A schedule that never rises, with where it must begin and end."""
    horizon, floor = draw(_HORIZONS), draw(_SHARES)
    name, schedule = draw(
        st.sampled_from(
            [
                ("linear", s.linear(horizon, floor=floor)),
                ("cosine", s.cosine(horizon, floor=floor)),
                ("polynomial", s.polynomial(horizon, power=draw(st.floats(0.1, 10.0)), floor=floor)),
                ("exponential", s.exponential(horizon, last=max(floor, 1e-9))),
                ("step", s.step(every=horizon * draw(_INNER), factor=draw(_INNER), floor=floor)),
                ("multistep", s.multistep((0.3 * horizon, 0.6 * horizon), factor=draw(_INNER), floor=floor)),
                ("inverse_time", s.inverse_time(delta=10 * draw(_INNER) / horizon, floor=floor)),
                ("inverse_sqrt", s.inverse_sqrt(timescale=horizon * draw(_INNER), floor=floor)),
                ("power", s.power(delta=9 / horizon, power=draw(st.floats(0.1, 4.0)), floor=floor)),
            ]
        )
    )
    return Member(name, schedule, horizon, continuous=name not in ("step", "multistep"))


@st.composite
def anything(draw: st.DrawFn) -> Member:
    """A schedule of any kind, perhaps behind a warmup, perhaps in a sequence."""
    horizon, floor = draw(_HORIZONS), draw(_SHARES)
    cycles = draw(st.integers(1, 6))
    first = draw(
        st.one_of(
            falling().map(lambda member: member.schedule),
            st.builds(
                s.cosine_restarts,
                st.just(horizon),
                num_cycles=st.just(cycles),
                growth=st.floats(1.0, 3.0),
                peak_factor=_INNER,
                floor=st.just(floor),
            ),
            st.builds(
                s.triangular,
                st.just(horizon),
                num_cycles=st.just(cycles),
                mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
                rise_share=_INNER,
                floor=st.just(floor),
            ),
            st.builds(s.one_cycle, st.just(horizon), rise_share=_INNER, shape=st.sampled_from(["cosine", "linear"])),
            st.builds(
                s.warmup_stable_decay,
                st.just(horizon),
                warmup_length=st.just(0.3 * horizon),
                cooldown_length=st.just(horizon * min(0.7, draw(_INNER))),
                cooldown=st.sampled_from(["linear", "cosine", "one_minus_sqrt"]),
                floor=st.just(floor),
            ),
        )
    )
    if draw(st.booleans()):
        first = s.warmup(first, length=horizon * draw(_INNER), shape=draw(st.sampled_from(["linear", "exponential"])))
    if draw(st.booleans()):
        first = s.sequence((first, draw(falling()).schedule), boundaries=(horizon * draw(_INNER),))
    return Member(type(first).__name__, first, horizon)
