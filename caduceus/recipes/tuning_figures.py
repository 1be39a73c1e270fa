"""Pictures of a fine-tuning run as SVG text; they need the extra ``plots``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from caduceus.evaluate.calibration import Calibration
from caduceus.extras import require
from caduceus.recipes.drawing import BLUE, COLOURS, INK, ORANGE, as_svg, new_figure
from caduceus.recipes.figures import shades
from caduceus.train.selection import Row

ARM_COLOURS = {"model": BLUE, "untrained": ORANGE, "cnn": COLOURS[2], "kmers": COLOURS[3]}
_POINTS = 1500
"""Of a scatter plot, at most."""
_GRID = {"color": INK, "alpha": 0.12, "linewidth": 0.8}


class Mark(NamedTuple):
    """A line of a plot of scores: a value, its interval, and the seeds that it is the mean of.

    Attributes:
        kind: "own", "baseline", "published", or "apart": published, and not to be compared with.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    colour: str
    kind: Literal["own", "baseline", "published", "apart"]


def marks(rows: Sequence[Mark], label: str, title: str, *, zero: bool = False) -> str:
    """Scores or differences below each other, each with its interval as a band and its seeds as strokes.

    Args:
        label: of the axis. zero: draw a line at zero.
    """
    figure, axes = new_figure(8.4, 0.8 + 0.33 * len(rows))
    for y, row in enumerate(rows):
        own, apart = row.kind == "own", row.kind == "apart"
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [y, y], color=row.colour, alpha=0.4, linewidth=7, solid_capstyle="butt")
        axes.plot(row.seeds, [y] * len(row.seeds), "|", color=row.colour, markersize=11, markeredgewidth=1.4, alpha=0.8)
        shape = "D" if row.kind in ("published", "apart") else "o"
        filled = "none" if row.kind in ("published", "apart") else row.colour
        axes.plot(
            [row.value],
            [y],
            shape,
            color=row.colour,
            markerfacecolor=filled,
            markersize=7.5 if own else 6,
            markeredgewidth=1.4,
            alpha=0.55 if apart else 1,
        )
        axes.text(
            *(1.015, y, f"{row.value:+.3f}" if zero else f"{row.value:.3f}"),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=9,
            color=INK,
            fontweight="bold" if own else "normal",
            alpha=0.6 if apart else 1,
        )
    if zero:
        axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_alpha(0.6 if row.kind == "apart" else 1)
        text.set_fontweight("bold" if row.kind == "own" else "normal")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", **_GRID)
    axes.set_axisbelow(True)
    axes.set_xlabel(label)
    return as_svg(figure, title)


def learning(curves: Mapping[str, Sequence[Sequence[Row]]], names: Mapping[str, str], metric: str, sign: int) -> str:
    """Loss of training and validation by epoch, and the validation score, a line for each seed of each arm.

    Args:
        curves: arm -> the rows of each seed. sign: -1 where the score that is chosen by is the negative of the metric.
    """
    figure, (left, right) = new_figure(8.4, 3.1, columns=2)
    for arm, seeds in curves.items():
        colour = ARM_COLOURS[arm]
        for number, rows in enumerate(seeds):
            # A single epoch is a dot.
            dot = "o" if len(rows) == 1 else ""
            left.plot(*_column(rows, "train/loss"), color=colour, linewidth=1.3, marker=dot, markersize=4)
            left.plot(*_column(rows, "valid/loss"), color=colour, linewidth=1.2, linestyle=(0, (2, 1.5)), alpha=0.85)
            epochs, scores = _column(rows, "valid/score")
            name = names[arm] if number == 0 else None
            right.plot(epochs, sign * scores, color=colour, linewidth=1.3, alpha=0.85, label=name)
            if len(scores):
                best = int(scores.argmax())
                right.plot(epochs[best], sign * scores[best], "o", color=colour, markersize=5)
    ticks = require("matplotlib.ticker", "plots")
    for axes, label in ((left, "loss"), (right, f"validation {metric}")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(ticks.MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(**_GRID)
    left.plot([], [], color=INK, linewidth=1.3, label="training")
    left.plot([], [], color=INK, linewidth=1.2, linestyle=(0, (2, 1.5)), label="validation")
    for axes in (left, right):
        axes.legend(frameon=False, labelcolor=INK, fontsize=8.5)
    return as_svg(figure, "Loss and validation score by epoch")


def decisions(matrix: Sequence[Sequence[int]] | None, classes: Sequence[str], curves: Sequence[Calibration]) -> str:
    """What is said of the rows of each true class, where there is one a row; and whether probabilities are true."""
    if matrix is None:
        figure, right = new_figure(4.2, 3.2)
    else:
        figure, (left, right) = new_figure(8.4, 3.4, columns=2, width_ratios=(1, 1.05))
        _confusion(left, np.array(matrix), classes)
    _calibration(right, curves)
    return as_svg(figure, "Rows by true and said class, and calibration")


def _confusion(axes: Any, counts: np.ndarray, classes: Sequence[str]) -> None:
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap=shades(), vmin=0, vmax=1, interpolation="nearest")
    size = 10 if len(classes) <= 4 else 7
    for row, column in np.ndindex(counts.shape):
        # On the full blue of a right answer white is read on either page.
        colour = "white" if share[row, column] > 0.6 else INK
        text = f"{100 * share[row, column]:.0f} %\n{counts[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=0 if len(classes) <= 4 else 90)
    axes.set_yticks(places, classes)
    axes.set_xlabel("what the model says")
    axes.set_ylabel("what is true")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _calibration(axes: Any, curves: Sequence[Calibration]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.9, linestyle="--", alpha=0.7)
    for found in curves:
        filled = found.rows > 0
        axes.plot(
            found.confidence[filled], found.accuracy[filled], "o-", color=BLUE, markersize=3.5, linewidth=1.2, alpha=0.8
        )
    rows = np.sum([found.rows for found in curves], axis=0)
    edges = np.linspace(0, 1, len(rows) + 1)
    axes.bar(
        edges[:-1],
        0.22 * rows / max(1, rows.max()),
        width=np.diff(edges),
        align="edge",
        color=INK,
        alpha=0.13,
        linewidth=0,
    )
    lowest = min((float(edges[np.flatnonzero(found.rows)[0]]) for found in curves if found.rows.any()), default=0.0)
    axes.set_xlim(lowest, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("probability that the model gives its answer")
    axes.set_ylabel("share that is right")
    axes.grid(**_GRID)


def numbers(truth: np.ndarray, outputs: np.ndarray, names: Sequence[str]) -> str:
    """Predicted against true numbers, a panel a target: (n, targets) each; of many rows some, evenly spaced."""
    rows = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), _POINTS)).astype(int))
    figure, panels = new_figure(min(8.4, 3.6 * len(names)), 3.3, columns=len(names))
    for axes, name, true, said in zip(np.atleast_1d(panels), names, truth[rows].T, outputs[rows].T, strict=True):
        limits = [float(min(true.min(), said.min())), float(max(true.max(), said.max()))]
        axes.plot(limits, limits, color=INK, linewidth=0.9, linestyle="--", alpha=0.7)
        axes.plot(true, said, "o", color=BLUE, markersize=3, alpha=0.35, markeredgewidth=0)
        axes.set_xlabel(f"{name}, true")
        axes.set_ylabel(f"{name}, predicted")
        axes.grid(**_GRID)
    return as_svg(figure, "Predicted against true numbers")


def _column(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values (n,) of the rows that have a value."""
    found = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
    table = np.array(found, dtype=float).reshape(-1, 2)
    return table[:, 0], table[:, 1]
