"""The network section of a recipe as lines of plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["AveragingCode", "averaging_code"]

_EMA = "0.5 ** (len(batch) / ({half_life} * horizon))"
_SWA = "max(0, 1 - len(batch) / (samples_seen - {start} * horizon))"
_SETUP = """\
    average = swa_utils.AveragedModel(model)  # what is evaluated and saved, after swa_utils.update_bn
"""
_UPDATE = """\
            if samples_seen - {start} * horizon > 0:
                average.multi_avg_fn = swa_utils.get_ema_multi_avg_fn({decay})
                average.update_parameters(model)
"""


class AveragingCode(NamedTuple):
    """Where the lines of an average go: among the imports, before the loop, after a step and at the end."""

    imports: str
    setup: str
    update: str
    end: str


def averaging_code(section: Mapping[str, Any]) -> AveragingCode:
    """The lines that average the weights; empty where nothing is averaged."""
    if section.get("averaging", "none") == "none":
        return AveragingCode("", "", "", "")
    start, half_life = section["averaging_start"], section.get("ema_half_life")
    decay = _SWA.format(start=start) if half_life is None else _EMA.format(half_life=half_life)
    update = _UPDATE.format(start=start, decay=decay)
    return AveragingCode("from torch.optim import swa_utils\n", _SETUP, update, "    return average.module\n")
