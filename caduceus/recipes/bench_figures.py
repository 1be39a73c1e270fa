"""Pictures of a benchmark as SVG text; they need the extra ``plots``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from caduceus.extras import require
from caduceus.recipes.bench_table import Row, title
from caduceus.recipes.drawing import BLUE, COLOURS, INK, as_svg, new_figure

_MARKS = "osD^v"


def ratios(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """How many times as long as the subject each peer takes, a line for each row, on a logarithmic axis."""
    figure, axes = _lines(rows)
    for peer, mark, colour in zip(peers, cycle(_MARKS), cycle(COLOURS)):
        found = [(row["contestants"][peer]["ratio"], y) for y, row in enumerate(rows) if peer in row["contestants"]]
        points = [(ratio, y) for ratio, y in found if ratio is not None]
        axes.plot(*zip(*points, strict=True) if points else ((), ()), mark, color=colour, markersize=5.5, label=peer)
    axes.axvline(1, color=INK, linewidth=0.9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(require("matplotlib.ticker", "plots").FormatStrFormatter("%g"))
    axes.set_xlabel("time, as a multiple of the subject's")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(peers))
    return as_svg(figure, "Time of each peer as a multiple of the subject's")


def floors(rows: Sequence[Row], subject: str) -> str:
    """The share of the speed that the limits of the machine allow, of the subject, a bar for each row."""
    figure, axes = _lines(rows)
    shares = [100 * row["contestants"][subject]["of_floor"] for row in rows]
    bars = axes.barh(range(len(rows)), shares, color=BLUE, height=0.6)
    axes.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=9, color=INK)
    axes.set_xlim(0, max(100, 1.1 * max(shares, default=0)))
    axes.axvline(100, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xlabel("% of the speed at the floor")
    return as_svg(figure, "Share of the speed that the machine allows")


def _lines(rows: Sequence[Row]) -> tuple[Any, Any]:
    """Axes with a line for each row, the first above."""
    figure, axes = new_figure(8.4, 1.1 + 0.27 * len(rows))
    axes.set_yticks(range(len(rows)), [title(row) for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes
