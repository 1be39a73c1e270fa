"""Figures that a person zooms and hovers, in a page that needs no network: plotly, once, and a place for each."""

from __future__ import annotations

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
.plot .xtick text, .plot .ytick text { fill: var(--soft) !important; }
.plot .hoverlayer text { fill: #ffffff !important; }
.plot .gridlayer path, .plot .zerolinelayer path { stroke: var(--line) !important; }
.legend { display: grid; gap: .5rem; list-style: none; margin: 1.2rem 0 0; padding: 0; font-size: .86rem; }
.legend li { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .7rem; color: var(--soft); }
.legend b { color: var(--ink); font-weight: 600; min-width: 7.5rem; }
.scale { display: inline-block; width: 9rem; height: .8rem; border-radius: 2px; border: 1px solid var(--line); }
"""
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtons": [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
    "toImageButtonOptions": {"format": "svg"},
}
LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 12, "color": SOFT},
    "hoverlabel": {
        "bgcolor": "#1b2733",
        "bordercolor": SOFT,
        "font": {"color": "#ffffff", "size": 13},
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


def library() -> str:
    """What the page needs once, before its figures: plotly.js itself, and the look."""
    return f"<style>{_STYLE}</style>\n<script>{require('plotly.offline', 'plots').get_plotlyjs()}</script>"


def interactive(figure: Any, name: str, height: int) -> str:
    """A plotly figure as HTML; ``name`` is its element's id, ``height`` in pixels."""
    html = require("plotly.io", "plots").to_html(
        figure,
        config={**_CONFIG, "toImageButtonOptions": {"format": "svg", "filename": name}},
        include_plotlyjs=False,
        full_html=False,
        div_id=name,
        default_height=f"{height}px",
    )
    return f'<div class="plot wide">{html}</div>'
