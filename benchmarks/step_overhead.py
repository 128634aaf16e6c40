"""What a step costs: Surefoot's loop beside a hand-written one, Lightning, Keras and skorch, on the same network.

``python -m benchmarks.step_overhead [--repeats 9] [--threads 1] [NAME ...]``. Every contender waits in a process of its
own and is timed in turn, round after round; a ratio is taken within a round, so that what slows the machine for a while
slows both sides. Validation is in none of the steps, except in the line that says so.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

# the contender, the baseline, the most that contender / baseline may be (None: to know, not to reach)
TARGETS: tuple[tuple[str, str, float | None], ...] = (
    ("surefoot", "hand-written", 1.0),
    ("surefoot", "lightning", 0.6),
    ("surefoot", "keras-tensorflow", 0.5),
    ("surefoot", "keras-torch", 0.5),
    ("surefoot", "skorch", 1.1),
    ("surefoot", "fastest", None),
    ("sf.fit", "hand-written-validating", None),
    ("surefoot-cnn", "hand-written-cnn", 1.02),
)
NEEDS = {"lightning": "lightning", "keras-tensorflow": "tensorflow", "keras-torch": "keras", "skorch": "skorch"}


@dataclass
class Contender:
    """A process that answers with the seconds of a step."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, threads: int) -> Contender | None:
        """The process, warm and waiting; None, and a line that says why, when it cannot run."""
        environment = {
            **os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": name.removeprefix("keras-"),
        }  # fmt: skip
        if not name.startswith("keras"):
            del environment["KERAS_BACKEND"]
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.step_contenders", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        contender = cls(name, process)
        if contender._answer() == "ready":
            return contender
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
        missing = bool(said) and "ModuleNotFoundError" in said[-1]
        hint = f"; pip install 'surefoot[bench]' brings {NEEDS[name]}" if missing and name in NEEDS else ""
        print(f"{name} is not measured: {said[-1] if said else 'it ended without a word'}{hint}")
        return None

    def seconds(self) -> float:
        """A step of one more stretch of training."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Close its input, which ends it."""
        self.process.communicate()


def main() -> int:
    """Print a line a contender and a line a ratio; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="measure these contenders only")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    names = {name for line in TARGETS for name in line[:2]}
    wanted = [name for name in sorted(names) if not arguments.names or name in arguments.names]
    waiting = [found for name in wanted if (found := Contender.start(name, arguments.threads))]
    seconds: dict[str, list[float]] = {contender.name: [] for contender in waiting}
    for repeat in range(arguments.repeats):
        for contender in waiting if repeat % 2 else reversed(waiting):
            seconds[contender.name].append(contender.seconds())
    for contender in waiting:
        contender.end()
    print(f"{arguments.threads} thread(s) for all, medians of {arguments.repeats} interleaved repeats\n")
    for name, values in seconds.items():
        low, middle, high = (1e6 * value for value in (min(values), statistics.median(values), max(values)))
        print(f"{name:<24} {middle:9.1f} us a step   ({low:.1f} to {high:.1f})")
    held = [_compared(line, seconds) for line in TARGETS]
    return 0 if all(held) else 1


def _compared(line: tuple[str, str, float | None], seconds: dict[str, list[float]]) -> bool:
    """Print one ratio beside its target; whether it holds."""
    name, baseline, most = line
    if name not in seconds or baseline not in seconds:
        return True
    ratios = [ours / theirs for ours, theirs in zip(seconds[name], seconds[baseline], strict=True)]
    ratio = statistics.median(ratios)
    target = "-" if most is None else f"<= {most}"
    holds = most is None or ratio <= most
    verdict = "" if most is None else "holds" if holds else "MISSED"
    spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"{name + ' / ' + baseline:<42} {ratio:5.2f} {spread:<18} {target:<8} {verdict}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
