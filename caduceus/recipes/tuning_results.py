"""Scores of a fine-tuning run by task and arm: intervals, without repeated rows too, and the gain over each arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from caduceus.evaluate.calibration import calibration, confusion
from caduceus.evaluate.intervals import Draws
from caduceus.evaluate.metrics import LOSSES, Predictions, averaged_over_batches, scores
from caduceus.recipes.finetuning import Cell, Finetuning
from caduceus.recipes.tuning_data import TaskData, without_repeats
from caduceus.recipes.tuning_job import Job, Outcome
from caduceus.recipes.tuning_published import published
from caduceus.train.settings import Protocol


@dataclass(frozen=True, eq=False)
class Arm:
    """The finished jobs of an arm on a task, one a seed, of the one pair of a grid that counts.

    Attributes:
        jobs, outcomes, predictions: in the order of the seeds.
        tried: pairs of a grid -> mean over the seeds of the score that an epoch is chosen by, larger is better; None
            where a seed has none, which is worse than any.
    """

    jobs: tuple[Job, ...]
    outcomes: tuple[Outcome, ...]
    predictions: tuple[Predictions, ...]
    tried: dict[Cell, float | None]

    @classmethod
    def of(cls, jobs: Sequence[Job], data: TaskData) -> Arm | None:
        """Of the jobs that are finished; None where there is none, or a pair of a grid lacks a seed."""
        found = {job: Outcome.read(job, data) for job in jobs if job.done}
        if not found or (jobs[0].cell is not None and len(found) < len(jobs)):
            return None
        tried = {
            cell: _mean(outcome.valid for job, outcome in found.items() if job.cell == cell)
            for cell in dict.fromkeys(job.cell for job in found)
            if cell is not None
        }
        best = max(tried, key=lambda cell: (tried[cell] is not None, tried[cell] or 0.0)) if tried else None
        chosen = {job: outcome for job, outcome in found.items() if job.cell == best}
        test = data.test
        said = tuple(Predictions(test.labels, outcome.outputs, test.problem) for outcome in chosen.values())
        return cls(tuple(chosen), tuple(chosen.values()), said, tried)


def task_results(
    recipe: Finetuning, task: str, data: TaskData, arms: Mapping[str, Arm], resamples: int
) -> dict[str, Any]:
    """Plain values for results.json.

    Args:
        arms: those that have a finished job, "model" first if it is among them.
        resamples: of the bootstrap; 0 leaves the intervals out.
    """
    files = recipe.tasks[task]
    metric = files.measured
    kept = np.flatnonzero(without_repeats(data))
    found: dict[str, dict[str, Any]] = {}
    drawn: dict[str, Draws] = {}
    for name, arm in arms.items():
        drawn[name] = Draws.of(metric, arm.predictions, resamples=resamples)
        left = drawn[name]
        if len(kept) < len(data.test):
            left = Draws.of(metric, [one.take(kept) for one in arm.predictions], resamples=resamples)
        found[name] = {
            "score": drawn[name].interval().to_dict(),
            "without_repeats": left.interval().to_dict(),
            **_by_seed(arm, metric, recipe.protocol),
        }
        if name != "model" and "model" in drawn:
            one, other = (name, "model") if metric in LOSSES else ("model", name)
            found[name]["gain"] = drawn[one].minus(drawn[other]).interval().to_dict()
    return {
        "metric": metric,
        "readout": files.readout,
        "classes": list(data.train.classes),
        "rows": {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)},
        "repeats": {"test": data.repeats.counts(), "valid": data.valid_repeats},
        "notes": list(data.notes),
        "arms": found,
        "published": published(recipe, task, data),
    }


def contrasts(recipe: Finetuning, predictions: Mapping[str, Sequence[Predictions]]) -> list[dict[str, Any]]:
    """By how much the model is better on the first task of each pair, on the same rows and seeds.

    Args:
        predictions: of the model, a seed each, on the tasks that are finished.
    """
    found = []
    for first, second in recipe.contrasts:
        if first in predictions and second in predictions:
            metric = recipe.tasks[first].measured
            one, other = (Draws.of(metric, predictions[task], resamples=recipe.resamples) for task in (first, second))
            ahead = other.minus(one) if metric in LOSSES else one.minus(other)
            found.append({"first": first, "second": second, "metric": metric, "gain": ahead.interval().to_dict()})
    return found


def _by_seed(arm: Arm, metric: str, protocol: Protocol) -> dict[str, Any]:
    """What is told of each seed; under the official protocol also the score as the authors average it."""
    told: dict[str, Any] = {
        "seeds": [scores(one) for one in arm.predictions],
        "valid": [outcome.valid for outcome in arm.outcomes],
        "epochs": [outcome.epoch for outcome in arm.outcomes],
        "seconds": [outcome.seconds for outcome in arm.outcomes],
        **_decisions(arm.predictions),
    }
    if arm.tried:
        told["grid"] = [{**cell._asdict(), "valid": valid} for cell, valid in arm.tried.items()]
        told["chosen"] = arm.jobs[0].cell._asdict() if arm.jobs[0].cell is not None else None
    if protocol == "official":
        pairs = zip(arm.jobs, arm.predictions, strict=True)
        each = [averaged_over_batches(metric, one, job.settings().batch) for job, one in pairs]
        told["averaged_over_batches"] = _mean(each)
        told["averaged_by_seed"] = each
    return told


def _mean(values: Iterable[float | None]) -> float | None:
    """None where one of them is."""
    found = list(values)
    defined = [value for value in found if value is not None]
    return mean(defined) if len(defined) == len(found) else None


def _decisions(predictions: Sequence[Predictions]) -> dict[str, Any]:
    """Rows of each true class by the class that was said, of all seeds; and the calibration error of each seed."""
    problem = predictions[0].problem
    if problem == "regression":
        return {}
    told: dict[str, Any] = {"calibration_error": [calibration(one).error for one in predictions]}
    if problem == "single_label_classification":
        told["confusion"] = np.sum([confusion(one) for one in predictions], axis=0).tolist()
    return told
