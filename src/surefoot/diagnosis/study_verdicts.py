"""What went wrong in a study, read off its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.overfitting import overfitting
from surefoot.diagnosis.run_verdicts import of_the_course
from surefoot.diagnosis.study_data import of_the_data, too_much_decay
from surefoot.diagnosis.study_search import of_the_search
from surefoot.language import retold, say
from surefoot.records import Evaluation, Finding, Run, Study

__all__ = ["findings"]

# Overfitting is said of a run of ours from this rise on, not from the first hundredth: its best weights were kept.
CLEAR_RISE = 0.05
FEWEST_LOOKS = 6
# The same rows are looked at twice, so a difference has less error than either look: this share of it, as between runs.
SAME_ROWS = 0.5
FEW_ROWS = 100
# No network we know diverges below this rate because of it.
HOPELESS_RATE = 1e-5
# Above this share of the loss of a constant answer, a model knows next to nothing.
NO_BETTER = 0.97


def findings(study: Study) -> list[Finding]:
    """The verdicts on a study, the ones about its longest runs first; one that says so when nothing is wrong."""
    longest = max((run.share for run in study.runs), default=1.0)
    found = [finding for run in study.runs if run.share == longest for finding in _overfitting(run)]
    found += _failures(study)
    guessing = list(_guessing(study))
    # "learned almost nothing" says it against a constant answer, which is surer than against the run's own start
    found += [one for one in _of_the_winner(study) if not (guessing and one.verdict == "learned nothing")]
    found += guessing
    found += of_the_data(study)
    found += too_much_decay(study)
    found += _small_validation(study)
    found += of_the_search(study)
    if not found:
        found.append(
            Finding(
                verdict="nothing wrong",
                run="all",
                evidence=say(
                    "{runs}: none diverged, {validation}", runs=_runs(study.runs), validation=_about_validation(study)
                ),
                advice=say("use the model"),
            )
        )
    return found


def _about_validation(study: Study) -> str:
    if study.objective.chooses:
        return say("and no validation loss turned upwards for good")
    return say("and no row was held out that could say more")


def _overfitting(run: Run) -> Iterator[Finding]:
    """The epoch from which the validation loss never came back while the training loss went on falling."""
    looks = [look for look in run.evaluations if np.isfinite(look.metrics.get("validation_loss", np.nan))]
    if len(looks) < FEWEST_LOOKS:
        return
    at = np.array([look.epoch for look in looks])
    series = {
        "train_loss": Series(at, np.array([look.train_loss for look in looks])),
        "validation_loss": Series(at, np.array([look.metrics["validation_loss"] for look in looks])),
    }
    found = overfitting(Log(run.name, "epoch", series), rise=CLEAR_RISE)
    if found is not None and found.verdict == "overfitting" and not _is_within_the_error(run, looks):
        advice = say(
            "the best weights were kept; train for fewer epochs, raise optimizer.weight_decay, or bring more data"
        )
        yield found.model_copy(update={"advice": advice})


def _is_within_the_error(run: Run, looks: Sequence[Evaluation]) -> bool:
    """Whether so few rows were looked at that the rise could be chance, where that error is known."""
    errors = [look.standard_error for look in looks if look.standard_error is not None]
    if not errors or run.objective.name != "validation_loss":
        return False
    losses = [look.metrics["validation_loss"] for look in looks]
    return losses[-1] - min(losses) < SAME_ROWS * max(errors[-1], errors[losses.index(min(losses)) - len(losses)])


def _of_the_winner(study: Study) -> Iterator[Finding]:
    """The course of the run whose weights were kept, where it went to its end."""
    run = study.winning_run
    if run is not None and run.status == "completed":
        yield from of_the_course(run, is_chosen=study.kind == "tune")


def _failures(study: Study) -> Iterator[Finding]:
    """Runs that left the ground or did not fit, one verdict an optimizer or batch size."""
    by_optimizer: dict[str, list[Run]] = {}
    for run in study.runs:
        by_optimizer.setdefault(run.recipe["optimizer"]["name"], []).append(run)
    for name, runs in by_optimizer.items():
        diverged = [run for run in runs if run.status == "diverged"]
        if diverged:
            everything = all(run.status == "diverged" for run in study.runs)
            yield _divergence(name, diverged, everything=everything)
    full = [run for run in study.runs if run.status == "out_of_memory"]
    if full:
        smallest = min(full, key=lambda run: int(run.recipe["batch"]["size"]))
        advice = say("ask for a batch.size below {size}", size=smallest.recipe["batch"]["size"])
        yield Finding(verdict="out of memory", run=smallest.name, evidence=retold(smallest.reason), advice=advice)


def _divergence(optimizer: str, diverged: list[Run], *, everything: bool) -> Finding:
    """What diverged runs of one optimizer say together."""
    lowest = min(diverged, key=lambda run: float(run.recipe["optimizer"]["learning_rate"]))
    rate = lowest.recipe["optimizer"]["learning_rate"]
    advice = say("keep {optimizer} below a learning rate of {rate:.3g} on this task", optimizer=optimizer, rate=rate)
    if everything and rate < HOPELESS_RATE:
        advice = say(
            "no rate was low enough, so the rate is not the cause: look for NaN in the loss itself and in the data"
        )
    return Finding(
        verdict="diverged",
        run=", ".join(run.name for run in diverged),
        evidence=say(
            "{runs} with {optimizer} diverged; at the lowest rate, {rate:.3g}: {reason}",
            runs=_runs(diverged),
            optimizer=optimizer,
            rate=rate,
            reason=retold(lowest.reason),
        ),
        advice=advice,
    )


def _runs(runs: Sequence[Run]) -> str:
    return say("1 run") if len(runs) == 1 else say("{count} runs", count=len(runs))


def _guessing(study: Study) -> Iterator[Finding]:
    """A model that is hardly better than always giving the same answer."""
    reached = study.metrics.get("validation_loss")
    if study.guess is None or reached is None or not reached > NO_BETTER * study.guess:
        return
    yield Finding(
        verdict="learned almost nothing",
        run="all",
        evidence=say(
            "the validation loss is {reached:.3g}; always giving the same answer has {guess:.3g}",
            reached=reached,
            guess=study.guess,
        ),
        advice=say(
            "train longer, look for inputs that do not belong to their targets, or accept that they tell little"
        ),
    )


def _small_validation(study: Study) -> Iterator[Finding]:
    rows = study.rows.get("validation", 0)
    if study.kind == "tune" and 0 < rows < FEW_ROWS and len(study.runs) > 1:
        yield Finding(
            verdict="validation set small",
            run="all",
            evidence=say("{rows} rows decided between {runs}", rows=rows, runs=_runs(study.runs)),
            advice=say("read the winner as one of several equals, and its validation loss as optimistic"),
        )
