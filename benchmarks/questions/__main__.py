"""Draw the pictures of docs/questions.md into docs/pictures/questions.

``python -m benchmarks.questions [NAME ...]``: all of them, or those named; the trainings take some minutes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import matplotlib as mpl

from benchmarks.named import asked
from benchmarks.questions import descent, elsewhere, grid, judging
from benchmarks.questions.drawing import FOLDER, LOOK, Drawing

PICTURES: dict[str, Callable[[], Drawing]] = {
    "rate": grid.rate,
    "batch": grid.batch,
    "both": grid.both,
    "stability": descent.stability,
    "noise": descent.noise,
    "why": grid.why,
    "levers": judging.levers,
    "overfitting": judging.overfitting,
    "regularising": judging.regularising,
    "hard": judging.luck,
    "elsewhere": elsewhere.what_moves,
}


def main() -> None:
    names = asked("picture", PICTURES)
    warnings.simplefilter("ignore")  # some of these trainings are meant to fail, and their libraries say so
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        begin = time.perf_counter()
        with mpl.rc_context(LOOK):
            drawing = PICTURES[name]()
            drawing.save(name)
        print(f"{name} ({time.perf_counter() - begin:.0f} s): {drawing.said}", flush=True)


if __name__ == "__main__":
    main()
