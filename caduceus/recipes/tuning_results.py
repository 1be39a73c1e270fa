"""Scores of a fine-tuning run by task and arm: intervals, without repeated rows too, and the gain over each arm."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from caduceus.evaluate.catalogue import suite
from caduceus.evaluate.intervals import difference, interval
from caduceus.evaluate.metrics import Predictions, scores
from caduceus.recipes.schema import Results
from caduceus.recipes.tuning_data import TaskData, without_repeats
from caduceus.recipes.tuning_task import TaskFiles
from caduceus.train.settings import Protocol

TABLE = "table"
NAMES = {"model": "this model", "untrained": "the same network, untrained", "cnn": "CNN", "kmers": "5-mer ridge"}
COLUMNS = (
    *("task", "metric", "arm", "seeds", "score", "low", "high", "without repeats"),
    *("gain of this model", "gain, low", "gain, high"),
)


def task_results(
    files: TaskFiles,
    protocol: Protocol,
    data: TaskData,
    predictions: Mapping[str, Sequence[Predictions]],
    resamples: int,
) -> dict[str, Any]:
    """Plain values for results.json.

    Args:
        predictions: arm -> what it says of the test split, one a seed; "model" among them.
    """
    metric = files.measured
    kept = np.flatnonzero(without_repeats(data))
    arms = {}
    for arm, seeds in predictions.items():
        left = [one.take(kept) for one in seeds]
        arms[arm] = {
            "score": interval(metric, seeds, resamples=resamples).to_dict(),
            "without_repeats": interval(metric, left, resamples=resamples).to_dict(),
            "seeds": [scores(one) for one in seeds],
        }
        if arm != "model":
            arms[arm]["gain"] = difference(metric, predictions["model"], seeds, resamples=resamples).to_dict()
    return {
        "metric": metric,
        "classes": list(data.train.classes),
        "rows": {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)},
        "repeats": {"test": data.repeats.counts(), "valid": data.valid_repeats},
        "notes": list(data.notes()),
        "arms": arms,
        "published": published(files, protocol, data),
    }


def published(files: TaskFiles, protocol: Protocol, data: TaskData) -> dict[str, Any]:
    """Scores of others, and what keeps them from being compared with; null if nothing does.

    Empty for a task of no suite, or one that nobody has published on.
    """
    if files.suite is None or files.of is None or not (known := suite(files.suite)).tasks[files.of].published:
        return {}
    task = known.tasks[files.of]
    trained = len(data.train) + (0 if files.valid is not None else len(data.valid))
    here = {"train": trained, "train and test": trained + len(data.test)}
    against = None
    if not getattr(known.comparable, protocol):
        against = f"protocol {protocol}: {known.comparable.why}"
    elif protocol == "official" and files.measured != "accuracy":  # of which the mean over batches is that of the set
        against = f"protocol official: the authors average {files.measured} over batches, here it is of the whole set"
    elif not task.rows or any(here[part] != count for part, count in task.rows.items()):
        against = f"other rows: {here['train']:,} to train and {len(data.test):,} to test on, not the suite's"
    elif files.metric != task.metric:
        against = f"another metric, {files.measured} for {task.metric}"
    return {"scores": {name: list(numbers) for name, numbers in task.published.items()}, "not_comparable": against}


def rows(results: Results) -> Iterator[dict[str, str]]:
    """The table, a row an arm of a task; what is not defined is empty."""
    for task, found in results["tasks"].items():
        for arm, held in found["arms"].items():
            whole, gain = held["score"], held.get("gain", {})
            yield dict(
                zip(
                    COLUMNS,
                    (
                        *(task, found["metric"], NAMES[arm], str(len(held["seeds"]))),
                        *map(_shown, (whole["value"], whole["low"], whole["high"])),
                        *map(_shown, (held["without_repeats"]["value"],)),
                        *(_shown(gain.get(name)) for name in ("value", "low", "high")),
                    ),
                    strict=True,
                )
            )
        others = found["published"]
        mark = "published" if others and others["not_comparable"] is None else "published, not comparable"
        for name, numbers in others.get("scores", {}).items():
            cells = (task, found["metric"], f"{name} ({mark})", "", _shown(numbers[0]))
            yield dict.fromkeys(COLUMNS, "") | dict(zip(COLUMNS, cells, strict=False))


def to_csv(results: Results) -> str:
    """The table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    return text.getvalue()


def markdown(results: Results) -> str:
    """The table in Markdown, with the notes below."""
    lines = ["| task | metric | arm | score | 95 % | without repeats | gain of this model | 95 % |", "|" + " --- |" * 8]
    for row in rows(results):
        cells = (
            *(row["task"], row["metric"], row["arm"], row["score"], _range(row["low"], row["high"])),
            *(row["without repeats"], row["gain of this model"], _range(row["gain, low"], row["gain, high"])),
        )
        lines.append(f"| {' | '.join(cells)} |")
    notes = [f"- {task}: {note}" for task, found in results["tasks"].items() for note in found["notes"]]
    notes += [
        f"- {task}: the published scores are not comparable; {found['published']['not_comparable']}"
        for task, found in results["tasks"].items()
        if found["published"].get("not_comparable")
    ]
    told = f"Protocol {results['protocol']}; scores are means over seeds, with bootstrap intervals over the test rows."
    return "\n".join([*lines, "", told, *notes, ""])


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _range(low: str, high: str) -> str:
    return f"{low} to {high}" if low and high else ""
