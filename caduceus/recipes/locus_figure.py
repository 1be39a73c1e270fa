"""The map of a locus as one figure of panels over one axis of positions; needs the extra ``plots``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caduceus.extras import require
from caduceus.recipes.interactive import GUIDE, LAYOUT
from caduceus.recipes.locus_panels import PANELS, information
from caduceus.recipes.mutagenesis_table import Piece, of_reference

_GAP, _TOP, _BOTTOM = 30, 34, 30


class Scales(NamedTuple):
    """The same for every locus of a page, so that they compare.

    Attributes:
        logo: most information. llr, measured: the 99.5th percentile of their size, at which heat maps are full.
        gradient: lowest and highest of the bases that are there, or 0.
    """

    logo: float
    llr: float
    gradient: tuple[float, float]
    measured: float


def scales(pieces: Sequence[Piece]) -> Scales:
    """Of the loci that are drawn."""
    slopes = [of_reference(piece, "gradient") for piece in pieces if "gradient" in piece.numbers]
    every = np.concatenate([*slopes, np.zeros(1)])
    low, high = float(every.min()), float(every.max())
    return Scales(
        max(float(information(piece).max()) for piece in pieces) or 1.0,
        _largest(pieces, "llr"),
        (low, high if high > low else 1.0),
        _largest(pieces, "measured"),
    )


def panels(piece: Piece) -> list[str]:
    """Which there are, from above."""
    return [name for name in PANELS if name == "logo" or name in piece.numbers]


def height(piece: Piece) -> int:
    """Of the figure, in pixels."""
    shown = panels(piece)
    return _TOP + _BOTTOM + sum(PANELS[name].height for name in shown) + _GAP * (len(shown) - 1)


def locus_figure(piece: Piece, of_page: Scales) -> Any:
    """A ``plotly.graph_objects.Figure``."""
    shown = panels(piece)
    total = height(piece) - _TOP - _BOTTOM
    layout: dict[str, Any] = {
        **LAYOUT,
        "margin": {"l": 40, "r": 12, "t": _TOP, "b": _BOTTOM},
        "hovermode": "closest",
        "xaxis": _positions(piece, len(shown)),
        "annotations": [],
    }
    traces: list[dict[str, Any]] = []
    top = float(total)
    for number, name in enumerate(shown, 1):
        axis = "y" if number == 1 else f"y{number}"
        panel = PANELS[name]
        span, drawn = panel.draw(piece, getattr(of_page, name))
        traces += [{**trace, "xaxis": "x", "yaxis": axis} for trace in drawn]
        domain = [max(0.0, (top - panel.height) / total), top / total]
        layout[axis.replace("y", "yaxis")] = {"domain": domain, "fixedrange": True, **span}
        layout["annotations"].append(_title(panel.title, domain[1]))
        top -= panel.height + _GAP
    return require("plotly.graph_objects", "plots").Figure(data=traces, layout=layout)


def _positions(piece: Piece, count: int) -> dict[str, Any]:
    """Counted from 1; one cannot go beyond the locus."""
    ends = [piece.start + 0.5, piece.start + len(piece.reference) + 0.5]
    return {
        "range": ends,
        "minallowed": ends[0],
        "maxallowed": ends[1],
        "anchor": "y" if count == 1 else f"y{count}",
        "tickformat": ",.1~f",
        "nticks": 5,
        "tickangle": 0,
        "showgrid": False,
        "zeroline": False,
        **GUIDE,
    }


def _title(text: str, top: float) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"size": 12}, **place}


def _largest(pieces: Sequence[Piece], name: str) -> float:
    """The 99.5th percentile of the size of a column's values that are not zero; 1 where there is none."""
    found = [np.abs(piece.numbers[name][~np.isnan(piece.numbers[name])]) for piece in pieces if name in piece.numbers]
    values = np.concatenate([*found, np.zeros(0)])
    values = values[values > 0]
    return float(np.percentile(values, 99.5)) if len(values) else 1.0
