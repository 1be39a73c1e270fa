"""Pictures of a pretraining run as SVG text; they need the extra ``plots``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caduceus.alphabet import BASES, TOKENS
from caduceus.extras import require
from caduceus.recipes.drawing import BLUE, INK, ORANGE, as_svg, new_figure
from caduceus.train.metrics import Row

if TYPE_CHECKING:
    from caduceus.recipes.conclude import Stretch


def loss_curve(rows: Sequence[Row], references: Sequence[tuple[str, float]]) -> str:
    """Bits per base by tokens: each step, their running mean, the validations, and lines to compare with."""
    figure, axes = new_figure(7.2, 3.4)
    tokens, bits = _column(rows, "train/loss", 1 / math.log(2))
    if len(tokens):
        axes.plot(tokens, bits, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(tokens, _running_mean(bits), color=BLUE, linewidth=1.6, label="training")
    at, valid = _column(rows, "valid/bits_per_base")
    axes.plot(at, valid, "o-", color=ORANGE, markersize=4, linewidth=1, label="validation")
    for (name, bits_per_base), style in zip(references, ("--", ":", "-."), strict=False):
        axes.axhline(bits_per_base, color=INK, alpha=0.6, linewidth=0.9, linestyle=style, label=name)
    shown = [*valid, *(bits_per_base for _, bits_per_base in references)]
    axes.set_ylim(min(shown) - 0.03, max(shown) + 0.08)
    axes.set_xlabel("tokens seen")
    axes.set_ylabel("bits per masked base")
    axes.xaxis.set_major_formatter(require("matplotlib.ticker", "plots").EngFormatter(sep=""))
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper right")
    return as_svg(figure, "Bits per masked base during training")


def predictions(stretch: Stretch) -> str:
    """P(A, C, G, T) at each base, that base masked; above, the bits that the true base costs."""
    length = len(stretch.ids)
    true = stretch.ids.astype(int) - BASES[0]
    known = np.flatnonzero((true >= 0) & (true < len(BASES)))
    figure, (above, below) = new_figure(9.6, 2.9, rows=2, height_ratios=(1, 1.5), sharex=True)
    cost = -np.log2(stretch.probabilities[known, true[known]])
    above.bar(known, cost, width=0.85, color=[ORANGE if bits > 2 else BLUE for bits in cost])
    above.axhline(2, color=INK, linewidth=0.8, linestyle="--")
    above.set_ylabel("bits")
    below.imshow(stretch.probabilities.T, aspect="auto", cmap=_shades(), vmin=0, vmax=1, interpolation="nearest")
    below.plot(known, true[known], "o", color=ORANGE, markersize=4.5, markeredgewidth=0)
    below.set_yticks(range(len(BASES)), [TOKENS[base] for base in BASES])
    below.set_xticks(range(length), [TOKENS[base] for base in stretch.ids], fontsize=8)
    below.tick_params(length=0)
    for spine in below.spines.values():
        spine.set_visible(False)
    return as_svg(figure, "What the model predicts at each base of a held-out stretch")


def _column(rows: Sequence[Row], name: str, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and values (n,) of the rows that have a value."""
    found = [(row["tokens"], row[name]) for row in rows if row.get(name) is not None]
    table = np.array(found, dtype=float).reshape(-1, 2)
    return table[:, 0], table[:, 1] * scale


def _shades() -> Any:
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
