"""What else moves when the batch moves: rate, moment memories, epsilon and decay, as pure rules over plain numbers.

κ = B_new/B_old throughout. Every rule says how far a rate may follow a batch; two caps say where it stops: the noise
scale, above which a larger batch hardly makes a better step, and the edge of stability that a probe found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from surefoot.batching.checks import require_above, require_count
from surefoot.batching.laws import adascale_gain
from surefoot.errors import nearest

__all__ = ["COUPLINGS", "HOLD_DECAY", "Change", "Knobs", "couple", "default_coupling", "rate_after_jump", "rate_factor"]

COUPLINGS = ("none", "linear", "sqrt", "adascale")
"""The rules by which a rate follows its batch."""
HOLD_DECAY = ("sgd", "adamw", "nadamw", "schedule_free_sgd", "schedule_free_adamw")
"""Optimizers whose weight decay is held per sample while the batch moves.

Decay that stands beside the step (adamw, nadamw) or in plain SGD's gradient is held through c = Σ ηλ; where an adaptive
optimizer normalises the gradient that holds it, c says nothing and λ stays.
"""
_DEFAULT = {"sgd": "linear", "schedule_free_sgd": "linear", "adagrad": "none", "prodigy": "none"}
# Here β₁ says where between two weights the gradient is taken: it is no memory of samples, and stays.
_BETA1_IS_NO_MEMORY = ("schedule_free_adamw",)


@dataclass(frozen=True)
class Knobs:
    """The settings of an optimizer that a batch change may move; None where it has none.

    Attributes:
        learning_rate: η > 0.
        weight_decay: λ ≥ 0.
        beta1: β₁ in [0, 1); likewise ``beta2``.
        epsilon: ε > 0.
    """

    learning_rate: float
    weight_decay: float = 0.0
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None


class Change(NamedTuple):
    """A setting that moved, and why.

    Attributes:
        name: of the field of ``Knobs``.
        before: its value until then.
        after: its value from then on.
        reason: one line.
    """

    name: str
    before: float
    after: float
    reason: str


def default_coupling(optimizer: str) -> str:
    """The rule for an optimizer: linear for SGD, none for Adagrad and Prodigy, the square root for the rest.

    Adagrad divides by the root of a sum: at n samples it has seen n/B squared gradients of size 1/B each, so while
    noise dominates its step already grows with B and the rate stays (derived). Prodigy finds its rate itself.

    >>> default_coupling("sgd"), default_coupling("adamw"), default_coupling("adagrad")
    ('linear', 'sqrt', 'none')
    """
    return _DEFAULT.get(optimizer, "sqrt")


def rate_factor(coupling: str, *, batch_size: int, new_batch_size: int, noise_scale: float | None = None) -> float:
    """What the rate is multiplied by.

    - none: 1.
    - linear: κ. Goyal et al. 2017 (arXiv:1706.02677), for SGD.
    - sqrt: √κ. Malladi et al. 2022 (arXiv:2205.10287), for Adam and RMSprop while noise dominates.
    - adascale: (1 + B_s/B)/(1 + B_s/(κB)). Johnson et al. 2020 (arXiv:2007.05105), for SGD; needs the noise scale.

    With a noise scale, linear and sqrt count batches only up to it: κ = min(B_new, B_s)/min(B, B_s). Past it SGD's best
    rate levels off (McCandlish et al. 2018, arXiv:1812.06162) and Adam's may even fall (Li et al. 2024,
    arXiv:2405.14578).

    Args:
        coupling: one of ``COUPLINGS``.
        batch_size: B, at least 1.
        new_batch_size: B_new, at least 1.
        noise_scale: B_s in samples, above 0.

    >>> rate_factor("linear", batch_size=32, new_batch_size=256)
    8.0
    >>> rate_factor("linear", batch_size=32, new_batch_size=256, noise_scale=64)
    2.0
    >>> rate_factor("sqrt", batch_size=32, new_batch_size=128)
    2.0
    """
    if coupling not in COUPLINGS:
        raise ValueError(f'coupling is "{coupling}", which does not exist; {nearest(coupling, COUPLINGS)}')
    require_count("batch_size", batch_size)
    require_count("new_batch_size", new_batch_size)
    if noise_scale is not None:
        require_above("noise_scale", noise_scale, 0.0, why="it is a batch size; leave it out when it was not measured")
    if coupling == "none":
        return 1.0
    if coupling == "adascale":
        if noise_scale is None:
            raise ValueError('coupling "adascale" needs the noise_scale; measure it, or use "linear"')
        return adascale_gain(new_batch_size / batch_size, noise_scale=noise_scale, batch_size=batch_size)
    cap = math.inf if noise_scale is None else noise_scale
    counted = min(new_batch_size, cap) / min(batch_size, cap)
    return counted if coupling == "linear" else math.sqrt(counted)


def couple(
    knobs: Knobs,
    *,
    optimizer: str,
    batch_size: int,
    new_batch_size: int,
    coupling: str | None = None,
    noise_scale: float | None = None,
    learning_rate_limit: float | None = None,
) -> tuple[Knobs, tuple[Change, ...]]:
    """The settings for another batch size, and what moved why.

    Under sqrt the moments keep their memory in samples, β → β^κ. To first order in 1 − β that is Malladi's
    1 − κ(1 − β), which leaves [0, 1) from κ = 1/(1 − β) on (κ = 10 for 0.9), and for β₂ it is the half-life in tokens
    that Marek et al. 2025 (arXiv:2507.07101) hold; ε → ε/√κ. The decay keeps c = Σ ηλ a sample, λ → λ·κ·η/η_new (Wang
    and Aitchison 2024, arXiv:2405.13698): under sqrt λ√κ, under linear λ, and more where a cap held the rate back.

    Args:
        knobs: the settings at ``batch_size``.
        optimizer: a recipe's name for it.
        batch_size: B, at least 1.
        new_batch_size: B_new, at least 1.
        coupling: one of ``COUPLINGS``; None is ``default_coupling``.
        noise_scale: B_s in samples, when it was measured.
        learning_rate_limit: the highest rate known to be stable.

    >>> knobs, changes = couple(Knobs(0.1, 1e-4), optimizer="sgd", batch_size=256, new_batch_size=8192)
    >>> knobs.learning_rate, knobs.weight_decay, [change.name for change in changes]
    (3.2, 0.0001, ['learning_rate'])
    """
    rule = default_coupling(optimizer) if coupling is None else coupling
    if rule == "adascale" and optimizer != "sgd":
        raise ValueError(f'coupling "adascale" is derived for sgd, not for "{optimizer}"; use "sqrt" or "none"')
    factor = rate_factor(rule, batch_size=batch_size, new_batch_size=new_batch_size, noise_scale=noise_scale)
    ratio = new_batch_size / batch_size
    rate, why = knobs.learning_rate * factor, f"{_RULES[rule]} for a batch {ratio:.4g} times as large"
    if noise_scale is not None and rule in ("linear", "sqrt") and max(batch_size, new_batch_size) > noise_scale:
        why += f", counted up to the noise scale of {noise_scale:.4g}"
    if learning_rate_limit is not None:
        require_above("learning_rate_limit", learning_rate_limit, 0.0)
        if rate > learning_rate_limit:
            why = f"{_RULES[rule]} would give {rate:.4g}, past the highest stable rate"
            rate = learning_rate_limit
    moved = replace(knobs, learning_rate=rate)
    reasons = {"learning_rate": why}
    if rule == "sqrt":
        memories = ("beta2",) if optimizer in _BETA1_IS_NO_MEMORY else ("beta1", "beta2")
        moved, more = _moments(moved, memories, ratio, factor)
        reasons |= more
    if knobs.weight_decay > 0 and rule != "none" and optimizer in HOLD_DECAY:
        moved = replace(moved, weight_decay=knobs.weight_decay * ratio * knobs.learning_rate / rate)
        reasons["weight_decay"] = "keeps rate × decay the same for every sample"
    return moved, tuple(_changes(knobs, moved, reasons))


def rate_after_jump(before: float, after: float, *, samples_since: float, length: float) -> float:
    """The rate after a batch change: straight from the old one to the new one over ``length`` samples.

    Goyal et al. 2017 (arXiv:1706.02677), section 2.2, warm up over 5 epochs, from the rate of the small batch. A fall
    takes effect at once: it needs no caution.

    Args:
        before: the rate at the old batch size.
        after: the rate at the new one.
        samples_since: samples seen since the change.
        length: of the warmup in samples, at least 0.

    >>> [rate_after_jump(0.1, 0.4, samples_since=since, length=1000) for since in (0, 500, 2000)]
    [0.1, 0.25, 0.4]
    """
    if after <= before or samples_since >= length:
        return after
    return before + (after - before) * max(samples_since, 0.0) / length


_RULES = {
    "none": "no coupling",
    "linear": "linear rule",
    "sqrt": "square-root rule",
    "adascale": "AdaScale's gain",
}


def _moments(knobs: Knobs, memories: tuple[str, ...], ratio: float, factor: float) -> tuple[Knobs, dict[str, str]]:
    """The memories and ε after the square-root rule; ``factor`` is √κ as far as it was counted."""
    reasons = {}
    for name in memories:
        beta = getattr(knobs, name)
        if beta:
            knobs = replace(knobs, **{name: beta**ratio})
            reasons[name] = "remembers as many samples as before"
    if knobs.epsilon is not None:
        knobs = replace(knobs, epsilon=knobs.epsilon / factor)
        reasons["epsilon"] = "follows the size of the noise in the gradient"
    return knobs, reasons


def _changes(before: Knobs, after: Knobs, reasons: dict[str, str]) -> list[Change]:
    """What moved by more than rounding."""
    found = []
    for name, reason in reasons.items():
        old, new = getattr(before, name), getattr(after, name)
        if not math.isclose(old, new, rel_tol=1e-12):
            found.append(Change(name, old, new, reason))
    return found
