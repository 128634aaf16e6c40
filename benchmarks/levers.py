"""What each lever of the recipe buys on two real tasks: the same training with it and without it.

    python -m benchmarks.levers                 prints from the stored trainings
    python -m benchmarks.levers TASK ...        trains on these tasks, and stores

Every lever is added to one recipe a task (benchmarks/lever_tasks.py), seeds 0 to 4, in an order that turns from seed to
seed; differences are paired, with a 90 % interval by Student's t. Levers whose gain is not one of a training have
benchmarks of their own: several processes (parallel), streams (stream), export and int8 (deploy).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.lever_tasks import TASKS
from surefoot.records import WHOLE, Ablation, Objective, Trial
from surefoot.reports.ablation import difference
from surefoot.workflows.ablate import side_by_side

__all__ = ["LEVERS", "Lever"]

FOLDER = Path(__file__).parent / "results" / "levers"
SEEDS = range(5)
PICTURES = ("fashion_cnn", "digits_cnn")
NETWORKS = ("fashion_cnn", "fashion_mlp")
TABLES = ("adult", "rare_adult")
CONSTANT = {"schedule.name": "constant"}
RAW = ("raw_wine", "raw_breast_cancer")


@dataclass(frozen=True)
class Lever:
    """Keys that are added to a recipe, and the tasks on which they are tried."""

    changes: Mapping[str, Any]
    tasks: tuple[str, ...]


LEVERS: dict[str, Lever] = {
    "network.averaging ema": Lever({"network.averaging": "ema"}, ("fashion_cnn", "adult")),
    "network.averaging swa": Lever({"network.averaging": "swa"}, ("fashion_cnn", "adult")),
    "ema, constant schedule": Lever({**CONSTANT, "network.averaging": "ema"}, ("fashion_cnn", "adult")),
    "constant schedule alone": Lever(CONSTANT, ("fashion_cnn", "adult")),
    "network.pruning magnitude, .8 go": Lever({"network.pruning": "magnitude"}, NETWORKS),
    "network.pruning structured, .5 go": Lever({"network.pruning": "structured"}, NETWORKS),
    "data.flip 0.5": Lever({"data.flip": 0.5}, PICTURES),
    "data.crop 1": Lever({"data.crop": 1}, PICTURES),
    "data.noise 0.1": Lever({"data.noise": 0.1}, ("fashion_cnn", "spoken_digits")),
    "data.mixup 0.2": Lever({"data.mixup": 0.2}, ("fashion_cnn", "spoken_digits")),
    "data.cutmix 1": Lever({"data.cutmix": 1.0}, PICTURES),
    "data.balance oversample": Lever({"data.balance": "oversample"}, TABLES),
    "data.balance stratify": Lever({"data.balance": "stratify"}, TABLES),
    "loss.class_weights balanced": Lever({"loss.class_weights": "balanced"}, TABLES),
    "loss.label_smoothing 0.1": Lever({"loss.label_smoothing": 0.1}, ("fashion_cnn", "clinc150")),
    "regularization.l2 1e-3 for the decay": Lever({"optimizer.weight_decay": 0.0, "regularization.l2": 1e-3}, NETWORKS),
    "initialization.scheme orthogonal": Lever({"initialization.scheme": "orthogonal"}, NETWORKS),
    "initialization.scheme kaiming_normal": Lever({"initialization.scheme": "kaiming_normal"}, NETWORKS),
    "precision.name bf16": Lever({"precision.name": "bf16"}, ("fashion_cnn", "transformer")),
    "hardware.channels_last": Lever({"hardware.channels_last": True}, PICTURES),
    "hardware.compile": Lever({"hardware.compile": True}, ("fashion_cnn", "transformer")),
    "data.standardize": Lever({"data.standardize": True}, RAW),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], metavar="TASK")
    wanted = parser.parse_args().tasks
    for name in wanted:
        measure(name)
    print(table())


def measure(name: str) -> None:
    """Train a task's recipe with every lever that is tried on it, and store what came of it."""
    task = TASKS[name].load()
    if task is None:
        print(f"{name}: its data is not here")
        return
    plain = TASKS[name].recipe(task)
    recipes = {WHOLE: plain}
    recipes |= {key: plain.with_changes(lever.changes) for key, lever in LEVERS.items() if name in lever.tasks}
    found = side_by_side(task, recipes, seeds=SEEDS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = {"device": found.device, "trials": [_brief(trial) for trial in found.trials]}
    (FOLDER / f"{name}.json").write_text(json.dumps(kept, indent=None, separators=(",", ":")) + "\n")


def _brief(trial: Trial) -> dict[str, Any]:
    """A trial without what the table does not need, to six digits."""
    value = trial.model_dump(mode="json")
    value["metrics"] = {name: float(f"{number:.6g}") for name, number in trial.metrics.items() if _is_held(name)}
    value["seconds"] = float(f"{trial.seconds:.4g}")
    value["device_use"] = None if trial.device_use is None else float(f"{trial.device_use:.3g}")
    return value


def _is_held(metric: str) -> bool:
    return metric.startswith(("validation_", "test_"))


def stored(name: str) -> Ablation | None:
    """What was measured on a task, None where nothing was."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    trials = tuple(Trial.model_validate(trial) for trial in found["trials"])
    recipes: dict[str, dict[str, Any]] = {trial.variant: {} for trial in trials}
    return Ablation(task=name, objective=Objective(), device=found["device"], recipes=recipes, trials=trials)


def table() -> str:
    """A line a lever and task: loss and accuracy without and with it, time, memory."""
    lines = [
        "| lever | task | loss without → with | accuracy, points | time × | step memory × |",
        "|---|---|---|---|---|---|",
    ]
    for key, lever in LEVERS.items():
        for name in lever.tasks:
            found = stored(name)
            if found is not None and key in found.recipes:
                lines.append(f"| {key} | {name.replace('_', ' ')} | {' | '.join(_cells(found, key))} |")
    return "\n".join(lines)


def _cells(found: Ablation, key: str) -> list[str]:
    plain, changed = found.of(WHOLE), found.of(key)
    pairs = [(plain[seed], changed[seed]) for seed in plain if seed in changed]
    part = "test" if any("test_loss" in trial.metrics for trial in found.trials) else "validation"
    loss, accuracy = ([_measured(pair, f"{part}_{name}") for pair in pairs] for name in ("loss", "accuracy"))
    failed = sum(trial.status != "completed" for trial in changed.values())
    memory = [after.step_bytes / before.step_bytes for before, after in pairs if after.step_bytes and before.step_bytes]
    return [
        _change(loss) + (f" ({failed} of {len(changed)} failed)" if failed else ""),
        _points(accuracy),
        f"{median(after.seconds / before.seconds for before, after in pairs):.2f}",
        f"{median(memory):.2f}" if memory else "-",
    ]


def _measured(pair: tuple[Trial, Trial], metric: str) -> tuple[float, float] | None:
    before, after = (trial.metrics.get(metric, math.nan) for trial in pair)
    return (before, after) if math.isfinite(before) and math.isfinite(after) else None


def _change(pairs: list[tuple[float, float] | None]) -> str:
    found = _compared(pairs)
    if found is None:
        return "-"
    before, after, change, half = found
    said = "" if half is None else f", {_verdict(change, half)} {change:+.4f} ± {half:.4f}"
    return f"{before:.4f} → {after:.4f}{said}"


def _points(pairs: list[tuple[float, float] | None]) -> str:
    found = _compared(pairs)
    if found is None:
        return "-"
    *_, change, half = found
    return f"{100 * change:+.2f}" + ("" if half is None else f" ± {100 * half:.2f}")


def _compared(pairs: list[tuple[float, float] | None]) -> tuple[float, float, float, float | None] | None:
    """The mean before and after, their difference and how far it is uncertain, of the pairs that are known."""
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return None
    before, after = zip(*known, strict=True)
    return fmean(before), fmean(after), *difference(before, after)


def _verdict(change: float, half: float) -> str:
    """Of a loss: whether less of it came, as far as chance lets that be said."""
    if abs(change) <= half:
        return "level:"
    return "better:" if change < 0 else "worse:"


if __name__ == "__main__":
    main()
