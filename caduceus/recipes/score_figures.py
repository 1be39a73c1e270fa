"""Pictures of scores as SVG text: how they are spread, and how they rank; they need the extra ``plots``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil
from typing import NamedTuple

import numpy as np

from caduceus.recipes.drawing import BLUE, COLOURS, INK, as_svg, new_figure

_BINS = 60
_MARGIN = 0.001


class Ranked(NamedTuple):
    """How well a score ranks: a value and its interval, None where it is not defined; ``own``: of the model."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    own: bool


class Spread(NamedTuple):
    """Values of a score, those that are beside them, and what to call both in the picture."""

    values: np.ndarray
    beside: np.ndarray | None = None
    names: tuple[str, str] = ("", "")


def intervals(panels: Mapping[str, Sequence[Ranked]], chance: float) -> str:
    """A dot and its interval for each score, a panel for each measure; the same scores in each panel.

    Args:
        chance: what a score that tells nothing has.
    """
    names = [each.name for each in next(iter(panels.values()))]
    figure, axes = new_figure(7.2, 0.8 + 0.27 * len(names), columns=len(panels), sharey=True, squeeze=False)
    for here, (measure, scores) in zip(axes[0], panels.items(), strict=True):
        here.axvline(chance, color=INK, linewidth=0.9)
        for y, each in enumerate(scores):
            colour, alpha = (BLUE, 1.0) if each.own else (INK, 0.55)
            if each.low is not None:
                here.plot([each.low, each.high], [y, y], color=colour, alpha=alpha, linewidth=2)
            if each.value is not None:
                here.plot([each.value], [y], "o", color=colour, alpha=alpha, markersize=5.5)
        here.set_xlabel(measure)
        here.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        here.set_axisbelow(True)
        here.tick_params(axis="y", length=0)
    axes[0][0].set_yticks(range(len(names)), names, fontsize=9)
    axes[0][0].set_ylim(len(names) - 0.4, -0.6)
    return as_svg(figure, "How well each score ranks, with intervals")


def histograms(spreads: Mapping[str, Spread]) -> str:
    """A histogram for each score, two in a row; what lies in the outermost thousandth on either side is at the ends."""
    columns = min(2, len(spreads))
    figure, axes = new_figure(7.2, 1.9 * ceil(len(spreads) / columns), ceil(len(spreads) / columns), columns)
    panels = list(np.atleast_1d(axes).ravel())
    for here, (name, spread) in zip(panels, spreads.items(), strict=False):
        both = np.concatenate([spread.values, spread.values[:0] if spread.beside is None else spread.beside])
        low, high = (float(limit) for limit in np.quantile(both, [_MARGIN, 1 - _MARGIN]))
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
        if spread.beside is not None:
            here.stairs(_counts(spread.beside, edges), edges, color=INK, alpha=0.7, linewidth=1, label=spread.names[1])
        here.stairs(_counts(spread.values, edges), edges, color=BLUE, fill=True, alpha=0.75, label=spread.names[0])
        if spread.names[0]:
            here.set_ylim(top=1.45 * here.get_ylim()[1])
            here.legend(frameon=False, labelcolor=INK, fontsize=8, loc="upper left")
        here.set_xlabel(name)
        here.set_yticks([])
        here.spines["left"].set_visible(False)
    for here in panels[len(spreads) :]:
        here.set_visible(False)
    return as_svg(figure, "How the scores are spread")


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares of the values, so that sets of different sizes compare."""
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return counts / max(1, len(values))


def roc(curves: Mapping[str, np.ndarray], own: Sequence[str]) -> str:
    """ROC curves by score: shares of tolerated and of damaging ones above each threshold (2, points)."""
    figure, axes = new_figure(4.4, 4.2)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.35)
    ours, others = cycle(COLOURS), cycle(("-", "--", "-.", ":"))
    for name, (false, true) in curves.items():
        mine = name in own
        look = {"color": next(ours), "linewidth": 1.7} if mine else {"color": INK, "linestyle": next(others)}
        axes.plot(false, true, **({"alpha": 0.65, "linewidth": 1.1} | look if not mine else look), label=name)
    axes.set_xlabel("share of the tolerated that is called")
    axes.set_ylabel("share of the damaging that is called")
    axes.set_aspect("equal")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc="lower right")
    return as_svg(figure, "ROC curves")
