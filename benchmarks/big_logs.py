"""Logs of any size in the formats of databases and journals, for what it costs to read them (benchmarks/reading.py)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna

__all__ = ["database", "journal", "losses", "message", "mlflow", "varint", "weights_and_biases"]


def losses(rows: int) -> Iterator[tuple[int, float, float]]:
    """Rows of a long training: a step, two losses."""
    draw = np.random.default_rng(0)
    for row in range(1, rows + 1):
        course = 0.2 + 2.0 / (1.0 + row / 1e4)
        yield row, course + 0.1 * draw.random(), course + 0.05 + 0.1 * draw.random()


def database(rows: int) -> bytes:
    """A study of Optuna's whose trials, 40 or more, reported 50 values each on their way."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(sqlite3.connect(f"{folder}/study.db")) as made:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/study.db")
        storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "made up")
        uniform = optuna.distributions.distribution_to_json(optuna.distributions.FloatDistribution(0.0, 1.0))
        for trial, value, other in losses(rows // 20 + 40):
            of = {"trial_id": trial}
            insert(made, "trials", **of, number=trial - 1, study_id=1, state="COMPLETE")
            insert(made, "trial_values", **of, objective=0, value=value, value_type="FINITE")
            for name, cell in (("a", value % 1), ("b", other % 1)):
                insert(made, "trial_params", **of, param_name=name, param_value=cell, distribution_json=uniform)
            for step in range(50):
                told = {"step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
                insert(made, "trial_intermediate_values", **of, **told)
        made.commit()
        return Path(folder, "study.db").read_bytes()


def journal(rows: int) -> bytes:
    """Trials of two parameters in a journal of Optuna's, which reported nothing on their way."""
    uniform = optuna.distributions.distribution_to_json(optuna.distributions.FloatDistribution(0.0, 1.0))
    lines: list[dict[str, object]] = [{"op_code": 0, "study_name": "made up", "directions": [1]}]
    for trial, value, other in losses(rows // 5 + 40):
        of = {"trial_id": trial - 1}
        lines.append({"op_code": 4, "study_id": 0, "datetime_start": None})
        for name, cell in (("a", value % 1), ("b", other % 1)):
            told = {"param_name": name, "param_value_internal": cell, "distribution": uniform}
            lines.append({"op_code": 5, **of, **told})
        lines.append({"op_code": 6, **of, "state": 1, "values": [value]})
    return b"\n".join(json.dumps(line).encode() for line in lines)


def mlflow(rows: int) -> bytes:
    """One run of MLflow's, two metrics a step."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(sqlite3.connect(f"{folder}/m.db")) as made:
        made.execute("CREATE TABLE experiments (experiment_id)")
        made.execute("CREATE TABLE runs (run_uuid, name, lifecycle_stage, start_time)")
        made.execute("CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan)")
        insert(made, "runs", run_uuid="r", name="made up", lifecycle_stage="active", start_time=0)
        for step, *both in losses(rows):
            for key, value in zip(("train_loss", "val_loss"), both, strict=True):
                insert(made, "metrics", key=key, value=value, timestamp=step, run_uuid="r", step=step, is_nan=0)
        made.commit()
        return Path(folder, "m.db").read_bytes()


def insert(made: sqlite3.Connection, table: str, **cells: object) -> None:
    marks = ", ".join("?" * len(cells))
    made.execute(f"INSERT INTO {table} ({', '.join(cells)}) VALUES ({marks})", tuple(cells.values()))  # noqa: S608 - names from above


def weights_and_biases(rows: int) -> bytes:
    """A run's file of Weights & Biases: messages of protocol buffers in the blocks of a log of LevelDB's."""
    found = bytearray(b":W&B\xe1\xbe\0")
    for step, *both in losses(rows):
        items = b"".join(
            message(b"\x0a", message(b"\x12", name) + message(b"\x82\x01", json.dumps(value).encode()))
            for name, value in zip((b"_step", b"train_loss", b"val_loss"), (step, *both), strict=True)
        )
        record, is_first = message(b"\x12", items), True
        while record:
            left = 2**15 - len(found) % 2**15 - 7
            if left < 0:
                found += bytes(left + 7)
                continue
            piece, record = record[:left], record[left:]
            kind = (2 if record else 1) if is_first else (3 if record else 4)
            found += bytes(4) + len(piece).to_bytes(2, "little") + bytes([kind]) + piece
            is_first = False
    return bytes(found)


def message(key: bytes, content: bytes) -> bytes:
    return key + varint(len(content)) + content


def varint(value: int) -> bytes:
    parts = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes(part | 0x80 for part in parts[:-1]) + bytes(parts[-1:])
