"""Pictures of pretraining runs as SVG text; they need the extra ``plots``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from caduceus.alphabet import BASES, TOKENS
from caduceus.data import Score
from caduceus.extras import require
from caduceus.recipes.drawing import BLUE, COLOURS, INK, ORANGE, as_svg, new_figure
from caduceus.train.metrics import Row, bits_column

KIND_NAMES = {**{kind: kind for kind in Score.KINDS}, "unique": "outside of repeats", "repeat": "in repeats"}
_LETTERS = "".join(TOKENS[base] for base in BASES)
# Points of the curve of the pace.
_PACES = 60


def loss_curve(rows: Sequence[Row], references: Sequence[tuple[str, float]]) -> str:
    """Bits per base by tokens: each step, their running mean, the validations, and lines to compare with; and the rate.

    Args:
        references: what is compared with and its bits per base.
    """
    figure, (axes, below) = new_figure(7.2, 4.4, rows=2, height_ratios=(3, 1), sharex=True)
    tokens, bits = _column(rows, "train/loss", 1 / math.log(2))
    if len(tokens):
        axes.plot(tokens, bits, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(tokens, _running_mean(bits), color=BLUE, linewidth=1.6, label="training")
    at, valid = _column(rows, "valid/bits_per_base")
    axes.plot(at, valid, "o-", color=ORANGE, markersize=4, linewidth=1, label="validation")
    _lines(axes, references)
    shown = [*valid, *(bits_per_base for _, bits_per_base in references), *([] if len(valid) else [bits[-1]])]
    axes.set_ylim(min(shown) - 0.03, max(shown) + 0.08)
    axes.set_ylabel("bits per masked base")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper right")
    below.plot(*_column(rows, "lr"), color=INK, linewidth=1)
    below.set_ylabel("learning rate")
    below.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _by_tokens(below)
    return as_svg(figure, "Bits per masked base during training, and the learning rate")


def kinds_curve(validations: Sequence[Row]) -> str:
    """Bits per base at the validations, by repeats and by base; kinds that do not occur are left out."""
    figure, both = new_figure(7.2, 2.6, columns=2, sharey=True)
    for axes, kinds in zip(both, (Score.KINDS[:2], Score.KINDS[2:]), strict=True):
        for kind, colour in zip(kinds, COLOURS, strict=False):
            tokens, bits = _column(validations, bits_column(kind))
            if len(tokens):
                axes.plot(tokens, bits, "o-", color=colour, markersize=3, linewidth=1, label=KIND_NAMES[kind])
        axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper right")
        _by_tokens(axes)
    both[0].set_ylabel("bits per masked base")
    return as_svg(figure, "Bits per masked base by kind of base")


def bands(tables: Mapping[str, np.ndarray], references: Sequence[tuple[str, float]]) -> str:
    """Learning curves over several seeds, by name: tokens, mean, lowest and highest bits per base (4, n)."""
    figure, axes = new_figure(7.2, 3.8)
    for i, (name, (tokens, mean, low, high)) in enumerate(tables.items()):
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(tokens, mean, "o-", color=colour, markersize=3, linewidth=1.4, label=name)
        axes.fill_between(tokens, low, high, color=colour, alpha=0.2, linewidth=0)
    _lines(axes, references)
    axes.set_ylabel("bits per masked base")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper right")
    _by_tokens(axes)
    return as_svg(figure, "Bits per masked base during training, by member")


def pace(rows: Sequence[Row]) -> str:
    """Tokens a second, over about sixty equal parts of the run."""
    figure, axes = new_figure(7.2, 2.0)
    table = np.array([(row["tokens"], row["seconds"]) for row in rows], dtype=float)
    ends = np.unique(np.linspace(0, len(table) - 1, min(len(table), _PACES + 1)).astype(int))
    tokens, seconds = np.diff(table[ends], axis=0).T
    axes.plot(table[ends[1:], 0], tokens / np.maximum(seconds, 1e-3), color=BLUE, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("tokens a second")
    axes.yaxis.set_major_formatter(_engineering())
    _by_tokens(axes)
    return as_svg(figure, "Tokens a second during training")


def predictions(sequence: str, probabilities: Sequence[Sequence[float]]) -> str:
    """P(A, C, G, T) at each base of a sequence, that base masked; above, the bits that the true base costs."""
    length = len(sequence)
    table = np.array(probabilities)
    true = np.array([_LETTERS.find(letter) for letter in sequence])
    known = np.flatnonzero(true >= 0)
    figure, (above, below) = new_figure(9.6, 2.9, rows=2, height_ratios=(1, 1.5), sharex=True)
    cost = -np.log2(np.maximum(table[known, true[known]], 1e-4))
    above.bar(known, cost, width=0.85, color=[ORANGE if bits > 2 else BLUE for bits in cost])
    above.axhline(2, color=INK, linewidth=0.8, linestyle="--")
    above.set_ylabel("bits")
    below.imshow(table.T, aspect="auto", cmap=shades(), vmin=0, vmax=1, interpolation="nearest")
    below.plot(known, true[known], "o", color=ORANGE, markersize=4.5, markeredgewidth=0)
    below.set_yticks(range(len(_LETTERS)), _LETTERS)
    below.set_xticks(range(length), sequence, fontsize=8)
    below.tick_params(length=0)
    for spine in below.spines.values():
        spine.set_visible(False)
    return as_svg(figure, "What the model predicts at each base of a held-out stretch")


def _column(rows: Sequence[Row], name: str, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and values (n,) of the rows that have a value."""
    found = [(row["tokens"], row[name]) for row in rows if row.get(name) is not None]
    table = np.array(found, dtype=float).reshape(-1, 2)
    return table[:, 0], table[:, 1] * scale


def _lines(axes: Any, references: Sequence[tuple[str, float]]) -> None:
    """What is compared with, and its bits per base, across the picture."""
    for (name, bits), style in zip(references, cycle(("--", ":", "-."))):
        axes.axhline(bits, color=INK, alpha=0.6, linewidth=0.9, linestyle=style, label=name)


def _by_tokens(axes: Any) -> None:
    axes.set_xlabel("tokens seen")
    axes.xaxis.set_major_formatter(_engineering())


def _engineering() -> Any:
    return require("matplotlib.ticker", "plots").EngFormatter(sep="")


def shades() -> Any:
    """From nothing to full: a transparent blue reads on light and on dark."""
    colors = require("matplotlib.colors", "plots")
    full = colors.to_rgb(BLUE)
    return colors.LinearSegmentedColormap.from_list("probability", [(*full, 0.03), (*full, 1.0)])


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the neighbours, a thirtieth of the curve on either side; fewer at its ends."""
    reach = max(1, len(values) // 30)
    total = np.concatenate([[0.0], np.cumsum(values)])
    positions = np.arange(len(values))
    low, high = np.maximum(positions - reach, 0), np.minimum(positions + reach + 1, len(values))
    mean: np.ndarray = (total[high] - total[low]) / (high - low)
    return mean
