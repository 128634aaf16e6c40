"""The settings of an optimizer that somebody else made: read as a recipe's section, moved group by group."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, optim

from surefoot.errors import RequestError
from surefoot.recipe import Optimizer
from surefoot.steering import Settings

__all__ = ["Bases", "optimizer_section"]

# Exact classes: a subclass may do anything.
_NAMES: dict[type[optim.Optimizer], str] = {
    optim.SGD: "sgd",
    optim.Adam: "adam",
    optim.AdamW: "adamw",
    optim.RMSprop: "rmsprop",
    optim.Adagrad: "adagrad",
}
# Where the base values are kept: in the groups, so that they travel with the optimizer's own state.
_KEY = "surefoot"


def optimizer_section(optimizer: optim.Optimizer) -> dict[str, Any]:
    """A recipe's optimizer section for what an optimizer is set to: what a coupling starts from.

    The largest rate and decay of all groups stand for it; each group keeps its proportion to them. An optimizer that
    recipes do not know counts as adam where it has betas and as sgd otherwise.

    Raises:
        RequestError: no group has a rate above 0.
    """
    bases = [_base(group) for group in optimizer.param_groups]
    rate = max(base["lr"] for base in bases)
    if not (math.isfinite(rate) and rate > 0):
        raise RequestError(
            f"the optimizer's learning rate is {rate!r}; it must be above 0: it is what the schedule scales"
        )
    first = bases[0]
    name = _name(optimizer)
    section: dict[str, Any] = {"name": name, "learning_rate": rate}
    section["weight_decay"] = max(base.get("weight_decay", 0.0) for base in bases)
    if "betas" in first and name.startswith(("adam", "nadam")):
        section |= {"beta1": first["betas"][0], "beta2": first["betas"][1]}
    if first.get("eps") and name != "sgd":
        section["epsilon"] = first["eps"]
    if name in {"sgd", "rmsprop"}:
        section["momentum"] = first.get("momentum", 0.0)
    return section


class Bases:
    """Writes settings into an optimizer's groups, each in proportion to its own base.

    Args:
        optimizer: whose groups are written.
        reference: what the settings are counted from, made by ``optimizer_section``.
    """

    def __init__(self, optimizer: optim.Optimizer, reference: Optimizer) -> None:
        self._optimizer, self._reference = optimizer, reference

    def apply(self, settings: Settings) -> None:
        """Set every group for the next step."""
        reference = self._reference
        assert reference.learning_rate is not None, "made by optimizer_section"
        rate = settings.learning_rate / reference.learning_rate
        for group in self._optimizer.param_groups:
            base = _base(group)
            _write(group, "lr", base["lr"] * rate)
            if "weight_decay" in base:
                _write(
                    group, "weight_decay", base["weight_decay"] * _ratio(settings.weight_decay, reference.weight_decay)
                )
            if "eps" in base:
                _write(group, "eps", base["eps"] * _ratio(settings.epsilon, reference.epsilon))
            if "betas" in base:
                beta1 = _power(base["betas"][0], settings.beta1, reference.beta1)
                group["betas"] = (beta1, _power(base["betas"][1], settings.beta2, reference.beta2), *base["betas"][2:])
            if base.get("momentum"):
                group["momentum"] = base["momentum"] if settings.momentum is None else settings.momentum
            group[_KEY]["written"] = float(group["lr"])


def _name(optimizer: optim.Optimizer) -> str:
    kind = type(optimizer)
    group = optimizer.param_groups[0]
    if kind is optim.NAdam:
        return "nadamw" if group.get("decoupled_weight_decay") else "adam"
    return _NAMES.get(kind) or ("adam" if "betas" in group else "sgd")


def _base(group: dict[str, Any]) -> dict[str, Any]:
    """What a group was set to before anybody moved it; a rate that its owner changed since is a new base."""
    kept = group.get(_KEY)
    if kept is None or kept["written"] != float(group["lr"]):
        names = [name for name in ("weight_decay", "eps", "momentum") if isinstance(group.get(name), int | float)]
        base: dict[str, Any] = {"lr": float(group["lr"]), **{name: group[name] for name in names}}
        if isinstance(group.get("betas"), tuple | list):
            base["betas"] = tuple(group["betas"])
        kept = group[_KEY] = {"base": base, "written": float(group["lr"])}
    found: dict[str, Any] = kept["base"]
    return found


def _write(group: dict[str, Any], name: str, value: float) -> None:
    """A value into a group; a rate that lives in a tensor, as a captured graph needs it, stays that tensor."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def _ratio(value: float | None, reference: float | None) -> float:
    return value / reference if value is not None and reference else 1.0


def _power(base: float, value: float | None, reference: float | None) -> float:
    """A group's beta after the reference's went to ``value``: β^κ with the same κ."""
    if value is None or not reference or value == reference:
        return base
    return value if not 0.0 < value < 1.0 else base ** (math.log(value) / math.log(reference))
