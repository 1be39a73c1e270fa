"""The panels of a locus: its logo, heat maps, and attribution, as plotly's axes and traces."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import numpy as np

from caduceus.recipes.drawing import BLUE, COLOURS, ORANGE
from caduceus.recipes.interactive import SOFT
from caduceus.recipes.letters import boxes, letters
from caduceus.recipes.mutagenesis_table import LETTERS, Piece, is_reference, of_reference

LETTER_COLOURS = dict(zip(LETTERS, (COLOURS[2], BLUE, ORANGE, COLOURS[3]), strict=True))
_CLEAR = "rgba(0,0,0,0)"
# Letters lower than this share of the panel are not seen.
_LOWEST = 0.015

# An axis, and what is drawn on it.
Drawn = tuple[dict[str, Any], list[dict[str, Any]]]


class Panel(NamedTuple):
    """What is drawn of a locus at a scale; ``height`` in pixels."""

    title: str
    height: int
    draw: Callable[[Piece, Any], Drawn]


def information(piece: Piece) -> np.ndarray:
    """Bits that the model is short of knowing nothing, 2 - entropy (positions,)."""
    p = np.maximum(piece.numbers["probability"], 1e-12)
    found: np.ndarray = np.maximum(2 + (p * np.log2(p)).sum(1), 0)
    return found


def _places(piece: Piece) -> np.ndarray:
    return np.arange(len(piece.reference)) + piece.start + 1.0


def _logo(piece: Piece, largest: float) -> Drawn:
    """Letters as high as their probability times the information, the likeliest on top."""
    each = piece.numbers["probability"] * information(piece)[:, None]
    order = np.argsort(each, axis=1, kind="stable")
    below = np.empty_like(each)
    sorted_heights = np.take_along_axis(each, order, 1)
    np.put_along_axis(below, order, np.cumsum(sorted_heights, 1) - sorted_heights, 1)
    top = 1.08 * largest
    drawn = [
        _letters(piece, base, below[:, j], each[:, j], each[:, j] > _LOWEST * top) for j, base in enumerate(LETTERS)
    ]
    texts = [
        f"ref {ref}, {bits:.3f} bits<br>" + ", ".join(f"P({b}) {p:.3f}" for b, p in zip(LETTERS, row, strict=True))
        for ref, bits, row in zip(piece.reference, information(piece), piece.numbers["probability"], strict=True)
    ]
    return {"range": [0, top], "nticks": 3, "zeroline": False}, [*drawn, _hover(piece, texts, 0, top)]


def _gradient(piece: Piece, span: tuple[float, float]) -> Drawn:
    """The base that is there, as high as its gradient; below zero where more of it would make the locus less likely."""
    values = of_reference(piece, "gradient")
    bottom, top = (1.08 * value for value in span)
    reference = np.array(list(piece.reference))
    seen = np.abs(values) > _LOWEST * (top - bottom)
    drawn = [_letters(piece, base, np.zeros_like(values), values, seen & (reference == base)) for base in LETTERS]
    texts = [f"ref {ref}<br>gradient {value:+.4g}" for ref, value in zip(piece.reference, values, strict=True)]
    return {"range": [bottom, top], "nticks": 3, "zeroline": True}, [*drawn, _hover(piece, texts, bottom, top)]


def _llr(piece: Piece, largest: float) -> Drawn:
    template = "llr %{z:+.3f}<br>probability %{customdata:.4f}"
    return _heat(piece, piece.numbers["llr"], largest, template, piece.numbers["probability"])


def _measured(piece: Piece, largest: float) -> Drawn:
    template = "measured %{z:+.4g}<br>llr %{customdata:+.3f}"
    return _heat(piece, piece.numbers["measured"], largest, template, piece.numbers["llr"])


def _heat(piece: Piece, values: np.ndarray, largest: float, template: str, beside: np.ndarray) -> Drawn:
    """A row for each base; blank at zero, so that it reads on light and on dark, and the reference marked."""
    which, base = np.nonzero(is_reference(piece))
    x, y = boxes(_places(piece)[which], base.astype(float), 0.34, 0.34)
    marks = {"type": "scatter", "x": x, "y": y.astype(np.float32), **_filled(SOFT)}
    heat = {
        "type": "heatmap",
        "z": values.T.astype(np.float32),
        "x": _places(piece),
        "y": list(range(len(LETTERS))),
        "zmin": -largest,
        "zmax": largest,
        "colorscale": _scale(),
        "showscale": False,
        "text": [[f"ref {ref}, base {base}" for ref in piece.reference] for base in LETTERS],
        "customdata": beside.T.astype(np.float32),
        "hovertemplate": f"{_where(piece)}<br>%{{text}}<br>{template}<extra></extra>",
        "hoverongaps": False,
    }
    axis = {
        "range": [len(LETTERS) - 0.5, -0.5],
        "tickvals": list(range(len(LETTERS))),
        "ticktext": list(LETTERS),
        "showgrid": False,
        "zeroline": False,
    }
    return axis, [heat, marks]


def _letters(piece: Piece, base: str, bottoms: np.ndarray, heights: np.ndarray, which: np.ndarray) -> dict[str, Any]:
    x, y = letters(base, _places(piece)[which], bottoms[which], heights[which])
    return {"type": "scatter", "x": x, "y": y.astype(np.float32), **_filled(LETTER_COLOURS[base])}


def _filled(colour: str) -> dict[str, Any]:
    return {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": colour, "hoverinfo": "skip"}


def _hover(piece: Piece, texts: list[str], bottom: float, top: float) -> dict[str, Any]:
    """What is said of a whole column of a panel: a heat map of one row that is not seen."""
    return {
        "type": "heatmap",
        "z": np.zeros((1, len(texts)), np.float32),
        "x": _places(piece),
        "y": [bottom, top],
        "colorscale": [[0, _CLEAR], [1, _CLEAR]],
        "showscale": False,
        "text": [texts],
        "hovertemplate": f"{_where(piece)}<br>%{{text}}<extra></extra>",
    }


def _where(piece: Piece) -> str:
    return f"<b>{escape(piece.locus.contig)}:%{{x:,d}}</b>"


def _scale() -> list[list[Any]]:
    """Orange below zero, blue above, clear at zero."""
    low, high = (tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in (ORANGE, BLUE))
    stops = [(0.0, low, 1), (0.4999, low, 0), (0.5001, high, 0), (1.0, high, 1)]
    return [[at, f"rgba({r},{g},{b},{alpha})"] for at, (r, g, b), alpha in stops]


# From above.
PANELS = {
    "logo": Panel("what the model expects (bits)", 92, _logo),
    "llr": Panel("llr of every base", 112, _llr),
    "gradient": Panel("gradient × input of the base that is there", 92, _gradient),
    "measured": Panel("measured effect", 112, _measured),
}
