"""Published scores beside those of a fine-tuning run, and what keeps them from being compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from caduceus.evaluate.catalogue import Official, Suite, Task, suite
from caduceus.recipes.finetuning import Finetuning
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_task import TaskFiles


def published(recipe: Finetuning, name: str, data: TaskData) -> dict[str, Any]:
    """Scores of others on a task of the recipe, and what is against comparing with them.

    ``not_comparable`` says what differs, null if nothing does; ``not_verified`` what cannot be known to be the same,
    null if all can. ``beside`` is which of our scores they stand beside. Empty for a task of no suite, or one that
    nobody has published on.
    """
    files = recipe.tasks[name]
    if files.suite is None or files.of is None or not (known := suite(files.suite)).tasks[files.of].published:
        return {}
    task = known.tasks[files.of]
    batches = recipe.protocol == "official" and known.comparable.official
    return {
        "scores": {model: list(numbers) for model, numbers in task.published.items()},
        "not_comparable": next(_against(recipe, files, known, task, data), None),
        "not_verified": _unknown(task, data),
        "beside": "averaged_over_batches" if batches else "score",
    }


def _against(recipe: Finetuning, files: TaskFiles, known: Suite, task: Task, data: TaskData) -> Iterator[str]:
    trained = len(data.train) + (0 if files.valid is not None else len(data.valid))
    here = {"train": trained, "test": len(data.test), "train and test": trained + len(data.test)}
    if not getattr(known.comparable, recipe.protocol):
        yield f"protocol {recipe.protocol}: {known.comparable.why}"
    if not task.rows or any(here[part] != count for part, count in task.rows.items()):
        suites = ", ".join(f"{count:,} to {part} on" for part, count in task.rows.items())
        told = f"the suite has {suites}" if suites else "how many the suite has is not known"
        yield f"other rows: {here['train']:,} to train and {here['test']:,} to test on; {told}"
    if files.max_length is not None and files.max_length < task.max_length:
        yield f"sequences are cut to {files.max_length} bases, the suite's to {task.max_length}"
    if files.measured != task.metric:
        yield f"another metric, {files.measured} for {task.metric}"
    if files.classes != task.class_names:
        yield f"other classes, {_listed(files.classes or ())} for {_listed(task.class_names)}"
    if unlike := "; ".join(_unlike(recipe, files, known.official)):
        yield f"trained unlike the published models: {unlike}"


def _unlike(recipe: Finetuning, files: TaskFiles, authors: Official | None) -> Iterator[str]:
    """What the authors do otherwise in training; the protocol of the recipe, if it is not theirs, is said before."""
    if recipe.protocol != "official" or authors is None:
        return
    epochs = files.epochs or recipe.epochs
    if epochs != authors.epochs:
        yield f"epochs {epochs}, theirs {authors.epochs}"
    if set(recipe.seeds) != set(authors.seeds):
        yield f"seeds {_listed(recipe.seeds)}, theirs {_listed(authors.seeds)}"
    rates, batches = (list(dict.fromkeys(values)) for values in zip(*recipe.cells, strict=True))
    if set(rates) != set(authors.lr):
        yield f"lr {_listed(rates)}, theirs the best of {_listed(authors.lr)}"
    if set(batches) != set(authors.batch):
        yield f"batch {_listed(batches)}, theirs the best of {_listed(authors.batch)}"


def _unknown(task: Task, data: TaskData) -> str | None:
    if {"test", "train and test"} & task.rows.keys():
        return None
    return f"{len(data.test):,} rows are tested, and how many the suite's test split has is not in the catalogue"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
