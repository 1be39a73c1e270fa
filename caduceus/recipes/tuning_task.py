"""A labelled task as a recipe gives it: files, columns, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, model_validator

from caduceus.checkpoint.finetuning import Readout
from caduceus.data.labels import Problem
from caduceus.evaluate.catalogue import Metric, Suite, suite
from caduceus.evaluate.metrics import scores_of
from caduceus.recipes.find import data_path
from caduceus.train.settings import Settings

_METRICS: dict[Problem, Metric] = {
    "single_label_classification": "mcc",
    "multi_label_classification": "auroc",
    "regression": "r2",
}


class TaskFiles(Settings):
    """One task.

    Attributes:
        train, valid, test: CSV, TSV, FASTA or parquet files, or class folders of Genomic Benchmarks; paths are looked
            for in CADUCEUS_DATA too. Without ``valid`` a part of ``train`` is held out.
        sequence, label: names of the columns; several label columns for several labels or targets. null: those that are
            commonly used.
        where: column -> value of the rows to take, such as one task of a file of several.
        problem: one class a sequence, several labels, or regression.
        classes: names in the order of their ids; null: those of the suite, or of the training file, sorted.
        coordinates: columns of contig, start, end and strand, to cut sequences from ``genome`` instead.
        partial: leave out rows on contigs that the genome lacks.
        max_length: bases; longer sequences are cut at their end. null: as long as the longest.
        metric: of the result, and of the choice of the best epoch; null: MCC, AUROC or R2, by the problem.
        suite, of: a task of a benchmark suite; ``train``, ``valid`` and ``test`` are then the folder of the suite, or
            "hub", which brings them from its repository of data sets.
        readout: "invariant" where a label belongs to both strands, "equivariant" where to the one that is given.
        epochs: of this task; null: those of the recipe.
    """

    train: str
    test: str
    valid: str | None = None
    sequence: str | None = None
    label: str | tuple[str, ...] | None = None
    where: dict[str, str] = Field(default_factory=dict)
    problem: Problem = "single_label_classification"
    classes: tuple[str, ...] | None = None
    genome: str | None = None
    coordinates: tuple[str, str, str, str] | None = None
    partial: bool = False
    max_length: int | None = Field(default=None, gt=0)
    metric: Metric | None = None
    readout: Readout = "invariant"
    epochs: int | None = Field(default=None, gt=0)
    suite: str | None = None
    of: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> TaskFiles:
        known = [name for name in get_args(Metric) if name in scores_of(self.problem)]
        if self.measured not in known:
            raise ValueError(f"metric is {self.metric!r}, expected one of {', '.join(known)} for {self.problem}")
        return self

    @property
    def measured(self) -> str:
        """The metric, or the usual one of the problem."""
        return self.metric or _METRICS[self.problem]


def suite_tasks(
    name: str,
    folder: str,
    only: Sequence[str] | str | None,
    given: Mapping[str, Any],
    protocol: str,
    shared: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """The tasks of a suite as fields of `TaskFiles`.

    The official protocol has an invariant readout for every task.

    Args:
        only: the tasks to take, or the one; "present": those with all their files in ``folder``, and all of them if
            none has; None: all.
        given: task -> further fields, which win. shared: fields of every task.

    Raises:
        ValueError: no such suite, or no such task in it; ``only`` is none of these.
    """
    found = suite(name)
    chosen = _chosen(found, folder, only)
    for task in (*chosen, *given):
        found.task(task)
    meant = {}
    for task in chosen:
        known, own = found.tasks[task], given.get(task) or {}
        meant[task] = {
            **shared,
            "train": folder,
            "valid": folder if found.validates else None,
            "test": folder,
            "max_length": known.max_length,
            "metric": known.metric,
            "readout": "equivariant" if (known.strand, protocol) == ("oriented", "sound") else "invariant",
            "suite": name,
            "of": task,
            **own,
            "classes": own.get("classes") or known.class_names,
        }
    return meant


def _chosen(found: Suite, folder: str, only: Any) -> list[str]:
    if only is None:
        return list(found.tasks)
    if isinstance(only, str):
        return _present(found, folder) if only == "present" else [only]
    if not isinstance(only, Sequence):
        raise ValueError(f"only is {only!r}, expected a list of names of tasks, the name of one, present or null")
    return list(only)


def _present(found: Suite, folder: str) -> list[str]:
    place = data_path(folder, folders=True) or Path(folder)
    return [task for task in found.tasks if found.holds(task, place)] or list(found.tasks)
