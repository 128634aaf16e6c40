"""A recipe as plain PyTorch: what a person would write without Surefoot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.batching import is_constant, is_measured
from surefoot.recipe import Data, Recipe
from surefoot.records import Study
from surefoot.reports.hardware_code import hardware_code
from surefoot.reports.network_code import averaging_code
from surefoot.reports.schedule_code import schedule_code
from surefoot.schedules import REACTIVE

__all__ = ["is_steered", "pytorch_code"]

_OPTIMIZERS = {
    "sgd": "torch.optim.SGD(groups, lr={rate}, momentum={momentum}, nesterov={nesterov})",
    "adam": "torch.optim.Adam(groups, lr={rate}, betas=({beta1}, {beta2}), eps={epsilon})",
    "adamw": "torch.optim.AdamW(groups, lr={rate}, betas=({beta1}, {beta2}), eps={epsilon})",
    "nadamw": (
        "torch.optim.NAdam(groups, lr={rate}, betas=({beta1}, {beta2}), eps={epsilon}, decoupled_weight_decay=True)"
    ),
    "rmsprop": "torch.optim.RMSprop(groups, lr={rate}, momentum={momentum}, eps={epsilon})",
    "adagrad": "torch.optim.Adagrad(groups, lr={rate}, eps={epsilon})",
    "schedule_free_sgd": (
        "schedulefree.SGDScheduleFree(groups, lr={rate}, momentum={momentum}, r={average_power}, "
        "weight_lr_power={rate_power})"
    ),
    "schedule_free_adamw": (
        "schedulefree.AdamWScheduleFree(groups, lr={rate}, betas=({beta1}, {beta2}), eps={epsilon}, "
        "r={average_power}, weight_lr_power={rate_power})"
    ),
    "prodigy": (
        "prodigyopt.Prodigy(groups, lr={rate}, betas=({beta1}, {beta2}), eps={epsilon}, d_coef={d_coefficient}, "
        "use_bias_correction={bias_correction}, safeguard_warmup={safeguard_warmup})"
    ),
}
_PACKAGES = {
    "schedule_free_sgd": "import schedulefree\n",
    "schedule_free_adamw": "import schedulefree\n",
    "prodigy": "import prodigyopt\n",
}
_LOSSES = {
    "cross_entropy": "functional.cross_entropy(model(inputs), targets{options})",
    "binary_cross_entropy": "functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], targets.float())",
    "mean_squared_error": "functional.mse_loss(model(inputs)[:, 0], targets)",
    "mean_absolute": "functional.l1_loss(model(inputs)[:, 0], targets)",
    "huber": "functional.huber_loss(model(inputs)[:, 0], targets{options})",
    "poisson": "functional.poisson_nll_loss(model(inputs)[:, 0], targets)",
}
_AVERAGING = "    optimizer.train()  # and optimizer.eval() before the model is evaluated or saved\n"

_TEMPLATE = """\
import math

import torch
{imports}from torch.nn import functional


{schedule}{policy}
{missing}
def train(model, inputs_all, targets_all):
    rows, samples_seen = len(inputs_all), 0
    horizon = round({epochs} * rows)  # samples
{setup}    weights = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]  # biases and norms do not decay
    groups = [{{"params": weights, "weight_decay": {decay}}}, {{"params": others, "weight_decay": 0.0}}]
    optimizer = {optimizer}
{average_setup}{mode}    while samples_seen < horizon:
        order = torch.randperm(rows)
        while len(order) and samples_seen < horizon:
            size = min({batch_size}, horizon - samples_seen)
            batch, order = order[:size], order[size:]
            inputs, targets = inputs_all[batch], targets_all[batch]
            for group in optimizer.param_groups:  # the clock is samples seen, so the batch size may change
                group["lr"] = {rate} * multiplier((samples_seen + len(batch) / 2) / horizon)
            loss = {loss}
{penalty}            optimizer.zero_grad()
            {backward}
{clipping}            {step}
            samples_seen += len(batch)
{average_update}{average_end}"""


# Where settings move with what the training shows, or with the batch, a page of plain code would be a library.
_STEERED = """\
import torch
import surefoot as sf
{imports}from torch.nn import functional

{missing}
def train(model, inputs_all, targets_all):
{setup}    weights = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]  # biases and norms do not decay
    groups = [{{"params": weights, "weight_decay": {decay}}}, {{"params": others, "weight_decay": 0.0}}]
    optimizer = {optimizer}
{mode}    pilot = sf.attach(  # sets the optimizer for every batch it hands out
        optimizer,
        (inputs_all, targets_all),
        epochs={epochs},
        schedule={schedule!r},
        batch={batch!r},
    )
    for batches in pilot.epochs():
        for inputs, targets in batches:
            loss = {loss}
{penalty}            optimizer.zero_grad()
            {backward}
{clipping}            {step}
{tell}"""
_TELL_NOISE = """\
            # tell it the noise where pilot.wants_noise says so:
            # pilot.observe(noise=sf.batching.from_micro_gradients(...))
"""
_TELL_LOSS = "        # tell it the validation loss: pilot.report(validation_loss)\n"


def pytorch_code(study: Study) -> str:
    """The kept run's recipe as a training loop in plain PyTorch; it leaves out what keeps the best weights."""
    if is_steered(Recipe(**study.recipe)):
        return _steered_code(study)
    recipe, winner = study.recipe, study.winning_run
    optimizer = recipe["optimizer"]
    imports, schedule = schedule_code(recipe["schedule"])
    batch_imports, policy, size = _batch(recipe["batch"])
    average = averaging_code(recipe.get("network", {}))
    return _TEMPLATE.format(
        imports=_PACKAGES.get(optimizer["name"], "") + batch_imports + imports + average.imports,
        average_setup=average.setup,
        average_update=average.update,
        average_end=average.end,
        schedule=schedule,
        policy=policy,
        batch_size=size,
        rate=optimizer["learning_rate"],
        epochs=study.epochs * (winner.share if winner is not None else 1.0),
        **_common(study),
    )


def is_steered(recipe: Recipe) -> bool:
    """Whether settings move with the batch, or with what the training shows."""
    batch = recipe.batch
    moves = batch.reference_size is not None or (
        not is_constant(batch.policy) and batch.rule(recipe.optimizer.name) != "none"
    )
    return moves or batch.is_observing or recipe.schedule.name in {*REACTIVE, "one_cycle"}


def _steered_code(study: Study) -> str:
    """The loop around ``surefoot.attach``."""
    recipe, winner = study.recipe, study.winning_run
    tells_noise, tells_loss = is_measured(recipe["batch"]["policy"]), recipe["schedule"]["name"] in REACTIVE
    tells_loss = tells_loss or recipe["batch"]["policy"] == "plateau_growth"
    return _STEERED.format(
        imports=_PACKAGES.get(recipe["optimizer"]["name"], ""),
        schedule=recipe["schedule"],
        batch={key: value for key, value in recipe["batch"].items() if key != "micro_batch"},
        epochs=study.epochs * (winner.share if winner is not None else 1.0),
        tell=(_TELL_NOISE if tells_noise else "") + (_TELL_LOSS if tells_loss else ""),
        **_common(study),
    )


def _common(study: Study) -> dict[str, Any]:
    """What both loops say alike."""
    optimizer, missing = study.recipe["optimizer"], _missing(study)
    arguments = {**optimizer, "nesterov": bool(optimizer.get("nesterov") and optimizer.get("momentum"))}
    limit = optimizer.get("max_gradient_norm")
    code = hardware_code(study.recipe)
    clip = f"{code.unscale}            torch.nn.utils.clip_grad_norm_(model.parameters(), {limit})\n"
    return {
        "optimizer": _OPTIMIZERS[optimizer["name"]].format(rate=optimizer["learning_rate"], **arguments),
        "decay": optimizer["weight_decay"],
        "mode": _AVERAGING if optimizer["name"].startswith("schedule_free") else "",
        "clipping": clip if limit is not None else "",
        "missing": f"\n# not in this code, see the recipe: {', '.join(missing)}" if missing else "",
        "setup": code.setup,
        "loss": _loss(study).replace("model(inputs)", code.forward),
        "backward": code.backward,
        "step": code.step,
        "penalty": _penalty(study.recipe["regularization"]),
    }


def _batch(section: Mapping[str, Any]) -> tuple[str, str, str]:
    """What to import, the lines that define the policy, and how many samples the next step takes."""
    given = {key: value for key, value in section.items() if key not in {"coupling", "micro_batch"}}
    policy, size = given.pop("policy"), given.pop("size")
    if policy in {"fixed", "single", "full"}:
        return "", "", str(size)
    made = f"policy = batching.from_recipe({policy!r}, size={size}, arguments={given!r})\n"
    return "from surefoot import batching\n", made, "policy(samples_seen / horizon, num_rows=rows)"


def _penalty(section: Mapping[str, Any]) -> str:
    """A line that adds λ₁‖θ‖₁ + ½λ₂‖θ‖², where there is any."""
    terms = []
    if section["l1"]:
        terms.append(f"{section['l1']} * sum(w.abs().sum() for w in weights)")
    if section["l2"]:
        terms.append(f"{0.5 * section['l2']} * sum(w.square().sum() for w in weights)")
    return f"            loss = loss + {' + '.join(terms)}\n" if terms else ""


def _loss(study: Study) -> str:
    settings: dict[str, Any] = study.recipe["loss"]
    options = {"label_smoothing": settings.get("label_smoothing") or None, "delta": settings.get("delta")}
    if isinstance(settings.get("class_weights"), list):
        options["weight"] = f"torch.tensor({settings['class_weights']})"
    text = "".join(f", {name}={value}" for name, value in options.items() if value is not None)
    return _LOSSES.get(_loss_name(study), "your_loss(model(inputs), targets)").format(options=text)


def _loss_name(study: Study) -> str:
    return str(study.recipe["loss"].get("name") or study.loss)


def _missing(study: Study) -> list[str]:
    """What the recipe says and the code does not do."""
    loss, regularization = study.recipe["loss"], study.recipe["regularization"]
    initialization, by_class = study.recipe.get("initialization", {}), _loss_name(study) == "cross_entropy"
    network = study.recipe.get("network", {})
    found = {
        f"the loss {_loss_name(study)}": _loss_name(study) in {"focal", "hinge"},
        "loss.class_weights": loss.get("class_weights") is not None
        and (loss["class_weights"] == "balanced" or not by_class),
        "loss.label_smoothing": bool(loss.get("label_smoothing")) and not by_class,
        "regularization.groups": bool(regularization.get("groups")),
        "regularization.l1_method": regularization.get("l1_method") == "proximal" and bool(regularization["l1"]),
        "network.pruning": network.get("pruning", "none") != "none",
        "network.averaging": network.get("averaging", "none") != "none" and is_steered(Recipe(**study.recipe)),
        "data.standardize": bool(study.recipe.get("data", {}).get("standardize")),
        "data.missing": study.recipe.get("data", {}).get("missing", "refuse") != "refuse",
        "data.balance": study.recipe.get("data", {}).get("balance", "none") != "none",
        "data.shuffle_buffer": bool(study.recipe.get("data", {}).get("shuffle_buffer")),
        **{f"data.{key}": True for key in Data(**study.recipe.get("data", {})).augments},
        "stopping.max_share": study.recipe.get("stopping", {}).get("max_share") is not None,
        "initialization": bool(
            initialization.get("last_layer_zero") or initialization.get("scheme", "default") != "default"
        ),
    }
    return [name for name, is_missing in found.items() if is_missing]
