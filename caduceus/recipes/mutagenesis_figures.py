"""How scores agree with what was measured, as SVG text; needs the extra ``plots``."""

from __future__ import annotations

from typing import Any

from caduceus.recipes.drawing import BLUE, INK, as_svg, new_figure
from caduceus.recipes.mutagenesis_agreement import MEASURES, NAMES

_OURS = ("llr", "gradient")


def agreements(found: dict[str, Any]) -> str:
    """A dot and its interval for each score, and a panel for each measure."""
    names = list(found["magnitude"])
    figure, both = new_figure(7.2, 0.8 + 0.27 * len(names), columns=len(MEASURES), sharey=True)
    for axes, (measure, what) in zip(both, MEASURES.items(), strict=True):
        axes.axvline(0, color=INK, linewidth=0.9)
        for y, name in enumerate(names):
            told = found[measure][name]
            colour, alpha = (BLUE, 1.0) if name in _OURS else (INK, 0.55)
            if told["low"] is not None:
                axes.plot([told["low"], told["high"]], [y, y], color=colour, alpha=alpha, linewidth=2)
            if told["value"] is not None:
                axes.plot([told["value"]], [y], "o", color=colour, alpha=alpha, markersize=5.5)
        axes.set_xlabel(what)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
    both[0].set_yticks(range(len(names)), [NAMES[name] for name in names], fontsize=9)
    both[0].set_ylim(len(names) - 0.4, -0.6)
    return as_svg(figure, "Rank correlation of each score with what was measured")
