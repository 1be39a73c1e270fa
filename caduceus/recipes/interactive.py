"""Figures that a person zooms and hovers, in a page that needs no network: plotly, once, and a place for each."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from caduceus.extras import require

NO_FIGURE = (
    "The figures need plotly: <code>pip install 'caduceus[plots]'</code>, then run the recipe again with another "
    "<code>--out</code>."
)
SOFT = "#8b99a8"  # read on light and on dark
# Text and lines take the page's colours, light or dark; a wide figure passes over the page's column on both sides.
_STYLE = """
.wide { margin-inline: calc(50% - min(50vw - 1.25rem, 37rem)); }
.plot text { fill: var(--ink) !important; }
.plot [class$="tick"] text { fill: var(--soft) !important; }
.plot .hoverlayer text { fill: #ffffff !important; }
.plot .spikeline { stroke: var(--soft) !important; stroke-width: 1px !important; }
.plot .gridlayer path, .plot .zerolinelayer path { stroke: var(--line) !important; }
.legend { display: grid; gap: 1rem; list-style: none; margin: 1.4rem 0 0; padding: 0; font-size: .86rem; }
.legend li { display: grid; grid-template-columns: 1fr 1fr; gap: .15rem .6rem; max-width: 34rem; color: var(--soft); }
.legend b { grid-column: 1 / 3; color: var(--ink); font-weight: 600; }
.legend i { grid-column: 1 / 3; height: .8rem; border-radius: 2px; border: 1px solid var(--line); }
.legend span:last-child { text-align: right; }
"""
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "showTips": False,
    "modeBarButtons": [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
    "toImageButtonOptions": {"format": "svg"},
}
_FONT = "system-ui, sans-serif"
LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": _FONT, "size": 12, "color": SOFT},
    "hoverlabel": {
        "bgcolor": "#1b2733",
        "bordercolor": SOFT,
        "font": {"family": _FONT, "color": "#ffffff", "size": 13},
        "align": "left",
    },
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": SOFT, "activecolor": "#3b82c4"},
    "dragmode": "zoom",
    "showlegend": False,
}
GUIDE = {
    "showspikes": True,
    "spikemode": "across",
    "spikesnap": "hovered data",
    "spikethickness": 1,
    "spikedash": "solid",
    "spikecolor": SOFT,
}


# A figure is drawn when it comes near the window, so that a page of many opens at once; before printing, all are.
_DRAWING = """
const config = CONFIG;
function draw(place) {
  const told = JSON.parse(place.nextElementSibling.textContent);
  const image = {...config.toImageButtonOptions, filename: place.id};
  Plotly.newPlot(place, told.data, told.layout, {...config, toImageButtonOptions: image});
}
const near = new IntersectionObserver(seen => {
  for (const each of seen) if (each.isIntersecting) { near.unobserve(each.target); draw(each.target); }
}, {rootMargin: "600px"});
addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll(".plot > [id]")) near.observe(place);
});
addEventListener("beforeprint", () => {
  for (const place of document.querySelectorAll(".plot > [id]:empty")) { near.unobserve(place); draw(place); }
});
"""


def library() -> str:
    """What the page needs once, before its figures: plotly.js itself, the look, and what draws them."""
    drawing = _DRAWING.replace("CONFIG", json.dumps(_CONFIG))
    plotly = require("plotly.offline", "plots").get_plotlyjs()
    return f"<style>{_STYLE}</style>\n<script>{plotly}</script>\n<script>{drawing}</script>"


def interactive(figure: Any, name: str, height: int, about: str) -> str:
    """A plotly figure as HTML; ``name`` is its element's id, ``height`` in pixels, ``about`` what it shows."""
    told = figure.to_json().replace("<", "\\u003c")
    place = f'<div id="{name}" role="figure" aria-label="{escape(about)}" style="height:{height}px"></div>'
    return f'<div class="plot wide">{place}<script type="application/json">{told}</script></div>'
