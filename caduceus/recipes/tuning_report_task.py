"""What report.html of a fine-tuning run says of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from caduceus.evaluate.calibration import calibration
from caduceus.evaluate.metrics import LOSSES, Predictions
from caduceus.recipes import tuning_figures
from caduceus.recipes.drawing import INK
from caduceus.recipes.page import figure, shown, table
from caduceus.recipes.tuning_data import TaskData
from caduceus.recipes.tuning_figures import ARM_COLOURS, Mark
from caduceus.recipes.tuning_table import NAMES, doubt, spoken
from caduceus.train.selection import Row

Found = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn of a task beside its results.

    Attributes:
        predictions, curves: arm -> of each seed.
        complete: whether all its jobs are done; its scores have intervals then.
    """

    data: TaskData
    predictions: Mapping[str, Sequence[Predictions]]
    curves: Mapping[str, Sequence[Sequence[Row]]]
    complete: bool


def task_section(name: str, found: Found, drawn: Shown, pictures: bool) -> Iterator[str]:
    rows, metric = found["rows"], found["metric"]
    classes = ", ".join(map(escape, found["classes"]))
    what = "targets" if drawn.data.train.problem == "regression" else "classes"
    yield f'<h2 id="{escape(name)}">{escape(name)}</h2>'
    yield (
        f"<p>{rows['train']:,} rows to train on, {rows['valid']:,} to choose the epoch by, {rows['test']:,} to test "
        f"on; {what} {classes}; up to {drawn.data.length:,} bases; {found['readout']} readout.</p>"
    )
    if pictures and (marked := list(_marks(found))):
        yield figure(tuning_figures.marks(marked, spoken(metric), f"Scores on {escape(name)}"), _of_marks(found))
    header = ("", spoken(metric), "seed by seed", "without repeated rows", "best epochs", "seconds a seed")
    yield table(header, (_row(arm, held, metric) for arm, held in found["arms"].items()), "kinds")
    yield from _published(found)
    yield from _repeats(found, drawn.data)
    if not pictures:
        return
    curves = {arm: seeds for arm, seeds in drawn.curves.items() if any(seeds)}
    if curves:
        sign = -1 if metric in LOSSES else 1
        caption = "A line for each seed. The dot is the epoch that validation chose, whose weights are tested."
        yield figure(tuning_figures.learning(curves, NAMES, spoken(metric), sign), caption)
    yield from _decisions(found, drawn)


def _marks(found: Found) -> Iterator[Mark]:
    metric, others = found["metric"], found["published"]
    for arm, held in found["arms"].items():
        if _averaged(found):
            score = {"value": held["averaged_over_batches"], "low": None, "high": None}
            each = held["averaged_by_seed"]
        else:
            score, each = held["score"], [one[metric] for one in held["seeds"]]
        if score["value"] is not None:
            seeds = tuple(value for value in each if value is not None)
            kind = "own" if arm == "model" else "baseline"
            seeds = seeds if len(seeds) > 1 else ()
            yield Mark(NAMES[arm], score["value"], score["low"], score["high"], seeds, ARM_COLOURS[arm], kind)  # type: ignore[arg-type]
    for name, (score, *_) in others.get("scores", {}).items():
        kind = "apart" if doubt(others) else "published"
        yield Mark(name, score, None, None, (), INK, kind)  # type: ignore[arg-type]


def _averaged(found: Found) -> bool:
    """Whether published scores are averages over batches; ours are drawn likewise then, without intervals."""
    return bool(found["published"].get("beside") == "averaged_over_batches")


def _of_marks(found: Found) -> str:
    """The caption of the scores."""
    how = ", averaged over batches. Strokes" if _averaged(found) else ". Bands: 95 % intervals; strokes"
    caption = f"{spoken(found['metric'])} on the test split{how}: seeds"
    if not found["published"]:
        return f"{caption}."
    against = "".join(f", <b>{word}</b>: {escape(why)}" for word, why in doubt(found["published"]))
    return f"{caption}; diamonds: published scores{against}."


def _row(arm: str, held: Found, metric: str) -> tuple[str, ...]:
    name = f"<b>{NAMES[arm]}</b>" if arm == "model" else NAMES[arm]
    epochs = ", ".join(str(epoch) for epoch in held["epochs"]) if any(held["epochs"]) else ""
    seconds = f"{np.mean(held['seconds']):,.0f}" if any(held["seconds"]) else ""
    return (
        name,
        interval(held["score"]),
        ", ".join(shown(one[metric], 3) for one in held["seeds"]),
        shown(held["without_repeats"]["value"], 3),
        epochs,
        seconds,
    )


def _published(found: Found) -> Iterator[str]:
    others = found["published"]
    if not others:
        return
    against = next((word for word, _ in doubt(others)), "comparable")
    tag = f'<span class="tag">{against}</span>'
    listed = ", ".join(f"{escape(name)} {shown(numbers[0], 3)}" for name, numbers in others["scores"].items())
    beside = ""
    if _averaged(found):
        own = found["arms"].get("model", {}).get("averaged_over_batches")
        beside = f" Averaged over batches, as the authors do, this model has {shown(own)}." if own is not None else ""
    yield f'<p class="small">Published: {listed} {tag}{beside}</p>'


def _repeats(found: Found, data: TaskData) -> Iterator[str]:
    counts = found["repeats"]
    total = sum(each[kind] for each in counts.values() for kind in ("exact", "reverse"))
    if not total:
        none = "No test sequence is in training or validation, no validation sequence in training, on either strand."
        yield f'<p class="small">{none}</p>'
        return
    validation = "validation splits of all seeds" if data.drawn else "validation split"
    header = ("sequences also in training, of test in validation too", "the same", "its reverse complement", "of")
    rows = (
        (split, *(f"{counts[key][kind]:,}" for kind in ("exact", "reverse", "of")))
        for key, split in (("test", "test split"), ("valid", validation))
    )
    yield table(header, rows, "kinds")


def _decisions(found: Found, drawn: Shown) -> Iterator[str]:
    said = drawn.predictions.get("model", ())
    if not said or not len(said[0]):
        return
    if said[0].problem == "regression":
        mean = np.mean([one.outputs for one in said], axis=0)
        yield figure(
            tuning_figures.numbers(said[0].truth, mean, found["classes"]),
            "Predicted against true numbers of the test split, the mean over the seeds; on the dashed line both agree.",
        )
        return
    matrix = found["arms"]["model"].get("confusion")
    errors = found["arms"]["model"]["calibration_error"]
    caption = (
        "" if matrix is None else "Left: what this model says of the test rows of each class, all seeds together. "
    )
    caption += (
        f"{'Calibration' if matrix is None else 'Right'}: how often answers of a probability are right, a line for "
        f"each seed; grey: how many rows. Expected calibration error {min(errors):.3f} to {max(errors):.3f}."
    )
    yield figure(
        tuning_figures.decisions(matrix, found["classes"], [calibration(one) for one in said]),
        caption,
    )


def interval(found: Found | None, signed: bool = False) -> str:
    """A value with its interval below it, as far as they are known."""
    if not found or found["value"] is None:
        return ""
    shape = "+.3f" if signed else ".3f"
    value = f"{found['value']:{shape}}"
    if found["low"] is None:
        return value
    return f'<b>{value}</b><span class="range">{found["low"]:{shape}} to {found["high"]:{shape}}</span>'
