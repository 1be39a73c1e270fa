"""report.html of maps: each locus as a figure to zoom and hover, and how it agrees with what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from caduceus.recipes.drawing import BLUE, ORANGE
from caduceus.recipes.interactive import NO_FIGURE, interactive, library
from caduceus.recipes.locus_figure import Scales, height, locus_figure, scales
from caduceus.recipes.mutagenesis import Mutagenesis
from caduceus.recipes.mutagenesis_agreement import MEASURES, NAMES, OWN
from caduceus.recipes.mutagenesis_effects import WHY_NOT
from caduceus.recipes.mutagenesis_summary import ranged
from caduceus.recipes.mutagenesis_table import COLUMNS, TABLE, Piece, read_pieces
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.schema import Results
from caduceus.recipes.score_figures import Ranked, intervals

_HOW = (
    "Each base is hidden in its turn and the model says how probable A, C, G and T are there, from both strands and "
    "from the sequence around."
)
_PANELS = {
    "What the model expects": "Letters are as high as their probability times the information: 2 bits less entropy.",
    "llr": "The logit of each base minus that of the one that is there, which a grey square marks. The fuller the "
    "orange, the less the model expects the change.",
    "Gradient × input": "Nothing is hidden. The base that is there, as high as the gradient of the log-likelihood of "
    "the locus by its own entry of the one-hot input; below the line, more of it would make the locus less likely.",
}
_GROUPS = {"all": "", "training": "In training intervals: ", "elsewhere": "Elsewhere: "}
_USE = "Drag over a figure to zoom in, double-click to see all of it again; every place says what it is."


def report(recipe: Mutagenesis, results: Results, table_path: Path, environment: dict[str, Any]) -> str:
    """The page, as HTML."""
    return page(recipe, _sections(recipe, results, table_path, environment))


def drawn(recipe: Mutagenesis, table_path: Path) -> list[Piece]:
    """The loci that fit into the page, from the first on."""
    found: list[Piece] = []
    bases = 0
    for piece in read_pieces(table_path):
        bases += len(piece.reference)
        if bases > recipe.page_bases:
            break
        found.append(piece)
    return found


def _sections(recipe: Mutagenesis, results: Results, table_path: Path, environment: dict[str, Any]) -> Iterator[str]:
    loci = results["loci"]
    yield from heading(recipe)
    bits = sum(locus["bits_per_base"] * locus["bases"] for locus in loci) / results["bases"]
    yield numbers(
        [
            (f"{len(loci):,}", "locus" if len(loci) == 1 else "loci"),
            (f"{results['bases']:,}", "bases"),
            (f"{bits:.3f}", "bits per hidden base"),
            (f"{results['parameters']:,}", "parameters"),
        ]
    )
    if "measured" in results:
        yield from _agreement(results["measured"])
    yield from _maps(recipe, results, table_path)
    yield "<h2>The table</h2>"
    yield f"<p><code>{TABLE}</code> has a line for each base at each position.</p>"
    cells = ((f"<code>{name}</code>", escape(about)) for name, about in COLUMNS.items())
    yield f"<details><summary>Columns</summary>{table((), cells, 'facts')}</details>"
    yield from made_with(recipe, environment)


def _maps(recipe: Mutagenesis, results: Results, table_path: Path) -> Iterator[str]:
    yield "<h2>Maps</h2>"
    if find_spec("plotly") is None or find_spec("matplotlib") is None:
        yield f"<p>{NO_FIGURE}</p>"
        return
    pieces = drawn(recipe, table_path)
    yield f"<p>{_HOW}</p>"
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{about}</dd>" for name, about in _PANELS.items()) + "</dl>"
    yield f"<p>{_USE}</p>"
    if pieces:
        of_page = scales(pieces)
        yield library()
        yield _legend(of_page, any("measured" in piece.numbers for piece in pieces))
        for number, (piece, locus) in enumerate(zip(pieces, results["loci"], strict=False), 1):
            yield from _locus(piece, locus, of_page, f"locus-{number}")
    left = results["loci"][len(pieces) :]
    if left:
        yield (
            f'<p class="note">{len(left):,} further {"locus is" if len(left) == 1 else "loci are"} in the table and '
            f"not here: a page draws {recipe.page_bases:,} bases (<code>page_bases</code>), whole loci in their order. "
            f"The next is {escape(left[0]['locus'])}.</p>"
        )


def _locus(piece: Piece, locus: dict[str, Any], of_page: Scales, name: str) -> Iterator[str]:
    yield f"<h3>{escape(_grouped(piece))}</h3>"
    splits = f"; in intervals of split {', '.join(locus['splits'])}" if locus["splits"] else ""
    yield (
        f'<p class="small">{locus["bases"]:,} bases, {locus["bits_per_base"]:.3f} bits each; '
        f"mean llr of a change {locus['mean_llr']:+.3f}{escape(splits)}</p>".replace("-0.", "−0.")
    )
    yield interactive(locus_figure(piece, of_page), name, height(piece), f"map of {_grouped(piece)}")


def _grouped(piece: Piece) -> str:
    contig, start, end = piece.locus
    return f"{contig}:{start + 1:,}–{end:,}"


def _legend(of_page: Scales, measured: bool) -> str:
    """What the colours of the heat maps mean, the same in every figure of the page."""
    rows = [("llr", of_page.llr, "less probable than what is there", "more probable")]
    if measured:
        rows.append(("measured effect", of_page.measured, "lowers it", "raises it"))
    clear = f"{ORANGE}, {ORANGE}00 50%, {BLUE}00 50%, {BLUE}"
    bar = f'<i style="background:linear-gradient(to right,{clear})"></i>'
    lines = (
        f"<li><b>{name}</b>{bar}<span>−{largest:.3g} or less: {below}</span>"
        f"<span>{largest:.3g} or more: {above}</span></li>"
        for name, largest, below, above in rows
    )
    return f'<ul class="legend">{"".join(lines)}</ul>'


def _agreement(measured: dict[str, Any]) -> Iterator[str]:
    yield "<h2>What was measured</h2>"
    counts = measured["alleles"]
    others = [f"{counts[word]:,} because {about}" for word, about in WHY_NOT.items() if word in counts]
    left = f"; left out: {escape(', '.join(others))}" if others else ""
    yield (
        f"<p>Spearman's rank correlation with {counts['compared']:,} measured effects of single bases{left}. "
        "Every score is turned so that it is high where a change is expected to do harm. "
        "<b>Size</b>: with the effect's size, whichever way. <b>Direction</b>: with how much it lowers what was "
        "measured. Intervals, 95&nbsp;%, are from drawing positions anew; neighbouring positions depend on each other, "
        "so that they are narrow rather than wide.</p>"
    )
    pictures = find_spec("matplotlib") is not None
    for group, found in measured["groups"].items():
        yield f"<h3>{_GROUPS[group]}{found['rows']:,} changes of {found['positions']:,} bases</h3>"
        if group == "all" and found["in_training"] is not None:
            yield f'<p class="small">{found["in_training"]:,} of them lie in training intervals.</p>'
        yield figure(_picture(found)) if pictures else f"<p>{NO_PICTURE}</p>"
        header = ("", *(escape(what) for what in MEASURES.values()), "this model's lead in size")
        yield table(header, _rows(found), "scores")


def _rows(found: dict[str, Any]) -> Iterator[Sequence[str]]:
    for name in found["magnitude"]:
        told = [found[measure][name] for measure in MEASURES]
        lead = "" if name == OWN else _cell(told[0]["gain"])
        yield (escape(NAMES[name]), *(_cell(each) for each in told), lead)


def _picture(found: dict[str, Any]) -> str:
    """Every score and its interval, a panel for each measure."""
    panels = {
        what: [
            Ranked(NAMES[name], told["value"], told["low"], told["high"], own=name in (OWN, "gradient"))
            for name, told in found[measure].items()
        ]
        for measure, what in MEASURES.items()
    }
    return intervals(panels, chance=0.0)


def _cell(found: dict[str, Any]) -> str:
    """A number, its interval below."""
    value, _, interval = ranged(found).partition(" (")
    return f"{value}<small>{interval.rstrip(')')}</small>".replace("-", "−")
