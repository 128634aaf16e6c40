"""Writes logs of one tool in several styles: ``python make_styles.py STYLE``, with that tool installed.

The data and the network are those of make.py, the loop and the place that of make_more.py.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from make import TRAIN, VALIDATION, keep_events, network
from make_more import KEPT, SHORT, loop, printed


def keras_twice(folder: Path) -> None:
    """Two calls of ``fit``, each of which counts its epochs from 0."""
    import keras as k

    model = k.Sequential([k.Input((20,)), k.layers.Dense(64, "relu"), k.layers.Dense(2)])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    file = KEPT / "keras_twice.csv"
    file.unlink(missing_ok=True)
    for epochs in (10, 5):
        csv = k.callbacks.CSVLogger(str(file), append=True, separator=";")
        board = k.callbacks.TensorBoard(str(folder), write_graph=False)
        model.fit(*TRAIN, validation_data=VALIDATION, epochs=epochs, verbose=0, callbacks=[csv, board])
        time.sleep(1.1)  # event files are named by the second
    shutil.rmtree(KEPT / "keras_twice", ignore_errors=True)
    for number, made in enumerate(sorted(folder.rglob("*.tfevents.*"), key=lambda one: one.stat().st_mtime)):
        place = KEPT / "keras_twice" / made.parent.name / f"events.out.tfevents.{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, place)


def huggingface_sets(folder: Path) -> None:
    """Evaluated on two sets; and what such a training prints, with its summary."""
    import torch
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            logits = self.network(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    train, known = [[{"x": x, "labels": y} for x, y in zip(*part, strict=True)] for part in (TRAIN, VALIDATION)]
    sets = {"news": known[:100], "talks": known[100:]}
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=SHORT, learning_rate=0.01, per_device_train_batch_size=32,
        eval_strategy="epoch", logging_steps=7, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(Model(), arguments, train_dataset=train, eval_dataset=sets)
    with printed("huggingface_printed.log"):
        trainer.train()
    trainer.save_state()
    shutil.copy(folder / "trainer_state.json", KEPT / "huggingface_sets.json")


def lightning_versions(folder: Path) -> None:
    """Two trainings, and two validation sets; two loggers write each."""
    import lightning as pl
    import torch
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
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

        def validation_step(self, batch: Any, number: int, dataloader_idx: int = 0) -> None:
            self.log("val_loss", self._loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 0.01)

    parts = [[torch.from_numpy(column) for column in part] for part in (TRAIN, VALIDATION)]
    first, second = [TensorDataset(*(column[rows] for column in parts[1])) for rows in (slice(100), slice(100, None))]
    for _ in range(2):
        loggers = [CSVLogger(folder), TensorBoardLogger(folder)]
        trainer = pl.Trainer(
            max_epochs=SHORT, logger=loggers, log_every_n_steps=5, enable_progress_bar=False, accelerator="cpu",
            enable_checkpointing=False,
        )  # fmt: skip
        train = DataLoader(TensorDataset(*parts[0]), batch_size=32, shuffle=True)
        trainer.fit(Module(), train, [DataLoader(rows, batch_size=50) for rows in (first, second)])
    shutil.rmtree(KEPT / "lightning_logs", ignore_errors=True)
    for file in folder.rglob("metrics.csv"):
        place = KEPT / "lightning_logs" / file.parent.name / "metrics.csv"
        place.parent.mkdir(parents=True)
        shutil.copy(file, place)
    events = max(folder.rglob("*.tfevents.*"))  # in a version of its own, version_3, of the same training as version_2
    shutil.copy(events, KEPT / "lightning_logs" / "version_2" / "events.out.tfevents.0")


def pytorch_mixed(folder: Path) -> None:
    """The training loss at every step, the validation loss at every epoch, and the table of hyperparameters."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for said in loop():
            if "step" in said:
                writer.add_scalar("train/loss", said["batch_loss"], said["step"])
            else:
                writer.add_scalar("val/loss", said["val_loss"], said["epoch"])
        writer.add_hparams({"lr": 0.01}, {"hparam/loss": 1.0}, run_name="hparams")
    keep_events(folder, KEPT / "pytorch_mixed")


def pytorch_no_step(folder: Path) -> None:
    """``add_scalar`` without a step."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for said in loop():
            if "acc" in said:
                writer.add_scalar("loss/train", said["train_loss"])
                writer.add_scalar("loss/val", said["val_loss"])
    keep_events(folder, KEPT / "pytorch_no_step")


def pytorch_quickstart(folder: Path) -> None:
    """What the loop of PyTorch's own quickstart prints (pytorch.org/tutorials/beginner/basics/quickstart_tutorial)."""
    with printed("pytorch_quickstart.log"):
        for said in loop():
            if said.get("step", 1) % 7 == 0:
                print(f"Epoch {said['epoch'] + 1}\n-------------------------------")
            if "step" in said:
                print(f"loss: {said['batch_loss']:>7f}  [{32 * (said['step'] % 7 + 1):>5d}/{200:>5d}]")
            else:
                print(f"Test Error: \n Accuracy: {100 * said['acc']:>0.1f}%, Avg loss: {said['val_loss']:>8f} \n")


def ignite(folder: Path) -> None:
    """What the quickstart of PyTorch-Ignite prints."""
    import torch
    from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Accuracy, Loss
    from torch.utils.data import DataLoader, TensorDataset

    loaders = [DataLoader(TensorDataset(*map(torch.from_numpy, part)), batch_size=32) for part in (TRAIN, VALIDATION)]
    model, loss = network(), torch.nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(model, torch.optim.Adam(model.parameters(), 0.01), loss)

    @trainer.on(Events.ITERATION_COMPLETED(every=3))
    def log_loss(engine: Any) -> None:
        print(f"Epoch[{engine.state.epoch}], Iter[{engine.state.iteration}] Loss: {engine.state.output:.2f}")

    @trainer.on(Events.EPOCH_COMPLETED)
    def log_results(engine: Any) -> None:
        for part, loader in zip(("Training", "Validation"), loaders, strict=True):
            found = create_supervised_evaluator(model, metrics={"accuracy": Accuracy(), "loss": Loss(loss)}).run(loader)
            print(
                f"{part} Results - Epoch[{engine.state.epoch}] Avg accuracy: {found.metrics['accuracy']:.2f} "
                f"Avg loss: {found.metrics['loss']:.2f}"
            )

    with printed("ignite_printed.log"):
        trainer.run(loaders[0], max_epochs=SHORT)


def skorch_printed(folder: Path) -> None:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split
    from torch import nn, optim

    with printed("skorch_printed.log"):
        NeuralNetClassifier(
            network, criterion=nn.CrossEntropyLoss, optimizer=optim.Adam, lr=0.01, max_epochs=SHORT, batch_size=32,
            train_split=predefined_split(Dataset(*VALIDATION)),
        ).fit(*TRAIN)  # fmt: skip


def fastai_twice(folder: Path) -> None:
    """Two calls of ``fit``, the second at a lower rate, appended to one file."""
    import torch
    from fastai.callback.progress import CSVLogger
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.metrics import error_rate
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loaders = [DataLoader(TensorDataset(*map(torch.from_numpy, part)), batch_size=32) for part in (TRAIN, VALIDATION)]
    loss = nn.CrossEntropyLoss()
    learner = Learner(DataLoaders(*loaders), network(), loss_func=loss, metrics=error_rate, path=folder)
    with learner.no_bar():
        for rate in (0.01, 0.001):
            learner.fit(SHORT // 2, rate, cbs=[CSVLogger(fname="history.csv", append=True)])
    shutil.copy(folder / "history.csv", KEPT / "fastai_twice.csv")


def optuna_journal(folder: Path) -> None:
    """Trials that ended, were pruned and failed."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    def objective(trial: Any) -> float:
        rate = trial.suggest_float("lr", 1e-5, 1e-2, log=True)
        if trial.number in (5, 9):
            raise ValueError(trial.number)
        if trial.number == 7:
            raise optuna.TrialPruned
        return -float(rate) + 1e-4 * trial.suggest_int("hidden", 8, 64)

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=5)
    study = optuna.create_study(study_name="of a journal", storage=storage, sampler=sampler)
    study.optimize(objective, n_trials=15, catch=ValueError)
    shutil.copy(folder / "journal.log", KEPT / "optuna_journal.log")


STYLES: dict[str, Callable[[Path], None]] = {
    style.__name__: style
    for style in (
        *(keras_twice, huggingface_sets, lightning_versions, pytorch_mixed, pytorch_no_step, pytorch_quickstart),
        *(ignite, skorch_printed, fastai_twice, optuna_journal),
    )
}

if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for named in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            STYLES[named](Path(made))
