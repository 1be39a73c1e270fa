"""What a finished run of maps says on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from caduceus.recipes.loci import counted
from caduceus.recipes.mutagenesis_agreement import MEASURES, NAMES
from caduceus.recipes.run_dir import RunFolder
from caduceus.recipes.schema import Recipe, Results

_LOCI_SHOWN = 12


def text(recipe: Recipe, folder: RunFolder, results: Results) -> str:
    """The summary."""
    return "\n".join(_lines(recipe, folder, results))


def ranged(found: dict[str, Any]) -> str:
    """A correlation and its interval: ``+0.312 (+0.250 to +0.371)``; as far as it is defined."""
    if found["value"] is None:
        return "not defined"
    told = f"{found['value']:+.3f}"
    return told if found["low"] is None else f"{told} ({found['low']:+.3f} to {found['high']:+.3f})"


def _lines(recipe: Recipe, folder: RunFolder, results: Results) -> Iterator[str]:
    loci = results["loci"]
    yield f"\n{recipe.name}: {counted(len(loci))}, {results['bases']:,} bases"
    for locus in loci[:_LOCI_SHOWN]:
        yield f"  {locus['locus']:<32}{locus['bases']:>7,} bases  {locus['bits_per_base']:.3f} bits each"
    if len(loci) > _LOCI_SHOWN:
        yield f"  and {len(loci) - _LOCI_SHOWN:,} more"
    for group, found in results.get("measured", {}).get("groups", {}).items():
        yield f"\n{group}: Spearman (95 %) with {found['rows']:,} effects of {found['positions']:,} positions"
        for measure, what in MEASURES.items():
            yield f"  {what}"
            yield from (f"    {NAMES[name]:<32}{ranged(told)}" for name, told in found[measure].items())
    yield ""
    for name in results["outputs"]:
        yield f"written     {folder.path / name}"
