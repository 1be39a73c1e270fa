"""The table of a fine-tuning run: a row an arm of a task, and one for each published score; as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from caduceus.recipes.page import shown
from caduceus.recipes.run_dir import REPORT, RunFolder
from caduceus.recipes.schema import Results

TABLE = "table"
NAMES = {"model": "this model", "untrained": "the same network, untrained", "cnn": "CNN", "kmers": "5-mer ridge"}
COLUMNS = (
    *("task", "metric", "arm", "seeds", "score", "low", "high", "lowest seed", "highest seed", "without repeats"),
    *("averaged over batches", "gain of this model", "gain, low", "gain, high"),
)
Cells = dict[str, str]
_SHORT = {"mcc", "f1", "auroc", "auprc", "mae", "r2"}


def rows(results: Results) -> Iterator[Cells]:
    """The table; what is not defined, or not asked for, is empty."""
    for task, found in results["tasks"].items():
        for arm, held in found["arms"].items():
            yield _own(task, found["metric"], arm, held)
        others = found["published"]
        beside = {"score": "score", "averaged_over_batches": "averaged over batches"}.get(others.get("beside", ""), "")
        for name, numbers in others.get("scores", {}).items():
            told = {"task": task, "metric": found["metric"], "arm": f"{name} ({mark(others)})"}
            yield dict.fromkeys(COLUMNS, "") | told | {beside: shown(numbers[0])}


def spoken(metric: str) -> str:
    """A metric as people write it.

    >>> spoken("mcc"), spoken("macro_f1"), spoken("accuracy")
    ('MCC', 'macro F1', 'accuracy')
    """
    return " ".join(word.upper() if word in _SHORT else word for word in metric.split("_"))


def mark(others: dict[str, Any]) -> str:
    """Whether published scores may stand beside ours."""
    return ", ".join(("published", *(word for word, _ in doubt(others))))


def doubt(others: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What keeps published scores from standing beside ours, in a word, and why; nothing where they may.

    >>> doubt({"not_comparable": None, "not_verified": "3 rows"})
    (('not verified', '3 rows'),)
    """
    for word in ("not comparable", "not verified"):
        if why := others.get(word.replace(" ", "_")):
            return ((word, why),)
    return ()


def _own(task: str, metric: str, arm: str, held: dict[str, Any]) -> Cells:
    whole, gain = held["score"], held.get("gain", {})
    each = [one[metric] for one in held["seeds"] if one[metric] is not None]
    values = {
        "score": whole["value"],
        "low": whole["low"],
        "high": whole["high"],
        "lowest seed": min(each, default=None),
        "highest seed": max(each, default=None),
        "without repeats": held["without_repeats"]["value"],
        "averaged over batches": held.get("averaged_over_batches"),
        "gain of this model": gain.get("value"),
        "gain, low": gain.get("low"),
        "gain, high": gain.get("high"),
    }
    told = {"task": task, "metric": metric, "arm": NAMES[arm], "seeds": str(len(held["seeds"]))}
    return told | {name: shown(value) for name, value in values.items()}


def to_csv(results: Results) -> str:
    """The table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
    return text.getvalue()


def markdown(results: Results) -> str:
    """The table in Markdown, with the notes below."""
    official = results["protocol"] == "official"
    header = ["task", "metric", "arm", "score", "95 %", "seeds", "without repeats", "gain of this model", "95 %"]
    if official:
        header.insert(5, "averaged over batches")
    lines = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    for row in rows(results):
        cells = [
            *(row["task"], row["metric"], row["arm"], row["score"], _range(row["low"], row["high"])),
            *((row["averaged over batches"],) if official else ()),
            *(_range(row["lowest seed"], row["highest seed"]), row["without repeats"]),
            *(row["gain of this model"], _range(row["gain, low"], row["gain, high"])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [*lines, "", f"Protocol {results['protocol']}. {HOW}", "", *(f"- {n}" for n in notes(results)), ""]
    )


HOW = (
    "Scores are means over the seeds, each of the whole test split, with intervals for other test rows and other "
    "seeds; seeds: from the lowest to the highest. A gain is by how much this model is better than the row, on "
    "the same draws."
)


def notes(results: Results) -> Iterator[str]:
    """What a reader of the table should know, a line each."""
    for pair in results["contrasts"]:
        gain = {name: shown(value) for name, value in pair["gain"].items() if name in ("value", "low", "high")}
        yield (
            f"by how much this model is better on {pair['first']} than on {pair['second']}, in "
            f"{spoken(pair['metric'])} on the same rows: {gain['value']} ({_range(gain['low'], gain['high'])})"
        )
    for task, found in results["tasks"].items():
        yield from (f"{task}: {note}" for note in found["notes"])
        for arm, held in found["arms"].items():
            if held.get("chosen"):
                chosen = held["chosen"]
                yield (
                    f"{task}, {NAMES[arm]}: lr {chosen['lr']:g} and batch {chosen['batch']} validate best, of "
                    f"{len(held['grid'])} tried"
                )
        doubts = doubt(found["published"])
        yield from (f"{task}: the published scores are {word}: {why}" for word, why in doubts)
        if found["published"].get("beside") == "averaged_over_batches" and not found["published"]["not_comparable"]:
            yield f"{task}: published scores are means over batches, and stand beside ours that are averaged so"


def summary(folder: RunFolder, results: Results) -> str:
    """What is printed at the end of a run."""
    files = f"report      {folder.path / REPORT}\ntable       {folder.path / TABLE}.md, .csv"
    return f"\n{markdown(results)}\nrun folder  {folder.path}\n{files}"


def _range(low: str, high: str) -> str:
    return f"{low} to {high}" if low and high else ""
