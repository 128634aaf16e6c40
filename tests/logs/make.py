"""Writes the logs beside it by really running each tool: ``python make.py TOOL``, with that tool installed.

The data is made up: 200 rows, two classes, of which the network can learn a part by heart; so the logs overfit.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
EPOCHS = 30


def rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(count, 20)).astype(np.float32)
    labels = (inputs[:, 0] + 1.5 * draw.normal(size=count) > 0).astype(np.int64)
    return inputs, labels


TRAIN, VALIDATION = rows(0, 200), rows(1, 200)


def network() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))


def keep_events(made: Path, kept: Path) -> None:
    """Event files without the name of the machine that wrote them."""
    shutil.rmtree(kept, ignore_errors=True)
    for file in made.rglob("*.tfevents.*"):
        place = kept / file.parent.relative_to(made) / "events.out.tfevents.0"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)


def keras(folder: Path) -> None:
    import keras as k

    model = k.Sequential([k.Input((20,)), k.layers.Dense(64, "relu"), k.layers.Dense(2)])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    csv = k.callbacks.CSVLogger(str(HERE / "keras_csvlogger.csv"))
    board = k.callbacks.TensorBoard(str(folder), write_graph=False)
    found = model.fit(*TRAIN, validation_data=VALIDATION, epochs=EPOCHS, verbose=0, callbacks=[csv, board])
    (HERE / "keras_history.json").write_text(json.dumps(found.history))
    keep_events(folder, HERE / "keras_tensorboard")


def keras_screen(folder: Path) -> None:
    """What ``fit`` prints with verbose=1, colours and the moves of its bar included."""
    import contextlib

    import keras as k

    model = k.Sequential([k.Input((20,)), k.layers.Dense(64, "relu"), k.layers.Dense(2)])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    with (HERE / "keras_screen.log").open("w", encoding="utf-8") as kept, contextlib.redirect_stdout(kept):
        model.fit(*TRAIN, validation_data=VALIDATION, epochs=EPOCHS, verbose=1)


def lightning(folder: Path) -> None:
    import lightning as pl
    import torch
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader, TensorDataset

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def _loss(self, batch: Any) -> Any:
            return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def training_step(self, batch: Any, number: int) -> Any:
            loss = self._loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", self._loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 0.01)

    loaders = [
        DataLoader(TensorDataset(*map(torch.from_numpy, part)), batch_size=32, shuffle=part is TRAIN)
        for part in (TRAIN, VALIDATION)
    ]
    logger = CSVLogger(folder)
    trainer = pl.Trainer(
        max_epochs=EPOCHS, logger=logger, callbacks=[LearningRateMonitor()], log_every_n_steps=5,
        enable_progress_bar=False, accelerator="cpu", enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(Module(), *loaders)
    shutil.copy(Path(logger.log_dir) / "metrics.csv", HERE / "lightning_metrics.csv")


def huggingface(folder: Path) -> None:
    import torch
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            logits = self.network(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    parts = [[{"x": x, "labels": y} for x, y in zip(*part, strict=True)] for part in (TRAIN, VALIDATION)]
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=EPOCHS, learning_rate=0.01, per_device_train_batch_size=32,
        eval_strategy="epoch", logging_strategy="epoch", save_strategy="epoch", save_total_limit=1, report_to=[],
        use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    Trainer(Model(), arguments, train_dataset=parts[0], eval_dataset=parts[1]).train()
    newest = max(folder.glob("checkpoint-*"), key=lambda place: int(place.name.split("-")[1]))
    shutil.copy(newest / "trainer_state.json", HERE / "trainer_state.json")


def skorch(folder: Path) -> None:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split
    from torch import nn, optim

    net = NeuralNetClassifier(
        network, criterion=nn.CrossEntropyLoss, optimizer=optim.Adam, lr=0.01, max_epochs=EPOCHS, batch_size=32,
        train_split=predefined_split(Dataset(*VALIDATION)), verbose=0,
    ).fit(*TRAIN)  # fmt: skip
    net.save_params(f_history=str(HERE / "skorch_history.json"))


def fastai(folder: Path) -> None:
    import torch
    from fastai.callback.progress import CSVLogger
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loaders = [DataLoader(TensorDataset(*map(torch.from_numpy, part)), batch_size=32) for part in (TRAIN, VALIDATION)]
    learner = Learner(DataLoaders(*loaders), network(), loss_func=nn.CrossEntropyLoss(), metrics=accuracy, path=folder)
    with learner.no_bar():
        learner.fit(EPOCHS, 0.01, cbs=[CSVLogger(fname="history.csv")])
    shutil.copy(folder / "history.csv", HERE / "fastai_history.csv")


def pytorch(folder: Path) -> None:
    import torch
    from torch import nn, optim
    from torch.utils.tensorboard import SummaryWriter

    (x, y), (x2, y2) = [tuple(map(torch.from_numpy, part)) for part in (TRAIN, VALIDATION)]
    net, loss = network(), nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), 0.01)
    with SummaryWriter(str(folder)) as writer:
        for epoch in range(EPOCHS):
            for _ in range(7):
                optimizer.zero_grad()
                value = loss(net(x), y)
                value.backward()
                optimizer.step()
            writer.add_scalar("Loss/train", value.item(), epoch)
            with torch.no_grad():
                writer.add_scalar("Loss/test", loss(net(x2), y2).item(), epoch)
    keep_events(folder, HERE / "pytorch_tensorboard")


if __name__ == "__main__":
    for tool in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            globals()[tool](Path(made))
