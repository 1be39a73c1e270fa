"""Figures as SVG text in the colours of the page around them; needs the extra ``plots``."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from caduceus.extras import require

# Replaced by the page's own text colour, so that a picture is read on a dark page as well.
INK = "#012345"
BLUE, ORANGE = "#3b82c4", "#e07b39"
COLOURS = (BLUE, ORANGE, "#4f9d69", "#b0559e", "#8a6d3b", "#5b6ee1")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "caduceus",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure of inches and its axes; ``options`` as `Figure.subplots` takes them."""
    matplotlib = require("matplotlib", "plots")
    figures = require("matplotlib.figure", "plots")
    with matplotlib.rc_context(_STYLE):
        figure = figures.Figure(figsize=(width, height), layout="constrained", facecolor="none")
        axes = figure.subplots(rows, columns, **options)
        for each in np.atleast_1d(axes).ravel():
            each.set_facecolor("none")
    return figure, axes


def as_svg(figure: Any, title: str) -> str:
    """The figure as an `<svg>` element; ``title`` is for those who do not see it."""
    text = io.StringIO()
    with require("matplotlib", "plots").rc_context(_STYLE):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    body = text.getvalue()
    body = body[body.index("<svg") :].replace(INK, "currentColor")
    return body.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
