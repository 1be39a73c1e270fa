"""What a finished scoring run says on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results
from caduceus.recipes.variant_text import COLUMNS

_CONTROLS = {name for name, (_, about) in COLUMNS.items() if about.startswith("control:")}


def table(recipe: Recipe, folder: RunFolder, results: Results) -> str:
    """The summary."""
    return "\n".join(_lines(recipe, folder, results))


def _lines(recipe: Recipe, folder: RunFolder, results: Results) -> Iterator[str]:
    yield ""
    shard = "" if results["shard"] == "1/1" else f", shard {results['shard']}"
    yield f"{recipe.name}: {results['records_of_shard']:,} records{shard}, {results['per_minute']:,.0f} a minute"
    whole = " (of the whole file)" if shard else ""
    yield from (f"  {count:>9,}  not scored: {reason}{whole}" for reason, count in results["not_scored"].items())
    for group, scores in results.get("ranking", {}).items():
        yield ""
        yield f"{group}: how well damaging variants are told (95 % interval); controls are in brackets"
        for name, found in scores.items():
            shown = f"[{name}]" if name in _CONTROLS else name
            if "value" in found:
                interval = f"({found.get('low', float('nan')):.3f} to {found.get('high', float('nan')):.3f})"
                yield f"  {shown:<21}{found['measure']} {found['value']:6.3f}  {interval}  n = {found['n']:,}"
    yield ""
    for name in results["outputs"]:
        yield f"written     {folder.path / name}"
