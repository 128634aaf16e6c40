"""The words that tools and people name the columns of a log with."""

__all__ = [
    "ALONE",
    "ERRORS",
    "FILLERS",
    "MEASURED",
    "MEASURES",
    "NOT_RATES",
    "NUMBERS",
    "PARTS",
    "PLAYERS",
    "RISING",
    "TWO_WORDS",
]

# The words by which tools tell the parts of the data apart, and what they measure, the plainest first.
PARTS = {
    "train": ("train", "training", "tr", "trn", "learn"),  # learn: CatBoost
    "validation": (
        *("val", "valid", "validation", "eval", "evaluation", "dev", "test", "testing"),
        *("va", "vld", "holdout", "heldout", "oof"),
    ),
}
MEASURES = {
    "balanced_accuracy": ("balanced_accuracy", "balanced_acc", "bal_acc", "bacc", "macro_recall", "uar"),
    "loss": (
        *("loss", "nll", "nll_loss", "cross_entropy", "ce", "ce_loss", "bce", "bce_loss", "xent", "objective", "cost"),
        *("logloss", "mlogloss", "binary_logloss", "multi_logloss"),  # XGBoost and LightGBM
        *("mse", "rmse", "mae", "l2", "l1", "perplexity", "ppl", "bpc", "bpb"),
    ),
    "accuracy": (
        "accuracy",
        "acc",
        "categorical_accuracy",
        "sparse_categorical_accuracy",
        "binary_accuracy",
        "top1",
        "accuracy_top1",
    ),
}
# Shares of wrong answers, which fall as a loss does; read as one where there is no loss.
ERRORS = ("error", "err", "error_rate", "merror", "binary_error", "multi_error")
ALONE = {
    "epoch": ("epoch", "epochs", "ep"),
    "step": (
        *("step", "steps", "global_step", "iteration", "iterations", "iter", "batch_idx", "num_updates"),
        *("training_iteration", "trainer_global_step"),  # Ray; Lightning's logger for Weights & Biases
    ),
    "learning_rate": (
        *("lr", "learning_rate", "lr_0", "lr0", "lr_pg0", "pg_0", "lr_pg_0", "event_lr"),
        "x_lr0",  # YOLOv5
    ),
    "batch_size": ("batch_size", "batchsize", "bs", "train_batch_size"),
    "noise_scale": ("noise_scale", "gradient_noise_scale", "grad_noise_scale", "gns", "b_simple"),
    "dead_units": ("dead_units", "dead_relus", "dead_relu", "dead_neurons", "dead_fraction", "dead_share"),
    "gradient_norm": ("grad_norm", "gradient_norm", "gnorm", "grad_2_norm_total"),
}
# Words that tools add and that change nothing; a value a step is as good as one an epoch.
FILLERS = frozenset({
    *("epoch", "step", "avg", "mean", "average", "total", "of", "metrics", "metric"),
    *("history", "hist", "curve", "per"),
    *("ray", "tune"),  # its tags for TensorBoard
})  # fmt: skip
# and by which they count several sets of a part: "valid_1" of LightGBM, "dataloader_idx_0" of Lightning
NUMBERS = frozenset({"0", "1", "dataloader", "idx"})
# Written as one word, or of many.
TWO_WORDS = {
    "losses": ["loss"],
    "accuracies": ["accuracy"],
    "accs": ["acc"],
    "lrs": ["lr"],
    "epochs": ["epoch"],
    "tloss": ["train", "loss"],
    "vloss": ["val", "loss"],
    "tacc": ["train", "acc"],
    "vacc": ["val", "acc"],
}
# In the name of a column that may be a loss or an accuracy of a kind that nobody knows.
MEASURED = frozenset({"loss", "nll", "ce", "error", "err", "acc", "accuracy"})
# Two networks that play against each other.
PLAYERS = frozenset({"g", "d", "gen", "disc", "generator", "discriminator"})
# What is best where it is highest, and so is no loss.
RISING = frozenset({"elbo", "likelihood", "loglik", "reward", "rewards", "return", "returns", "score", "auc", "f1"})
# What stands beside a rate in the same monitor and is none.
NOT_RATES = frozenset({"momentum", "weight", "decay", "loss", "scale", "betas"})
