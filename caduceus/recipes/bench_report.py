"""report.html of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

from caduceus.bench import floor
from caduceus.recipes.bench import Bench
from caduceus.recipes.bench_figures import floors, ratios
from caduceus.recipes.bench_table import (
    LIMITS,
    Row,
    big,
    card_line,
    conditions,
    derived_lines,
    lines,
    seconds,
    title,
)
from caduceus.recipes.page import NO_PICTURE, figure, heading, made_with, numbers, page, table
from caduceus.recipes.schema import Results

_HOW = (
    "Contestants take turns in one process, each round beginning with another, and the median of all timed calls "
    "counts; <i>spread</i> is the distance of the quartiles. <i>Times</i>: as many times slower as the first line of a "
    "table. A peer that does not fit the time or memory allowed is measured on shorter sequences, beside the first one "
    "at that length, and the title says so. <i>Peak memory</i> is what a call needs above weights and inputs: by how "
    "much the largest resident size of a process of its own grows, or on a GPU what torch has given out there. "
    "<i>First call</i> is what the first call of a fresh "
    "process takes longer than the second, on short sequences."
)
_MOVED = (
    " <i>Moved</i> are the bytes that the launches of the mixers read and write, by a count "
    "(<code>python -m caduceus.backends.cuda.costs</code>) that leaves out norms, embedding, head and loss; "
    "<i>bandwidth</i> is that over the seconds."
)


def report(recipe: Bench, results: Results, environment: dict[str, Any]) -> str:
    """The page, as HTML."""
    return page(recipe, _sections(recipe, results, environment))


def _sections(recipe: Bench, results: Results, environment: dict[str, Any]) -> Iterator[str]:
    rows, subject = results["rows"], results["subject"]
    yield from heading(recipe)
    yield from _machine(results, environment)
    yield "<h2>Who is timed</h2>"
    yield table((), ((f"<b>{escape(name)}</b>", escape(about)) for name, about in results["contestants"].items()))
    yield from _ratios(rows, [name for name in results["contestants"] if name != subject])
    yield from _floors(rows, subject)
    items = "".join(f"<li>{escape(line)}</li>" for line in derived_lines(results["derived"]))
    if items:
        yield f"<h2>From several rows</h2><ul>{items}</ul>"
    yield f"<h2>Every time</h2><p>{_HOW}{_MOVED if results.get('card') else ''}</p>"
    for row in rows:
        yield from _row(row)
    load = results["load"]
    found = f"{load['before']:.2f} before, {load['after']:.2f} after: processes that wanted to run"
    yield from made_with(recipe, environment, [("load", found)])


def _machine(results: Results, environment: dict[str, Any]) -> Iterator[str]:
    limits = results["limits"]
    yield f"<p>{escape(environment['processor'])}; {escape(conditions(results))}</p>"
    if card := results.get("card"):
        yield f"<p>{escape(card_line(card))}</p>"
        return
    if limits is None:
        yield '<p class="note">The compiled library is absent, so the limits of the machine were not measured.</p>'
        return
    yield numbers((f"{limits[-1][name] / unit:,.1f}", text) for name, unit, text in LIMITS)
    rows = (
        (str(each["threads"]), each["isa"], *(f"{each[n] / unit:,.1f}" for n, unit, _ in LIMITS)) for each in limits
    )
    yield "<h2>What the machine does at most</h2>"
    yield table(("threads", "instructions", *(text for _, _, text in LIMITS)), rows)


def _ratios(rows: Sequence[Row], peers: Sequence[str]) -> Iterator[str]:
    compared = [row for row in rows if any(peer in row["contestants"] for peer in peers)]
    if not compared:
        return
    yield "<h2>Beside its peers</h2>"
    if find_spec("matplotlib") is None:
        yield f"<p>{NO_PICTURE}</p>"
        return
    caption = "Further to the right is slower. Where a title names two lengths, a peer could not do the second in the "
    yield figure(ratios(compared, peers), caption + "time or memory allowed.")


def _floors(rows: Sequence[Row], subject: str) -> Iterator[str]:
    known = [row for row in rows if subject in row["contestants"] and row["floor_seconds"] is not None]
    if not known:
        return
    yield "<h2>Beside the floor</h2>"
    yield (
        "<p>The floor is the time of the arithmetic alone at the limits above: matrix products, and for each update "
        "of a state an exponential and a few multiply-adds. Nothing overlaps, and memory takes no time.</p>"
    )
    if find_spec("matplotlib") is None:
        yield f"<p>{NO_PICTURE}</p>"
    else:
        yield figure(floors(known, subject))
    text = (floor.__doc__ or "").strip()
    yield f"<details><summary>Formula</summary><pre>{escape(text)}</pre></details>"


def _row(row: Row) -> Iterator[str]:
    at = "" if row["floor_seconds"] is None else f"; floor {seconds(row['floor_seconds'])}"
    products = f"{big(row['flop'])}FLOP in products and " if row["flop"] else ""
    work = "" if row["updates"] is None else f"; {products}{big(row['updates'])} updates in a forward"
    yield f"<h3>{escape(title(row))}</h3>"
    if row["contestants"]:
        header, *found = (tuple(map(escape, line)) for line in lines(row))
        yield table(header, found)
    yield f'<p class="small">{row["batch"]} x {row["length"]:,} tokens{at}{work}</p>'
    for name, reason in row["absent"].items():
        yield f'<p class="small">{escape(name)}: {escape(reason)}</p>'
