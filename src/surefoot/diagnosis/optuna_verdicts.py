"""Verdicts on a study of Optuna's: what its trials say about the ranges they were drawn from."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np

from surefoot.diagnosis.edges import edge_of
from surefoot.diagnosis.wording import share
from surefoot.errors import RequestError
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["is_optuna_study", "optuna_verdicts"]

FEWEST_TRIALS = 10
# Two trials are told apart by this share of what lies between the best and the middle one.
APART = 0.02
# Importances by PED-ANOVA (Watanabe et al. 2023) add up to 1; one that has less decides nothing, if trials are many.
IRRELEVANT, ENOUGH_TO_RANK = 0.02, 30
MANY_FAILED = 0.2


def is_optuna_study(source: Any) -> bool:
    """Whether an object is a study, without importing Optuna for those that are none."""
    optuna = sys.modules.get("optuna")
    return optuna is not None and isinstance(source, optuna.study.Study)


def optuna_verdicts(study: Any) -> list[Finding]:
    """What is wrong with a study, one that says so when nothing is.

    Raises:
        RequestError: it has several objectives.
    """
    if len(study.directions) > 1:
        raise RequestError(f"study {study.study_name!r} has {len(study.directions)} objectives; one can be judged")
    trials = study.get_trials(deepcopy=False)
    completed = [one for one in trials if one.state.name == "COMPLETE" and math.isfinite(one.value)]
    name = study.study_name
    if len(completed) < FEWEST_TRIALS:
        return [
            Finding(
                verdict="too few trials to tell",
                run=name,
                evidence=say(
                    "{count} of {all} trials came to an end with a finite value", count=len(completed), all=len(trials)
                ),
                advice=say("a verdict needs {needed}", needed=FEWEST_TRIALS),
            )
        ]
    sign = 1.0 if study.direction.name == "MINIMIZE" else -1.0
    ranked = sorted(completed, key=lambda one: sign * one.value)
    found = [
        _failures(name, trials),
        *_edges(name, ranked[0]),
        _tie(name, ranked, sign),
        *_irrelevant(study, completed),
    ]
    said = [finding for finding in found if finding is not None]
    return said or [
        Finding(
            verdict="nothing wrong",
            run=name,
            evidence=say(
                "{count} trials; the best, {best:.4g}, lies inside of all ranges",
                count=len(completed),
                best=ranked[0].value,
            ),
            advice=say("train it once more with another seed before you rely on it"),
            certainty="likely",
        )
    ]


def _failures(name: str, trials: list[Any]) -> Finding | None:
    failed = [
        one
        for one in trials
        if one.state.name == "FAIL" or (one.state.name == "COMPLETE" and not math.isfinite(one.value))
    ]
    if len(failed) < MANY_FAILED * len(trials):
        return None
    return Finding(
        verdict="many trials failed",
        run=name,
        evidence=say("{count} of {all} failed or gave no finite value", count=len(failed), all=len(trials)),
        advice=say("see whether they share a range, as the highest rates do; take it out, or bound it"),
        certainty="certain",
    )


def _edges(name: str, best: Any) -> list[Finding]:
    found = []
    for parameter, value in best.params.items():
        distribution = best.distributions[parameter]
        low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
        if low is None or high is None or low == high:
            continue
        is_log = bool(getattr(distribution, "log", False))
        edge = edge_of(value, low, high, is_log=is_log)
        if edge is None:
            continue
        where = (
            "the best trial has {name} = {value:.4g}, at the upper end of {low:.4g} to {high:.4g}"
            if edge.end == "upper"
            else "the best trial has {name} = {value:.4g}, at the lower end of {low:.4g} to {high:.4g}"
        )
        found.append(
            Finding(
                verdict="best at the edge",
                run=name,
                evidence=say(where, name=parameter, value=value, low=low, high=high),
                advice=say("search on to {further:.3g}, if that has a meaning", further=edge.further),
                certainty="certain",
            )
        )
    return found


def _tie(name: str, ranked: list[Any], sign: float) -> Finding | None:
    best, second = ranked[0], ranked[1]
    room = sign * (float(np.median([one.value for one in ranked])) - best.value)
    between = sign * (second.value - best.value)
    if room <= 0.0 or between > APART * room:
        return None
    return Finding(
        verdict="two recipes cannot be told apart",
        run=name,
        evidence=say(
            "trials {first} and {second} end at {best:.5g} and {next:.5g}, {share} of what lies between the best and "
            "the middle trial",
            first=best.number,
            second=second.number,
            best=best.value,
            next=second.value,
            share=share(between / room),
        ),
        advice=say("train both with three seeds, or take the cheaper one"),
        certainty="possible",
    )


def _irrelevant(study: Any, completed: list[Any]) -> list[Finding]:
    """Parameters that had no part in which trials are good."""
    if len(completed) < ENOUGH_TO_RANK:
        return []
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is marked as experimental
            found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    except (RuntimeError, ValueError):  # all values alike, or no parameter in all trials
        return []
    return [
        Finding(
            verdict="parameter does not matter",
            run=study.study_name,
            evidence=say(
                "{name} has {share} of the say in which trials are among the best",
                name=parameter,
                share=share(importance),
            ),
            advice=say(
                "fix {name} at {value} and spend its trials on the others",
                name=parameter,
                value=_best_value(study, parameter),
            ),
            certainty="likely",
        )
        for parameter, importance in found.items()
        if importance < IRRELEVANT and len(found) > 1
    ]


def _best_value(study: Any, parameter: str) -> str:
    value = study.best_trial.params.get(parameter, say("its default"))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
