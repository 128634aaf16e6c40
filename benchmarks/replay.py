"""Searches on published learning curves: how soon each finds how low a loss, within a budget of 20 trainings.

``python -m benchmarks.replay`` reads SUREFOOT_DATA/tables/taskset_imdb: six tasks of TaskSet (Metz et al. 2020), the
same 1,000 configurations of Adam on each, 50 looks. A run may pause and go on at no extra price, and stops at the look
where its loss is not a number. Regret is the lowest validation loss seen at any look minus the table's lowest end, over
the gap from there to the median end; a search is judged by its area, the mean regret over the price paid (linear), and
over the logarithm of the price from one look on. A star marks the tasks that were not looked at while the design was
chosen (docs/log.md: one was, later). ``--seeds 4`` for fewer, ``--only NAME`` for one search against none, ``--ends``
for how often the interval that ``expected_end`` gives holds what a run came to.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.replay_ours import choosing, progress_of
from benchmarks.replay_rivals import RIVALS, Search
from benchmarks.replay_table import LOOKS, Replay, SpentError, Table, read_tables
from surefoot import seeds
from surefoot.tuning.choosing import expected_end

Array = npt.NDArray[np.float64]

BUDGET = 20 * LOOKS
DESIGN = ("patch32_GRU128_bs128", "patch32_IRNN64_relu_avg_bs128", "patch32_LSTM128_E128_bs128")
MEASURES = ("area", "area, log price", "last regret", "last regret of whole trainings", "test loss")
SEARCHES: dict[str, Search] = {"choosing": choosing, **RIVALS}


def play(table: Table, search: Search, seed: int) -> Replay:
    """One search until its budget is gone or it has nothing left to try."""
    replay = Replay(table, BUDGET)
    with contextlib.suppress(SpentError):
        search(replay, seed)
    return replay


def measured(replay: Replay) -> Array:
    """The values of MEASURES, all but the last in units of the gap."""
    table, lowest = replay.table, np.array(replay.lowest)
    lowest = np.append(lowest, np.full(BUDGET - len(lowest), lowest[-1]))
    regret = (lowest - table.best_end) / table.gap
    price = np.arange(1, BUDGET + 1)
    whole = (replay.ended[-1] - table.best_end) / table.gap
    log_area = np.average(regret, weights=np.log((price + 1) / price))
    return np.array([regret.mean(), log_area, regret[-1], whole, replay.tested[-1]])


def interval(differences: Array) -> tuple[float, float, float]:
    """The mean over tasks and seeds, and where 90 % of its bootstraps lie: seeds are drawn anew within every task.

    Args:
        differences: a row for each task, a column for each seed.
    """
    num_tasks, num_seeds = differences.shape
    drawn = seeds.stream(0, "replay", "bootstrap").integers(num_seeds, size=(10_000, num_tasks, num_seeds))
    means = np.take_along_axis(differences[None], drawn, axis=2).mean(axis=(1, 2))
    return float(differences.mean()), float(np.quantile(means, 0.05)), float(np.quantile(means, 0.95))


def over_tasks(differences: Array) -> tuple[float, float]:
    """The same with the tasks drawn anew too: for tasks that were not looked at."""
    num_tasks, num_seeds = differences.shape
    stream = seeds.stream(0, "replay", "tasks")
    rows = stream.integers(num_tasks, size=(10_000, num_tasks, 1))
    columns = stream.integers(num_seeds, size=(10_000, num_tasks, num_seeds))
    means = differences[rows, columns].mean(axis=(1, 2))
    return float(np.quantile(means, 0.05)), float(np.quantile(means, 0.95))


def print_measures(found: dict[str, Array], tables: Sequence[Table]) -> None:
    """Every search's mean over the seeds on every task."""
    for index, measure in enumerate(MEASURES):
        print(f"\n{measure}\n| search | {' | '.join(_short(table) for table in tables)} | mean |")
        print("|" + "---|" * (len(tables) + 2))
        for name, values in found.items():
            means = values[:, :, index].mean(axis=1)
            print(f"| {name} | {' | '.join(f'{value:.3f}' for value in (*means, means.mean()))} |")


def print_differences(found: dict[str, Array], tables: Sequence[Table]) -> None:
    """The choosing minus every other search, seed by seed: below 0 the choosing is ahead."""
    rows = {"all six": list(range(len(tables)))}
    rows["design"] = [index for index, table in enumerate(tables) if table.name in DESIGN]
    rows["held out"] = [index for index, table in enumerate(tables) if table.name not in DESIGN]
    rows |= {_short(table): [index] for index, table in enumerate(tables)}
    for index, measure in enumerate(MEASURES[:3]):
        print(f"\nchoosing minus the other, {measure}: mean [90 %, seeds drawn anew] (tasks drawn anew too)")
        print(f"| against | {' | '.join(rows)} |\n|" + "---|" * (len(rows) + 1))
        for name, values in found.items():
            if name != "choosing":
                differences = found["choosing"][:, :, index] - values[:, :, index]
                print(f"| {name} | {' | '.join(_cell(differences[chosen]) for chosen in rows.values())} |")


def _cell(differences: Array) -> str:
    mean, low, high = interval(differences)
    cell = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    if len(differences) == 1:
        return cell
    low, high = over_tasks(differences)
    return f"{cell} ({low:+.3f}, {high:+.3f})"


def _short(table: Table) -> str:
    return f"{table.name}{'' if table.name in DESIGN else ' *'}"


def print_ends(tables: Sequence[Table], num_seeds: int) -> None:
    """How often the interval holds the lowest loss a paused run would have come to, by how far it had come."""
    print("| task | looks | runs | held | too high | error in gaps, median | of the last value |\n|" + "---|" * 7)
    for table in tables:
        rows: dict[int, list[tuple[float, ...]]] = {}
        for seed in range(num_seeds):
            for done, row in _ends(play(table, choosing, seed), seed):
                rows.setdefault(done, []).append(row)
        for done, found in sorted(rows.items()):
            held, above, error, naive = np.array(found).T
            cells = f"{np.mean(held):.2f} | {np.mean(above):.2f} | {np.median(error):.3f} | {np.median(naive):.3f}"
            print(f"| {_short(table)} | {done} | {len(found)} | {cells} |", flush=True)


def _ends(replay: Replay, seed: int) -> list[tuple[int, tuple[float, ...]]]:
    """For some of the paused runs: how far they had come, and how the forecast stands to the table's end."""
    table = replay.table
    begun = np.flatnonzero(replay.done)
    runs = [progress_of(replay, configuration) for configuration in begun]
    found = []
    for index in seeds.stream(seed, "replay", "ends").permutation(len(runs)):
        configuration, done = begun[index], int(replay.done[begun[index]])
        truth = float(np.min(table.validation[configuration, 1:]))
        if done == LOOKS or not np.isfinite(truth) or len(found) == 20:
            continue
        end = expected_end(runs, int(index))
        held = float(end.low <= truth <= end.high)
        error, naive = (abs(value - truth) / table.gap for value in (end.value, runs[index].lowest))
        found.append((done, (held, float(end.low > truth), error, naive)))
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=list(SEARCHES))
    parser.add_argument("--ends", action="store_true")
    arguments = parser.parse_args()
    tables = list(read_tables())
    if arguments.ends:
        return print_ends(tables, arguments.seeds)
    found: dict[str, Array] = {}
    for name, search in SEARCHES.items():
        if arguments.only in (None, name):
            begun = time.process_time()
            replays = [[play(table, search, seed) for seed in range(arguments.seeds)] for table in tables]
            found[name] = np.array([[measured(replay) for replay in row] for row in replays])
            print(f"{name}: {time.process_time() - begun:.0f} s of CPU", flush=True)
    print_measures(found, tables)
    if "choosing" in found and len(found) > 1:
        print_differences(found, tables)
    return None


if __name__ == "__main__":
    main()
