"""Writes more logs, of tools that write them in several ways: ``python make_more.py TOOL``, with that tool installed.

The data and the network are those of make.py. What names the machine or its folders is taken out of what was written.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from make import HERE, TRAIN, VALIDATION, network

KEPT = HERE / "more"
SHORT = 12


def loop(epochs: int = SHORT, *, start: int = 0, model: Any = None) -> Iterator[dict[str, Any]]:
    """A loop of PyTorch's: what can be logged after every step, and after every epoch."""
    import torch

    torch.manual_seed(0)
    (x, y), (x2, y2) = [tuple(map(torch.from_numpy, part)) for part in (TRAIN, VALIDATION)]
    model = network() if model is None else model
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), 0.01)
    for epoch in range(start, epochs):
        losses = []
        for number, rows in enumerate(torch.arange(len(x)).split(32)):
            optimizer.zero_grad()
            value = loss(model(x[rows]), y[rows])
            value.backward()
            optimizer.step()
            losses.append(value.item())
            yield {"epoch": epoch, "step": 7 * epoch + number, "batch_loss": value.item()}
        with torch.no_grad():
            answers = model(x2)
        right = (answers.argmax(1) == y2).double().mean().item()
        yield {"epoch": epoch, "train_loss": float(np.mean(losses)), "val_loss": loss(answers, y2).item(), "acc": right}


@contextlib.contextmanager
def printed(name: str) -> Iterator[None]:
    with (KEPT / name).open("w", encoding="utf-8") as kept, contextlib.redirect_stdout(kept):
        yield


def xgboost(folder: Path) -> None:
    import xgboost

    sets = [TRAIN, VALIDATION]
    with printed("xgboost_printed.log"):
        xgboost.XGBClassifier(n_estimators=30).fit(*TRAIN, eval_set=sets, verbose=True)
    model = xgboost.XGBClassifier(n_estimators=30, eval_metric="error").fit(*TRAIN, eval_set=sets, verbose=False)
    (KEPT / "xgboost_error.json").write_text(json.dumps(model.evals_result()))


def lightgbm(folder: Path) -> None:
    import lightgbm

    class Printer:
        info = warning = staticmethod(print)

    lightgbm.register_logger(Printer)
    with printed("lightgbm_printed.log"):
        train = lightgbm.Dataset(*TRAIN)
        lightgbm.train(
            {"objective": "binary", "metric": ["auc", "binary_logloss"]}, train, 60,
            valid_sets=[train, lightgbm.Dataset(*VALIDATION, reference=train)], valid_names=["training", "valid_1"],
            callbacks=[lightgbm.log_evaluation(1), lightgbm.early_stopping(20)],
        )  # fmt: skip


def catboost(folder: Path) -> None:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(iterations=40, train_dir=str(folder), verbose=False)
    model.fit(*TRAIN, eval_set=VALIDATION)
    for part in ("learn", "test"):  # beside them it writes its own tables
        place = KEPT / "catboost_info" / part / "events.out.tfevents"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / part / "events.out.tfevents", place)


def mlflow(folder: Path) -> None:
    """Its database, without the tables that hold no metric, and the folders that it wrote before its version 3."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow as m

    for store in (f"sqlite:///{folder}/mlflow.db", f"file://{folder}/mlruns"):
        m.set_tracking_uri(store)
        m.set_experiment("demo")
        with m.start_run(run_name="by epoch"):
            for said in loop():
                if "acc" in said:
                    m.log_metrics({name: said[name] for name in ("train_loss", "val_loss", "acc")}, step=said["epoch"])
        with m.start_run(run_name="by step"):
            for said in loop():
                name = "batch_loss" if "step" in said else "val_loss"
                m.log_metric(name.replace("batch_", "train/"), said[name], step=said.get("step", said["epoch"]))
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            if name not in ("metrics", "runs", "experiments"):
                database.execute(f"DROP TABLE {name}")
        database.execute("UPDATE runs SET user_id = '', source_name = '', artifact_uri = ''")
        database.execute("UPDATE experiments SET artifact_location = ''")
        database.execute("PRAGMA page_size = 512")
        database.execute("VACUUM")
    shutil.copy(folder / "mlflow.db", KEPT / "mlflow.db")
    shutil.rmtree(KEPT / "mlruns", ignore_errors=True)
    for place, run in enumerate(sorted((folder / "mlruns").glob("*/*/metrics"))):
        shutil.copytree(run, KEPT / f"mlruns/0/{place}/metrics")
        lines = (run.parent / "meta.yaml").read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(("artifact_uri", "user_id"))]
        (KEPT / f"mlruns/0/{place}/meta.yaml").write_text("".join(kept))


def ray(folder: Path) -> None:
    from ray import init, tune

    def fit(config: dict[str, Any]) -> None:
        for said in loop():
            if "acc" in said:
                tune.report({"loss": said["train_loss"], "val_loss": said["val_loss"], "accuracy": said["acc"]})

    init(num_cpus=1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": str(HERE)}})
    space = {"lr": tune.grid_search([0.01, 0.01])}
    tune.Tuner(fit, param_space=space, run_config=tune.RunConfig(name="fit", storage_path=str(folder))).fit()
    for place, file in enumerate(sorted(folder.glob("fit/*/result.json"))):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        kept = [{name: row[name] for name in row if name not in ("hostname", "node_ip", "pid")} for row in rows]
        trial = KEPT / "ray" / f"trial_{place}"
        trial.mkdir(parents=True, exist_ok=True)
        (trial / "result.json").write_text("".join(json.dumps(row) + "\n" for row in kept))


def timm(folder: Path) -> None:
    from timm.utils import update_summary

    file = KEPT / "timm" / "summary.csv"
    shutil.rmtree(file.parent, ignore_errors=True)
    file.parent.mkdir()
    for said in loop():
        if "acc" in said:
            measured = {"loss": said["val_loss"], "top1": 100 * said["acc"], "top5": 100.0}
            update_summary(
                said["epoch"],
                {"loss": said["train_loss"]},
                measured,
                str(file),
                lr=0.01,
                write_header=not said["epoch"],
            )


def ultralytics(folder: Path) -> None:
    from PIL import Image
    from ultralytics import YOLO

    draw = np.random.default_rng(0)
    for part, count in (("train", 24), ("val", 8)):
        for number in range(count):
            place = folder / "data" / part / f"class{number % 2}" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            picture = draw.integers(0, 200, (32, 32, 3), dtype=np.uint8)
            picture[:, :, number % 2] += 50
            Image.fromarray(picture).save(place)
    YOLO("yolo11n-cls.yaml").train(
        data=str(folder / "data"), epochs=SHORT, imgsz=32, batch=8, device="cpu", workers=0, plots=False,
        project=str(folder), name="train", amp=False,
    )  # fmt: skip
    shutil.copy(folder / "train" / "results.csv", KEPT / "ultralytics_results.csv")


def wandb(folder: Path) -> None:
    """A run that was never sent, of which only the name and the rows are kept: the rest is about the machine."""
    os.environ["WANDB_MODE"] = "offline"
    import wandb as w
    from wandb.proto.wandb_internal_pb2 import Record

    with w.init(project="demo", name="night owl", dir=folder, settings=w.Settings(console="off")) as run:
        for said in loop():
            name = "batch_loss" if "step" in said else "val_loss"
            run.log({"epoch": said["epoch"], name.replace("batch_", "train/"): said[name]})
    [file] = folder.glob("wandb/offline-run-*/*.wandb")
    data, place, record, kept = file.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        place += 32768 - place % 32768 if 32768 - place % 32768 < 7 else 0
        if kind in (1, 4):
            parsed, record = Record.FromString(record), b""
            if parsed.HasField("history"):
                kept.append(parsed.SerializeToString())
            elif parsed.HasField("run"):
                kept.append(Record(run={"display_name": parsed.run.display_name}).SerializeToString())
    framed = (bytes(4) + len(record).to_bytes(2, "little") + b"\x01" + record for record in kept)
    (KEPT / "run-owl.wandb").write_bytes(data[:7] + b"".join(framed))


def surefoot(folder: Path) -> None:
    """All runs of a study of ours."""
    command = str(shutil.which("surefoot"))
    subprocess.run([command, "tune", "iris", "--budget", "1", "--out", str(folder / "out")], check=True)
    shutil.copy(folder / "out" / "history.csv", KEPT / "surefoot_history.csv")


TOOLS: dict[str, Callable[[Path], None]] = {
    tool.__name__: tool for tool in (xgboost, lightgbm, catboost, mlflow, ray, surefoot, timm, ultralytics, wandb)
}

if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for named in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            TOOLS[named](Path(made))
