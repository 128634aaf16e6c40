"""The same script with Surefoot's search: the objective is as it was, the study gets our sampler and our pruner.

python study_surefoot.py
"""

from __future__ import annotations

import numpy as np
import optuna
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from surefoot.integrations.optuna import SurefootPruner, SurefootSampler

EPOCHS = 20

images, labels = load_digits(return_X_y=True)
train, held_out, train_labels, held_out_labels = train_test_split(images / 16, labels, random_state=0, stratify=labels)


def objective(trial: optuna.Trial) -> float:
    model = MLPClassifier(
        hidden_layer_sizes=(trial.suggest_int("width", 16, 128, log=True),),
        learning_rate_init=trial.suggest_float("lr", 1e-5, 1.0, log=True),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64, 128, 256]),
        alpha=trial.suggest_float("alpha", 1e-6, 1e-1, log=True),
        random_state=0,
    )
    for epoch in range(EPOCHS):
        model.partial_fit(train, train_labels, classes=np.unique(labels))
        loss = log_loss(held_out_labels, model.predict_proba(held_out))
        trial.report(loss, step=epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return loss


def main(num_trials: int = 30) -> optuna.Study:
    study = optuna.create_study(sampler=SurefootSampler(seed=0), pruner=SurefootPruner(num_steps=EPOCHS))
    study.optimize(objective, n_trials=num_trials)
    epochs = sum(len(trial.intermediate_values) for trial in study.trials)
    print(f"{len(study.trials)} trials, {epochs} epochs: loss {study.best_value:.4f} with {study.best_params}")
    return study


if __name__ == "__main__":
    main()
