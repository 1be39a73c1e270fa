"""What a benchmark says on the terminal, row by row and at its end; its report shows the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from caduceus.recipes.bench import Bench
from caduceus.recipes.run_dir import REPORT, RESULTS, RunFolder
from caduceus.recipes.schema import Results

Row = dict[str, Any]

_DASH = "-"
LIMITS = (("fma", 1e9, "GFLOP/s"), ("exp", 1e9, "G exp/s"), ("triad", 1e9, "GB/s triad"), ("read", 1e9, "GB/s read"))


def title(row: Row) -> str:
    """What was timed, and at which size.

    >>> title({"part": "model", "variant": "ps", "mode": "train", "batch": 1, "length": 4096, "asked": 8192})
    'ps model, train, 1 x 4,096 (not 8,192)'
    """
    what = row["part"] if row["variant"] is None else f"{row['variant']} model"
    note = "" if row["length"] == row["asked"] else f" (not {row['asked']:,})"
    if row.get("longest_of"):
        note = f" (the longest that fits {' and '.join(row['longest_of'])})"
    return f"{what}, {row['mode']}, {row['batch']} x {row['length']:,}{note}"


HEADER = (
    *("", "seconds", "spread", "times", "of floor", "tokens/s", "updates/s", "moved", "bandwidth"),
    *("peak memory", "first call"),
)


def lines(row: Row) -> list[tuple[str, ...]]:
    """`HEADER`, then one contestant a line, without the columns in which nobody has anything."""
    found = list(_cells(row))
    kept = [i for i, name in enumerate(HEADER) if not name or any(line[i] != _DASH for line in found)]
    return [tuple(line[i] for i in kept) for line in (HEADER, *found)]


def _cells(row: Row) -> Iterator[tuple[str, ...]]:
    for name, found in row["contestants"].items():
        yield (
            name,
            seconds(found["median"]),
            f"{100 * found['spread']:.0f} %",
            _or_dash(found["ratio"], lambda x: f"{x:.2f}"),
            _or_dash(found["of_floor"], lambda x: f"{100 * x:.1f} %"),
            big(found["tokens_per_second"]),
            _or_dash(found["updates_per_second"], big),
            _or_dash(found.get("moved_bytes"), _bytes),
            _or_dash(found.get("bytes_per_second"), lambda x: f"{_bytes(x)}/s"),
            _or_dash(found["peak_bytes"], lambda x: f"{x / 1e6:,.0f} MB"),
            _or_dash(found["first_extra_seconds"], lambda x: f"{x:+.2f} s"),
        )


def row_lines(row: Row) -> Iterator[str]:
    """One row as text."""
    floor = "" if row["floor_seconds"] is None else f"; floor {seconds(row['floor_seconds'])}"
    yield ""
    yield title(row) + floor
    yield from aligned(lines(row))
    yield from (f"  {name}: {reason}" for name, reason in row["absent"].items())


def limit_lines(limits: Sequence[dict[str, Any]] | None) -> Iterator[str]:
    """What the machine does at most."""
    for found in limits or ():
        shown = ", ".join(f"{found[name] / unit:,.1f} {text}" for name, unit, text in LIMITS)
        yield f"limits {_threads(found['threads'])}, {found['isa']}: {shown}"


def card_line(card: dict[str, Any]) -> str:
    """A GPU, and what it can copy.

    >>> card_line({"name": "a GPU", "copy": 2.9e12})
    'card a GPU: copies 2.9 TB/s, read and written'
    """
    return f"card {card['name']}: copies {_bytes(card['copy'])}/s, read and written"


def conditions(results: Results) -> str:
    """When it was measured, on how many threads, and whether the machine did other work."""
    threads, load = results["threads"], results["load"]["before"]
    busy = ", so the machine was busy with other work: measure again" if load > 0.5 else ""
    return f"{results['date']}, {_threads(threads)}, load {load:.1f} before{busy}"


def derived_lines(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """What follows from several rows."""
    for each in found["scan_backward"]:
        yield (
            f"scan backward {each['batch']} x {each['length']:,}: {seconds(each['seconds'])}, "
            f"{big(each['updates_per_second'])} updates/s (training step less forward)"
        )
    for each in found["ps_over_ph"]:
        yield f"ps over ph, {each['mode']} {each['batch']} x {each['length']:,}: {each['ratio']:.2f} times"
    for each in found["short_sequences"]:
        of = f"tokens/s at {each['size']} as a share of {each['beside']}"
        yield f"{each['variant']} model, {each['mode']}: {of}: {100 * each['share']:.0f} %"


def summary(recipe: Bench, folder: RunFolder, results: Results) -> str:
    """The whole, as text."""
    return "\n".join(_summary(recipe, folder, results))


def _summary(recipe: Bench, folder: RunFolder, results: Results) -> Iterator[str]:
    yield ""
    yield f"{recipe.name}: {conditions(results)}"
    yield from limit_lines(results["limits"])
    if card := results.get("card"):
        yield card_line(card)
    yield "times: as many times slower as the first of each table; of floor: share of the speed that the limits allow;"
    yield "peak memory: above weights and inputs, in a process of its own; first call: what it takes longer, likewise"
    if card:
        yield "moved: bytes that the launches of the mixers read and write, by count; bandwidth: that over the seconds"
    for row in results["rows"]:
        yield from row_lines(row)
    yield ""
    yield from derived_lines(results["derived"])
    yield ""
    yield f"results     {folder.path / RESULTS}"
    yield f"report      {folder.path / REPORT}"
    yield "to measure again, give another folder by --out"


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table, the first column to the left and the others to the right."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for first, *others in table:
        rest = "".join(f"  {cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        yield f"  {first:<{widths[0]}}{rest}"


def seconds(value: float) -> str:
    """A time in three digits.

    >>> [seconds(x) for x in (12.345, 0.0123, 0.000123)]
    ['12.3 s', '12.3 ms', '123 us']
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= unit:
            return f"{value / unit:.3g} {name}" if value < 1000 * unit else f"{value / unit:,.0f} {name}"
    return f"{value / 1e-6:.3g} us"


def big(value: float) -> str:
    """A rate in three digits.

    >>> [big(x) for x in (2.9e12, 9.87654e9, 123456.0, 12.0)]
    ['2.9 T', '9.88 G', '123 k', '12']
    """
    for unit, name in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    shown = big(value)
    return f"{shown}B" if shown[-1].isalpha() else f"{shown} B"


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def _or_dash(value: Any, shown: Any) -> str:
    return _DASH if value is None else shown(value)
