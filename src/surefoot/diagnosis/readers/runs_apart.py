"""Several trainings in one table, told apart by a column that names them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from surefoot.diagnosis.table import Cells, Table, plain

__all__ = ["Labels"]

# Columns of these names say of which training a row is.
_RUN_COLUMNS = ("run", "run_id", "run_name", "trial", "trial_id", "fold", "seed", "experiment", "exp")
# A table of more trainings than this is a table of results, and each would cost a look at all rows.
MOST_RUNS = 200


class Labels:
    """Which training each row is of, kept while a table is read.

    >>> labels = Labels(["run", "loss"])
    >>> table = Table()
    >>> for row in labels.of([["a", "1"], ["b", "9"], ["a", "0.5"], ["b", "8"]]):
    ...     table.add(dict(zip(["run", "loss"], row, strict=True)))
    >>> {name: part.columns["loss"].values.tolist() for name, part in labels.apart(table).items()}
    {'a': [1.0, 0.5], 'b': [9.0, 8.0]}
    """

    def __init__(self, names: Sequence[str]) -> None:
        lowered = [name.strip().lower() for name in names]
        self._column = next((lowered.index(name) for name in _RUN_COLUMNS if name in lowered), None)
        self._numbers: dict[str, int] = {}
        self._of_row = array("H")

    def of(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        """The rows as they come."""
        for cells in rows:
            if self._column is not None:
                label = cells[self._column].strip() if self._column < len(cells) else ""
                if label in self._numbers or len(self._numbers) <= MOST_RUNS:
                    self._of_row.append(self._numbers.setdefault(label, len(self._numbers)))
                else:
                    self._column = None
            yield cells

    def apart(self, table: Table) -> dict[str, Table]:
        """The table of each training; none where there is one, or a row of each. The whole is empty afterwards."""
        if self._column is None or not 2 <= len(self._numbers) <= table.num_rows // 2:
            return {}
        of_row = np.frombuffer(self._of_row, dtype=np.uint16)
        place = np.empty(len(of_row), dtype=np.uint32)  # of a row among those of its training
        parts = [Table() for _ in self._numbers]
        for number, part in enumerate(parts):
            is_of = of_row == number
            part.num_rows = int(is_of.sum())
            place[is_of] = np.arange(part.num_rows, dtype=np.uint32)
        for column, name in enumerate(list(table.columns)):
            cells = table.columns.pop(name)  # a column at a time, for the sake of memory
            if column == self._column:
                continue
            rows, values = cells.rows, cells.values
            for number, part in enumerate(parts):
                kept = of_row[rows] == number
                part.columns[name] = Cells.of(place[rows[kept]], values[kept])
        return {plain(label) or "?": part for label, part in zip(self._numbers, parts, strict=True)}
